"""Seals: the digests of a month's files, which say that the month may be published.

A seal is written by an asset downstream of every table of the month, so that no table with a failed blocking check is
ever sealed. A file that changed since no longer matches, and its month is held back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

from pipeline.lake.store import Lake
from pipeline.tables.declaration import Table
from pipeline.tables.listings import HUB_SNAPSHOTS
from pipeline.tables.published import MONTH_SEALS
from pipeline.version import __version__


@dataclass(frozen=True)
class SealedMonths:
    """The months that may be published, and those that may not, with the reason."""

    publishable: list[date]
    held_back: dict[date, str]


def seal(lake: Lake, tables: Sequence[Table], month: date) -> pl.DataFrame:
    """The month's rows of `published/month_seals`: each table's size and digest as they are now."""
    provenance = lake.scan(HUB_SNAPSHOTS, month).select("source", "source_revision").head(1).collect()
    stored = [lake.stored(table, month) for table in tables]
    return pl.DataFrame(
        {
            "month": [month] * len(tables),
            "table": [table.path for table in tables],
            "rows": [file.rows for file in stored],
            "bytes": [file.bytes for file in stored],
            "sha256": [lake.digest(table, month) for table in tables],
            "source": provenance["source"].to_list() * len(tables),
            "source_revision": provenance["source_revision"].to_list() * len(tables),
            "code_version": [__version__] * len(tables),
        },
        schema=MONTH_SEALS.schema,
    )


def sealed_months(lake: Lake, tables: Sequence[Table]) -> SealedMonths:
    """Which months of the lake may be published: every table is there and matches the month's seal."""
    publishable: list[date] = []
    held_back: dict[date, str] = {}
    for month in lake.months(HUB_SNAPSHOTS):
        reason = _broken(lake, tables, month)
        if reason is None:
            publishable.append(month)
        else:
            held_back[month] = reason
    return SealedMonths(publishable, held_back)


def _broken(lake: Lake, tables: Sequence[Table], month: date) -> str | None:
    if not lake.holds(MONTH_SEALS, month):
        return "it is not sealed: a step or a blocking check of its run has failed, or it has not run to the end"
    sealed = dict(lake.scan(MONTH_SEALS, month).select("table", "sha256").collect().iter_rows())
    for table in tables:
        if not lake.holds(table, month):
            return f"{table.path} is missing: run the month again"
        if table.path not in sealed:
            return f"{table.path} is not in its seal: run the month again"
        if lake.digest(table, month) != sealed[table.path]:
            return f"{table.path} has changed since it was sealed: run the month again"
    return None
