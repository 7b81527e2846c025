"""What a table's columns and its key must fulfil, as Polars expressions; one entry a constraint.

A value that is absent breaks no constraint but that of being present. As in pandas, a float that is not a number counts
as absent.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import polars as pl

from pipeline.schema.declaration import Column, Table


@dataclass(frozen=True)
class Bounds:
    """An interval that a number must lie in; an absent end is open."""

    minimum: Any = None
    maximum: Any = None

    def __str__(self) -> str:
        ends = (("at least", self.minimum), ("at most", self.maximum))
        return " and ".join(f"{words} {_written(end)}" for words, end in ends if end is not None)


@dataclass(frozen=True)
class Constraint:
    """A statement about each row, over one column or the columns of the key.

    `breaks` says whether a row breaks it; it is null where there is nothing to judge. `reads` are all the columns that
    it looks at.
    """

    columns: tuple[str, ...]
    words: str
    breaks: pl.Expr
    further: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{', '.join(self.columns)} {self.words}"

    @property
    def reads(self) -> tuple[str, ...]:
        """Every column that it looks at."""
        return (*self.columns, *self.further)


def constraints_of(table: Table) -> tuple[Constraint, ...]:
    """Every constraint of the table, in the order of its columns; that of its key comes first."""
    key = pl.struct(_value(table.column(name)) for name in table.key).is_duplicated()
    words = "occurs once" if len(table.key) == 1 else "together occur once"
    of_columns = (constraint for column in table.columns for constraint in _of_column(column))
    return (Constraint(table.key, words, key), *of_columns)


def _of_column(column: Column) -> Iterator[Constraint]:
    name, value = (column.name,), _value(column)
    text = value if column.type == pl.String or not column_is_text(column) else value.cast(pl.String)
    if not column.nullable:
        yield Constraint(name, "is present", value.is_null())
    if column.minimum is not None or column.maximum is not None:
        bounds = Bounds(column.minimum, column.maximum)
        yield Constraint(name, f"is {bounds}", ~_lies_within(value, bounds), column.bounding_columns)
    if column.values:
        listed = ", ".join(map(str, column.values))
        yield Constraint(name, f"is one of {listed}", ~text.is_in(list(column.values)))
    if column.pattern is not None:
        yield Constraint(name, f"matches {column.pattern}", ~text.str.contains(column.pattern))
    if column.unique:
        # As a struct, for Polars finds the repeats of a struct several times as fast.
        repeats = pl.when(value.is_not_null()).then(pl.struct(value).is_duplicated())
        yield Constraint(name, "occurs once", repeats)


def column_is_text(column: Column) -> bool:
    """Whether it holds text, be it as one of a fixed set."""
    return column.type in (pl.String, pl.Categorical, pl.Enum)


def _value(column: Column) -> pl.Expr:
    value = pl.col(column.name)
    return value.fill_nan(None) if column.type in (pl.Float32, pl.Float64) else value


def _lies_within(value: pl.Expr, bounds: Bounds) -> pl.Expr:
    # Each end by itself, so that a bounding column without a value leaves the other end judged.
    above = [value >= _bound(bounds.minimum)] if bounds.minimum is not None else []
    below = [value <= _bound(bounds.maximum)] if bounds.maximum is not None else []
    return pl.all_horizontal(*above, *below)


def _bound(stated: float | str) -> pl.Expr:
    return pl.col(stated) if isinstance(stated, str) else pl.lit(stated)


def _written(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)
