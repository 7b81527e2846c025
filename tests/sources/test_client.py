"""The client keeps what any host answers within bounds, and the token and what is of this machine at home."""

import gzip
import logging
import os
import subprocess
import sys
import traceback
import zlib
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import httpx2
import psutil
import pytest
from huggingface_hub.utils import get_session

from pipeline.errors import CensusError
from pipeline.sources.client import LARGEST_BODY_BYTES, HubClient
from pipeline.sources.hub import HubSource
from pipeline.sources.listing_crawl import ListingCrawl
from synthetic_hub.datasets import ARCHIVE_FILE, ARCHIVE_REPOSITORY
from tests.mirror import Answer, Misbehaviour, answering, next_page_at, redirect, status
from tests.sources.listing_server import ListingServer, model, serving

MODELS = [model(number) for number in range(5)]
ROOT = Path(__file__).parents[2]


def packed(size, wbits):
    """What unpacks to so many bytes, made of one packed megabyte again and again."""
    packer = zlib.compressobj(wbits=wbits)
    first, more = (packer.compress(b" " * 2**20) + packer.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    return first + more * (size // 2**20 - 1)


def deflated(size):
    return packed(size, zlib.MAX_WBITS)


def zipped(size):
    return packed(size, zlib.MAX_WBITS | 16)


@pytest.mark.parametrize(
    ("encoding", "body", "said"),
    [
        ("gzip", zipped(2 * 2**30), f"more than {LARGEST_BODY_BYTES // 2**20} MB, which no Hub does"),
        ("deflate", deflated(2 * 2**30), "more than 64 MB, which no Hub does"),
        ("identity", b" " * (LARGEST_BODY_BYTES + 1), "more than 64 MB, which no Hub does"),
        ("gzip, gzip", gzip.compress(zipped(2**30)), "packs an answer in a way that was not asked for"),
        ("br", b"whatever", "packs an answer in a way that was not asked for"),
    ],
)
def test_a_body_that_unpacks_to_gigabytes_is_refused_before_it_is_in_memory(encoding, body, said):
    server = ListingServer(MODELS)
    server.headers = {"Content-Encoding": encoding}
    before = psutil.Process().memory_info().rss
    with serving(server, body) as address, pytest.raises(CensusError, match=said):
        HubClient(address, retries=0).page(f"{address}/api/models?limit=5")
    assert psutil.Process().memory_info().rss - before < 400 * 2**20


@pytest.mark.parametrize("follows", [True, False])
@pytest.mark.parametrize("encoding", ["gzip", "identity"])
def test_the_body_of_a_redirect_is_not_read(follows, encoding):
    server = ListingServer(MODELS)
    server.status, server.headers = 302, {"Content-Encoding": encoding, "Location": "/api/models?limit=5"}
    before = psutil.Process().memory_info().rss
    with serving(server, zipped(2 * 2**30) if encoding == "gzip" else b" " * 2**27) as address:
        if follows:
            with pytest.raises(httpx2.TooManyRedirects):
                get_session().get(f"{address}/api/models?limit=5")
        else:
            with pytest.raises(CensusError, match="answered the model listing with a redirect"):
                HubClient(address, retries=0).page(f"{address}/api/models?limit=5")
    assert psutil.Process().memory_info().rss - before < 400 * 2**20


@pytest.mark.parametrize("content_type", ["application/octet-stream", "application/json"])
def test_a_part_of_a_file_may_be_as_large_as_was_asked_for_and_no_larger(content_type):
    server = ListingServer(MODELS)
    server.headers = {"Content-Encoding": "identity", "Content-Type": content_type}
    size = LARGEST_BODY_BYTES + 2**20
    with serving(server, b" " * size) as address:
        url = f"{address}/api/models?limit=5"
        assert len(get_session().get(url, headers={"Range": f"bytes=0-{size - 1}"}).content) == size
        with pytest.raises(CensusError, match="more than 64 MB"):
            get_session().get(url, headers={"Range": "bytes=0-99"})


def test_a_large_page_is_read(tmp_path):
    large = [one | {"pipeline_tag": "x" * 5_000_000} for one in MODELS]
    with serving(ListingServer(large)) as address:
        assert len(HubClient(address).page(f"{address}/api/models?limit=5").body) > 25_000_000


ASKED = """
from pipeline.sources.client import HubClient
import sys
client = HubClient(sys.argv[1], retries=0)
page = client.page(f"{sys.argv[1]}/api/models?limit=5")
print(len(page.body) > 100, client.is_synthetic)
"""


def asked(address, **environment):
    """What a process of its own says that asks the server, with such an environment."""
    return subprocess.run(
        [sys.executable, "-c", ASKED, address],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_no_proxy_stands_between_us_and_this_machine(variable, host):
    with serving(ListingServer(MODELS)) as address:
        ended = asked(address.replace("127.0.0.1", host), **{variable: "http://127.0.0.1:9"})
    assert ended.stdout.split() == ["True", "False"], ended.stderr


def test_the_offline_mode_of_the_library_leaves_this_machine_alone_and_is_named_for_others():
    with serving(ListingServer(MODELS)) as address:
        assert asked(address, HF_HUB_OFFLINE="1").stdout.split() == ["True", "False"]
    said = asked("http://hub.invalid", HF_HUB_OFFLINE="1").stderr.strip().splitlines()[-1]
    assert "HF_HUB_OFFLINE is set, so that the Hub at http://hub.invalid is not asked for the model listing" in said


@pytest.mark.parametrize("is_synthetic", [False, True])
def test_a_hub_that_says_that_it_is_synthetic_makes_synthetic_months_by_whatever_address(tmp_path, is_synthetic):
    server = ListingServer(MODELS)
    server.headers = {"X-Synthetic-Hub": "1"} if is_synthetic else {}
    now = datetime(2026, 6, 1, 1, tzinfo=UTC)
    name = "hub (synthetic)" if is_synthetic else "hub"

    def source(address):
        return HubSource(HubClient(address), tmp_path, clock=lambda: now)

    with serving(server) as address:
        assert source(address).closing_snapshot(date(2026, 5, 1)).source == name
        assert source(address).is_synthetic == is_synthetic
    # Later, from the pages that were kept, by a process that has asked nothing.
    assert source("http://127.0.0.1:9").closing_snapshot(date(2026, 5, 1)).source == name


TOKEN = "hf_" + "notarealtokenbutonetolookfor"


@dataclass
class Host:
    """Another host, and what reached it."""

    url: str
    received: list


@pytest.fixture
def another_host():
    received = []

    def answer_to(request):
        received.append(request)
        return Answer(200, (("Content-Length", "2"),), b"[]")

    with answering(answer_to) as url:
        yield Host(url, received)


def archive_download(client, world, folder):
    client.download(ARCHIVE_REPOSITORY, ARCHIVE_FILE, world.revisions["commit"][0], folder / "files")


REQUESTS = {
    "the listing": ("/api/models", lambda client, world, folder: ListingCrawl(client, folder / "crawl", 250).run()),
    "the archive's commits": (
        "/api/datasets",
        lambda client, world, folder: client.archive_revisions(ARCHIVE_REPOSITORY),
    ),
    "the archive's file": ("/datasets", archive_download),
    "an account": ("/api/organizations", lambda client, world, folder: client.account_type("Qwen")),
}


@pytest.mark.parametrize(("path", "ask"), REQUESTS.values(), ids=REQUESTS)
def test_the_configured_hub_is_sent_the_token(hub_of, world, tmp_path, path, ask):
    hub = hub_of()
    ask(HubClient(hub.endpoint, TOKEN), world, tmp_path)
    assert {request.authorized for request in hub.requests if request.path.startswith(path)} == {True}


@pytest.mark.parametrize(("path", "ask"), REQUESTS.values(), ids=REQUESTS)
def test_a_redirect_to_another_host_does_not_get_the_token(hub_of, world, another_host, tmp_path, path, ask):
    hub = hub_of(Misbehaviour(redirect(f"{another_host.url}/elsewhere"), path, methods=("GET", "HEAD")))
    said = ""
    try:
        ask(HubClient(hub.endpoint, TOKEN), world, tmp_path)
    except CensusError as error:
        said = "".join(traceback.format_exception(error))
    assert TOKEN not in said
    assert [request for request in another_host.received if TOKEN in str(request.headers)] == []


@pytest.mark.parametrize("what", ["the listing", "the archive's commits"])
def test_a_next_link_to_another_host_is_refused_in_words(hub_of, world, another_host, tmp_path, what):
    path, ask = REQUESTS[what]
    hub = hub_of(Misbehaviour(next_page_at(f"{another_host.url}{path}?p=1"), path))
    with pytest.raises(CensusError, match="refusing to") as refused:
        ask(HubClient(hub.endpoint, TOKEN), world, tmp_path)
    assert another_host.received == []
    assert TOKEN not in "".join(traceback.format_exception(refused.value))


def test_the_token_is_in_no_file_no_log_and_no_representation(hub_of, world, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    hub = hub_of(Misbehaviour(status(503), requests=(2,)), Misbehaviour(status(401), "/api/users"))
    client = HubClient(hub.endpoint, TOKEN)
    told = []
    ListingCrawl(client, tmp_path / "crawl", 250).run(told.append)
    client.account_type("nobody-at-all")
    archive_download(client, world, tmp_path)
    kept = [path for path in tmp_path.rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()]
    assert kept == []
    assert TOKEN not in caplog.text + repr(client) + str(told)
