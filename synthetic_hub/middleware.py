"""Around the application: the request log, the quotas and the headers that every answer has."""

from __future__ import annotations

import uuid
from collections import deque
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from synthetic_hub.answers import error_answer
from synthetic_hub.rate_limit import FixedWindows

SYNTHETIC_HEADER = "X-Synthetic-Hub"


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
