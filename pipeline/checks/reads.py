"""Which tables the rules and measures of a table look at, found by putting them together over empty tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from pipeline.schema.declaration import Measure, Rule, Table


def tables_read(table: Table, tables: Mapping[str, Table]) -> list[Table]:
    """The other tables that the table's rules and measures look at, in the order in which they are first named.

    Raises:
        ValueError: a rule or a measure does not fit the declared tables, for instance names a column that none has.
    """
    seen = _EmptyTables({**tables, table.path: table})
    for statement in _statements(table):
        _resolve(statement, table, seen)
    return [found for path, found in seen.read.items() if path != table.path]


def checks_of_change(table: Table, tables: Mapping[str, Table]) -> tuple[str, ...]:
    """The names of the table's checks that compare with the month before, and so are not judged without it.

    Raises:
        ValueError: a rule or a measure does not fit the declared tables.
    """
    names = []
    for statement in _statements(table):
        seen = _EmptyTables({**tables, table.path: table})
        _resolve(statement, table, seen)
        if seen.read_before:
            names.append(statement.name)
    return tuple(names)


def _statements(table: Table) -> tuple[Rule | Measure, ...]:
    return (*table.rules, *table.measures)


@dataclass
class _EmptyTables:
    """Every declared table without rows, and a record of those that were asked for."""

    tables: Mapping[str, Table]
    read: dict[str, Table] = field(default_factory=dict)
    read_before: set[str] = field(default_factory=set)

    def scan(self, table: str) -> pl.LazyFrame:
        self.read[table] = self.tables[table]
        return pl.LazyFrame(schema=self.tables[table].schema)

    def scan_previous(self, table: str) -> pl.LazyFrame:
        self.read_before.add(table)
        return pl.LazyFrame(schema=self.tables[table].schema)


def _resolve(statement: Rule | Measure, table: Table, tables: _EmptyTables) -> None:
    query = statement.violations if isinstance(statement, Rule) else statement.value
    try:
        query(tables).collect_schema()
    except Exception as error:
        subject = f"{type(statement).__name__.lower()} {statement.name} of table {table.path}"
        raise ValueError(f"{subject} does not fit the declared tables: {type(error).__name__}: {error}") from error
