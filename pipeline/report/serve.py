"""A folder of pages on loopback, to be looked at from this machine alone."""

from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import click

from pipeline.errors import ports_in_words

LOOPBACK = "127.0.0.1"


def listening(folder: Path, port: int) -> ThreadingHTTPServer:
    """A server of the folder's files on loopback, not yet answering.

    Raises:
        CensusError: the port is taken.
    """
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    with ports_in_words(port):
        return ThreadingHTTPServer((LOOPBACK, port), handler)


def serve_folder(folder: Path, port: int) -> None:
    """Serves the folder's files until interrupted, and prints the address."""
    with listening(folder, port) as server:
        click.echo(f"the pages are at http://{LOOPBACK}:{server.server_port} (end with Ctrl-C)")
        server.serve_forever()
