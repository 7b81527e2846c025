"""Tables explained to readers: pages in Markdown, from the declarations alone."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.schema.declaration import Column, Table
from pipeline.tables.families import TABLES as FAMILY_TABLES
from pipeline.tables.published import COVERAGE, DIM_COUNTRY, DIM_MONTH, DIM_ORGANIZATION
from pipeline.tables.windowed import WINDOWED_TABLES

DOCUMENTED_TABLES: tuple[Table, ...] = (
    *WINDOWED_TABLES,
    *FAMILY_TABLES,
    COVERAGE,
    DIM_MONTH,
    DIM_COUNTRY,
    DIM_ORGANIZATION,
)
"""What readers of the warehouse see, each with a page of its own."""

_INDEX = """# Published tables

One page a table, generated from the declarations by `make docs`. Terms are explained in [the glossary](../glossary.md),
methods in [the methodology](../methodology.md).

| table | one row per |
|---|---|
"""


def pages(tables: Sequence[Table] = DOCUMENTED_TABLES) -> dict[str, str]:
    """The text of each table's page and of their index, by file name."""
    index = _INDEX + "".join(f"| [`{table.name}`]({table.name}.md) | {_cell(table.grain)} |\n" for table in tables)
    return {"README.md": index} | {f"{table.name}.md": page(table) for table in tables}


def page(table: Table) -> str:
    """One table: grain, description, warnings, key and columns with types, units and meanings."""
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
            f"Key: {', '.join(f'`{name}`' for name in table.key)}.",
            "",
            "| column | type | unit | meaning |",
            "|---|---|---|---|",
            *(_row(column) for column in table.columns),
            "",
        ]
    )


def _row(column: Column) -> str:
    absent = " *May be absent.*" if column.nullable else ""
    return f"| `{column.name}` | {type_name(column)} | {column.unit or ''} | {_cell(column.meaning)}{absent} |"


def type_name(column: Column) -> str:
    """The column's type in a reader's word: text, integer, number, date, time (UTC), yes or no."""
    dtype = column.type
    for holds, word in (
        (dtype.is_integer(), "integer"),
        (dtype.is_float() or dtype.is_decimal(), "number"),
        (str(dtype) == "Boolean", "yes or no"),
        (str(dtype) == "Date", "date"),
        (str(dtype).startswith("Datetime"), "time"),
    ):
        if holds:
            return word
    return "text"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
