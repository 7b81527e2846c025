"""The report: what is published, as one file that people read.

`report.html` is made when publishing and is of the version it lies in. The charts are Vega-Lite's, specified by Altair
and drawn to SVG here rather than in the reader's browser: they are embedded whole, without a megabyte of script that
would have to run before anything is seen, so the page opens at once, prints, works where scripts are forbidden, and
cannot be made to run what strangers call their models.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

from pipeline.databases import open_published
from pipeline.publish.figures import Year
from pipeline.publish.headline import read_headline
from pipeline.publish.report_charts import png
from pipeline.publish.report_figures import ReportFigure, read_report
from pipeline.publish.report_page import Edition, report_page
from pipeline.publish.report_picture import REPORT_NAME, Picture
from pipeline.publish.warehouse import FILE_NAME

PICTURED = ("countries", "countries-over-time", "families-over-time")
"""The figures that are also handed out as pictures."""


def write_report(folder: Path) -> list[Picture]:
    """Writes the report of the warehouse in `folder` beside it; pictures of its main figures.

    Raises:
        CensusError: the warehouse holds no shares.
    """
    headline = read_headline(folder)
    with open_published(folder / FILE_NAME) as connection:
        year = Year(
            connection,
            headline.last_month,
            headline.window,
            headline.months_in_window,
            headline.is_complete,
            headline.is_synthetic,
            headline.population,
        )
        figures = read_report(year, headline)
        edition = _edition(connection)
    (folder / REPORT_NAME).write_text(report_page(edition, figures))
    return [picture for figure in figures if figure.key in PICTURED for picture in _pictures(figure)]


def _edition(connection: duckdb.DuckDBPyConnection) -> Edition:
    [(version, published_at, code_version, first, last, is_synthetic)] = connection.sql(
        """
        select any_value(version), strftime(max(published_at), '%Y-%m-%d %H:%M UTC'), any_value(code_version),
          min(month), max(month), (select bool_or(is_synthetic) from dim_month)
        from _census
        """
    ).fetchall()
    months = f"{first:%Y-%m}" if first == last else f"{first:%Y-%m} to {last:%Y-%m}"
    return Edition(version, published_at, code_version, months, is_synthetic)


def _pictures(figure: ReportFigure) -> list[Picture]:
    first = figure.views[0]
    if first.chart is None:
        return []
    words = f"{figure.title}{' (synthetic)' if figure.is_synthetic else ''}. {first.chart.in_words()}"
    terms = [*first.statement.terms(), ("Source", first.statement.source)]
    statement = ". ".join(f"{name}: {meaning}" for name, meaning in terms)
    drawn = png(first.chart, figure.title, is_synthetic=figure.is_synthetic)
    return [Picture(figure.key, words, f"{statement}.", drawn)]
