"""The model listing as the Hub's API gives it: order, keyset cursors, expanded fields.

A cursor is a base64 text of the condition that the next rows meet, over the sort key and `_id`, as the Hub's are.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from starlette.datastructures import QueryParams

from synthetic_hub.answers import RefusedError
from synthetic_hub.identifiers import hexadecimal

LARGEST_PAGE = 1000
SORT_KEYS = ("createdAt", "downloads", "likes", "lastModified", "trendingScore", "_id")
DEFAULT_SORT = "trendingScore"

EXPANDABLE = (
    "author", "baseModels", "cardData", "childrenModelCount", "config", "createdAt", "disabled", "downloads",
    "downloadsAllTime", "evalResults", "gated", "gguf", "inference", "inferenceProviderMapping", "lastModified",
    "library_name", "likes", "mask_token", "model-index", "pipeline_tag", "private", "resourceGroup", "safetensors",
    "sha", "siblings", "spaces", "tags", "transformersInfo", "trendingScore", "usedStorage", "widgetData",
)  # fmt: skip
DEFAULT_FIELDS = (
    "likes", "trendingScore", "private", "downloads", "tags", "pipeline_tag", "library_name", "createdAt", "modelId",
)  # fmt: skip
FULL_FIELDS = (*DEFAULT_FIELDS, "author", "gated", "lastModified", "sha", "siblings", "disabled")
INFO_FIELDS = (*FULL_FIELDS, "cardData", "config", "gguf", "safetensors", "spaces", "usedStorage", "baseModels")

_STORED = (
    "author", "baseModels", "cardData", "config", "createdAt", "downloads", "downloadsAllTime", "gated", "gguf",
    "lastModified", "library_name", "likes", "modelId", "pipeline_tag", "safetensors", "siblings", "tags",
    "trendingScore",
)  # fmt: skip
_FILTERS: dict[str, Callable[[str], pl.Expr]] = {
    "author": pl.col("author").eq,
    "search": lambda text: pl.col("id").str.to_lowercase().str.contains(text.lower(), literal=True),
    "pipeline_tag": pl.col("pipeline_tag").eq,
    "filter": pl.col("tags").list.contains,
}
"""What each parameter that narrows the listing keeps."""
_MADE: dict[str, Callable[[str], Any]] = {
    "private": lambda _: False,
    "disabled": lambda _: False,
    "sha": hexadecimal,
    "spaces": lambda _: [],
    "usedStorage": lambda hub_id: int(hexadecimal(hub_id, 9), 16),
}
"""Fields that are not stored but follow from the id."""
_JSON_TEXTS = ("cardData", "config", "gguf")
_LEFT_OUT_WHEN_MISSING = (
    "author", "baseModels", "cardData", "config", "gguf", "library_name", "pipeline_tag", "safetensors",
)  # fmt: skip


@dataclass(frozen=True)
class Page:
    """One page of rows, and the cursor of the next one if there is one."""

    rows: list[dict[str, Any]]
    cursor: str | None


@dataclass(frozen=True)
class Query:
    """What is listed: filters, order and fields."""

    limit: int = LARGEST_PAGE
    sort: str = DEFAULT_SORT
    ascending: bool = False
    cursor: str | None = None
    fields: tuple[str, ...] = DEFAULT_FIELDS
    filters: tuple[tuple[str, str], ...] = ()
    """Parameters of `_FILTERS` with their values."""


def query_of(parameters: QueryParams) -> Query:
    """The listing's query.

    Raises:
        RefusedError: a parameter has a value the Hub does not know.
    """
    try:
        limit = int(parameters.get("limit", LARGEST_PAGE))
        direction = int(parameters.get("direction", "-1"))
    except ValueError as error:
        raise RefusedError(400, "Invalid input: expected number at limit or direction") from error
    if limit < 1:
        raise RefusedError(400, "Too small: expected number to be >=1 at limit")
    fields = expanded_fields(parameters)
    if not fields:
        fields = FULL_FIELDS if is_true(parameters, "full") else DEFAULT_FIELDS
        fields += tuple(name for name in ("cardData", "config") if is_true(parameters, name))
    return Query(
        limit=min(limit, LARGEST_PAGE),
        sort=parameters.get("sort", DEFAULT_SORT),
        ascending=direction == 1,
        cursor=parameters.get("cursor"),
        fields=fields,
        filters=tuple((name, value) for name, value in parameters.multi_items() if name in _FILTERS),
    )


def expanded_fields(parameters: QueryParams) -> tuple[str, ...]:
    """Fields asked for by `expand`, repeated, with brackets, or separated by commas.

    Raises:
        RefusedError: one of them is unknown.
    """
    values = [*parameters.getlist("expand"), *parameters.getlist("expand[]")]
    fields = tuple(part for value in values for part in value.split(",") if part)
    for place, name in enumerate(fields):
        if name not in EXPANDABLE:
            options = "|".join(f'"{option}"' for option in EXPANDABLE)
            raise RefusedError(400, f"✖ Invalid option: expected one of {options}\n  → at expand[{place}]")
    return fields


def is_true(parameters: QueryParams, name: str) -> bool:
    """Whether a parameter says yes."""
    return parameters.get(name, "").lower() in ("true", "1")


class Listing:
    """Pages over the repositories that are public at one time, given in order of `_id`."""

    def __init__(self, repositories: pl.DataFrame) -> None:
        self.repositories = repositories
        self._ids = repositories["_id"].to_numpy().astype("S24")
        self._order = lru_cache(maxsize=32)(self._ordered)

    def page(self, query: Query) -> Page:
        """A page of the query.

        Raises:
            RefusedError: the sort key or the cursor is unknown.
        """
        if query.sort not in SORT_KEYS:
            raise RefusedError(400, f"Invalid option: expected one of {'|'.join(SORT_KEYS)} at sort")
        direction = 1 if query.ascending else -1
        order, keys = self._order(query.sort, direction, query.filters)
        start = self._start(query, order, keys) if query.cursor else 0
        rows = order[start : start + query.limit]
        more = start + query.limit < len(order)
        cursor = self._cursor(query, int(rows[-1])) if more and len(rows) else None
        return Page(self.rows(rows, query.fields), cursor)

    def row(self, model_id: str, fields: tuple[str, ...]) -> dict[str, Any] | None:
        """The repository of a name, or None."""
        found = (self.repositories["id"] == model_id).arg_true()
        return self.rows(found.to_numpy()[:1], fields)[0] if len(found) else None

    def rows(self, places: npt.NDArray[np.intp], fields: tuple[str, ...]) -> list[dict[str, Any]]:
        """Repositories as the API tells them."""
        stored = [name for name in dict.fromkeys(fields) if name in _STORED]
        made = [name for name in dict.fromkeys(fields) if name in _MADE]
        chosen = self.repositories.select("_id", "id", *stored)[places]
        for name in ("createdAt", "lastModified"):
            if name in stored:
                chosen = chosen.with_columns(pl.col(name).dt.strftime("%Y-%m-%dT%H:%M:%S.000Z"))
        rows = chosen.to_dicts()
        for row in rows:
            _as_api(row, stored)
            row |= {name: _MADE[name](row["_id"]) for name in made}
        return rows

    def _ordered(
        self, sort: str, direction: int, filters: tuple[tuple[str, str], ...]
    ) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float64]]:
        """Rows in order, and what they are ordered by: the key, rising."""
        keys = self._keys(sort) * direction
        order = np.argsort(keys, kind="stable")
        if filters:
            wanted = pl.all_horizontal(_FILTERS[name](value) for name, value in filters).fill_null(value=False)
            order = order[self.repositories.select(wanted).to_series().to_numpy()[order]]
        return order, keys[order]

    def _keys(self, sort: str) -> npt.NDArray[np.float64]:
        if sort == "_id":
            return np.arange(self.repositories.height, dtype=np.float64)
        column = self.repositories[sort]
        return (column.dt.epoch("s") if column.dtype == pl.Datetime else column).cast(pl.Float64).to_numpy()

    def _cursor(self, query: Query, last: int) -> str:
        hub_id = self._ids[last].decode()
        if query.sort == "_id":
            condition: dict[str, Any] = {"_id": {"$gt" if query.ascending else "$lt": hub_id}}
        else:
            value = self.repositories[query.sort][last]
            if isinstance(value, datetime):
                value = f"{value:%Y-%m-%dT%H:%M:%S}.000Z"
            elif isinstance(value, float) and value.is_integer():
                value = int(value)
            beyond = "$gt" if query.ascending else "$lt"
            condition = {
                "$or": [
                    {query.sort: value, "_id": {"$gt": hub_id}},
                    {query.sort: {beyond: value}},
                    {query.sort: None},
                ]
            }
        return base64.b64encode(json.dumps(condition, separators=(",", ":")).encode()).decode()

    def _start(self, query: Query, order: npt.NDArray[np.intp], keys: npt.NDArray[np.float64]) -> int:
        """The place in the order of the first row beyond the cursor."""
        value, hub_id = _decoded(str(query.cursor), query.sort)
        row = int(np.searchsorted(self._ids, hub_id.encode(), side="right"))
        if query.sort == "_id":
            value = row - 1
        elif isinstance(value, str):
            value = datetime.fromisoformat(value).timestamp()
        sought = float(value) if query.ascending else -float(value)
        first, after = (int(np.searchsorted(keys, sought, side=side)) for side in ("left", "right"))
        return first + int(np.searchsorted(order[first:after], row))


def _as_api(row: dict[str, Any], stored: list[str]) -> None:
    """From the archive's forms to the API's: JSON texts opened, what is missing left out."""
    for name in _JSON_TEXTS:
        if row.get(name) is not None:
            row[name] = json.loads(row[name])
    if "gated" in stored:
        row["gated"] = False if row["gated"] == "false" else row["gated"]
    safetensors = row.get("safetensors")
    if safetensors is not None:
        parameters = {name: count for name, count in safetensors["parameters"].items() if count is not None}
        row["safetensors"] = {"parameters": parameters, "total": safetensors["total"]}
    if "trendingScore" in stored:
        row["trendingScore"] = int(row["trendingScore"])
    if "siblings" in stored and row["siblings"] is None:
        row["siblings"] = []
    for name in stored:
        if row[name] is None and name in _LEFT_OUT_WHEN_MISSING:
            del row[name]


def _decoded(cursor: str, sort: str) -> tuple[Any, str]:
    """The sort key's value and the id in a cursor."""
    try:
        condition = json.loads(base64.b64decode(cursor, validate=True))
        if sort == "_id":
            return None, str(next(iter(condition["_id"].values())))
        first = condition["$or"][0]
        return first[sort], str(first["_id"]["$gt"])
    except (binascii.Error, ValueError, KeyError, TypeError, IndexError, StopIteration) as error:
        raise RefusedError(400, "Invalid cursor") from error
