"""What the rows of a table must fulfil, column by column and by its key, as Polars expressions.

A value that is absent breaks no constraint but that of being present; a float that is not a number counts as absent.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
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


def constraints_of(table: Table) -> tuple[Constraint, ...]:
    """Every constraint of the table: that of its key, then those of its columns."""
    # Even a single column is a struct here, for Polars finds the repeats of a struct several times as fast.
    repeats = pl.struct(_value(table.column(name)) for name in table.key).is_duplicated()
    words = "occurs once" if len(table.key) == 1 else "occur once together"
    return (Constraint(", ".join(table.key), words, repeats), *(one for column in table.columns for one in _of(column)))


def _of(column: Column) -> Iterator[Constraint]:
    name, value = column.name, _value(column)
    if not column.nullable:
        yield Constraint(name, "is present", value.is_null())
    if column.minimum is not None or column.maximum is not None:
        above = value >= _bound(column.minimum, column) if column.minimum is not None else pl.lit(value=True)
        below = value <= _bound(column.maximum, column) if column.maximum is not None else pl.lit(value=True)
        yield Constraint(name, f"is {Bounds(column.minimum, column.maximum)}", ~(above & below))
    if column.values:
        listed = ", ".join(map(str, column.values))
        yield Constraint(name, f"is one of {listed}", ~_text(column).is_in(list(column.values)))
    if column.pattern is not None:
        yield Constraint(name, f"matches {column.pattern}", ~_text(column).str.contains(column.pattern))
    if column.unique:
        yield Constraint(name, "occurs once", pl.when(value.is_not_null()).then(pl.struct(value).is_duplicated()))


def _value(column: Column) -> pl.Expr:
    value = pl.col(column.name)
    return value.fill_nan(None) if column.type in (pl.Float32, pl.Float64) else value


def _text(column: Column) -> pl.Expr:
    """The value as text where it is one of a fixed set of texts."""
    value = pl.col(column.name)
    return value.cast(pl.String) if column.type in (pl.Categorical, pl.Enum) else value


def _bound(stated: float | str, column: Column) -> pl.Expr:
    if isinstance(stated, str):
        return pl.col(stated)
    # Exact beside exact values: a decimal must not be rounded to a fraction to be compared.
    return pl.lit(Decimal(str(stated)) if isinstance(column.type, pl.Decimal) else stated)
