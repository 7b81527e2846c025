"""The published tables explained to readers: pages in Markdown for the documentation, one of HTML for a publication."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from html import escape

from pipeline.checks.declared import declared_checks
from pipeline.errors import CensusError
from pipeline.publish.column_types import type_names
from pipeline.publish.relations import Reference, references_of
from pipeline.publish.views import views_of
from pipeline.schema.catalogue import Catalogue
from pipeline.schema.declaration import Column, Table
from pipeline.schema.published import PublishedTable
from pipeline.version import SCHEMA_VERSION

_INDEX = """# Published tables

One page a table, generated from the declarations by `make docs`. Terms are explained in [the glossary](../glossary.md),
methods in [the methodology](../methodology.md).

| table | one row per |
|---|---|
"""


def pages(published: Mapping[str, PublishedTable]) -> dict[str, str]:
    """The text of each table's page and of their index, by file name."""
    rows = (f"| [`{made.name}`]({made.name}.md) | {_cell(made.table.grain)} |\n" for made in published.values())
    return {"README.md": _INDEX + "".join(rows)} | {f"{made.name}.md": page(made) for made in published.values()}


def page(made: PublishedTable) -> str:
    """One table: grain, description, warnings, key and columns with types, units and meanings."""
    table = made.table
    warnings = [f"- {warning}" for warning in table.warnings]
    return "\n".join(
        [
            f"# {table.name}",
            "",
            f"**One row per {table.grain}.** {table.description}",
            "",
            *(["## Warnings", "", *warnings, ""] if warnings else []),
            "## Columns",
            "",
            f"Key: {', '.join(f'`{name}`' for name in made.key)}.",
            "",
            "| column | type | unit | meaning |",
            "|---|---|---|---|",
            *(_row(column) for column in table.columns),
            "",
        ]
    )


def _row(column: Column) -> str:
    absent = " *May be absent.*" if column.nullable else ""
    word = type_names(column).word
    return f"| `{column.name}` | {word} | {column.unit or ''} | {_cell(column.meaning)}{absent} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


SHAPE = "<!-- Below: the shape of the tables and views, written by `make docs`. -->"


def schema_page(page_before: str, published: Mapping[str, PublishedTable]) -> str:
    """The changelog of the published schema with the shape that its latest version has now.

    A version whose section is marked `(in preparation)` may still change its shape.

    Raises:
        CensusError: the shape is another than the page states under the same version, or the changelog's latest section
            is of another version.
    """
    changelog, _, before = page_before.partition(SHAPE)
    latest = re.search(r"^## (\S+)(?: (\(in preparation\)))?$", changelog, re.MULTILINE)
    if latest is None or latest[1] != SCHEMA_VERSION:
        raise CensusError(f"docs/published-schema.md has no section {SCHEMA_VERSION} at its top: say what changed")
    shape = "\n".join(_shape(published))
    if before.strip() not in ("", shape.strip()) and f"Version {SCHEMA_VERSION}." in before and not latest[2]:
        raise CensusError(
            f"the published tables have another shape than docs/published-schema.md states for version "
            f"{SCHEMA_VERSION}: raise SCHEMA_VERSION in pipeline/version.py and say in the page what changed"
        )
    return f"{changelog}{SHAPE}\n\n{shape}"


def _shape(published: Mapping[str, PublishedTable]) -> Iterator[str]:
    yield f"Version {SCHEMA_VERSION}. Key columns are in bold, columns that may be empty have a question mark.\n"
    yield "| table | columns |\n|---|---|"
    for made in published.values():
        yield f"| `{made.name}` | {', '.join(_typed(made, column) for column in made.table.columns)} |"
    yield "\n| view | columns |\n|---|---|"
    for view in views_of(published):
        yield f"| `{view.name}` | {', '.join(view.column_comments)} |"
    yield ""


def _typed(made: PublishedTable, column: Column) -> str:
    name = f"**{column.name}**" if column.name in made.key else column.name
    return f"{name} {type_names(column).duckdb}{'?' if column.nullable else ''}"


STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:0 auto;padding:1rem;color-scheme:light dark}
table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:.3rem .5rem}
th,td{border-bottom:1px solid color-mix(in srgb,currentColor 20%,transparent)}
code{font-family:ui-monospace,monospace}.wide{overflow-x:auto}h2{margin-top:3rem}
"""


def dictionary_page(catalogue: Catalogue, about: str) -> str:
    """Every table with its grain, key, warnings, columns and checks; `about` says what the publication is."""
    checked = {table.name: table for table in catalogue.tables.values()}
    contents = "".join(f'<li><a href="#{name}"><code>{name}</code></a></li>' for name in catalogue.published)
    sections = (
        part
        for name, made in catalogue.published.items()
        for part in _section(made, references_of(made, catalogue.published), checked.get(name))
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>Data dictionary of the Open Model Census</title><style>{STYLE}</style></head><body><main>"
        f"<h1>Data dictionary</h1><p>{escape(about)} Schema version {SCHEMA_VERSION}.</p><ul>{contents}</ul>"
        f"{''.join(sections)}</main></body></html>\n"
    )


def _section(made: PublishedTable, references: list[Reference], checked: Table | None) -> Iterator[str]:
    table = made.table
    key = ", ".join(f"<code>{name}</code>" for name in made.key)
    yield f'<section id="{made.name}"><h2><code>{made.name}</code></h2>'
    yield f"<p><strong>One row per {escape(table.grain)}.</strong> {_text(table.description)}</p><p>Key: {key}.</p>"
    if table.warnings:
        yield f"<p>Warnings:</p><ul>{''.join(f'<li>{_text(warning)}</li>' for warning in table.warnings)}</ul>"
    yield '<div class="wide"><table><thead><tr><th>column<th>type<th>unit<th>meaning</tr></thead><tbody>'
    by_column = {reference.column: reference for reference in references}
    yield from (_column(column, by_column.get(column.name)) for column in table.columns)
    yield "</tbody></table></div>"
    if checked:
        yield "<details><summary>Checks of every month</summary><ul>"
        yield from (
            f"<li><code>{check.name}</code> ({check.severity}): {_text(check.in_full)}</li>"
            for check in declared_checks(checked)
        )
        yield "</ul></details>"
    yield "</section>"


def _column(column: Column, reference: Reference | None) -> str:
    refers = f' Refers to <a href="#{reference.target.name}">{reference}</a>.' if reference else ""
    absent = " May be absent." if column.nullable else ""
    return (
        f"<tr><td><code>{column.name}</code><td>{type_names(column).duckdb}<td>{escape(column.unit or '')}"
        f"<td>{_text(column.meaning)}{absent}{refers}</tr>"
    )


def _text(text: str) -> str:
    """The text with what stands between backticks as code."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if place % 2 else part for place, part in enumerate(parts))
