"""The local Hub: the parts of the Hugging Face Hub's HTTP protocol that the client uses, over a synthetic world.

It listens on the loopback interface only. Every answer says `X-Synthetic-Hub: 1`, a refusal too, so that whoever reads
it by its address can pass that on; its datasets have the tag `synthetic`.
"""

from __future__ import annotations

import math
import socket
import threading
import time
import uuid
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from synthetic_hub.answers import error_answer
from synthetic_hub.application import Hub
from synthetic_hub.timeline import END
from synthetic_hub.world import WorldFiles

LOOPBACK = "127.0.0.1"
_LOGGED_REQUESTS = 10_000
_START_TIMEOUT = 15.0
SYNTHETIC_HEADER = "X-Synthetic-Hub"
UNLIMITED = 1_000_000_000
_PER_API_REQUEST = {"api": 1.0, "resolvers": 6.0, "pages": 0.2}
"""How the Hub's anonymous quotas compare: 500 API requests, 3,000 file requests, 100 pages a window."""


@dataclass
class FixedWindows:
    """Counts requests by bucket in windows of so many seconds. `quota` is that of the API; None refuses nobody."""

    quota: int | None
    window: int
    _began: dict[str, float] = field(default_factory=dict)
    _used: dict[str, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, path: str) -> tuple[bool, dict[str, str]]:
        """Counts one request: whether it is allowed, and the headers that say where its bucket stands."""
        bucket = "api" if path.startswith("/api/") else "resolvers" if "/resolve/" in path else "pages"
        quota = UNLIMITED if self.quota is None else max(int(self.quota * _PER_API_REQUEST[bucket]), 1)
        now = time.monotonic()
        with self._lock:
            if now - self._began.get(bucket, -math.inf) >= self.window:
                self._began[bucket], self._used[bucket] = now, 0
            self._used[bucket] += 1
            left = quota - self._used[bucket]
            resets_in = max(math.ceil(self.window - (now - self._began[bucket])), 0)
        return left >= 0, {
            "RateLimit": f'"{bucket}";r={max(left, 0)};t={resets_in}',
            "RateLimit-Policy": f'"fixed window";"{bucket}";q={quota};w={self.window}',
        }


@dataclass(frozen=True)
class RequestRecord:
    """One answered request, for tests. `authorized`: whether an Authorization header came with it."""

    path: str
    query: str
    status: int
    authorized: bool


@dataclass(frozen=True)
class Middleware:
    """Counts and logs requests, and refuses those beyond the quotas."""

    application: ASGIApp
    limits: FixedWindows
    log: deque[RequestRecord]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http":
            return
        allowed, quota = self.limits.count(scope["path"])
        headers = quota | {
            "X-Request-Id": f"Root=1-{uuid.uuid4().hex}",
            "X-Powered-By": "open-model-census local hub",
            SYNTHETIC_HEADER: "1",
            "Vary": "Accept-Encoding",
        }
        refused = error_answer(429, "We had to rate limit your IP (synthetic)")
        await (self.application if allowed else refused)(scope, receive, self._completed(scope, send, headers))

    def _completed(self, scope: Scope, send: Send, headers: dict[str, str]) -> Send:
        """Sends with the common headers, except those the answer brings itself, and logs the request."""

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = {name.lower() for name, _ in message["headers"]}
                common = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
                added = [(name, value) for name, value in common if name not in own]
                message = {**message, "headers": [*message["headers"], *added]}
                authorized = any(name == b"authorization" for name, _ in scope["headers"])
                query = scope["query_string"].decode()
                self.log.append(RequestRecord(scope["path"], query, message["status"], authorized))
            await send(message)

        return answer


class LocalHub:
    """A running local Hub, as a context.

    `port` 0 takes any free one. `requests_per_window` is the API's quota a window, as on the Hub (files and pages have
    quotas in proportion); None refuses nobody. The listing and the archive show the world as of `as_of`, the end of
    the world by default. `requests` has the newest answered requests.
    """

    def __init__(
        self,
        world: WorldFiles,
        *,
        port: int = 0,
        requests_per_window: int | None = None,
        window_seconds: int = 300,
        as_of: datetime | None = None,
    ) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((LOOPBACK, port))
        except OSError:
            self._socket.close()
            raise
        self.endpoint = f"http://{LOOPBACK}:{self._socket.getsockname()[1]}"
        self.requests: deque[RequestRecord] = deque(maxlen=_LOGGED_REQUESTS)
        served = Middleware(
            Hub(world, self.endpoint, as_of or END).application(),
            FixedWindows(requests_per_window, window_seconds),
            self.requests,
        )
        config = uvicorn.Config(
            served, log_config=None, access_log=False, lifespan="off", server_header=False, timeout_graceful_shutdown=1
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, name="local-hub", daemon=True
        )

    def __enter__(self) -> LocalHub:
        self._thread.start()
        waited_until = time.monotonic() + _START_TIMEOUT
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > waited_until:
                raise RuntimeError(f"the local Hub did not start at {self.endpoint}")
            time.sleep(0.005)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        self._thread.join(timeout=_START_TIMEOUT)
        self._socket.close()

    def wait(self) -> None:
        """Blocks until the server ends; a signal interrupts it."""
        while self._thread.is_alive():
            self._thread.join(timeout=0.5)
