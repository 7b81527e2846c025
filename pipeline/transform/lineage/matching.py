"""Exact matching of millions of strings by way of their hashes.

Joins on strings follow a pointer for every comparison; joins on 64-bit hashes do not, and are faster. Every match is
verified against the strings themselves. Where two different strings have one hash, which chance all but rules out and
only malice brings about, the strings are joined after all: the answer is exact either way.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
from numpy.typing import NDArray

_Key = Callable[[pl.Series], pl.Series]


def find(needles: pl.Series, haystack: pl.Series) -> pl.Series:
    """For every needle its row in the haystack, null where there is none; of equal rows, the first."""
    rows = _join(needles, haystack, _hashed)
    if (needles == haystack.gather(rows)).all():
        return rows
    return _join(needles, haystack, _themselves)


def number(texts: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Numbers the different texts: for every text its number, and for every number the row where it first occurs."""
    first_rows = _first_rows(texts, _hashed)
    if not texts.eq_missing(texts.gather(first_rows)).all():
        first_rows = _first_rows(texts, _themselves)
    is_first = first_rows == pl.int_range(texts.len(), dtype=pl.UInt32, eager=True)
    numbers = (is_first.cast(pl.UInt32).cum_sum() - 1).gather(first_rows)
    return numbers, is_first.arg_true()


def are_equal(texts: pl.Series, first: NDArray[np.int32], second: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Whether the texts in each two rows are equal, absent ones included."""
    hashes = _hashed(texts).to_numpy()
    equal: NDArray[np.bool_] = np.equal(hashes[first], hashes[second])
    alike = np.flatnonzero(equal)
    equal[alike] = texts.gather(first[alike]).eq_missing(texts.gather(second[alike])).to_numpy()
    return equal


def _hashed(texts: pl.Series) -> pl.Series:
    return texts.hash()


def _themselves(texts: pl.Series) -> pl.Series:
    return texts


def _join(needles: pl.Series, haystack: pl.Series, key: _Key) -> pl.Series:
    wanted = pl.DataFrame({"key": key(needles)}).with_row_index("needle").filter(needles.is_not_null())
    there = pl.DataFrame({"key": key(haystack)}).with_row_index("row").filter(haystack.is_not_null())
    pairs = wanted.join(there, on="key").select("needle", "row")
    if (np.bincount(pairs["needle"], minlength=1) > 1).any():
        pairs = pairs.group_by("needle").agg(pl.col("row").min())
    rows = pl.repeat(None, needles.len(), dtype=pl.UInt32, eager=True)
    return rows.scatter(pairs["needle"], pairs["row"])


def _first_rows(texts: pl.Series, key: _Key) -> pl.Series:
    rows = pl.DataFrame({"key": key(texts)}).with_row_index("row")
    return rows.select(pl.col("row").min().over("key")).to_series()
