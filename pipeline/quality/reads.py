"""Which tables the rules and measures of a table look at, found by putting them together over empty tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import polars as pl

from pipeline.schema.declaration import Table, TableFrames


def tables_read(table: Table, tables: Mapping[str, Table]) -> list[Table]:
    """The other tables that the table's rules and measures look at, in the order in which they are first named.

    Raises:
        ValueError: a rule or a measure does not fit the declared tables, for instance names a column that none has.
    """
    seen = _EmptyTables({**tables, table.path: table})
    for rule in table.rules:
        _resolve(rule.violations, seen, f"rule {rule.name} of table {table.path}")
    for measure in table.measures:
        _resolve(measure.value, seen, f"measure {measure.name} of table {table.path}")
    return [found for path, found in seen.read.items() if path != table.path]


@dataclass
class _EmptyTables:
    """Every declared table without rows, and a record of those that were asked for."""

    tables: Mapping[str, Table]
    read: dict[str, Table] = field(default_factory=dict)

    def scan(self, table: str) -> pl.LazyFrame:
        self.read[table] = self.tables[table]
        return pl.LazyFrame(schema=self.tables[table].schema)

    def scan_previous(self, table: str) -> pl.LazyFrame | None:
        return pl.LazyFrame(schema=self.tables[table].schema)


def _resolve(query: Callable[[TableFrames], pl.LazyFrame], tables: _EmptyTables, subject: str) -> None:
    try:
        query(tables).collect_schema()
    except Exception as error:
        raise ValueError(f"{subject} does not fit the declared tables: {type(error).__name__}: {error}") from error
