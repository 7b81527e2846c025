"""What Dagster shows of a stored month: a few rows, what strangers wrote made inert, and what the month rests on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any

import dagster as dg
import polars as pl
from polars import selectors

from pipeline.checks.samples import sample
from pipeline.lake.provenance import Provenance
from pipeline.lake.store import Lake
from pipeline.schema.declaration import Table
from pipeline.synthetic import is_synthetic

LARGEST_SHOWN = 10
DIGITS_SHOWN = 9
SYNTHETIC = "synthetic: nothing in it was measured"
LARGEST_BY = "downloads"
PROVENANCE = ("source", "source_revision", "observed_at", "basis", "quality")


def shown(rows: pl.DataFrame) -> dg.TableMetadataValue:
    """The rows as a table of metadata, fractions to nine digits."""
    rows = rows.with_columns((selectors.float() | selectors.decimal()).cast(pl.Float64).round_sig_figs(DIGITS_SHOWN))
    columns = [dg.TableColumn(name, str(dtype)) for name, dtype in rows.schema.items()]
    return dg.MetadataValue.table([dg.TableRecord(row) for row in sample(rows.lazy())], dg.TableSchema(columns))


def largest_rows(stored: pl.LazyFrame, table: Table) -> dg.TableMetadataValue | None:
    """The rows of a stored table with the most downloads; None where it counts none."""
    if LARGEST_BY not in table.schema:
        return None
    flat = [name for name, dtype in table.schema.items() if not dtype.is_nested()]
    return shown(stored.select(flat).top_k(LARGEST_SHOWN, by=LARGEST_BY).sort(LARGEST_BY, descending=True).collect())


def rests_on(lake: Lake, table: Table, month: date, made_from: Iterable[Table] = ()) -> Mapping[str, Any]:
    """What a stored month rests on: its source and revision, when it was observed, its counter, how much is known.

    What the table does not state itself is stated by its provenance or by the tables that it is made from.
    """
    stated: dict[str, Any] = {}
    for upstream in (*made_from, table):
        stated |= _first(lake, upstream, month)
    known = lake.provenance(table, month) or Provenance()
    if known.source is not None and known.source_revision is not None and known.observed_at is not None:
        stated |= {"source": known.source, "source_revision": known.source_revision}
        stated["observed_at"] = datetime.fromisoformat(known.observed_at)
    if "source" in stated:
        stated["source"] = named_source(stated["source"])
    return {
        name: dg.MetadataValue.timestamp(stated[name]) if name == "observed_at" else stated[name]
        for name in PROVENANCE
        if name in stated
    }


def source_of(lake: Lake, table: Table, month: date) -> str:
    """The source behind a stored month, as its provenance says."""
    known = lake.provenance(table, month)
    return known.source if known and known.source else "unknown"


def named_source(source: str) -> str:
    """The source, with a word of warning where nothing in it was measured."""
    return f"{source} ({SYNTHETIC})" if is_synthetic(source) else source


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
