"""Figures as pictures: of a publication, and of a table's month as it is made, before anything is published."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl

from pipeline.databases import open_files
from pipeline.lake.store import Lake
from pipeline.months import add_months
from pipeline.report import charts
from pipeline.report.figures import Definition, FigureReader, ReadFigure
from pipeline.schema.declaration import Table
from pipeline.schema.figure import Figure
from pipeline.synthetic import is_synthetic
from pipeline.text import in_markdown

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


@dataclass(frozen=True)
class Picture:
    """A figure's chart as PNG or SVG: the figure's key, and the published table that it shows.

    `words` say it to those who do not see it, `statement` is what the figure is of: period, population and so on.
    """

    key: str
    table: str
    words: str
    statement: str
    image: bytes

    def as_markdown(self) -> str:
        """The picture itself and its statement, in Markdown."""
        media_type = "image/png" if self.image.startswith(b"\x89PNG") else "image/svg+xml"
        address = f"data:{media_type};base64,{base64.b64encode(self.image).decode()}"
        return f"![{in_markdown(self.words)}]({address})\n\n{in_markdown(self.statement)}"


def pictures_of(read: ReadFigure, *, is_png: bool = True) -> list[Picture]:
    """The figure's first view as a picture, PNG or SVG; none where it has no values."""
    view, figure = read.views[0], read.figure
    if not view.drawing or figure.chart is None:
        return []
    words = f"{read.marked_title}. {charts.in_words(figure.chart, view.drawn)}"
    statement = ". ".join(f"{term}: {said}" for term, said in view.statement.items())
    drawn = charts.picture(view.svg, figure.title)
    image = charts.png(drawn) if is_png else drawn.encode()
    return [Picture(figure.key, figure.table, words, f"{statement}.", image)]


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
