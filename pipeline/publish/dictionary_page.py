"""The data dictionary as one page of HTML, from the declarations alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from pipeline.checks.declared import declared_checks
from pipeline.publish.relations import key_of, reference_of
from pipeline.publish.warehouse import duckdb_type
from pipeline.schema.catalogue import Catalogue
from pipeline.schema.declaration import Column, Table
from pipeline.tables.published import SCHEMA_VERSION

STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:0 auto;padding:1rem;color-scheme:light dark}
table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:.3rem .5rem}
th,td{border-bottom:1px solid color-mix(in srgb,currentColor 20%,transparent)}
code{font-family:ui-monospace,monospace}.wide{overflow-x:auto}h2{margin-top:3rem}
"""


def dictionary_page(tables: Sequence[Table], about: str, catalogue: Catalogue) -> str:
    """Every table with its grain, key, warnings, columns and checks; `about` says what the publication is."""
    contents = "".join(f'<li><a href="#{escape(t.name)}"><code>{escape(t.name)}</code></a></li>' for t in tables)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>Data dictionary of the Open Model Census</title><style>{STYLE}</style></head><body><main>"
        f"<h1>Data dictionary</h1><p>{escape(about)} Schema version {SCHEMA_VERSION}.</p><ul>{contents}</ul>"
        f"{''.join(part for table in tables for part in _table(table, catalogue))}</main></body></html>\n"
    )


def _table(table: Table, catalogue: Catalogue) -> Iterator[str]:
    key = ", ".join(f"<code>{escape(name)}</code>" for name in key_of(table))
    yield f'<section id="{escape(table.name)}"><h2><code>{escape(table.name)}</code></h2>'
    yield f"<p><strong>One row per {escape(table.grain)}.</strong> {_text(table.description)}</p><p>Key: {key}.</p>"
    if table.warnings:
        yield f"<p>Warnings:</p><ul>{''.join(f'<li>{_text(warning)}</li>' for warning in table.warnings)}</ul>"
    yield '<div class="wide"><table><thead><tr><th>column<th>type<th>unit<th>meaning</tr></thead><tbody>'
    yield from (_column(table, column) for column in table.columns)
    yield "</tbody></table></div>"
    made_of = [monthly for monthly in catalogue.tables.values() if monthly.name == table.name]
    for monthly in made_of:
        yield "<details><summary>Checks of every month</summary><ul>"
        yield from (
            f"<li><code>{escape(check.name)}</code> ({check.severity}): {_text(check.in_full)}</li>"
            for check in declared_checks(monthly)
        )
        yield "</ul></details>"
    yield "</section>"


def _column(table: Table, column: Column) -> str:
    target = reference_of(table, column.name)
    refers = f' Refers to <a href="#{target[0].name}">{target[0].name}</a>.' if target else ""
    absent = " May be absent." if column.nullable else ""
    return (
        f"<tr><td><code>{escape(column.name)}</code><td>{duckdb_type(column)}<td>{escape(column.unit or '')}"
        f"<td>{_text(column.meaning)}{absent}{refers}</tr>"
    )


def _text(text: str) -> str:
    """The text with what stands between backticks as code."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if place % 2 else part for place, part in enumerate(parts))
