"""Windows over several months: sums of the monthly numerators and denominators."""

from __future__ import annotations

from datetime import date

import polars as pl

from pipeline.months import add_months, months_between
from pipeline.transform.shares import with_shares
from pipeline.transform.sums import totals_by

TRAILING_MONTHS = 12


def share_windows(monthly: pl.DataFrame) -> pl.DataFrame:
    """The monthly rows of a share table, and their trailing-12-month and cumulative windows ending with each month.

    Numerators are added, denominators follow; a window that lacks a month says so in `is_complete`, one whose months
    differ in basis has the basis `mixed`.
    """
    months = monthly["month"].unique().sort().to_list()
    windows = [monthly]
    for last in months:
        for name, first in (("trailing_12_months", add_months(last, 1 - TRAILING_MONTHS)), ("cumulative", months[0])):
            inside = monthly.filter(pl.col("month").is_between(first, last))
            windows.append(_window(inside, name, months_between(first, last)).select(monthly.columns))
    return pl.concat(windows, how="vertical_relaxed")


def _window(inside: pl.DataFrame, name: str, wanted: list[date]) -> pl.DataFrame:
    held = inside["month"].n_unique()
    last = wanted[-1]
    bases = inside["basis"].unique().to_list()
    members = ["population", "attribution", "dimension", "member"]
    models = inside.filter(pl.col("month") == last).select(*members, "models")
    return with_shares(
        totals_by(inside.sort(*members, "month"), members, ["downloads"])
        .drop("models")
        .join(models, on=members, how="left")
        .with_columns(
            pl.lit(last).alias("month"),
            pl.lit(name).alias("window"),
            pl.lit(held, pl.Int32).alias("months_in_window"),
            pl.lit(held == len(wanted)).alias("is_complete"),
            pl.lit(bases[0] if len(bases) == 1 else "mixed").alias("basis"),
            pl.col("models").fill_null(0),
        )
    )
