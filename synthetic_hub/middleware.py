"""Around the application: the request log, the quotas, the faults and the headers that every answer has."""

from __future__ import annotations

import asyncio
import gzip
import uuid
from collections import deque
from dataclasses import dataclass

from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from synthetic_hub.answers import error_answer
from synthetic_hub.faults import Effect, Fault, FaultCounter
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
    """Counts requests and plants faults. The application finds a request's faults, by effect, in its state."""

    application: ASGIApp
    limits: FixedWindows
    faults: FaultCounter
    log: deque[RequestRecord]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http":
            return
        allowed, quota = self.limits.count(scope["path"])
        faults = self.faults.meet(scope["path"])
        scope.setdefault("state", {})["faults"] = faults
        headers = {
            "X-Request-Id": f"Root=1-{uuid.uuid4().hex}",
            "X-Powered-By": "open-model-census local hub",
            SYNTHETIC_HEADER: "1",
            "Vary": "Accept-Encoding",
        }
        refused = faults.get("too_many_requests")
        if refused is None or refused.value is not None:
            headers |= quota
        answer = self._completed(scope, send, headers)
        if "slow" in faults:
            await asyncio.sleep(faults["slow"].number(1.0))
        if not allowed:
            await error_answer(429, "We had to rate limit your IP (synthetic)")(scope, receive, answer)
        elif refusal := _refusal(faults):
            await refusal(scope, receive, answer)
        elif "cut" in faults or "truncated_json" in faults:
            await self._broken_body(scope, receive, answer, faults.get("cut"))
        else:
            await self.application(scope, receive, answer)

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

    async def _broken_body(self, scope: Scope, receive: Receive, send: Send, cut: Fault | None) -> None:
        """Answers with the first part of the body: with the connection cut, or as if that were all."""
        messages: list[Message] = []

        async def keep(message: Message) -> None:
            messages.append(message)

        await self.application(scope, receive, keep)
        start = messages[0]
        body = b"".join(message.get("body", b"") for message in messages[1:])
        if cut is not None:
            await send(start)
            part = body[: int(len(body) * cut.number(0.5))]
            await send({"type": "http.response.body", "body": part, "more_body": True})
            return
        compressed = (b"content-encoding", b"gzip") in start["headers"]
        plain = gzip.decompress(body) if compressed else body
        half = plain[: len(plain) // 2]
        part = gzip.compress(half) if compressed else half
        headers = [(name, value) for name, value in start["headers"] if name != b"content-length"]
        await send({**start, "headers": [*headers, (b"content-length", str(len(part)).encode())]})
        await send({"type": "http.response.body", "body": part})


def _refusal(faults: dict[Effect, Fault]) -> Response | None:
    if "too_many_requests" in faults:
        fault = faults["too_many_requests"]
        headers = {} if fault.value is None else {"RateLimit": f'"api";r=0;t={int(fault.number(0))}'}
        return error_answer(429, "Too Many Requests (planted)", headers=headers)
    if "server_error" in faults:
        return error_answer(int(faults["server_error"].number(503)), "Internal Error (planted)")
    if "redirect" in faults:
        return RedirectResponse(str(faults["redirect"].value), 302)
    return None
