"""The report as one page of HTML that asks for nothing else: no script, no font, no address.

The switch between views is a group of radio buttons that the style sheet obeys. Everything that is written into the
page is escaped here, and a policy in its head forbids whatever might slip through to run or to be fetched.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from pipeline.publish.report_charts import svg
from pipeline.publish.report_figures import ReportFigure, View
from pipeline.synthetic import LABEL
from pipeline.text import plain

STYLE = Path(__file__).with_name("report.css")
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
WORDS = {
    "share": lambda value: f"{value:.2%}",
    "index": lambda value: f"{value:.3f}",
    "count": lambda value: f"{value:,.0f}",
    "billions": lambda value: f"{value:,.2f}",
    "number": lambda value: f"{value:,.1f}",
}
"""How a number stands in a table."""


@dataclass(frozen=True)
class Edition:
    """Which publication the report is of."""

    version: str
    published_at: str
    code_version: str
    months: str
    is_synthetic: bool


def report_page(edition: Edition, figures: Sequence[ReportFigure]) -> str:
    """The whole page."""
    contents = "".join(f'<li><a href="#{figure.key}">{_text(figure.title)}</a></li>' for figure in figures)
    warning = (
        f'<p class="synthetic banner"><strong>{LABEL}.</strong> Every number on this page is of an invented world '
        "and says nothing about the organisations it names.</p>"
        if edition.is_synthetic
        else ""
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><link rel="icon" href="data:,">'
        f"<title>Open Model Census, {_text(edition.months)}</title><style>{STYLE.read_text()}</style></head><body>"
        '<a class="skip" href="#figures">To the figures</a>'
        "<header><h1>Open Model Census</h1>"
        "<p>Who makes the open AI models that the world downloads, and how is that changing, month by month?</p>"
        f"{warning}<p>Months {_text(edition.months)}. Version {_text(edition.version)}, published "
        f"{_text(edition.published_at)} by code version {_text(edition.code_version)}. Every figure says what it is "
        "of: its window, population, attribution, denominator, coverage, basis and source.</p></header>"
        f'<nav aria-label="Figures"><ul>{contents}</ul></nav>'
        f'<main id="figures">{"".join(_section(figure) for figure in figures)}</main>'
        "<footer><p>The same numbers, all of them, are in <code>census.duckdb</code>, <code>parquet/</code> and "
        "<code>csv/</code> of this version; <code>data_dictionary.html</code> says what every column means. "
        "<code>census explain</code> takes a share apart, down to the models behind it.</p></footer>"
        "</body></html>\n"
    )


def _section(figure: ReportFigure) -> str:
    mark = '<span class="synthetic">synthetic</span>' if figure.is_synthetic else ""
    return (
        f'<section id="{figure.key}" aria-labelledby="{figure.key}-title">'
        f'<h2 id="{figure.key}-title">{_text(figure.title)} {mark}</h2><p>{_text(figure.meaning)}</p>'
        f"<figure>{_switch(figure)}{''.join(_view(figure, place) for place in range(len(figure.views)))}</figure>"
        "</section>"
    )


def _switch(figure: ReportFigure) -> str:
    if len(figure.views) == 1:
        return ""
    choices = "".join(
        f'<label><input type="radio" name="{figure.key}-view" class="pick{place}"{"" if place else " checked"}> '
        f"{_text(view.name)}</label>"
        for place, view in enumerate(figure.views)
    )
    return f'<fieldset class="switch"><legend>{_text(figure.choice)}</legend>{choices}</fieldset>'


def _view(figure: ReportFigure, place: int) -> str:
    view = figure.views[place]
    name = f"{figure.title}, {view.name}" if len(figure.views) > 1 else figure.title
    title = f'<p class="name">{_text(view.name)}</p>' if len(figure.views) > 1 else ""
    return (
        f'<div class="view view{place}">{title}<div class="side">{_chart(view, name, figure.is_synthetic)}'
        f"{_statement(view)}</div>{''.join(_table(view, name, figure.is_synthetic))}</div>"
    )


def _chart(view: View, name: str, is_synthetic: bool) -> str:  # noqa: FBT001 - a property of the figure
    if not view.rows:
        return f'<p class="nothing">{_text(view.if_empty)}</p>'
    if view.chart is None:
        return ""
    words = escape(f"{name}{' (synthetic)' if is_synthetic else ''}. {view.chart.in_words()}", quote=True)
    return f'<div class="chart" role="img" aria-label="{words}">{svg(view.chart, is_synthetic=is_synthetic)}</div>'


def _statement(view: View) -> str:
    statement = view.statement
    terms = "".join(f"<div><dt>{term}</dt><dd>{_text(said)}</dd></div>" for term, said in statement.terms())
    revisions = "".join(f"<li>{_text(month)} <code>{_text(revision)}</code></li>" for month, revision in statement.read)
    counted = _counted(len(statement.read), "source revision")
    return (
        f"<dl>{terms}<div><dt>Source</dt><dd>{_text(statement.source)}"
        f"<details><summary>{counted}</summary><ul>{revisions}</ul></details>"
        "</dd></div></dl>"
    )


def _table(view: View, name: str, is_synthetic: bool) -> Iterator[str]:  # noqa: FBT001 - a property of the figure
    if not view.rows:
        return
    mark = " (synthetic)" if is_synthetic else ""
    shown = "" if view.chart else " open"
    yield f'<details class="values"{shown}><summary>Table of values: {_text(name)}</summary>'
    yield f'<div class="wide" role="region" tabindex="0" aria-label="{escape(plain(name), quote=True)}, values">'
    yield f"<table><caption>{_text(name)}{mark}. {_text(view.statement.window)}.</caption><thead><tr>"
    yield from (f'<th scope="col"{_class(kind)}>{_text(heading)}</th>' for heading, kind in view.columns)
    yield "</tr></thead><tbody>"
    for first, *rest in view.rows:
        cells = "".join(
            f"<td{_class(kind)}>{_cell(value, kind)}</td>"
            for value, (_, kind) in zip(rest, view.columns[1:], strict=True)
        )
        yield f'<tr><th scope="row"{_class(view.columns[0][1])}>{_cell(first, view.columns[0][1])}</th>{cells}</tr>'
    yield "</tbody></table></div></details>"


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _class(kind: str) -> str:
    return f' class="{"number" if kind in WORDS else kind}"'


def _cell(value: Any, kind: str) -> str:
    if value is None:
        return '<span class="absent">none</span>'
    return WORDS[kind](value) if kind in WORDS else f"<bdi>{_text(str(value))}</bdi>"


def _text(text: str) -> str:
    """Text that stays text: no markup, nothing that turns its direction."""
    return escape(plain(text))
