"""Sums by group, and words as numbers."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl


def totals_by(rows: pl.DataFrame, keys: Sequence[str], values: Sequence[str]) -> pl.DataFrame:
    """Number of rows and sums of `values`, whole numbers or decimals, by `keys`.

    Returns one row per combination of keys, sorted by them, with the keys, `models` (rows) and the sums.
    """
    models = pl.len().cast(pl.Int64).alias("models")
    return rows.group_by(keys).agg(models, pl.col(values).sum()).sort(keys)


def ratio(part: pl.Expr, whole: pl.Expr) -> pl.Expr:
    """`part` / `whole` as a double, 0 where the whole is nothing. Decimals alone would be divided to six places."""
    return pl.when(whole > 0).then(part.cast(pl.Float64) / whole.cast(pl.Float64)).otherwise(0.0)


def coded(values: pl.Series) -> tuple[pl.Series, pl.Series]:
    """The words that occur, in their order, and each value's place among them (null for null)."""
    members = values.drop_nulls().unique().sort().cast(pl.String)
    return members, values.cast(pl.Enum(members)).to_physical()
