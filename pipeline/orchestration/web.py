"""Dagster's UI and daemon for this machine alone: what another site, or another name of this machine, asks is refused.

Dagster's server takes a mutation from any page that a browser has open, as a form or a link: such requests end here.
"""

from __future__ import annotations

import multiprocessing
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import entry_points
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click
import dagster as dg
from filelock import FileLock, Timeout

from pipeline import settings
from pipeline.errors import CensusError, ports_in_words
from pipeline.orchestration.launch import follow_parent
from pipeline.orchestration.runs import limit_pools

if TYPE_CHECKING:
    from starlette.requests import HTTPConnection
    from starlette.types import ASGIApp, Receive, Scope, Send

LOOPBACK = "127.0.0.1"
PAGES = {"GET", "HEAD"}


class OwnPagesOnly:
    """Passes on what the UI's own pages and programs on this machine ask, and refuses everything else."""

    def __init__(self, app: ASGIApp, hosts: set[str]) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        from starlette.requests import HTTPConnection  # noqa: PLC0415 - loaded with the UI, not with each command
        from starlette.responses import PlainTextResponse  # noqa: PLC0415

        if scope["type"] == "lifespan" or (refusal := self._refusal(HTTPConnection(scope))) is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": refusal})
        else:
            await PlainTextResponse(f"refused: {refusal}\n", status_code=403)(scope, receive, send)

    def _refusal(self, asked: HTTPConnection) -> str | None:
        method = asked.scope.get("method", "GET")
        origin = asked.headers.get("origin")
        from_a_page = asked.headers.get("sec-fetch-site", "none")
        is_link = method in PAGES and asked.headers.get("sec-fetch-dest") == "document"
        if asked.headers.get("host", "") not in self._hosts:
            return f"the UI is known as {', '.join(sorted(self._hosts))}"
        is_of_another_site = origin is not None and urlsplit(origin).netloc not in self._hosts
        if is_of_another_site or (from_a_page not in {"none", "same-origin"} and not is_link):
            return "the request comes from a page of another site"
        if asked.url.path.endswith("/graphql") and "query" in asked.query_params:
            return "a query is asked as JSON, not in the address"
        if method not in PAGES and not asked.headers.get("content-type", "").startswith("application/json"):
            return "a change is asked for as JSON, not as a form"
        return None


def serve_ui(port: int) -> None:
    """Serves the UI on loopback, with the daemon beside it, until stopped.

    Raises:
        CensusError: the port is taken, or the UI of this home is open already.
    """
    import uvicorn  # noqa: PLC0415 - a server and its workspace: only here
    from dagster._core.workspace.context import WorkspaceProcessContext  # noqa: PLC0415 - Dagster has no public name
    from dagster._core.workspace.load_target import WorkspaceFileTarget  # noqa: PLC0415
    from dagster_webserver.app import create_app_from_workspace_process_context  # noqa: PLC0415

    address = f"http://{LOOPBACK}:{port}"
    with _only_ui_of_home(address), dg.DagsterInstance.get() as instance:
        with ports_in_words(port):
            listener = socket.create_server((LOOPBACK, port))
        os.environ.setdefault("CENSUS_UI_URL", address)
        limit_pools(instance)
        workspace = str(settings.dagster_folder() / "workspace.yaml")
        daemon = multiprocessing.get_context("spawn").Process(target=_daemon, args=(workspace,))
        daemon.start()
        try:
            with WorkspaceProcessContext(instance, WorkspaceFileTarget([workspace])) as process:
                app = OwnPagesOnly(create_app_from_workspace_process_context(process), hosts_of(port))
                click.echo(f"the Dagster UI is at {address} (end with Ctrl-C)")
                uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])
        finally:
            daemon.terminate()
            daemon.join(timeout=30)
            daemon.kill()


def hosts_of(port: int) -> set[str]:
    """The names under which the UI may be asked: loopback's, and that of CENSUS_UI_URL."""
    return {f"{LOOPBACK}:{port}", f"localhost:{port}", urlsplit(settings.ui_url()).netloc}


@contextmanager
def _only_ui_of_home(address: str) -> Iterator[None]:
    """Holds the home's UI: two daemons over one instance would do everything twice."""
    known = settings.dagster_folder() / "ui"
    try:
        with FileLock(known.with_suffix(".lock"), timeout=0):
            known.write_text(address)
            yield
    except Timeout as error:
        where = known.read_text() if known.exists() else "another address"
        raise CensusError(f"the UI of this home is open already, at {where}: use that one, or end it first") from error


def _daemon(workspace_file: str) -> None:
    """Dagster's daemon in this process."""
    follow_parent()
    sys.argv = ["dagster-daemon", "run", "-w", workspace_file, "--log-level", "warning"]
    [command] = entry_points(group="console_scripts", name="dagster-daemon")
    command.load()()
