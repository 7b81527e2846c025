"""The vocabulary in which tables are declared.

What belongs here: the shape of a declaration and what follows from it alone. What does not: any particular
table (see the modules beside this one), and how expectations are run (see `pipeline.quality`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol

import polars as pl

Severity = Literal["critical", "warning"]
"""`critical` stops everything downstream of the table's month; `warning` is shown and alerts."""

TIMESTAMP = pl.Datetime("us", "UTC")


@dataclass(frozen=True)
class Column:
    """One column: the same name means the same quantity in the same unit in every table that has it.

    A value that is there must lie between `minimum` and `maximum`, be one of `values`, match `pattern`, and stand in
    one row only if it is `unique`. These constraints are critical and hold in every table that has the column; what is
    tolerated to a degree is a rule of the table.
    """

    name: str
    type: pl.DataType | type[pl.DataType]
    meaning: str
    unit: str | None = None
    nullable: bool = False
    minimum: float | None = None
    maximum: float | None = None
    values: tuple[str, ...] = ()
    pattern: str | None = None
    unique: bool = False

    def optional(self, meaning: str | None = None) -> Column:
        """The same column where a value may be absent."""
        return replace(self, nullable=True, meaning=meaning or self.meaning)


@dataclass(frozen=True)
class ColumnOf:
    """A column of another table (`group/name`) that a column is made of."""

    table: str
    column: str


def columns_of(table: str, *columns: str) -> tuple[ColumnOf, ...]:
    """Columns of one table (`group/name`), for `Table.made_of`."""
    return tuple(ColumnOf(table, column) for column in columns)


@dataclass(frozen=True)
class Expectation:
    """An expectation in Great Expectations' own vocabulary, e.g. `ExpectColumnValuesToBeBetween`."""

    kind: str
    arguments: Mapping[str, Any]
    severity: Severity = "critical"
    why: str = ""


class TableFrames(Protocol):
    """What a rule may look at: the tables of the month under check, as lazy frames."""

    def scan(self, table: str) -> pl.LazyFrame:
        """The named table (`group/name`) in the month under check, or whole if it has no months."""

    def scan_previous(self, table: str) -> pl.LazyFrame | None:
        """The named table in the month before, or None where the lake does not hold it."""


@dataclass(frozen=True)
class Rule:
    """A statement about a whole set of rows, possibly over several tables.

    `violations` returns the offending rows lazily; their number must not exceed `allowed`. Of the first of them,
    `quoted` columns are stated with what was observed. `proof`, where there is one, returns one cell: where that is
    true, nothing offends, and the violations, which cost more, need not be looked for.
    """

    name: str
    meaning: str
    violations: Callable[[TableFrames], pl.LazyFrame]
    severity: Severity = "critical"
    allowed: int = 0
    quoted: tuple[str, ...] = ()
    proof: Callable[[TableFrames], pl.LazyFrame] | None = None


@dataclass(frozen=True)
class Measure:
    """One number about the month that must lie within bounds; `value` returns a frame of one cell."""

    name: str
    meaning: str
    value: Callable[[TableFrames], pl.LazyFrame]
    minimum: float | None = None
    maximum: float | None = None
    severity: Severity = "critical"


@dataclass(frozen=True, eq=False)
class Table:
    """A table of the census.

    `grain` completes the sentence "one row per ..."; `key` is unique within a month (or within the table,
    where `monthly` is false). Rows are stored sorted by `key`. `made_of` names, for the columns whose values come from
    other tables, the columns there that they are made of (see `columns_of`).
    """

    group: str
    name: str
    grain: str
    description: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    monthly: bool = True
    may_be_empty: bool = False
    warnings: tuple[str, ...] = ()
    expectations: tuple[Expectation, ...] = ()
    rules: tuple[Rule, ...] = ()
    measures: tuple[Measure, ...] = ()
    made_of: Mapping[str, tuple[ColumnOf, ...]] = field(default_factory=dict)
    _names: frozenset[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        names = [column.name for column in self.columns]
        object.__setattr__(self, "_names", frozenset(names))
        if len(self._names) != len(names):
            raise ValueError(f"table {self.path} declares a column twice: keep one of each of {sorted(names)}")
        if unknown := set(self.made_of) - self._names:
            raise ValueError(f"table {self.path} says what columns are made of that it lacks: {sorted(unknown)}")
        if missing := set(self.key) - self._names:
            raise ValueError(f"table {self.path} has key columns that it does not declare: {sorted(missing)}")

    @property
    def path(self) -> str:
        """`group/name`: the lake's folder and, split at the slash, the asset key."""
        return f"{self.group}/{self.name}"

    @property
    def is_large(self) -> bool:
        """Whether it grows with the Hub: a row for each repository or edge, not for each member of a dimension."""
        return not {"hub_id", "child_hub_id"}.isdisjoint(self.key)

    @property
    def schema(self) -> pl.Schema:
        """Column types in declared order."""
        return pl.Schema({column.name: column.type for column in self.columns})

    @property
    def required(self) -> tuple[str, ...]:
        """The columns that must have a value in every row."""
        return tuple(column.name for column in self.columns if not column.nullable)

    def column(self, name: str) -> Column:
        """The declaration of one column.

        Raises:
            KeyError: the table has no such column.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"table {self.path} has no column {name!r}: it declares {sorted(self._names)}")

    def all_expectations(self) -> tuple[Expectation, ...]:
        """The declared expectations, after those that follow from columns and key."""
        return (*self._implied_expectations(), *self.expectations)

    def _implied_expectations(self) -> tuple[Expectation, ...]:
        names = [column.name for column in self.columns]
        implied = [
            Expectation(
                "ExpectTableColumnsToMatchOrderedList",
                {"column_list": names},
                why="readers and later steps rely on the declared columns",
            )
        ]
        if not self.may_be_empty:
            implied.append(
                Expectation("ExpectTableRowCountToBeBetween", {"min_value": 1}, why="an empty month is a failed read")
            )
        if len(self.key) == 1:
            implied.append(
                Expectation("ExpectColumnValuesToBeUnique", {"column": self.key[0]}, why=f"one row per {self.grain}")
            )
        else:
            implied.append(
                Expectation(
                    "ExpectCompoundColumnsToBeUnique",
                    {"column_list": list(self.key)},
                    why=f"one row per {self.grain}",
                )
            )
        return (*implied, *(expectation for column in self.columns for expectation in _constraints(column)))


def _constraints(column: Column) -> Iterator[Expectation]:
    about = {"column": column.name}
    if column.minimum is not None or column.maximum is not None:
        bounds = {"min_value": column.minimum, "max_value": column.maximum}
        stated = {name: bound for name, bound in bounds.items() if bound is not None}
        yield Expectation("ExpectColumnValuesToBeBetween", about | stated)
    if column.values:
        yield Expectation("ExpectColumnValuesToBeInSet", about | {"value_set": list(column.values)})
    if column.pattern:
        yield Expectation("ExpectColumnValuesToMatchRegex", about | {"regex": column.pattern})
    if column.unique:
        yield Expectation("ExpectColumnValuesToBeUnique", about)


def conform(frame: pl.LazyFrame, table: Table) -> pl.LazyFrame:
    """The frame as declared: columns selected, cast and ordered, rows sorted by the table's key.

    Raises:
        ValueError: a declared column is missing from the frame.
    """
    present = set(frame.collect_schema().names())
    if missing := [name for name in table.schema.names() if name not in present]:
        raise ValueError(
            f"table {table.path} cannot be written without its declared columns {missing}: "
            "add them to the transform that makes it"
        )
    return frame.select(pl.col(name).cast(dtype) for name, dtype in table.schema.items()).sort(table.key)
