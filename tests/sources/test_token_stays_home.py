"""The token goes to the configured Hub and nowhere else, and is in nothing that we keep or say."""

import logging
import traceback
from dataclasses import dataclass

import pytest

from pipeline.errors import CensusError
from pipeline.sources.client import HubClient
from pipeline.sources.listing_crawl import ListingCrawl
from synthetic_hub.datasets import ARCHIVE_FILE, ARCHIVE_REPOSITORY
from tests.mirror import Answer, Misbehaviour, answering, next_page_at, redirect, status

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
