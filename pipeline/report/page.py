"""The report as one page of HTML that asks for nothing else: no script, no font, no address.

The switch between views is a group of radio buttons that the style sheet obeys. Everything that is written into the
page is escaped here, and a policy in its head forbids whatever might slip through to run or to be fetched.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.report import charts
from pipeline.report.figures import TEXTS, ReadFigure, View, written
from pipeline.report.words import counted
from pipeline.text import in_html

STYLE = Path(__file__).with_name("page.css")
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"


@dataclass(frozen=True)
class Edition:
    """Which publication the report is of; `label` is what is said of it where any of it is synthetic."""

    version: str
    published_at: str
    code_version: str
    months: str
    label: str


def report_page(edition: Edition, figures: Sequence[ReadFigure]) -> str:
    """The whole page."""
    contents = "".join(f'<li><a href="#{read.figure.key}">{in_html(read.figure.title)}</a></li>' for read in figures)
    warning = (
        f'<p class="synthetic banner"><strong>{in_html(edition.label)}.</strong> What is synthetic is of an invented '
        "world and says nothing about the organisations it names.</p>"
        if edition.label
        else ""
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><link rel="icon" href="data:,">'
        f"<title>Open Model Census, {in_html(edition.months)}</title><style>{STYLE.read_text()}</style></head><body>"
        '<a class="skip" href="#figures">To the figures</a>'
        "<header><h1>Open Model Census</h1>"
        "<p>Who makes the open AI models that the world downloads, and how is that changing, month by month?</p>"
        f"{warning}<p>Months {in_html(edition.months)}. Version {in_html(edition.version)}, published "
        f"{in_html(edition.published_at)} by code version {in_html(edition.code_version)}. Every figure says what it "
        "is of: its window, population, attribution, denominator, coverage, basis and source.</p></header>"
        f'<nav aria-label="Figures"><ul>{contents}</ul></nav>'
        f'<main id="figures">{"".join(_section(read) for read in figures)}</main>'
        "<footer><p>The same numbers, all of them, are in <code>census.duckdb</code>, <code>parquet/</code> and "
        "<code>csv/</code> of this version; <code>data_dictionary.html</code> says what every column means. "
        "<code>census explain</code> takes a share apart, down to the models behind it.</p></footer>"
        "</body></html>\n"
    )


def _section(read: ReadFigure) -> str:
    key, figure = read.figure.key, read.figure
    mark = '<span class="synthetic">synthetic</span>' if read.is_synthetic else ""
    return (
        f'<section id="{key}" aria-labelledby="{key}-title">'
        f'<h2 id="{key}-title">{in_html(figure.title)} {mark}</h2><p>{in_html(figure.meaning)}</p>'
        f"<figure>{_switch(read)}{''.join(_view(read, place) for place in range(len(read.views)))}</figure>"
        "</section>"
    )


def _switch(read: ReadFigure) -> str:
    if len(read.views) == 1:
        return ""
    choices = "".join(
        f'<label><input type="radio" name="{read.figure.key}-view" class="pick{place}"{"" if place else " checked"}> '
        f"{in_html(view.name)}</label>"
        for place, view in enumerate(read.views)
    )
    return f'<fieldset class="switch"><legend>{in_html(read.figure.choice)}</legend>{choices}</fieldset>'


def _view(read: ReadFigure, place: int) -> str:
    view, mark = read.views[place], " (synthetic)" if read.is_synthetic else ""
    name = f"{read.figure.title}, {view.name}" if len(read.views) > 1 else read.figure.title
    title = f'<p class="name">{in_html(view.name)}</p>' if len(read.views) > 1 else ""
    return (
        f'<div class="view view{place}">{title}<div class="side">{_chart(read, view, f"{name}{mark}")}'
        f"{_statement(view)}</div>{''.join(_table(read, view, f'{name}{mark}'))}</div>"
    )


def _chart(read: ReadFigure, view: View, name: str) -> str:
    chart = read.figure.chart
    if not view.rows:
        return f'<p class="nothing">{in_html(read.figure.if_empty)}</p>'
    if chart is None:
        return ""
    words = in_html(f"{name}. {charts.in_words(chart, view.drawn)}")
    drawn = charts.svg(chart, view.drawn, view.window.label())
    return f'<div class="chart" role="img" aria-label="{words}">{drawn}</div>'


def _statement(view: View) -> str:
    terms = "".join(
        f"<div><dt>{term}</dt><dd>{in_html(said)}{_revisions(view) if term == 'Source' else ''}</dd></div>"
        for term, said in view.statement.items()
    )
    return f"<dl>{terms}</dl>"


def _revisions(view: View) -> str:
    revisions = "".join(
        f"<li>{month.month:%Y-%m} <code>{in_html(month.source_revision)}</code></li>" for month in view.window.held
    )
    number = counted(len(view.window.held), "source revision")
    return f"<details><summary>{number}</summary><ul>{revisions}</ul></details>"


def _table(read: ReadFigure, view: View, name: str) -> Iterator[str]:
    if not view.rows:
        return
    is_open = "" if read.figure.chart else " open"
    first, *others = read.figure.columns
    yield f'<details class="values"{is_open}><summary>Table of values: {in_html(name)}</summary>'
    yield f'<div class="wide" role="region" tabindex="0" aria-label="{in_html(name)}, values">'
    yield f"<table><caption>{in_html(name)}. {in_html(view.statement['Window'])}.</caption><thead><tr>"
    yield from (f'<th scope="col"{_class(shown.kind)}>{in_html(shown.heading)}</th>' for shown in read.figure.columns)
    yield "</tr></thead><tbody>"
    for row in view.rows:
        cells = "".join(f"<td{_class(shown.kind)}>{_cell(row[shown.column], shown.kind)}</td>" for shown in others)
        yield f'<tr><th scope="row"{_class(first.kind)}>{_cell(row[first.column], first.kind)}</th>{cells}</tr>'
    yield "</tbody></table></div></details>"


def _class(kind: str) -> str:
    names = {"country": "text", "member": "text"}
    return f' class="{names.get(kind, kind) if kind in TEXTS else "number"}"'


def _cell(value: Any, kind: str) -> str:
    if value is None:
        return '<span class="absent">none</span>'
    said = in_html(written(value, kind))
    return f"<bdi>{said}</bdi>" if kind in TEXTS else said
