"""The local Hub: the parts of the Hugging Face Hub's HTTP protocol that the client uses, over a synthetic world.

It listens on the loopback interface only. Every answer says `X-Synthetic-Hub: 1`, a refusal or a cut one too, so that
whoever reads it by its address can pass that on; its datasets have the tag `synthetic`.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import threading
import time
import uuid
import zlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, quote, urlencode

import polars as pl
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from synthetic_hub.datasets import Commit, Dataset, File, archives
from synthetic_hub.faults import Fault, FaultCounter, Faults
from synthetic_hub.identifiers import hexadecimal
from synthetic_hub.listing import (
    DEFAULT_FIELDS,
    DEFAULT_SORT,
    EXPANDABLE,
    FULL_FIELDS,
    INFO_FIELDS,
    LARGEST_PAGE,
    BadQueryError,
    Listing,
    Query,
)
from synthetic_hub.rate_limit import FixedWindows
from synthetic_hub.timeline import END
from synthetic_hub.world import WorldFiles

LOOPBACK = "127.0.0.1"
SYNTHETIC_HEADER = "X-Synthetic-Hub"
_LOGGED_REQUESTS = 10_000
_COMMITS_PER_PAGE = 50
_START_TIMEOUT = 15.0
_LISTING_EFFECTS = frozenset({"repeat_rows", "drop_rows", "loop", "foreign_link"})


@dataclass(frozen=True)
class RequestRecord:
    """One answered request, for tests. `authorized`: whether an Authorization header came with it."""

    method: str
    path: str
    query: str
    status: int
    authorized: bool


class LocalHub:
    """A running local Hub, as a context.

    `port` 0 takes any free one. `requests_per_window` is the API's quota a window, as on the Hub (files and pages have
    quotas in proportion); None refuses nobody. The listing and the archive show the world as of `as_of`, the end of
    the world by default.
    """

    def __init__(
        self,
        world: WorldFiles,
        *,
        port: int = 0,
        requests_per_window: int | None = None,
        window_seconds: int = 300,
        faults: Faults | None = None,
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
        application = _Application(_Hub(world, self.endpoint, as_of or END)).starlette()
        limits = FixedWindows(requests_per_window, window_seconds)
        guarded = _Guard(application, limits, FaultCounter(faults or Faults()), self.requests)
        self._server = uvicorn.Server(
            uvicorn.Config(
                guarded,
                log_config=None,
                access_log=False,
                lifespan="off",
                server_header=False,
                timeout_graceful_shutdown=1,
            )
        )
        self._thread = threading.Thread(target=self._run, name="local-hub", daemon=True)

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
        """Blocks until the server ends."""
        while self._thread.is_alive():
            self._thread.join(timeout=0.5)

    def _run(self) -> None:
        self._server.run(sockets=[self._socket])


def serve(
    world: WorldFiles,
    port: int,
    *,
    requests_per_window: int | None = None,
    as_of: datetime | None = None,
    announce: Callable[[str], None] | None = None,
) -> None:
    """Serves a world until interrupted; `announce` is told the endpoint once it answers."""
    with LocalHub(world, port=port, requests_per_window=requests_per_window, as_of=as_of) as hub:
        if announce:
            announce(hub.endpoint)
        hub.wait()


class _Hub:
    """What the Hub knows as of a time. Frames are made at first use."""

    def __init__(self, world: WorldFiles, endpoint: str, as_of: datetime) -> None:
        self.world = world
        self.endpoint = endpoint
        self.as_of = as_of

    @cached_property
    def listing(self) -> Listing:
        return Listing(self.world.listing(self.as_of))

    @cached_property
    def accounts(self) -> dict[str, str]:
        """Type by name, for the names accounts have as of the time."""
        named = self.world.accounts.with_columns(self._renamed().alias("renamed"))
        name = pl.when("renamed").then("namespace").otherwise(pl.coalesce("former_name", "namespace"))
        return dict(named.select(name, "type").iter_rows())

    @cached_property
    def moved_accounts(self) -> dict[str, str]:
        """Present name by former name."""
        moved = self.world.accounts.filter(self._renamed())
        return dict(moved.select("former_name", "namespace").iter_rows())

    @cached_property
    def models_by_account(self) -> dict[str, int]:
        return dict(self.listing.repositories.group_by("author").len().iter_rows())

    @cached_property
    def moved_models(self) -> dict[str, str]:
        """Present name by former name."""
        moved = self.world.renames.filter(pl.col("renamed_at") <= int(self.as_of.timestamp()))
        return dict(moved.select("former_id", "model_id").iter_rows())

    @cached_property
    def datasets(self) -> dict[str, Dataset]:
        """The archives, by name."""
        return {dataset.repository: dataset for dataset in archives(self.world, self.as_of)}

    def _renamed(self) -> pl.Expr:
        return (pl.col("renamed_on") <= self.as_of.date()).fill_null(value=False)


class _Application:
    """Routes and answers. Handlers run in worker threads, as they read frames and files."""

    def __init__(self, hub: _Hub) -> None:
        self.hub = hub

    def starlette(self) -> Starlette:
        archive = "/api/datasets/{owner}/{name}"
        return Starlette(
            routes=[
                Route("/api/models", self.models),
                Route("/models-json", self.models_page),
                Route("/api/models/{model_id:path}", self.model),
                Route("/api/organizations/{name}/overview", self.organization),
                Route("/api/users/{name}/overview", self.user),
                Route("/api/whoami-v2", self.whoami),
                Route(archive, self.dataset),
                Route(f"{archive}/refs", self.refs),
                Route(f"{archive}/commits/{{revision}}", self.commits),
                Route(f"{archive}/revision/{{revision}}", self.dataset),
                Route(f"{archive}/tree/{{revision}}", self.tree),
                Route(f"{archive}/tree/{{revision}}/{{path:path}}", self.tree),
                Route(f"{archive}/paths-info/{{revision}}", self.paths_info, methods=["POST"]),
                Route("/datasets/{owner}/{name}/resolve/{revision}/{path:path}", self.resolve),
                Route("/api/datasets/{path:path}", self.unknown_repository),
                Route("/{path:path}", self.unknown),
            ]
        )

    def models(self, request: Request) -> Response:
        try:
            query = _query(request)
            repeat, drop = (_rows_of(request, effect) for effect in ("repeat_rows", "drop_rows"))
            page = self.hub.listing.page(query, repeat=repeat, drop=drop)
        except BadQueryError as error:
            return _error(400, str(error))
        headers = {}
        if page.cursor is not None:
            headers["Link"] = f'<{self._next_page(request, page.cursor)}>; rel="next"'
        return _json(request, page.rows, headers)

    def models_page(self, request: Request) -> Response:
        """What the website's search page is filled from, without its models."""
        total = self.hub.listing.repositories.height
        return _json(request, {"models": [], "numItemsPerPage": 30, "numTotalItems": total, "pageIndex": 0})

    def _next_page(self, request: Request, cursor: str) -> str:
        if any(fault.effect == "loop" for fault in _listing_faults(request)):
            cursor = request.query_params.get("cursor", cursor)
        kept = [(name, value) for name, value in request.query_params.multi_items() if name != "cursor"]
        return f"{self._link_host(request)}/api/models?{urlencode([*kept, ('cursor', cursor)])}"

    def _link_host(self, request: Request) -> str:
        """Where links lead: here, unless a fault leads them elsewhere."""
        elsewhere = [fault for fault in _listing_faults(request) if fault.effect == "foreign_link"]
        return str(elsewhere[0].value) if elsewhere else self.hub.endpoint

    def model(self, request: Request) -> Response:
        model_id = request.path_params["model_id"]
        try:
            fields = _expanded(request) or INFO_FIELDS
        except BadQueryError as error:
            return _error(400, str(error))
        row = self.hub.listing.row(model_id, fields)
        if row is not None:
            return _json(request, row)
        present = self.hub.moved_models.get(model_id)
        if present is not None:
            query = f"?{request.url.query}" if request.url.query else ""
            return RedirectResponse(f"/api/models/{quote(present)}{query}", 307)
        return _repository_not_found()

    def organization(self, request: Request) -> Response:
        return self._account(request, "organization")

    def user(self, request: Request) -> Response:
        return self._account(request, "person")

    def _account(self, request: Request, kind: str) -> Response:
        name = request.path_params["name"]
        moved = self.hub.moved_accounts.get(name)
        if moved is not None and self.hub.accounts.get(moved) == kind:
            return RedirectResponse(request.url.path.replace(f"/{name}/", f"/{moved}/"), 307)
        if self.hub.accounts.get(name) != kind:
            return _error(404, f"This {'organization' if kind == 'organization' else 'user'} does not exist")
        overview = _organization_overview if kind == "organization" else _user_overview
        return _json(request, overview(name, self.hub.models_by_account.get(name, 0)))

    def whoami(self, _: Request) -> Response:
        return _error(401, "Invalid username or password.")

    def dataset(self, request: Request) -> Response:
        dataset, commit = self._found(request)
        if dataset is None or commit is None:
            return _not_found(request, dataset)
        information = {
            "_id": hexadecimal(dataset.repository, 24),
            "id": dataset.repository,
            "author": dataset.repository.split("/")[0],
            "sha": commit.id,
            "lastModified": _iso(commit.at),
            "createdAt": "2024-07-24T00:00:00.000Z",
            "private": False,
            "gated": False,
            "disabled": False,
            "tags": ["license:apache-2.0", "region:us", "synthetic"],
            "downloads": 0,
            "likes": 0,
            "siblings": [{"rfilename": file.path} for file in commit.files],
        }
        return _json(request, information)

    def refs(self, request: Request) -> Response:
        dataset, newest = self._found(request)
        if dataset is None:
            return _repository_not_found()
        branch = {"name": "main", "ref": "refs/heads/main", "targetCommit": newest.id if newest else ""}
        return _json(request, {"tags": [], "branches": [branch], "converts": []})

    def commits(self, request: Request) -> Response:
        dataset, newest = self._found(request)
        if dataset is None or newest is None:
            return _not_found(request, dataset)
        history = dataset.commits[dataset.commits.index(newest) :]
        try:
            page = int(request.query_params.get("p", "0"))
            size = min(int(request.query_params.get("limit", _COMMITS_PER_PAGE)), LARGEST_PAGE)
        except ValueError:
            return _error(400, "Invalid page or limit")
        shown = history[page * size : (page + 1) * size]
        headers = {"X-Total-Count": str(len(history))}
        host = self._link_host(request)
        if (page + 1) * size < len(history) or host != self.hub.endpoint:
            query = urlencode({**dict(request.query_params), "p": page + 1})
            headers["Link"] = f'<{host}{request.url.path}?{query}>; rel="next"'
        owner = dataset.repository.split("/")[0]
        return _json(request, [_commit_entry(commit, owner) for commit in shown], headers)

    def tree(self, request: Request) -> Response:
        dataset, commit = self._found(request)
        if dataset is None or commit is None:
            return _not_found(request, dataset)
        folder = request.path_params.get("path", "")
        files = [file for file in commit.files if not folder or file.path.startswith(f"{folder}/")]
        if not files:
            return _entry_not_found(commit)
        expand = _is_true(request, "expand")
        return _json(request, [_tree_entry(file, commit, expand=expand) for file in files])

    async def paths_info(self, request: Request) -> Response:
        dataset, commit = self._found(request)
        if dataset is None or commit is None:
            return _not_found(request, dataset)
        body = (await request.body()).decode()
        if "json" in request.headers.get("content-type", ""):
            asked = json.loads(body)
            paths, expand = asked.get("paths", []), bool(asked.get("expand"))
        else:
            form = parse_qs(body)
            paths, expand = form.get("paths", []), form.get("expand", [""])[0].lower() == "true"
        files = [file for file in commit.files if file.path in paths]
        return _json(request, [_tree_entry(file, commit, expand=expand) for file in files])

    def resolve(self, request: Request) -> Response:
        dataset, commit = self._found(request)
        if dataset is None or commit is None:
            return _not_found(request, dataset)
        file = next((file for file in commit.files if file.path == request.path_params["path"]), None)
        if file is None:
            return _entry_not_found(commit)
        headers = {
            "X-Repo-Commit": commit.id,
            "ETag": f'"{file.sha256}"',
            "X-Linked-ETag": f'"{file.sha256}"',
            "X-Linked-Size": str(file.size),
            "Content-Disposition": f'attachment; filename="{Path(file.path).name}"',
        }
        return FileResponse(file.content, headers=headers, media_type="application/octet-stream")

    def _found(self, request: Request) -> tuple[Dataset | None, Commit | None]:
        """The dataset that the path names, and the commit."""
        named = request.path_params
        dataset = self.hub.datasets.get(f"{named['owner']}/{named['name']}")
        return dataset, dataset.commit(named.get("revision", "main")) if dataset else None

    def unknown_repository(self, _: Request) -> Response:
        return _repository_not_found()

    def unknown(self, request: Request) -> Response:
        if "/resolve/" in request.url.path:
            return _repository_not_found()
        return _error(404, "Sorry, we can't find the page you are looking for.")


class _Guard:
    """Around the application: the request log, the quotas, the faults and the headers that every answer has."""

    def __init__(
        self, application: ASGIApp, limits: FixedWindows, faults: FaultCounter, log: deque[RequestRecord]
    ) -> None:
        self.application = application
        self.limits = limits
        self.faults = faults
        self.log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        allowance = self.limits.count(scope["path"])
        faults = self.faults.meet(scope["path"])
        scope.setdefault("state", {})["faults"] = faults
        common = {
            **allowance.headers(),
            "X-Request-Id": f"Root=1-{uuid.uuid4().hex}",
            "X-Powered-By": "open-model-census local hub",
            SYNTHETIC_HEADER: "1",
            "Vary": "Accept-Encoding",
        }
        answer = _with_headers(send, common, lambda status: self.log.append(_record(scope, status)))
        by_effect: dict[str, Fault] = {fault.effect: fault for fault in faults}
        if "slow" in by_effect:
            await asyncio.sleep(by_effect["slow"].number(1.0))
        if not allowance.allowed:
            await _error(429, "We had to rate limit your IP (synthetic)")(scope, receive, answer)
        elif refusal := _refusal(by_effect):
            await refusal(scope, receive, _without_rate_limit(answer, by_effect))
        elif "cut" in by_effect or "truncated_json" in by_effect:
            await self._spoilt_body(scope, receive, answer, by_effect)
        else:
            await self.application(scope, receive, answer)

    async def _spoilt_body(self, scope: Scope, receive: Receive, send: Send, faults: dict[str, Fault]) -> None:
        """Answers with the first part of the body: as if that were all, or with the connection cut."""
        messages: list[Message] = []

        async def keep(message: Message) -> None:
            messages.append(message)

        await self.application(scope, receive, keep)
        body = b"".join(message.get("body", b"") for message in messages[1:])
        part = body[: int(len(body) * (faults["cut"].number(0.5) if "cut" in faults else 0.5))]
        if "cut" in faults:
            await send(messages[0])
            await send({"type": "http.response.body", "body": part, "more_body": True})
            return
        start = messages[0]
        compressed = (b"content-encoding", b"gzip") in start["headers"]
        part = gzip.compress(gzip.decompress(body)[: len(gzip.decompress(body)) // 2]) if compressed else part
        headers = [(name, value) for name, value in start["headers"] if name != b"content-length"]
        await send({**start, "headers": [*headers, (b"content-length", str(len(part)).encode())]})
        await send({"type": "http.response.body", "body": part})


def _refusal(faults: dict[str, Fault]) -> Response | None:
    if "too_many_requests" in faults:
        fault = faults["too_many_requests"]
        headers = {}
        if fault.value is not None:
            headers["RateLimit"] = f'"api";r=0;t={int(fault.number(0))}'
        return _error(429, "Too Many Requests (planted)", headers=headers)
    if "server_error" in faults:
        return _error(int(faults["server_error"].number(503)), "Internal Error (planted)")
    if "redirect" in faults:
        return RedirectResponse(str(faults["redirect"].value), 302)
    return None


def _without_rate_limit(send: Send, faults: dict[str, Fault]) -> Send:
    """Leaves the rate-limit headers out of a planted 429 that is to have none."""
    fault = faults.get("too_many_requests")
    if fault is None or fault.value is not None:
        return send

    async def bare(message: Message) -> None:
        await send({**message, "bare": True})

    return bare


def _with_headers(send: Send, common: dict[str, str], record: Callable[[int], None]) -> Send:
    """Adds the common headers, except those the answer brings itself."""

    async def answer(message: Message) -> None:
        if message["type"] == "http.response.start":
            record(message["status"])
            own = {name.lower() for name, _ in message["headers"]}
            added = [
                (name.lower().encode(), value.encode())
                for name, value in common.items()
                if name.lower().encode() not in own and not (message.get("bare") and name.startswith("RateLimit"))
            ]
            message = {**message, "headers": [*message["headers"], *added]}
        await send(message)

    return answer


def _record(scope: Scope, status: int) -> RequestRecord:
    authorized = any(name == b"authorization" for name, _ in scope["headers"])
    return RequestRecord(scope["method"], scope["path"], scope["query_string"].decode(), status, authorized)


def _query(request: Request) -> Query:
    """The listing's query.

    Raises:
        BadQueryError: a parameter has a value the Hub does not know.
    """
    parameters = request.query_params
    try:
        limit = int(parameters.get("limit", LARGEST_PAGE))
        direction = int(parameters.get("direction", "-1"))
    except ValueError as error:
        raise BadQueryError("Invalid input: expected number at limit or direction") from error
    if limit < 1:
        raise BadQueryError("Too small: expected number to be >=1 at limit")
    fields = _expanded(request)
    if not fields:
        fields = FULL_FIELDS if _is_true(request, "full") else DEFAULT_FIELDS
        fields += tuple(name for name in ("cardData", "config") if _is_true(request, name))
    return Query(
        limit=min(limit, LARGEST_PAGE),
        sort=parameters.get("sort", DEFAULT_SORT),
        ascending=direction == 1,
        cursor=parameters.get("cursor"),
        fields=fields,
        author=parameters.get("author"),
        search=parameters.get("search"),
        task=parameters.get("pipeline_tag"),
        tags=tuple(parameters.getlist("filter")),
    )


def _expanded(request: Request) -> tuple[str, ...]:
    """Fields asked for by `expand`, repeated, with brackets, or separated by commas.

    Raises:
        BadQueryError: one of them is unknown.
    """
    values = [*request.query_params.getlist("expand"), *request.query_params.getlist("expand[]")]
    fields = tuple(part for value in values for part in value.split(",") if part)
    for place, name in enumerate(fields):
        if name not in EXPANDABLE:
            options = "|".join(f'"{option}"' for option in EXPANDABLE)
            raise BadQueryError(f"✖ Invalid option: expected one of {options}\n  → at expand[{place}]")
    return fields


def _is_true(request: Request, name: str) -> bool:
    return request.query_params.get(name, "").lower() in ("true", "1")


def _listing_faults(request: Request) -> list[Fault]:
    return [fault for fault in request.scope["state"]["faults"] if fault.effect in _LISTING_EFFECTS]


def _rows_of(request: Request, effect: str) -> int:
    return sum(int(fault.number(1)) for fault in _listing_faults(request) if fault.effect == effect)


def _organization_overview(name: str, models: int) -> dict[str, Any]:
    return {
        "_id": hexadecimal(f"organization {name}", 24),
        "avatarUrl": "/avatars/synthetic.svg",
        "name": name,
        "fullname": name,
        "details": "Synthetic overview of an account; nothing here was said by the account's owner.",
        "isVerified": False,
        "isEnterprise": False,
        "plan": None,
        "numUsers": 1 + len(name) % 40,
        "numModels": models,
        "numDatasets": 0,
        "numSpaces": 0,
        "numPapers": 0,
        "numFollowers": models * 3,
        "isFollowing": False,
    }


def _user_overview(name: str, models: int) -> dict[str, Any]:
    return {
        "_id": hexadecimal(f"user {name}", 24),
        "avatarUrl": "/avatars/synthetic.svg",
        "user": name,
        "fullname": name,
        "isPro": False,
        "type": "user",
        "createdAt": "2022-03-02T23:29:04.000Z",
        "numModels": models,
        "numDatasets": 0,
        "numSpaces": 0,
        "numDiscussions": 0,
        "numPapers": 0,
        "numUpvotes": 0,
        "numLikes": 0,
        "numFollowing": 0,
        "numFollowers": models,
        "orgs": [],
        "isFollowing": False,
    }


def _commit_entry(commit: Commit, user: str) -> dict[str, Any]:
    return {
        "id": commit.id,
        "title": commit.title,
        "message": "",
        "authors": [{"user": user, "avatar": "/avatars/synthetic.svg"}],
        "date": _iso(commit.at),
    }


def _tree_entry(file: File, commit: Commit, *, expand: bool) -> dict[str, Any]:
    shown = {
        "type": "file",
        "oid": hexadecimal(f"pointer {file.sha256}"),
        "size": file.size,
        "lfs": {"oid": file.sha256, "size": file.size, "pointerSize": 134},
        "path": file.path,
    }
    if expand:
        shown["lastCommit"] = {"id": commit.id, "title": commit.title, "date": _iso(commit.at)}
    return shown


def _iso(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.000Z"


def _json(request: Request, content: Any, headers: dict[str, str] | None = None) -> Response:
    """A JSON answer with the Hub's weak ETag, compressed when the client takes it."""
    body = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
    etag = f'W/"{len(body):x}-{zlib.crc32(body):08x}"'
    answer = {**(headers or {}), "ETag": etag}
    if "gzip" in request.headers.get("accept-encoding", ""):
        body = gzip.compress(body, compresslevel=1, mtime=0)
        answer["Content-Encoding"] = "gzip"
    return Response(body, headers=answer, media_type="application/json")


def _error(status: int, message: str, code: str | None = None, headers: dict[str, str] | None = None) -> Response:
    """A refusal as the Hub words it: in the body and in the headers."""
    shown = {"X-Error-Message": message.replace("\n", " ").encode("ascii", "replace").decode(), **(headers or {})}
    if code:
        shown["X-Error-Code"] = code
    return Response(json.dumps({"error": message}), status, shown, media_type="application/json")


def _repository_not_found() -> Response:
    """Missing and private repositories look the same to anonymous visitors."""
    authenticate = 'Bearer realm="Authentication required", charset="UTF-8"'
    return _error(401, "Invalid username or password.", "RepoNotFound", {"WWW-Authenticate": authenticate})


def _not_found(request: Request, dataset: Dataset | None) -> Response:
    return _repository_not_found() if dataset is None else _revision_not_found(request)


def _revision_not_found(request: Request) -> Response:
    return _error(404, f"Invalid rev id: {request.path_params['revision']}", "RevisionNotFound")


def _entry_not_found(commit: Commit) -> Response:
    return _error(404, "Entry not found", "EntryNotFound", {"X-Repo-Commit": commit.id})
