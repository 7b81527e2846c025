"""The canonical form of what a source observes: one row per repository, whatever the source writes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import polars as pl

from pipeline.errors import UnusableSnapshotError

BASE_MODELS = pl.List(pl.Struct({"hub_id": pl.String, "model_id": pl.String}))
"""The parents that the Hub's `baseModels` states."""

OBSERVATION_SCHEMA = pl.Schema(
    {
        "hub_id": pl.String(),
        "model_id": pl.String(),
        "created_at": pl.Datetime("us", "UTC"),
        "downloads_30d": pl.Int64(),
        "downloads_all_time": pl.Int64(),
        "likes": pl.Int64(),
        "pipeline_tag": pl.String(),
        "library_name": pl.String(),
        "gated": pl.String(),
        "license": pl.String(),
        "safetensors_parameters": pl.Int64(),
        "gguf_parameters": pl.Int64(),
        "tags": pl.List(pl.String()),
        "base_model_relation": pl.String(),
        "base_models": BASE_MODELS,
        "card_base_models": pl.List(pl.String()),
        "unreadable": pl.List(pl.String()),
    }
)
"""The columns of a snapshot's rows, before any interpretation. All but `model_id` may be null.

`unreadable` lists the fields that are there and cannot be read, as `field: value`, the value shortened.
"""

COLUMN_OF_FIELD = {
    "id": "model_id",
    "_id": "hub_id",
    "pipeline_tag": "pipeline_tag",
    "library_name": "library_name",
    "gated": "gated",
    "createdAt": "created_at",
    "downloads": "downloads_30d",
    "downloadsAllTime": "downloads_all_time",
    "likes": "likes",
    "tags": "tags",
    "safetensors": "safetensors_parameters",
    "gguf": "gguf_parameters",
    "baseModels": "base_models",
    "cardData": "card_base_models",
}
"""The column that a field of a listing record becomes."""

MOST_UNREADABLE = 0.01
"""With a larger share of unreadable values in one field, a snapshot is not what its names say."""
ALWAYS_TOLERATED = 2
"""So many unreadable values condemn no dump, however small it is, if others of the field can be read; where none can,
1 % of the rows do."""
LARGEST_COUNT = 10**12
"""More than all of the Hub's downloads since it began: a counter or a number of likes above it counts nothing."""
VALUE_SHOWN = 40


@dataclass(frozen=True)
class Observed:
    """What was read: `rows` in `OBSERVATION_SCHEMA`, and the columns for which there is no field at all.

    `nameless` records named no repository and are not among the rows.
    """

    rows: pl.LazyFrame
    absent_columns: frozenset[str]
    nameless: int = 0

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Parts of one listing, in their order."""
        absent = frozenset.intersection(*(part.absent_columns for part in parts))
        return cls(pl.concat([part.rows for part in parts]), absent, sum(part.nameless for part in parts))

    @classmethod
    def of_records(cls, count: int, rows: pl.LazyFrame, absent_columns: frozenset[str], name: str) -> Self:
        """What so many records say, if they name repositories; `name` is that of the file.

        Raises:
            UnusableSnapshotError: more than 1 % of the records name none.
        """
        nameless = count - rows.select(pl.len()).collect().item()
        if count and (nameless == count or nameless > max(ALWAYS_TOLERATED, MOST_UNREADABLE * count)):
            raise UnusableSnapshotError(
                f"{name} has {count:,} records, of which {nameless:,} name no repository in a field `id`: write them "
                "as the listing API does"
            )
        return cls(rows, absent_columns, nameless)

    def notes(self, name: str) -> dict[str, str]:
        """What should be known of the values, for people; `name` is that of the file or listing.

        Raises:
            UnusableSnapshotError: more than 1 % of the values of a field cannot be read.
        """
        absent = [column for column in OBSERVATION_SCHEMA if column in self.absent_columns - {"unreadable"}]
        said = [f"{self.nameless:,} records name no repository"] if self.nameless else []
        entry = pl.col("unreadable").str.splitn(": ", 2).struct
        unreadable = (
            self.rows.select(pl.col("unreadable").list.explode(keep_nulls=False, empty_as_null=False))
            .group_by(entry.field("field_0"))
            .agg(pl.len(), entry.field("field_1").first())
            .sort("len", "field_0", descending=[True, False])
            .collect(engine="streaming")
        )
        for field, count, example in unreadable.iter_rows():
            of_field = self.rows.select(pl.col(COLUMN_OF_FIELD[field]).count(), rows=pl.len())
            readable, rows = of_field.collect(engine="streaming").row(0)
            there = count + readable
            told = f"{count:,} of {there:,} values of `{field}` cannot be read, for example {example!r}"
            most = max(ALWAYS_TOLERATED, MOST_UNREADABLE * there) if readable else MOST_UNREADABLE * rows
            if count > most:
                raise UnusableSnapshotError(f"{name}: {told}: write them as the listing API does, or leave them out")
            said.append(told)
        found = {"absent_columns": ", ".join(absent), "unreadable": "; ".join(said), "listed_twice": self._repeated()}
        return {note: text for note, text in found.items() if text}

    def _repeated(self) -> str:
        """How many rows are of a repository that another row is of already; empty where none is."""
        of_each = self.rows.group_by(pl.coalesce("hub_id", "model_id")).agg(pl.len(), pl.col("model_id").min())
        told = of_each.filter(pl.col("len") > 1).select((pl.col("len") - 1).sum(), pl.col("model_id").min())
        count, example = told.collect(engine="streaming").row(0)
        one_counts = f"listed already, for example {example!r}: one row of each counts"
        return f"{count:,} rows repeat a repository that is {one_counts}" if count else ""
