"""The vocabulary in which tables are declared.

What belongs here: the shape of a declaration and what follows from it alone. What does not: any particular
table (see `assets`), and how what is declared is checked (see `pipeline.checks`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Literal, Protocol, Self, TypeAlias

import polars as pl

Severity = Literal["critical", "warning"]
"""`critical` stops everything downstream of the table's month; `warning` is shown and alerts."""

TIMESTAMP = pl.Datetime("us", "UTC")

DECIMAL = pl.Decimal(38, 6)
"""Exact amounts: added up in any order, on any number of processors, they come to the same."""


@dataclass(frozen=True)
class Column:
    """One column: the same name means the same quantity in the same unit in every table that has it.

    A value that is there must lie between `minimum` and `maximum` (numbers, or names of columns of the same table), be
    one of `values`, match `pattern` (in Rust's syntax, found anywhere unless it says `^` and `$`), and stand in one row
    only if it is `unique`. These constraints are critical and hold in every table that has the column; what is
    tolerated to a degree is a rule or a measure of the table.

    `refers_to` is the published table that explains its values, by the last column of that table's key. Where rows of
    several dimensions stand in one table, there is one for each `dimension`: `{"country": "dim_country", ...}`.
    """

    name: str
    type: pl.DataType | type[pl.DataType]
    meaning: str
    unit: str | None = None
    nullable: bool = False
    minimum: float | str | None = None
    maximum: float | str | None = None
    values: tuple[str, ...] | tuple[int, ...] = ()
    pattern: str | None = None
    unique: bool = False
    refers_to: str | Mapping[str, str] | None = field(default=None, hash=False)

    def __post_init__(self) -> None:
        if problem := self._problem():
            raise ValueError(f"column {self.name} is declared with {problem}")

    def optional(self, meaning: str | None = None) -> Self:
        """The same column where a value may be absent."""
        return replace(self, nullable=True, meaning=meaning or self.meaning)

    @property
    def meaning_and_unit(self) -> str:
        """What it means, and in what unit."""
        return self.meaning if self.unit is None else f"{self.meaning} [{self.unit}]"

    @property
    def bounding_columns(self) -> tuple[str, ...]:
        """The columns of the same table that bound its values."""
        return tuple(bound for bound in (self.minimum, self.maximum) if isinstance(bound, str))

    def _problem(self) -> str | None:
        """What keeps its constraints from being checked, if anything does."""
        numbers = [bound for bound in (self.minimum, self.maximum) if isinstance(bound, int | float)]
        dtype = self.type() if isinstance(self.type, type) else self.type
        if (numbers and not dtype.is_numeric()) or (self.bounding_columns and dtype.is_nested()):
            return f"bounds, which do not apply to {dtype}: drop them"
        if numbers != sorted(numbers):
            return f"the minimum {self.minimum} above the maximum {self.maximum}: swap them"
        is_text = dtype in (pl.String, pl.Categorical, pl.Enum)
        if self.values and not (is_text or dtype.is_integer()):
            return f"a list of values, which does not apply to {dtype}: drop it"
        if self.pattern is not None and not is_text:
            return f"a pattern, which does not apply to {dtype}: drop it"
        return None


class MonthAbsentError(LookupError):
    """The lake does not hold the month that a rule or a measure compares with."""

    def __init__(self, month: date) -> None:
        super().__init__(f"{month:%Y-%m} is not in the lake")


class TableFrames(Protocol):
    """What a rule may look at: the tables of the month under check, as lazy frames."""

    def scan(self, table: str) -> pl.LazyFrame:
        """The named table (`group/name`) in the month under check, or whole if it has no months."""

    def scan_previous(self, table: str) -> pl.LazyFrame:
        """The named table in the month before.

        Raises:
            MonthAbsentError: the lake does not hold it; a check that cannot compare is not judged.
        """


Query: TypeAlias = Callable[[TableFrames], pl.LazyFrame]


@dataclass(frozen=True)
class Rule:
    """A statement about a whole set of rows, possibly over several tables.

    `violations` returns the offending rows lazily; their number must not exceed `allowed`. Of the first of them,
    `quoted` columns are stated with what was observed.
    """

    name: str
    meaning: str
    violations: Query
    severity: Severity = "critical"
    allowed: int = 0
    quoted: tuple[str, ...] = ()


def rule(severity: Severity = "critical", quoted: tuple[str, ...] = ()) -> Callable[[Query], Rule]:
    """Decorates the function that finds what breaks a rule: its name and its docstring are the rule's."""

    def made(violations: Query) -> Rule:
        return Rule(violations.__name__, " ".join(str(violations.__doc__).split()), violations, severity, quoted=quoted)

    return made


@dataclass(frozen=True)
class Measure:
    """One number about the month that must lie within bounds; `value` returns a frame of one cell.

    `offending`, where there are any, returns the rows that speak against it.
    """

    name: str
    meaning: str
    value: Query
    minimum: float | None = None
    maximum: float | None = None
    severity: Severity = "critical"
    offending: Query | None = None

    def __post_init__(self) -> None:
        if self.minimum is None and self.maximum is None:
            raise ValueError(f"the measure {self.name} is declared without bounds: give one or both")


@dataclass(frozen=True, eq=False)
class Table:
    """A table of the census.

    `path` is `group/name`: the lake's folder and, split at the slash, the asset key. `grain` completes the sentence
    "one row per ..."; `key` is unique within a month (or within the table, where `monthly` is false). Rows are stored
    sorted by `key`. `continues` names the table whose observation of the month before must be this one's.
    `reviewed_lists` are the files of `pipeline/reference` that its step reads.
    """

    path: str
    grain: str
    description: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    monthly: bool = True
    continues: str | None = None
    reviewed_lists: tuple[str, ...] = ()
    may_be_empty: bool = False
    warnings: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()
    measures: tuple[Measure, ...] = ()
    _names: frozenset[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        names = [column.name for column in self.columns]
        object.__setattr__(self, "_names", frozenset(names))
        if len(self._names) != len(names):
            raise ValueError(f"table {self.path} declares a column twice: keep one of each of {sorted(names)}")
        if missing := set(self.key) - self._names:
            raise ValueError(f"table {self.path} has key columns that it does not declare: {sorted(missing)}")
        for column in self.columns:
            if unknown := set(column.bounding_columns) - self._names:
                raise ValueError(f"table {self.path} bounds {column.name} by columns that it lacks: {sorted(unknown)}")

    @property
    def group(self) -> str:
        """The part of the census that it belongs to."""
        return self.path.partition("/")[0]

    @property
    def name(self) -> str:
        """By which it is known within its group."""
        return self.path.partition("/")[2]

    @property
    def statements(self) -> tuple[Rule | Measure, ...]:
        """Its rules, then its measures."""
        return (*self.rules, *self.measures)

    @property
    def is_large(self) -> bool:
        """Whether it grows with the Hub: a row for each repository or edge, not for each member of a dimension."""
        return not {"hub_id", "child_hub_id"}.isdisjoint(self.key)

    @property
    def schema(self) -> pl.Schema:
        """Column types in declared order."""
        return pl.Schema({column.name: column.type for column in self.columns})

    def column(self, name: str) -> Column:
        """The declaration of one column.

        Raises:
            KeyError: the table has no such column.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"table {self.path} has no column {name!r}: it declares {sorted(self._names)}")


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
