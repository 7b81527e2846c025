"""The token goes to the configured Hub and nowhere else, and is in nothing that we keep or say."""

import logging
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from pipeline.errors import CensusError
from pipeline.sources.client import HubClient
from pipeline.sources.listing_crawl import ListingCrawl
from synthetic_hub.datasets import ARCHIVE_FILE, ARCHIVE_REPOSITORY
from synthetic_hub.faults import Fault

TOKEN = "hf_" + "notarealtokenbutonetolookfor"


@pytest.fixture
def another_host():
    """Another host, which keeps the headers of whatever reaches it."""

    received = []

    class Host(BaseHTTPRequestHandler):
        def answer(self):
            received.append(dict(self.headers))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"[]")

        do_GET = do_HEAD = do_POST = answer  # noqa: N815 - the names that the server looks for

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Host)
    Thread(target=server.serve_forever, daemon=True).start()
    server.url = f"http://127.0.0.1:{server.server_port}"
    server.received = received
    yield server
    server.shutdown()


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
    hub = hub_of(Fault("redirect", path=path, value=f"{another_host.url}/elsewhere"))
    said = ""
    try:
        ask(HubClient(hub.endpoint, TOKEN), world, tmp_path)
    except CensusError as error:
        said = "".join(traceback.format_exception(error))
    assert TOKEN not in said
    assert [headers for headers in another_host.received if TOKEN in str(headers)] == []


@pytest.mark.parametrize("what", ["the listing", "the archive's commits"])
def test_a_next_link_to_another_host_is_refused_in_words(hub_of, world, another_host, tmp_path, what):
    path, ask = REQUESTS[what]
    hub = hub_of(Fault("foreign_link", path=path, value=another_host.url))
    with pytest.raises(CensusError, match="refusing to") as refused:
        ask(HubClient(hub.endpoint, TOKEN), world, tmp_path)
    assert another_host.received == []
    assert TOKEN not in "".join(traceback.format_exception(refused.value))


def test_the_token_is_in_no_file_no_log_and_no_representation(hub_of, world, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    hub = hub_of(Fault("server_error", (2,), value=503), Fault("server_error", path="/api/users", value=401))
    client = HubClient(hub.endpoint, TOKEN)
    told = []
    ListingCrawl(client, tmp_path / "crawl", 250).run(told.append)
    client.account_type("nobody-at-all")
    archive_download(client, world, tmp_path)
    kept = [path for path in tmp_path.rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()]
    assert kept == []
    assert TOKEN not in caplog.text + repr(client) + str(told)
