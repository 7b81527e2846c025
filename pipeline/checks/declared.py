"""The checks that a table's declaration amounts to: what is asked, under which name, how severely.

What rows must fulfil, column by column and by the key, is stated as Polars expressions. A value that is absent breaks
no constraint but that of being present; a float that is not a number counts as absent. What does not belong here: how a
check is run (see `evaluate`), Great Expectations and Dagster.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import polars as pl

from pipeline.schema.declaration import Column, Measure, Rule, Severity, Table
from pipeline.wording import counted

AS_DECLARED = "as_declared"
"""The check of a table's columns, its key and that it has rows at all."""
CONSEQUENCES: dict[Severity, str] = {
    "critical": "Critical: stops everything downstream of this table",
    "warning": "Warning: shown and alerted, stops nothing",
}


@dataclass(frozen=True)
class Bounds:
    """An interval that a number must lie in; an absent end is open."""

    minimum: Any = None
    maximum: Any = None

    def __str__(self) -> str:
        ends = (("at least", self.minimum), ("at most", self.maximum))
        return " and ".join(
            f"{words} {end}" if isinstance(end, str) else f"{words} {end:,}" for words, end in ends if end is not None
        )


@dataclass(frozen=True)
class Constraint:
    """A statement about each row; `breaks` says whether a row breaks it, null where there is nothing to judge."""

    columns: str
    words: str
    breaks: pl.Expr

    def __str__(self) -> str:
        return f"{self.columns} {self.words}"


@dataclass(frozen=True)
class Check:
    """One declared check: a stable name, its severity, what it expects in words, and the statement behind it."""

    name: str
    severity: Severity
    expected: str
    statement: tuple[Constraint, ...] | Rule | Measure

    @property
    def in_full(self) -> str:
        """What it expects, with every constraint."""
        constraints = self.statement if isinstance(self.statement, tuple) else ()
        return ": ".join(filter(None, (self.expected, "; ".join(map(str, constraints)))))

    @property
    def description(self) -> str:
        """What is expected and what happens otherwise, in words."""
        return f"{self.in_full[0].upper()}{self.in_full[1:].rstrip('.')}. {CONSEQUENCES[self.severity]}."


def declared_checks(table: Table) -> tuple[Check, ...]:
    """Every check of the table, each under a name of its own, in the order of the declaration.

    Raises:
        ValueError: two checks have one name.
    """
    rows = "" if table.may_be_empty else "there is at least one row, "
    checks = (
        Check(AS_DECLARED, "critical", f"{rows}columns and key are as declared", constraints_of(table)),
        *(Check(one.name, one.severity, _in_words(one), one) for one in table.statements),
    )
    if repeated := [name for name, count in Counter(check.name for check in checks).items() if count > 1]:
        raise ValueError(f"table {table.path} has several checks called {', '.join(repeated)}: rename its rules")
    return checks


def _in_words(statement: Rule | Measure) -> str:
    meaning = statement.meaning.rstrip(".")
    if isinstance(statement, Measure):
        return f"{meaning}: must be {Bounds(statement.minimum, statement.maximum)}"
    return f"{meaning} ({counted(statement.allowed, 'row')} may fail)" if statement.allowed else meaning


def constraints_of(table: Table) -> tuple[Constraint, ...]:
    """Every constraint of the table: those of its key, then those of its columns."""
    return (*_of_key(table), *(one for column in table.columns for one in _of(column)))


def _of_key(table: Table) -> Iterator[Constraint]:
    """Where rows stand in the order of the key, those of one key stand side by side: no row need be remembered."""
    repeats, is_early = [], pl.lit(value=False)
    for name in reversed(table.key):
        value, before = pl.col(name), pl.col(name).shift()
        same = value.eq_missing(before)
        is_early = (value < before).fill_null(value.is_null() & before.is_not_null()) | (same & is_early)
        repeats.append(same)
    is_repeated, names = pl.all_horizontal(repeats) & (pl.int_range(pl.len()) > 0), ", ".join(table.key)
    once, order = ("occurs once", "is in order") if len(repeats) == 1 else ("occur once together", "are in order")
    yield Constraint(names, once, is_repeated | is_repeated.shift(-1, fill_value=False))
    yield Constraint(names, order, is_early)


def _of(column: Column) -> Iterator[Constraint]:
    name, value = column.name, _value(column)
    text = pl.col(name).cast(pl.String) if column.type in (pl.Categorical, pl.Enum) else pl.col(name)
    if not column.nullable:
        yield Constraint(name, "is present", value.is_null())
    if column.minimum is not None or column.maximum is not None:
        above = value >= _bound(column.minimum, column) if column.minimum is not None else pl.lit(value=True)
        below = value <= _bound(column.maximum, column) if column.maximum is not None else pl.lit(value=True)
        yield Constraint(name, f"is {Bounds(column.minimum, column.maximum)}", ~(above & below))
    if column.values:
        yield Constraint(name, f"is one of {', '.join(map(str, column.values))}", ~text.is_in(list(column.values)))
    if column.pattern is not None:
        yield Constraint(name, f"matches {column.pattern}", ~text.str.contains(column.pattern))
    if column.unique:
        yield Constraint(name, "occurs once", pl.when(value.is_not_null()).then(pl.struct(value).is_duplicated()))


def _value(column: Column) -> pl.Expr:
    value = pl.col(column.name)
    return value.fill_nan(None) if column.type in (pl.Float32, pl.Float64) else value


def _bound(stated: float | str, column: Column) -> pl.Expr:
    if isinstance(stated, str):
        return pl.col(stated)
    # Exact beside exact values: a decimal must not be rounded to a fraction to be compared.
    return pl.lit(Decimal(str(stated)) if isinstance(column.type, pl.Decimal) else stated)


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
