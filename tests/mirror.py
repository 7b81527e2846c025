"""Servers on loopback that answer as a test says: a mirror of a Hub that misbehaves in every way that bytes can."""

import http.client
import json
import socket
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Request:
    """What was asked for; `path` without its query."""

    method: str
    path: str
    query: str
    headers: Message
    body: bytes

    @property
    def target(self):
        return f"{self.path}?{self.query}" if self.query else self.path


@dataclass(frozen=True)
class Answer:
    """What is answered. `wire`, where set, is sent as it is; `sent` is the part of the body that arrives."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    wire: bytes | None = None
    sent: float = 1.0
    after_seconds: float = 0.0

    def with_body(self, body, content_type=None):
        changed = {"content-length", "content-encoding", "etag"} | ({"content-type"} if content_type else set())
        kept = [(name, value) for name, value in self.headers if name.lower() not in changed]
        typed = [("Content-Type", content_type)] if content_type else []
        return replace(self, headers=(*kept, *typed, ("Content-Length", str(len(body)))), body=body)

    def with_header(self, name, value):
        kept = [(other, said) for other, said in self.headers if other.lower() != name.lower()]
        return replace(self, headers=(*kept, (name, value)))

    def with_rows(self, change):
        """The same with other records; what is no list of records stays as it is."""
        rows = json.loads(self.body)
        return self.with_body(json.dumps(change(rows)).encode()) if isinstance(rows, list) else self


def saying(content=b"", content_type="application/json", status=200):
    """An answer of this body."""
    return Answer(status, (), b"").with_body(content, content_type)


@contextmanager
def answering(answer_to):
    """The address of a server that answers each request with what the function makes of it."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self):
            path, _, query = self.path.partition("?")
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            answer = answer_to(Request(self.command, path, query, self.headers, body))
            time.sleep(answer.after_seconds)
            self.close_connection = answer.wire is not None or answer.sent < 1
            if answer.wire is not None:
                self.wfile.write(answer.wire)
            else:
                self.send_response_only(answer.status)
                for name, value in answer.headers:
                    self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(answer.body[: int(len(answer.body) * answer.sent)])
            if self.close_connection:
                self.wfile.flush()
                self.connection.shutdown(socket.SHUT_RDWR)

        do_GET = do_HEAD = do_POST = answer  # noqa: N815 - the names that the server looks for

        def log_message(self, *_):
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_):
            pass

    server = Server(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@dataclass(frozen=True)
class Misbehaviour:
    """What happens to the answers to some requests, counted from 1 among those whose path begins with `path`."""

    change: object
    path: str = "/api/models"
    requests: tuple[int, ...] = ()
    methods: tuple[str, ...] = ("GET",)


@dataclass
class Mirror:
    """A server between the client and a Hub; `misbehaviours` may be exchanged while it runs."""

    hub: str
    misbehaviours: tuple[Misbehaviour, ...] = ()
    requests: list[Request] = field(default_factory=list)
    met: Counter = field(default_factory=Counter)

    def __enter__(self):
        self.server = answering(self.answer_to)
        self.endpoint = self.server.__enter__()
        return self

    def __exit__(self, *error):
        self.server.__exit__(*error)

    def behave(self):
        self.misbehaviours = ()

    def answer_to(self, request):
        self.requests.append(request)
        answer = self.of_the_hub(request)
        for place, misbehaviour in enumerate(self.misbehaviours):
            if request.target.startswith(misbehaviour.path) and request.method in misbehaviour.methods:
                self.met[place] += 1
                if not misbehaviour.requests or self.met[place] in misbehaviour.requests:
                    answer = misbehaviour.change(answer)
        return answer

    def of_the_hub(self, request):
        connection = http.client.HTTPConnection(urlsplit(self.hub).netloc, timeout=30)
        headers = {name: value for name, value in request.headers.items() if name.lower() not in {"host", "connection"}}
        connection.request(request.method, request.target, request.body, headers | {"Accept-Encoding": "identity"})
        response = connection.getresponse()
        body = response.read()
        found = [(name, value.replace(self.hub, self.endpoint)) for name, value in response.getheaders()]
        connection.close()
        return Answer(response.status, tuple(found), body)


def status(code, *header):
    """Another status, with a header where one is given."""
    return lambda answer: replace(answer.with_body(b'{"error":"planted"}'), status=code).with_header(
        *(header or ("X-Planted", "yes"))
    )


def body(content, content_type="application/json"):
    """Another body."""
    return lambda answer: answer.with_body(content, content_type)


def half(answer):
    """The first half of the body, as if that were all."""
    return answer.with_body(answer.body[: len(answer.body) // 2])


def cut(part=0.5):
    """A connection that breaks off in the body."""
    return lambda answer: replace(answer, sent=part)


def slow(seconds):
    """An answer that takes its time."""
    return lambda answer: replace(answer, after_seconds=seconds)


def wire(content):
    """These bytes in the place of an answer."""
    return lambda answer: replace(answer, wire=content)


def redirect(where, code=302):
    """A redirect in the place of an answer."""
    return lambda answer: replace(answer.with_body(b""), status=code).with_header("Location", where)


def next_page_at(where):
    """Another link to the next page."""
    return lambda answer: answer.with_header("Link", f'<{where}>; rel="next"')


def rows(change):
    """Each record changed."""
    return lambda answer: answer.with_rows(lambda records: [change(record) for record in records])


def shown_again(count):
    """So many records from before a page of the listing at its beginning."""
    seen = []

    def place(record):
        return record["createdAt"], record["_id"]

    def change(records):
        before = [record for record in seen if records and place(record) < place(records[0])]
        seen[:] = [*before, *records]
        return before[-count:] + records

    return lambda answer: answer.with_rows(change)
