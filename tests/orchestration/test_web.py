"""What the UI refuses: other sites' pages, other names of this machine, forms and links that would change something."""

import asyncio
import socket

import pytest

from pipeline.errors import CensusError
from pipeline.orchestration.web import OwnPagesOnly, hosts_of, serve_ui

OURS = "127.0.0.1:3000"
JSON = {"content-type": "application/json"}
FORM = {"content-type": "application/x-www-form-urlencoded"}
FOREIGN = {"origin": "http://evil.example"}
FROM_ABROAD = {"sec-fetch-site": "cross-site"}

ALLOWED = {
    "a person who opens the UI": ("GET", "/", {"sec-fetch-site": "none", "sec-fetch-dest": "document"}),
    "a link from a chat": ("GET", "/runs/1", FROM_ABROAD | {"sec-fetch-dest": "document"}),
    "a program on this machine": ("POST", "/graphql", JSON),
    "the UI's own page": ("POST", "/graphql", JSON | {"origin": f"http://{OURS}", "sec-fetch-site": "same-origin"}),
    "the page for queries": ("GET", "/graphql", {}),
}
REFUSED = {
    "another name of this machine": ("GET", "/", {"host": "evil.example:3000"}),
    "no name": ("GET", "/", {"host": ""}),
    "another port": ("GET", "/", {"host": "127.0.0.1:8080"}),
    "another site's script": ("POST", "/graphql", JSON | FOREIGN),
    "a page without an origin": ("POST", "/graphql", JSON | {"origin": "null"}),
    "a form of an old browser": ("POST", "/graphql", FORM),
    "a change without a type": ("POST", "/graphql", {}),
    "a query in the address": ("GET", "/graphql?query=mutation", {}),
    "a query in a form's address": ("POST", "/graphql?query=mutation", JSON),
    "a picture of another site's page": ("GET", "/logs/1", FROM_ABROAD | {"sec-fetch-dest": "image"}),
    "another port's page": ("GET", "/logs/1", {"sec-fetch-site": "same-site", "sec-fetch-dest": "script"}),
}


def answer(method, address, headers, kind="http"):
    """What the app behind the guard answers to a request, or what the guard does."""
    path, _, query = address.partition("?")
    sent = []

    async def app(scope, receive, send):
        await send({"type": "passed on"})

    async def send(message):
        sent.append(message)

    scope = {
        "type": kind,
        "method": method,
        "scheme": "http",
        "path": path,
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in ({"host": OURS} | headers).items()],
    }
    asyncio.run(OwnPagesOnly(app, hosts_of(3000))(scope, None, send))
    return sent[0].get("status", sent[0]["type"])


@pytest.mark.parametrize("asked", ALLOWED.values(), ids=ALLOWED)
def test_ones_own_pages_and_programs_are_answered(asked):
    assert answer(*asked) == "passed on"


@pytest.mark.parametrize("asked", REFUSED.values(), ids=REFUSED)
def test_everything_else_is_refused(asked):
    assert answer(*asked) == 403


def test_a_subscription_from_another_site_is_closed():
    assert answer("GET", "/graphql", {}, "websocket") == "passed on"
    assert answer("GET", "/graphql", FOREIGN, "websocket") == "websocket.close"


def test_the_address_that_people_are_given_is_one_of_the_uis_names(monkeypatch):
    monkeypatch.setenv("CENSUS_UI_URL", "https://census.example")
    assert answer("GET", "/", {"host": "census.example"}) == "passed on"


def test_a_port_in_use_is_one_sentence(instance):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CensusError, match=rf"port {port} cannot be listened on .*choose another with --port"):
            serve_ui(port)
