"""What Dagster shows of a stored month: a few rows, what others wrote made inert, and what the month rests on."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import dagster as dg
import polars as pl
from polars import selectors

from pipeline.checks.evaluate import sample
from pipeline.lake.provenance import OBSERVATION, Provenance
from pipeline.lake.store import Lake
from pipeline.schema.catalogue import Catalogue
from pipeline.schema.declaration import Table
from pipeline.synthetic import is_synthetic

OF_THE_HEADLINE = {"population": "new", "attribution": "uploader", "within": "all", "level": "root_model"}
"""Which rows are shown of a table that has these columns: it states each member many times."""


def shown_of_month(lake: Lake, catalogue: Catalogue, table: Table, month: date | None) -> dict[str, Any]:
    """The metadata of a stored table, or of its month: what it rests on, its coverage, largest rows and pictures."""
    stored = lake.scan(table, month)
    shown: dict[str, Any] = {"coverage": lowest_coverage(stored, table), "largest": largest_rows(stored, table)}
    shown = {name: value for name, value in shown.items() if value is not None}
    if month is None:
        return shown
    stated = rests_on(lake, catalogue, table, month)
    if is_synthetic(stated.get("source", "")):
        stated["source"] += " (synthetic: nothing in it was measured)"
    if "observed_at" in stated:
        stated["observed_at"] = dg.MetadataValue.timestamp(stated["observed_at"])
    return shown | stated | dict(month_pictures(lake, catalogue, table, month))


def metadata_table(rows: pl.DataFrame) -> dg.TableMetadataValue:
    """The rows as a table of metadata, fractions to nine digits."""
    rows = rows.with_columns((selectors.float() | selectors.decimal()).cast(pl.Float64).round_sig_figs(9))
    columns = [dg.TableColumn(name, str(dtype)) for name, dtype in rows.schema.items()]
    return dg.MetadataValue.table([dg.TableRecord(row) for row in sample(rows.lazy())], dg.TableSchema(columns))


def largest_rows(stored: pl.LazyFrame, table: Table) -> dg.TableMetadataValue | None:
    """The rows of a stored table with the most downloads, of a mart those of the headline's kind; None without any."""
    if "downloads" not in table.schema:
        return None
    flat = [name for name, dtype in table.schema.items() if not dtype.is_nested()]
    kind = (pl.col(name) == value for name, value in OF_THE_HEADLINE.items() if name in table.schema)
    largest = stored.filter(*kind).select(flat).top_k(10, by="downloads")
    return metadata_table(largest.sort("downloads", descending=True).collect())


def month_pictures(
    lake: Lake, catalogue: Catalogue, table: Table, month: date
) -> Mapping[str, dg.MarkdownMetadataValue]:
    """The pictured figures of the table, over this month and those of the year before that the lake holds."""
    figures = [figure for figure in catalogue.figures if figure.table == table.name and figure.is_pictured]
    if not figures or not table.monthly:
        return {}
    from pipeline.report.pictures import (  # noqa: PLC0415 - it draws: half a second of imports, for few tables
        months_pictured,
        pictures_of,
        read_month,
    )

    held = months_pictured(lake, table, month)
    facts = [{"month": one} | rests_on(lake, catalogue, table, one) for one in held]
    return {
        picture.key: dg.MetadataValue.md(picture.as_markdown())
        for figure in read_month(lake, table, facts, figures)
        for picture in pictures_of(figure, is_png=False)
    }


def rests_on(lake: Lake, catalogue: Catalogue, table: Table, month: date) -> dict[str, Any]:
    """What a stored month rests on, as far as it is known: source, revision, observation, basis and quality.

    It is what the first row states of the month, or of the tables that it was made from; then what its provenance says.
    """
    known = lake.provenance(table, month) or Provenance()
    stated: dict[str, Any] = {}
    for one in (*(catalogue[path] for path in known.inputs), table):
        if columns := [name for name in (*OBSERVATION, "basis", "quality") if name in one.schema]:
            for row in lake.scan(one, month).select(columns).head(1).collect().to_dicts():
                stated |= {name: value for name, value in row.items() if value is not None}
    stated |= {name: said for name, said in zip(OBSERVATION, known.observation, strict=True) if said is not None}
    if isinstance(observed := stated.get("observed_at"), str):
        stated["observed_at"] = datetime.fromisoformat(observed)
    return stated


def lowest_coverage(stored: pl.LazyFrame, table: Table) -> float | None:
    """The lowest coverage among the rows that are of everything; None where the table states none, or of nothing."""
    if "coverage" not in table.schema:
        return None
    whole = [pl.col(name) == "all" for name in ("population", "within") if name in table.schema]
    is_of_something = [pl.col("denominator") > 0] if "denominator" in table.schema else []
    lowest: float | None = stored.filter(*whole, *is_of_something).select(pl.col("coverage").min()).collect().item()
    return lowest
