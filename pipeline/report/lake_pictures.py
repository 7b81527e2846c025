"""The declared figures of a table's month as it is made: in Dagster, before anything is published."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

import polars as pl

from pipeline.databases import open_files
from pipeline.lake.store import Lake
from pipeline.months import add_months
from pipeline.report.figures import Definition, FigureReader, ReadFigure
from pipeline.schema.declaration import Table
from pipeline.schema.figure import Figure
from pipeline.synthetic import is_synthetic

MONTHS_SHOWN = 12
POPULATION = "new"
_STATED = ("source", "source_revision", "basis", "quality")
_DIM_MONTH: Mapping[str, Any] = {
    "month": pl.Date,
    **dict.fromkeys((*_STATED, "incidents"), pl.String),
    "coverage": pl.Float64,
    "is_synthetic": pl.Boolean,
    **dict.fromkeys(("opened_at", "closed_at"), pl.Datetime),
}


def months_pictured(lake: Lake, table: Table, month: date) -> list[date]:
    """The month, and those of the year before it that the lake holds."""
    return [held for held in lake.months(table) if add_months(month, 1 - MONTHS_SHOWN) <= held <= month]


def read_month(
    lake: Lake, table: Table, facts: Sequence[Mapping[str, Any]], figures: Iterable[Figure]
) -> list[ReadFigure]:
    """The figures over the months that `facts` state, as if these were published; the period is the last of them.

    What is not known before publication, such as incidents, is not stated. Figures without values are left out.
    """
    months = [stated["month"] for stated in facts]
    rows = pl.concat([lake.scan(table, month) for month in months], how="vertical_relaxed")
    known = [
        dict.fromkeys(_DIM_MONTH)
        | {name: stated.get(name) or "unknown" for name in _STATED}
        | {"month": stated["month"], "coverage": stated.get("coverage")}
        | {"is_synthetic": is_synthetic(stated.get("source") or "")}
        for stated in facts
    ]
    definition = Definition(
        months[-1], "month", 1, is_complete=True, population=POPULATION, denominator=0, basis="", coverage=0
    )
    with open_files([]) as connection:
        connection.register(table.name, rows.collect().to_arrow())
        connection.register("dim_month", pl.DataFrame(known, schema=_DIM_MONTH).to_arrow())
        connection.sql("create table dim_country (country varchar, country_name varchar, is_country boolean)")
        reader = FigureReader(connection, definition)
        read = [reader.read(figure) for figure in figures]
    return [figure.without("Incidents") for figure in read if figure.views[0].rows]
