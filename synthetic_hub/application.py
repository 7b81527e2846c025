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

from synthetic_hub import answers
from synthetic_hub.answers import RefusedError, json_answer
from synthetic_hub.datasets import Commit, Dataset, archives
from synthetic_hub.listing import INFO_FIELDS, LARGEST_PAGE, Listing, expanded_fields, is_true, query_of
from synthetic_hub.world import WorldFiles

_COMMITS_PER_PAGE = 50


@dataclass(frozen=True)
class Hub:
    """What the Hub knows as of a time, and what it answers, in worker threads: frames and files are read for it."""

    world: WorldFiles
    endpoint: str
    as_of: datetime

    def application(self) -> Starlette:
        """The application that answers."""
        archive = "/api/datasets/{owner}/{name}"
        return Starlette(
            routes=[
                Route("/api/models", self.models),
                Route("/models-json", self.models_page),
                Route("/api/models/{model_id:path}", self.model),
                Route("/api/organizations/{account}/overview", self.account),
                Route("/api/users/{account}/overview", self.account),
                Route("/api/whoami-v2", self.whoami),
                Route(archive, self.dataset),
                Route(f"{archive}/refs", self.refs),
                Route(f"{archive}/commits/{{revision}}", self.commits),
                Route(f"{archive}/revision/{{revision}}", self.dataset),
                Route(f"{archive}/tree/{{revision}}", self.tree),
                Route(f"{archive}/tree/{{revision}}/{{path:path}}", self.tree),
                Route(f"{archive}/paths-info/{{revision}}", self.paths_info, methods=["POST"]),
                Route("/datasets/{owner}/{name}/resolve/{revision}/{path:path}", self.resolve),
                Route("/{path:path}", self.unknown),
            ],
            exception_handlers={RefusedError: lambda _, error: error.answer},
        )

    @cached_property
    def listing(self) -> Listing:
        """The repositories that are public."""
        return Listing(self.world.listing(self.as_of))

    @cached_property
    def accounts(self) -> dict[str, tuple[str, int]]:
        """Type and number of models by name, for the names that accounts have as of the time."""
        name = pl.when(self._renamed).then("namespace").otherwise(pl.coalesce("former_name", "namespace"))
        models = self.listing.repositories.group_by(name=pl.col("author")).len()
        named = self.world.accounts.select(name.alias("name"), "type").join(models, on="name", how="left")
        return {name: (kind, models or 0) for name, kind, models in named.iter_rows()}

    @cached_property
    def moved_accounts(self) -> dict[str, str]:
        """Present name by former name."""
        moved = self.world.accounts.filter(self._renamed)
        return dict(moved.select("former_name", "namespace").iter_rows())

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

    def models(self, request: Request) -> Response:
        """A page of the listing."""
        page = self.listing.page(query_of(request.query_params))
        headers = {}
        if page.cursor is not None:
            kept = [(name, value) for name, value in request.query_params.multi_items() if name != "cursor"]
            headers["Link"] = self._link("/api/models", [*kept, ("cursor", page.cursor)])
        return json_answer(request, page.rows, headers)

    def models_page(self, request: Request) -> Response:
        """What the website's search page is filled from, without its models."""
        total = self.listing.repositories.height
        return json_answer(request, {"models": [], "numItemsPerPage": 30, "numTotalItems": total, "pageIndex": 0})

    def _link(self, path: str, query: list[tuple[str, Any]]) -> str:
        """The link to the next page."""
        return f'<{self.endpoint}{path}?{urlencode(query)}>; rel="next"'

    def model(self, request: Request) -> Response:
        """One repository, or where it has moved to."""
        model_id = request.path_params["model_id"]
        row = self.listing.row(model_id, expanded_fields(request.query_params) or INFO_FIELDS)
        if row is not None:
            return json_answer(request, row)
        present = self.moved_models.get(model_id)
        if present is None:
            raise answers.repository_not_found()
        query = f"?{request.url.query}" if request.url.query else ""
        return RedirectResponse(f"/api/models/{quote(present)}{query}", 307)

    def account(self, request: Request) -> Response:
        """An account's overview, or where it has moved to."""
        asked, name = request.url.path.split("/")[2], request.path_params["account"]
        called, kind = ("user", "person") if asked == "users" else ("organization", "organization")
        moved = self.moved_accounts.get(name, name)
        found, models = self.accounts.get(moved, ("", 0))
        if found != kind:
            raise RefusedError(404, f"This {called} does not exist")
        if moved != name:
            return RedirectResponse(f"/api/{asked}/{moved}/overview", 307)
        return json_answer(request, answers.overview(called, name, models))

    def whoami(self, _: Request) -> Response:
        """Nobody is logged in."""
        return answers.error_answer(401, "Invalid username or password.")

    def dataset(self, request: Request) -> Response:
        """A dataset at a revision."""
        return json_answer(request, answers.dataset_information(*self._found(request)))

    def refs(self, request: Request) -> Response:
        """A dataset's branches."""
        _, newest = self._found(request)
        branch = {"name": "main", "ref": "refs/heads/main", "targetCommit": newest.id}
        return json_answer(request, {"tags": [], "branches": [branch], "converts": []})

    def commits(self, request: Request) -> Response:
        """A page of a dataset's history."""
        dataset, newest = self._found(request)
        history = dataset.commits[dataset.commits.index(newest) :]
        try:
            page = int(request.query_params.get("p", "0"))
            size = min(int(request.query_params.get("limit", _COMMITS_PER_PAGE)), LARGEST_PAGE)
        except ValueError as error:
            raise RefusedError(400, "Invalid page or limit") from error
        headers = {"X-Total-Count": str(len(history))}
        if (page + 1) * size < len(history):
            query = {**dict(request.query_params), "p": page + 1}
            headers["Link"] = self._link(request.url.path, list(query.items()))
        owner = dataset.repository.split("/")[0]
        shown = [answers.commit_entry(commit, owner) for commit in history[page * size : (page + 1) * size]]
        return json_answer(request, shown, headers)

    def tree(self, request: Request) -> Response:
        """The files of a dataset."""
        _, commit = self._found(request)
        folder = request.path_params.get("path", "")
        files = [file for file in commit.files if not folder or file.path.startswith(f"{folder}/")]
        if not files:
            raise _entry_not_found(commit)
        expand = is_true(request.query_params, "expand")
        return json_answer(request, [answers.tree_entry(file, commit, expand=expand) for file in files])

    async def paths_info(self, request: Request) -> Response:
        """Some files of a dataset."""
        _, commit = self._found(request)
        body = (await request.body()).decode()
        if "json" in request.headers.get("content-type", ""):
            asked = json.loads(body)
            paths, expand = asked.get("paths", []), bool(asked.get("expand"))
        else:
            form = parse_qs(body)
            paths, expand = form.get("paths", []), form.get("expand", [""])[0].lower() == "true"
        files = [file for file in commit.files if file.path in paths]
        return json_answer(request, [answers.tree_entry(file, commit, expand=expand) for file in files])

    def resolve(self, request: Request) -> Response:
        """A file of a dataset; ranges of it if asked."""
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
        dataset = self.datasets.get(f"{named['owner']}/{named['name']}")
        if dataset is None:
            raise answers.repository_not_found()
        revision = named.get("revision", "main")
        commit = dataset.commit(revision)
        if commit is None:
            raise RefusedError(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return dataset, commit

    def unknown(self, request: Request) -> Response:
        """What is not here."""
        if "/resolve/" in request.url.path or request.url.path.startswith("/api/datasets/"):
            raise answers.repository_not_found()
        raise RefusedError(404, "Sorry, we can't find the page you are looking for.")


def _entry_not_found(commit: Commit) -> RefusedError:
    return RefusedError(404, "Entry not found", "EntryNotFound", {"X-Repo-Commit": commit.id})
