"""A Hub behind a mirror that can misbehave in every way that bytes can, and what both are asked for."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

import pytest

from pipeline.months import add_months
from synthetic_hub.server import LocalHub
from synthetic_hub.world import WorldSettings, ensure_world
from tests.faults.remains import MONTH

WORKER = Path(__file__).with_name("worker.py")
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Answer:
    """What the Hub answered. `wire`, where set, is sent as it is; `sent` is the part of the body that arrives."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    wire: bytes | None = None
    sent: float = 1.0
    after_seconds: float = 0.0

    def with_body(self, body, content_type=None):
        kept = [
            (name, value)
            for name, value in self.headers
            if name.lower() not in {"content-length", "content-encoding", "etag"}
            and not (content_type and name.lower() == "content-type")
        ]
        typed = [("Content-Type", content_type)] if content_type else []
        return replace(self, headers=(*kept, *typed, ("Content-Length", str(len(body)))), body=body)

    def with_header(self, name, value):
        kept = [(other, said) for other, said in self.headers if other.lower() != name.lower()]
        return replace(self, headers=(*kept, (name, value)))

    def with_rows(self, change):
        """The same with each record changed; what is no list of records stays as it is."""
        rows = json.loads(self.body)
        return self.with_body(json.dumps([change(row) for row in rows]).encode()) if isinstance(rows, list) else self


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
    met: Counter = field(default_factory=Counter)
    asked: list = field(default_factory=list)

    def __enter__(self):
        mirror = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                mirror.answer(self)

            do_GET = do_HEAD = do_POST = answer  # noqa: N815 - the names that the server looks for

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self.server.server_port}"
        Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def behave(self):
        self.misbehaviours = ()

    def answer(self, handler):
        self.asked.append(handler.path)
        answer = self.of_the_hub(handler)
        for place, misbehaviour in enumerate(self.misbehaviours):
            if handler.path.startswith(misbehaviour.path) and handler.command in misbehaviour.methods:
                self.met[place] += 1
                if not misbehaviour.requests or self.met[place] in misbehaviour.requests:
                    answer = misbehaviour.change(answer)
        time.sleep(answer.after_seconds)
        handler.close_connection = answer.wire is not None or answer.sent < 1
        if answer.wire is not None:
            handler.wfile.write(answer.wire)
        else:
            handler.send_response_only(answer.status)
            for name, value in answer.headers:
                handler.send_header(name, value)
            handler.end_headers()
            if handler.command != "HEAD":
                handler.wfile.write(answer.body[: int(len(answer.body) * answer.sent)])
        if handler.close_connection:
            handler.wfile.flush()
            handler.connection.shutdown(socket.SHUT_RDWR)

    def of_the_hub(self, handler):
        connection = http.client.HTTPConnection(urlsplit(self.hub).netloc, timeout=30)
        length = int(handler.headers.get("Content-Length") or 0)
        headers = {name: value for name, value in handler.headers.items() if name.lower() not in {"host", "connection"}}
        connection.request(
            handler.command, handler.path, handler.rfile.read(length), headers | {"Accept-Encoding": "identity"}
        )
        response = connection.getresponse()
        body = response.read()
        found = [(name, value.replace(self.hub, self.endpoint)) for name, value in response.getheaders()]
        connection.close()
        return Answer(response.status, tuple(found), body)


@dataclass(frozen=True)
class Worker:
    """Runs jobs in one home, each in a process of its own that can be killed."""

    process: subprocess.Popen
    home: Path
    endpoint: str

    def start(self, job, month=None, source="hub_stats", **environment):
        """The id of the process that runs the job."""
        own = {"CENSUS_HOME": str(self.home), "DAGSTER_HOME": str(self.home / "dagster"), "HF_ENDPOINT": self.endpoint}
        asked = {"job": job, "month": month and month.isoformat(), "source": source, "environment": own | environment}
        return self.ask(**asked)["pid"]

    def end(self, pid):
        """How it ended, once it has."""
        return self.ask(ended=pid)

    def run(self, *job, **environment):
        return self.end(self.start(*job, **environment))

    def killed_after(self, processor_seconds, *job):
        """Whether the job was still running when it was killed after so much work, however fast the machine is."""
        return self.killed_once(lambda pid: work_of(pid) >= processor_seconds, *job)

    def killed_once(self, reached, *job):
        """Whether the job was still running when it was killed, as soon as its process had reached something."""
        pid = self.start(*job)
        while not reached(pid) and work_of(pid) != ENDED:
            time.sleep(0.001)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        return os.WIFSIGNALED(self.end(pid)["status"])

    def ask(self, **asked):
        self.process.stdin.write(json.dumps(asked) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


ENDED = float("inf")


def work_of(pid):
    """Seconds of processor time that a process has had; endless if it has ended."""
    state, *numbers = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return ENDED if state == "Z" else (int(numbers[10]) + int(numbers[11])) / os.sysconf("SC_CLK_TCK")


@pytest.fixture(scope="session")
def worker_in(tmp_path_factory):
    """Runs jobs in processes that may be killed: `worker_in(home, endpoint).run("publish")`."""
    process = subprocess.Popen(
        [sys.executable, WORKER, tmp_path_factory.mktemp("worker")],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    json.loads(process.stdout.readline())

    def of(home, endpoint="http://127.0.0.1:9"):
        home.mkdir(parents=True, exist_ok=True)
        return Worker(process, home, endpoint)

    yield of
    process.kill()
    process.wait()


@pytest.fixture(scope="session")
def world_of(tmp_path_factory):
    """Worlds of a thousand models that open and close one month: `world_of(seed)`."""
    folder = tmp_path_factory.mktemp("worlds")
    boundaries = (MONTH, add_months(MONTH, 1))
    return lambda seed: ensure_world(folder, WorldSettings(models=1_000, seed=seed, revisions=boundaries, truth=False))


@pytest.fixture(scope="session")
def small_world(world_of):
    return world_of(1)


@pytest.fixture(scope="session")
def small_hub(small_world):
    with LocalHub(small_world) as hub:
        yield hub


@pytest.fixture
def mirror_that(small_hub):
    """Starts a mirror of the small Hub with these misbehaviours; it ends with the test."""
    running = []

    def start(*misbehaviours):
        running.append(Mirror(small_hub.endpoint, misbehaviours).__enter__())
        return running[-1]

    yield start
    for mirror in running:
        mirror.__exit__()


@pytest.fixture
def no_pauses(monkeypatch):
    """Retries follow one another at once."""
    sleep = time.sleep
    monkeypatch.setattr(time, "sleep", lambda seconds: sleep(min(seconds, 0.01)))


@pytest.fixture(scope="session")
def misbehaviour():
    """The class, for test modules that cannot import this file."""
    return Misbehaviour
