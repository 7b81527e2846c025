"""What pages are made with: templates, drawings of charts, pictures, and what a publication says of itself.

The charts are drawn to SVG here rather than in the reader's browser and embedded whole: a page asks for no font and no
address, opens at once, prints, and cannot be made to run what others call their models. Everything written into it is
escaped by the templates.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import duckdb
import jinja2
from markupsafe import Markup

from pipeline.months import in_words
from pipeline.report import charts
from pipeline.report.figures import (
    TEXTS,
    ReadFigure,
    View,
    written,
)
from pipeline.report.picture import Picture
from pipeline.report.statements import MONTH_BY_MONTH, read_period
from pipeline.text import plain
from pipeline.wording import counted

TEMPLATES = Path(__file__).with_name("templates")


@dataclass(frozen=True)
class Edition:
    """Which publication a page is of; `label` is what is said of it where any of it is synthetic."""

    version: str
    published_at: str
    code_version: str
    months: str
    label: str


class ChartDrawings:
    """Draws the charts of views to SVG, each once in each width, however many pages show it."""

    def __init__(self) -> None:
        self._drawn: dict[tuple[int, bool], tuple[View, Markup]] = {}

    def __call__(self, read: ReadFigure, view: View, *, wide: bool = False) -> Markup:
        """The drawing of a view that has values, under its warning."""
        if (id(view), wide) not in self._drawn and read.figure.chart:
            drawn = charts.svg(
                read.figure.chart, view.drawn, view.period.label(), charts.WIDE if wide else charts.WIDTH
            )
            self._drawn[id(view), wide] = view, Markup(drawn)  # noqa: S704 - of data, never of markup
        return self._drawn[id(view), wide][1]


def templates() -> jinja2.Environment:
    """The templates of pages: all text is escaped, and what would turn its direction is written out."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        finalize=lambda value: plain(value) if isinstance(value, str) and not isinstance(value, Markup) else value,
    )
    environment.globals |= {
        "chart_svg": ChartDrawings(),
        "chart_words": charts.in_words,
        "bibtex": lambda text: re.sub(r"([\\{}%&$#_~^])", lambda found: f"\\char{ord(found[1])} ", text),
        "finding_of": lambda chart, rows: f"As measured: {charts.in_words(chart, rows, charts.TOLD_FIRST)}",
        "counted": counted,
        "links": {},
        "style": Markup((TEMPLATES / "style.css").read_text(encoding="utf-8")),  # noqa: S704 - ours
        "texts": TEXTS,
        "written": written,
    }
    return environment


def pictures_of(read: ReadFigure, draw: Callable[..., bytes] = charts.png) -> list[Picture]:
    """The figure's first view as a picture, PNG or `charts.svg_picture`; none where it has no values."""
    view, chart = read.views[0], read.figure.chart
    if chart is None or not view.drawn:
        return []
    words = f"{read.marked_title}. {charts.in_words(chart, view.drawn)}"
    statement = ". ".join(f"{term}: {said}" for term, said in view.statement.items())
    drawn = draw(chart, view.drawn, view.period.label(), read.figure.title)
    return [Picture(read.figure.key, read.figure.table, words, f"{statement}.", drawn)]


def read_edition(connection: duckdb.DuckDBPyConnection) -> Edition:
    """The publication that a warehouse is of."""
    [(version, published_at, code_version)] = connection.sql(
        """
        select any_value(version), strftime(max(published_at), '%Y-%m-%d %H:%M UTC'), any_value(code_version)
        from _census
        """
    ).fetchall()
    period = read_period(connection, MONTH_BY_MONTH)
    return Edition(version, published_at, code_version, in_words(period.months), period.label())
