"""What the local Hub answers to each path."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlencode

import polars as pl
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import Route

from synthetic_hub.answers import (
    RefusedError,
    commit_entry,
    dataset_information,
    error_answer,
    json_answer,
    overview,
    repository_not_found,
    tree_entry,
)
from synthetic_hub.datasets import Commit, Dataset, archives
from synthetic_hub.faults import Fault
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
from synthetic_hub.world import WorldFiles

_COMMITS_PER_PAGE = 50


@dataclass(frozen=True)
class Hub:
    """What the Hub knows as of a time. Frames are made at first use."""

    world: WorldFiles
    endpoint: str
    as_of: datetime

    @cached_property
    def listing(self) -> Listing:
        """The repositories that are public."""
        return Listing(self.world.listing(self.as_of))

    @cached_property
    def accounts(self) -> dict[str, str]:
        """Type by name, for the names accounts have as of the time."""
        name = pl.when(self._renamed).then("namespace").otherwise(pl.coalesce("former_name", "namespace"))
        return dict(self.world.accounts.select(name, "type").iter_rows())

    @cached_property
    def moved_accounts(self) -> dict[str, str]:
        """Present name by former name."""
        moved = self.world.accounts.filter(self._renamed)
        return dict(moved.select("former_name", "namespace").iter_rows())

    @cached_property
    def models_by_account(self) -> dict[str, int]:
        """How many repositories each account has."""
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

    @property
    def _renamed(self) -> pl.Expr:
        return (pl.col("renamed_on") <= self.as_of.date()).fill_null(value=False)


def application(hub: Hub) -> Starlette:
    """The application that answers for a Hub."""
    answers = _Answers(hub)
    archive = "/api/datasets/{owner}/{name}"
    return Starlette(
        routes=[
            Route("/api/models", answers.models),
            Route("/models-json", answers.models_page),
            Route("/api/models/{model_id:path}", answers.model),
            Route("/api/organizations/{account}/overview", answers.organization),
            Route("/api/users/{account}/overview", answers.user),
            Route("/api/whoami-v2", answers.whoami),
            Route(archive, answers.dataset),
            Route(f"{archive}/refs", answers.refs),
            Route(f"{archive}/commits/{{revision}}", answers.commits),
            Route(f"{archive}/revision/{{revision}}", answers.dataset),
            Route(f"{archive}/tree/{{revision}}", answers.tree),
            Route(f"{archive}/tree/{{revision}}/{{path:path}}", answers.tree),
            Route(f"{archive}/paths-info/{{revision}}", answers.paths_info, methods=["POST"]),
            Route("/datasets/{owner}/{name}/resolve/{revision}/{path:path}", answers.resolve),
            Route("/{path:path}", answers.unknown),
        ],
        exception_handlers={RefusedError: _refused, BadQueryError: _bad_query},
    )


def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError)  # noqa: S101 - Starlette types handlers by Exception
    return error.answer


def _bad_query(_: Request, error: Exception) -> Response:
    return error_answer(400, str(error))


@dataclass(frozen=True)
class _Answers:
    """The answers by path. They run in worker threads, as they read frames and files."""

    hub: Hub

    def models(self, request: Request) -> Response:
        query, faults = _query(request), _faults(request)
        repeat, drop = (
            int(faults[effect].number(1)) if effect in faults else 0 for effect in ("repeat_rows", "drop_rows")
        )
        page = self.hub.listing.page(query, repeat=repeat, drop=drop)
        headers = {}
        if page.cursor is not None:
            cursor = request.query_params.get("cursor", page.cursor) if "loop" in faults else page.cursor
            kept = [(name, value) for name, value in request.query_params.multi_items() if name != "cursor"]
            headers["Link"] = self._link(request, "/api/models", [*kept, ("cursor", cursor)])
        return json_answer(request, page.rows, headers)

    def models_page(self, request: Request) -> Response:
        """What the website's search page is filled from, without its models."""
        total = self.hub.listing.repositories.height
        return json_answer(request, {"models": [], "numItemsPerPage": 30, "numTotalItems": total, "pageIndex": 0})

    def _link(self, request: Request, path: str, query: list[tuple[str, Any]]) -> str:
        """The link to the next page: here, unless a fault leads it elsewhere."""
        elsewhere = _faults(request).get("foreign_link")
        host = str(elsewhere.value) if elsewhere else self.hub.endpoint
        return f'<{host}{path}?{urlencode(query)}>; rel="next"'

    def model(self, request: Request) -> Response:
        model_id = request.path_params["model_id"]
        row = self.hub.listing.row(model_id, _expanded(request) or INFO_FIELDS)
        if row is not None:
            return json_answer(request, row)
        present = self.hub.moved_models.get(model_id)
        if present is None:
            raise repository_not_found()
        query = f"?{request.url.query}" if request.url.query else ""
        return RedirectResponse(f"/api/models/{quote(present)}{query}", 307)

    def organization(self, request: Request) -> Response:
        return self._account(request, "organization", "organization")

    def user(self, request: Request) -> Response:
        return self._account(request, "person", "user")

    def _account(self, request: Request, kind: str, called: str) -> Response:
        name = request.path_params["account"]
        moved = self.hub.moved_accounts.get(name)
        if moved is not None and self.hub.accounts.get(moved) == kind:
            return RedirectResponse(request.url.path.replace(f"/{name}/", f"/{moved}/"), 307)
        if self.hub.accounts.get(name) != kind:
            raise RefusedError(404, f"This {called} does not exist")
        return json_answer(request, overview(called, name, self.hub.models_by_account.get(name, 0)))

    def whoami(self, _: Request) -> Response:
        return error_answer(401, "Invalid username or password.")

    def dataset(self, request: Request) -> Response:
        return json_answer(request, dataset_information(*self._found(request)))

    def refs(self, request: Request) -> Response:
        _, newest = self._found(request)
        branch = {"name": "main", "ref": "refs/heads/main", "targetCommit": newest.id}
        return json_answer(request, {"tags": [], "branches": [branch], "converts": []})

    def commits(self, request: Request) -> Response:
        dataset, newest = self._found(request)
        history = dataset.commits[dataset.commits.index(newest) :]
        try:
            page = int(request.query_params.get("p", "0"))
            size = min(int(request.query_params.get("limit", _COMMITS_PER_PAGE)), LARGEST_PAGE)
        except ValueError as error:
            raise RefusedError(400, "Invalid page or limit") from error
        headers = {"X-Total-Count": str(len(history))}
        if (page + 1) * size < len(history) or "foreign_link" in _faults(request):
            query = {**dict(request.query_params), "p": page + 1}
            headers["Link"] = self._link(request, request.url.path, list(query.items()))
        owner = dataset.repository.split("/")[0]
        shown = [commit_entry(commit, owner) for commit in history[page * size : (page + 1) * size]]
        return json_answer(request, shown, headers)

    def tree(self, request: Request) -> Response:
        _, commit = self._found(request)
        folder = request.path_params.get("path", "")
        files = [file for file in commit.files if not folder or file.path.startswith(f"{folder}/")]
        if not files:
            raise _entry_not_found(commit)
        expand = _is_true(request, "expand")
        return json_answer(request, [tree_entry(file, commit, expand=expand) for file in files])

    async def paths_info(self, request: Request) -> Response:
        _, commit = self._found(request)
        body = (await request.body()).decode()
        if "json" in request.headers.get("content-type", ""):
            asked = json.loads(body)
            paths, expand = asked.get("paths", []), bool(asked.get("expand"))
        else:
            form = parse_qs(body)
            paths, expand = form.get("paths", []), form.get("expand", [""])[0].lower() == "true"
        files = [file for file in commit.files if file.path in paths]
        return json_answer(request, [tree_entry(file, commit, expand=expand) for file in files])

    def resolve(self, request: Request) -> Response:
        _, commit = self._found(request)
        file = next((file for file in commit.files if file.path == request.path_params["path"]), None)
        if file is None:
            raise _entry_not_found(commit)
        headers = {
            "X-Repo-Commit": commit.id,
            "ETag": f'"{file.sha256}"',
            "X-Linked-ETag": f'"{file.sha256}"',
            "X-Linked-Size": str(file.size),
            "Content-Disposition": f'attachment; filename="{Path(file.path).name}"',
        }
        return FileResponse(file.content, headers=headers, media_type="application/octet-stream")

    def _found(self, request: Request) -> tuple[Dataset, Commit]:
        """The dataset that the path names, and the commit.

        Raises:
            RefusedError: there is no such dataset, or no such revision of it.
        """
        named = request.path_params
        dataset = self.hub.datasets.get(f"{named['owner']}/{named['name']}")
        if dataset is None:
            raise repository_not_found()
        revision = named.get("revision", "main")
        commit = dataset.commit(revision)
        if commit is None:
            raise RefusedError(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return dataset, commit

    def unknown(self, request: Request) -> Response:
        if "/resolve/" in request.url.path or request.url.path.startswith("/api/datasets/"):
            raise repository_not_found()
        raise RefusedError(404, "Sorry, we can't find the page you are looking for.")


def _entry_not_found(commit: Commit) -> RefusedError:
    return RefusedError(404, "Entry not found", "EntryNotFound", {"X-Repo-Commit": commit.id})


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


def _faults(request: Request) -> dict[str, Fault]:
    """The faults that this request meets, by effect."""
    faults: dict[str, Fault] = request.scope["state"]["faults"]
    return faults
