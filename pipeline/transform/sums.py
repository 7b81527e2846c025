"""Sums by group, and parts of them."""

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
