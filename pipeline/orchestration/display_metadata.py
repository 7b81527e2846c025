"""What Dagster shows of a stored month: a few rows, what others wrote made inert, and what the month rests on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any

import dagster as dg
import polars as pl
from polars import selectors

from pipeline.checks.evaluate import sample
from pipeline.lake.provenance import Provenance
from pipeline.lake.store import Lake
from pipeline.schema.catalogue import Catalogue
from pipeline.schema.declaration import Table
from pipeline.synthetic import is_synthetic

LARGEST_SHOWN = 10
DIGITS_SHOWN = 9
SYNTHETIC = "synthetic: nothing in it was measured"
LARGEST_BY = "downloads"
PROVENANCE = ("source", "source_revision", "observed_at", "basis", "quality")


def metadata_table(rows: pl.DataFrame) -> dg.TableMetadataValue:
    """The rows as a table of metadata, fractions to nine digits."""
    rows = rows.with_columns((selectors.float() | selectors.decimal()).cast(pl.Float64).round_sig_figs(DIGITS_SHOWN))
    columns = [dg.TableColumn(name, str(dtype)) for name, dtype in rows.schema.items()]
    return dg.MetadataValue.table([dg.TableRecord(row) for row in sample(rows.lazy())], dg.TableSchema(columns))


def largest_rows(stored: pl.LazyFrame, table: Table) -> dg.TableMetadataValue | None:
    """The rows of a stored table with the most downloads, of a mart those of the headline's kind; None without any."""
    if LARGEST_BY not in table.schema:
        return None
    flat = [name for name, dtype in table.schema.items() if not dtype.is_nested()]
    largest = _as_the_headline(stored, table)
    return metadata_table(
        largest.select(flat).top_k(LARGEST_SHOWN, by=LARGEST_BY).sort(LARGEST_BY, descending=True).collect()
    )


OF_THE_HEADLINE = {"population": "new", "attribution": "uploader", "within": "all", "level": "root_model"}
"""Which rows are shown of a table that has these columns: it states each member many times."""


def _as_the_headline(stored: pl.LazyFrame, table: Table) -> pl.LazyFrame:
    return stored.filter(*(pl.col(name) == value for name, value in OF_THE_HEADLINE.items() if name in table.schema))


def month_pictures(
    lake: Lake, catalogue: Catalogue, table: Table, month: date
) -> Mapping[str, dg.MarkdownMetadataValue]:
    """The pictured figures of the table, over this month and those of the year before that the lake holds."""
    figures = [figure for figure in catalogue.figures if figure.table == table.name and figure.is_pictured]
    if not figures or not table.monthly:
        return {}
    from pipeline.report import charts  # noqa: PLC0415 - it draws: half a second of imports
    from pipeline.report.lake_pictures import months_pictured, read_month  # noqa: PLC0415 - few tables have figures
    from pipeline.report.pages import pictures_of  # noqa: PLC0415 - see above

    facts = []
    for held in months_pictured(lake, table, month):
        known = lake.provenance(table, held) or Provenance()
        stated = _stated(lake, table, held, [catalogue[path] for path in known.inputs])
        facts.append({"month": held, "source": known.source, "source_revision": known.source_revision} | stated)
    read = read_month(lake, table, facts, figures)
    return {
        picture.key: dg.MetadataValue.md(picture.as_markdown())
        for figure in read
        for picture in pictures_of(figure, charts.svg_picture)
    }


def rests_on(lake: Lake, table: Table, month: date, made_from: Iterable[Table] = ()) -> Mapping[str, Any]:
    """What a stored month rests on: its source and revision, when it was observed, its counter, how much is known.

    What the table does not state itself is stated by its provenance or by the tables that it is made from.
    """
    stated = _stated(lake, table, month, made_from)
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


def named_source(source: str) -> str:
    """The source, with a word of warning where nothing in it was measured."""
    return f"{source} ({SYNTHETIC})" if is_synthetic(source) else source


def lowest_coverage(stored: pl.LazyFrame, table: Table) -> float | None:
    """The lowest coverage among the rows that are of everything; None where the table states none, or of nothing."""
    if "coverage" not in table.schema:
        return None
    whole = pl.lit(value=True) if "population" not in table.schema else pl.col("population") == "all"
    if "within" in table.schema:
        whole &= pl.col("within") == "all"
    if "denominator" in table.schema:
        whole &= pl.col("denominator") > 0
    lowest: float | None = stored.filter(whole).select(pl.col("coverage").min()).collect().item()
    return lowest


def _stated(lake: Lake, table: Table, month: date, made_from: Iterable[Table]) -> dict[str, Any]:
    stated: dict[str, Any] = {}
    for upstream in (*made_from, table):
        stated |= _first(lake, upstream, month)
    return stated


def _first(lake: Lake, table: Table, month: date) -> dict[str, Any]:
    """What the first row states of `PROVENANCE`, absent values left out; each is the same in all rows of a month."""
    columns = [name for name in PROVENANCE if name in table.schema]
    rows = lake.scan(table, month).select(columns).head(1).collect().to_dicts() if columns else []
    return {name: value for row in rows for name, value in row.items() if value is not None}
