"""Seals: the digests of a month's files, which say that the month may be published.

A seal is written by an asset downstream of every table of the month, so that no table with a failed blocking check is
ever sealed. A file that changed since no longer matches, and its month is held back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date

import polars as pl

from pipeline.lake.store import Lake
from pipeline.publish.machine import processors
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
    digests = _digests(lake, [(table, month) for table in tables])
    return pl.DataFrame(
        {
            "month": [month] * len(tables),
            "table": [table.path for table in tables],
            "rows": [file.rows for file in stored],
            "bytes": [file.bytes for file in stored],
            "sha256": [digests[table, month] for table in tables],
            "source": provenance["source"].to_list() * len(tables),
            "source_revision": provenance["source_revision"].to_list() * len(tables),
            "code_version": [__version__] * len(tables),
        },
        schema=MONTH_SEALS.schema,
    )


def sealed_months(lake: Lake, tables: Sequence[Table]) -> SealedMonths:
    """Which months of the lake may be published: every table is there and matches the month's seal."""
    months = lake.months(HUB_SNAPSHOTS)
    seals = {month: _seal_of(lake, month) for month in months if lake.holds(MONTH_SEALS, month)}
    digests = _digests(lake, [(table, month) for month in seals for table in tables if lake.holds(table, month)])
    publishable: list[date] = []
    held_back: dict[date, str] = {}
    for month in months:
        reason = _broken(tables, month, seals, digests)
        if reason is None:
            publishable.append(month)
        else:
            held_back[month] = reason
    return SealedMonths(publishable, held_back)


def _seal_of(lake: Lake, month: date) -> dict[str, str]:
    return dict(lake.scan(MONTH_SEALS, month).select("table", "sha256").collect().iter_rows())


def _digests(lake: Lake, files: Sequence[tuple[Table, date]]) -> dict[tuple[Table, date], str]:
    """The digest of each file as it is now, several at a time: hashing takes more time than reading."""
    with ThreadPoolExecutor(processors()) as pool:
        return dict(zip(files, pool.map(lambda file: lake.digest(*file), files), strict=True))


def _broken(
    tables: Sequence[Table],
    month: date,
    seals: Mapping[date, Mapping[str, str]],
    digests: Mapping[tuple[Table, date], str],
) -> str | None:
    if month not in seals:
        return "it is not sealed: a step or a blocking check of its run has failed, or it has not run to the end"
    for table in tables:
        if (table, month) not in digests:
            return f"{table.path} is missing: run the month again"
        if table.path not in seals[month]:
            return f"{table.path} is not in its seal: run the month again"
        if digests[table, month] != seals[month][table.path]:
            return f"{table.path} has changed since it was sealed: run the month again"
    return None
