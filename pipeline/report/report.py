"""The report: what is published, as one file that people read.

`report.html` is made when publishing and is of the version it lies in. The charts are Vega-Lite's, specified by Altair
and drawn to SVG here rather than in the reader's browser: they are embedded whole, without a megabyte of script that
would have to run before anything is seen, so the page opens at once, prints, works where scripts are forbidden, and
cannot be made to run what others call their models.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import duckdb

from pipeline.months import in_words
from pipeline.report import charts
from pipeline.report.figures import FigureReader, ReadFigure, headline_definition, open_warehouse
from pipeline.report.page import Edition, report_page
from pipeline.report.picture import REPORT_NAME, Picture
from pipeline.report.window import MONTH_BY_MONTH, read_window
from pipeline.schema.figure import Figure


def write_report(folder: Path, figures: Iterable[Figure]) -> list[Picture]:
    """Writes the report of the warehouse in `folder` beside it; pictures of the figures that are pictured.

    A figure without values is there and says so.

    Raises:
        CensusError: the warehouse holds no shares.
    """
    with open_warehouse(folder) as connection:
        reader = FigureReader(connection, headline_definition(connection))
        read = [reader.read(figure) for figure in figures]
        edition = _edition(connection)
    (folder / REPORT_NAME).write_text(report_page(edition, read), encoding="utf-8")
    return [picture for figure in read if figure.figure.is_pictured for picture in pictures_of(figure)]


def pictures_of(read: ReadFigure, draw: Callable[..., bytes] = charts.png) -> list[Picture]:
    """The figure's first view as a picture, PNG or `charts.svg_picture`; none where it has no values."""
    view, chart = read.views[0], read.figure.chart
    if chart is None or not view.drawn:
        return []
    words = f"{read.marked_title}. {charts.in_words(chart, view.drawn)}"
    statement = ". ".join(f"{term}: {said}" for term, said in view.statement.items())
    drawn = draw(chart, view.drawn, view.window.label(), read.figure.title)
    return [Picture(read.figure.key, read.figure.table, words, f"{statement}.", drawn)]


def _edition(connection: duckdb.DuckDBPyConnection) -> Edition:
    [(version, published_at, code_version)] = connection.sql(
        """
        select any_value(version), strftime(max(published_at), '%Y-%m-%d %H:%M UTC'), any_value(code_version)
        from _census
        """
    ).fetchall()
    window = read_window(connection, MONTH_BY_MONTH)
    return Edition(version, published_at, code_version, in_words(window.months), window.label())
