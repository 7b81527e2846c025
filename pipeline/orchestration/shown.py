"""What Dagster shows of a stored month: a few rows, what strangers wrote made inert, and what the month rests on."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import dagster as dg
import polars as pl
from polars import selectors

from pipeline.lake.store import Lake
from pipeline.publish.marts import SYNTHETIC_SOURCES
from pipeline.quality.samples import sample
from pipeline.schema.declaration import Table
from pipeline.tables.listings import HUB_SNAPSHOTS, MODEL_DOWNLOADS
from pipeline.tables.shares import COUNTRY_SHARES

LARGEST_SHOWN = 10
DIGITS_SHOWN = 9
SYNTHETIC = "synthetic: nothing in it was measured"
LARGEST_BY = "downloads"
PROVENANCE = ("source", "source_revision", "observed_at", "basis", "quality")


def shown(rows: pl.DataFrame) -> dg.TableMetadataValue:
    """The rows as a table of metadata, fractions to nine digits."""
    rows = rows.with_columns(selectors.float().round_sig_figs(DIGITS_SHOWN))
    columns = [dg.TableColumn(name, str(dtype)) for name, dtype in rows.schema.items()]
    return dg.MetadataValue.table([dg.TableRecord(row) for row in sample(rows.lazy())], dg.TableSchema(columns))


def largest_rows(stored: pl.LazyFrame, table: Table) -> dg.TableMetadataValue | None:
    """The rows of a stored table with the most downloads; None where it counts none."""
    if LARGEST_BY not in table.schema:
        return None
    flat = [name for name, dtype in table.schema.items() if not dtype.is_nested()]
    return shown(stored.select(flat).top_k(LARGEST_SHOWN, by=LARGEST_BY).sort(LARGEST_BY, descending=True).collect())


def rests_on(lake: Lake, table: Table, month: date) -> Mapping[str, Any]:
    """What a stored month rests on: its source and revision, when it was observed, its counter, how much is known.

    What the table does not state itself is that of the month's snapshot and downloads, where it is made from them.
    """
    stated = _first(lake, table, month)
    if table.group != HUB_SNAPSHOTS.group:
        stated = _first(lake, HUB_SNAPSHOTS, month) | stated
    if table.group == COUNTRY_SHARES.group:
        stated = _first(lake, MODEL_DOWNLOADS, month) | stated
    if stated.get("source") in SYNTHETIC_SOURCES:
        stated["source"] += f" ({SYNTHETIC})"
    return {
        name: dg.MetadataValue.timestamp(value) if name == "observed_at" else value for name, value in stated.items()
    }


def lowest_coverage(stored: pl.LazyFrame, table: Table) -> float | None:
    """The lowest coverage among the rows that are of everything; None where the table states none."""
    if "coverage" not in table.schema:
        return None
    whole = pl.lit(value=True) if "population" not in table.schema else pl.col("population") == "all"
    if "within" in table.schema:
        whole &= pl.col("within") == "all"
    lowest: float | None = stored.filter(whole).select(pl.col("coverage").min()).collect().item()
    return lowest


def _first(lake: Lake, table: Table, month: date) -> dict[str, Any]:
    """What the first row states of `PROVENANCE`, absent values left out; each is the same in all rows of a month."""
    columns = [name for name in PROVENANCE if name in table.schema]
    rows = lake.scan(table, month).select(columns).head(1).collect().to_dicts() if columns else []
    return {name: value for row in rows for name, value in row.items() if value is not None}
