"""How the published tables hang together: which rows of which table explain a column's values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pipeline.schema.declaration import Column, Table
from pipeline.schema.published import PublishedTable


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
        condition = f" where dimension is {self.dimension}" if self.dimension else ""
        return f"{self.target.name}.{self.target_column}{condition}"


def references_of(made: PublishedTable, published: Mapping[str, PublishedTable]) -> list[Reference]:
    """The references of a published table, those by the most columns first, as they say the most of a row."""
    return sorted(_references(made, published), key=lambda reference: -len(reference.on))


def _references(made: PublishedTable, published: Mapping[str, PublishedTable]) -> Iterator[Reference]:
    columns = made.table.schema.names()
    for column, targets in made.references.items():
        by_dimension = targets.items() if isinstance(targets, Mapping) else [(None, targets)]
        for dimension, (name, target_column) in by_dimension:
            further = [(key, key) for key in published[name].key if key != target_column and key in columns]
            yield Reference(column, published[name], target_column, ((column, target_column), *further), dimension)


def refers_to(made: PublishedTable, published: Mapping[str, PublishedTable]) -> dict[str, str]:
    """By column: what explains its values, in words."""
    found: dict[str, str] = {}
    for reference in references_of(made, published):
        found[reference.column] = ", ".join(filter(None, (found.get(reference.column), str(reference))))
    return found


def table_comment(made: PublishedTable) -> str:
    """Grain, meaning, key and warnings in one text."""
    table = made.table
    return " ".join([f"One row per {made.grain}.", table.description, f"Key: {', '.join(made.key)}.", *table.warnings])


def column_comments(made: PublishedTable, published: Mapping[str, PublishedTable]) -> dict[str, str]:
    """The comment of each column of a published table: meaning, unit and what it refers to."""
    refers = refers_to(made, published)
    said = {name: f" Refers to {target}." for name, target in refers.items()}
    return {column.name: meaning(column) + said.get(column.name, "") for column in made.table.columns}


def meaning(column: Column) -> str:
    """Meaning and unit."""
    return column.meaning if column.unit is None else f"{column.meaning} [{column.unit}]"


def number_columns(table: Table) -> list[str]:
    """The columns that can be added up."""
    return [name for name, dtype in table.schema.items() if dtype.is_numeric()]
