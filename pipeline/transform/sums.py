"""Sums by group that come out the same to the last bit, whatever the number of threads.

Floating-point sums depend on their order. Parallel engines add in whatever order rows arrive; here rows are added in
the order in which they stand.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl


def totals_by(rows: pl.DataFrame, keys: Sequence[str], values: Sequence[str]) -> pl.DataFrame:
    """Number of rows and sums of `values` by `keys`.

    `rows` must stand in an order of their own (that of a key). Returns one row per combination of keys, sorted by them,
    with the keys, `models` (rows) and the sums, whole numbers staying whole.
    """
    groups = rows.select(keys).unique().sort(keys).with_row_index("group")
    coded = rows.join(groups, on=list(keys), how="left", nulls_equal=True, maintain_order="left")
    codes = coded["group"].to_numpy()
    sums = {value: _sums(codes, rows[value], groups.height) for value in values}
    return groups.drop("group").with_columns(
        pl.Series("models", np.bincount(codes, minlength=groups.height), dtype=pl.Int64),
        *(pl.Series(value, total, dtype=rows.schema[value]) for value, total in sums.items()),
    )


def coded(values: pl.Series) -> tuple[pl.Series, pl.Series]:
    """The words that occur, in their order, and each value's place among them (null for null)."""
    members = values.drop_nulls().unique().sort().cast(pl.String)
    return members, values.cast(pl.Enum(members)).to_physical()


def _sums(codes: np.ndarray, amounts: pl.Series, groups: int) -> np.ndarray:
    if amounts.dtype.is_float():
        return np.bincount(codes, amounts.to_numpy(), minlength=groups)
    total = np.zeros(groups, dtype=np.int64)
    np.add.at(total, codes, amounts.to_numpy())
    return total
