"""The tables as rules see them: those of one month of the lake, and those that only tell what a rule looks at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

import polars as pl

from pipeline.lake.store import Lake
from pipeline.months import previous_month
from pipeline.schema.declaration import Measure, MonthAbsentError, Rule, Table


@dataclass(frozen=True)
class LakeFrames:
    """The lake's tables in one month; tables without months are seen whole."""

    lake: Lake
    tables: Mapping[str, Table]
    month: date | None

    def scan(self, table: str) -> pl.LazyFrame:
        """The named table (`group/name`) in the month under check, or whole if it has no months."""
        declared = self.tables[table]
        return self.lake.scan(declared, self.month if declared.monthly else None)

    def scan_previous(self, table: str) -> pl.LazyFrame:
        """The named table in the month before.

        Raises:
            MonthAbsentError: the lake does not hold it.
            LookupError: nothing is before a table without months.
        """
        if self.month is None or not self.tables[table].monthly:
            raise LookupError(f"{table} has no months, and so none before")
        before = previous_month(self.month)
        if not self.lake.holds(self.tables[table], before):
            raise MonthAbsentError(before)
        return self.lake.scan(self.tables[table], before)


def tables_read(table: Table, tables: Mapping[str, Table]) -> list[Table]:
    """The other tables that the table's rules and measures look at, in the order in which they are first named.

    Raises:
        ValueError: a rule or a measure does not fit the declared tables, for instance names a column that none has.
    """
    read = {path: True for statement in table.statements for path in _look(statement, table, tables).read}
    return [tables[path] for path in read if path != table.path]


def checks_of_change(table: Table, tables: Mapping[str, Table]) -> tuple[str, ...]:
    """The names of the table's checks that compare with the month before, and so are not judged without it.

    Raises:
        ValueError: a rule or a measure does not fit the declared tables.
    """
    return tuple(one.name for one in table.statements if _look(one, table, tables).looked_back)


@dataclass
class _EmptyTables:
    """Every declared table without rows, and a record of those that were asked for."""

    tables: Mapping[str, Table]
    read: list[str] = field(default_factory=list)
    looked_back: bool = False

    def scan(self, table: str) -> pl.LazyFrame:
        self.read.append(table)
        return pl.LazyFrame(schema=self.tables[table].schema)

    def scan_previous(self, table: str) -> pl.LazyFrame:
        self.looked_back = True
        return pl.LazyFrame(schema=self.tables[table].schema)


def _look(statement: Rule | Measure, table: Table, tables: Mapping[str, Table]) -> _EmptyTables:
    """What the rule or measure of the table asks for."""
    seen = _EmptyTables({**tables, table.path: table})
    try:
        query = statement.violations if isinstance(statement, Rule) else statement.value
        query(seen).select(statement.quoted if isinstance(statement, Rule) else pl.all()).collect_schema()
    except Exception as error:
        kind = type(statement).__name__.lower()
        raise ValueError(
            f"{kind} {statement.name} of table {table.path} does not fit the declared tables: "
            f"{type(error).__name__}: {error}"
        ) from error
    return seen
