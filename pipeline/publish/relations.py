"""How the published tables hang together: which rows of which table explain a column's values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pipeline.schema.declaration import Column, Table
from pipeline.schema.published import PublishedTable

DIMENSION, MEMBER = "dimension", "member"
"""In a table with both columns, the members of one dimension refer to that dimension's table, the others do not."""


@dataclass(frozen=True)
class Reference:
    """A column that refers to a published table: `on` pairs its columns with those of the target's key."""

    column: str
    target: PublishedTable
    target_column: str
    on: tuple[tuple[str, str], ...]
    dimension: str | None = None
    """Only rows of this dimension refer."""

    def __str__(self) -> str:
        condition = f" where {DIMENSION} is {self.dimension}" if self.dimension else ""
        return f"{self.target.name}.{self.target_column}{condition}"


def references_of(made: PublishedTable, published: Mapping[str, PublishedTable]) -> list[Reference]:
    """The references of a published table, those by the most columns first, as they say the most of a row."""
    return sorted(_references(made, published), key=lambda reference: -len(reference.on))


def _references(made: PublishedTable, published: Mapping[str, PublishedTable]) -> Iterator[Reference]:
    columns = made.table.schema.names()
    for column, (name, target_column) in made.references.items():
        target = published[name]
        further = [(other, other) for other in target.key if other != target_column and other in columns]
        is_one_of_many = column == MEMBER and DIMENSION in columns
        dimension = name.removeprefix("dim_") if is_one_of_many else None
        yield Reference(column, target, target_column, ((column, target_column), *further), dimension)


def table_comment(made: PublishedTable) -> str:
    """Grain, meaning, key and warnings in one text."""
    table = made.table
    return " ".join([f"One row per {table.grain}.", table.description, f"Key: {', '.join(made.key)}.", *table.warnings])


def column_comment(column: Column, reference: Reference | None) -> str:
    """Meaning, unit and what the column refers to."""
    return meaning(column) + (f" Refers to {reference}." if reference else "")


def column_comments(made: PublishedTable, published: Mapping[str, PublishedTable]) -> dict[str, str]:
    """The comment of each column of a published table."""
    by_column = {reference.column: reference for reference in references_of(made, published)}
    return {column.name: column_comment(column, by_column.get(column.name)) for column in made.table.columns}


def meaning(column: Column) -> str:
    """Meaning and unit."""
    return column.meaning if column.unit is None else f"{column.meaning} [{column.unit}]"


def number_columns(table: Table) -> list[str]:
    """The columns that can be added up."""
    return [name for name, dtype in table.schema.items() if dtype.is_numeric()]
