"""The local Hub: the parts of the Hugging Face Hub's HTTP protocol that the client uses, over a synthetic world.

It listens on the loopback interface only. Every answer says `X-Synthetic-Hub: 1`, a refusal or a cut one too, so that
whoever reads it by its address can pass that on; its datasets have the tag `synthetic`.
"""

from __future__ import annotations

import socket
import threading
import time
from collections import deque
from datetime import datetime
from types import TracebackType

import uvicorn

from synthetic_hub.application import Hub
from synthetic_hub.middleware import Middleware, RequestRecord
from synthetic_hub.rate_limit import FixedWindows
from synthetic_hub.timeline import END
from synthetic_hub.world import WorldFiles

LOOPBACK = "127.0.0.1"
_LOGGED_REQUESTS = 10_000
_START_TIMEOUT = 15.0


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
