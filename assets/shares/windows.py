"""Windows over several months: sums of monthly numerators and denominators, and changes between windows.

A window is the months that it holds: `dim_window` names them, and those that it lacks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date

import polars as pl

from assets.columns import BASES, BASIS
from assets.shares.share_table import GROUP, IN_WINDOW, WINDOW, with_shares
from pipeline.months import add_months, months_between
from pipeline.schema.declaration import Column, Table
from pipeline.schema.shares import WINDOWS

TRAILING = "trailing_12_months"
TRAILING_MONTHS = 12
AGO = {"month": 1, "year": 12}
"""With which earlier window a window is compared: so many months before."""
OF_MONTH = {"month": ("dim_month", "month")}
OF_WINDOW = {**OF_MONTH, "window": ("dim_window", "window")}
OF_COUNTRY = ("dim_country", "country")
"""What explains the columns of tables over months, windows and countries."""

_ABSENT = "absent where that window is not published, is incomplete, or rests on another basis"
CHANGES = tuple(
    column
    for ago in AGO
    for column in (
        Column(
            f"share_change_on_{ago}",
            pl.Float64,
            f"`share` less that of the same window ending a {ago} earlier; {_ABSENT}.",
            "fraction",
            nullable=True,
        ),
        Column(
            f"rank_change_on_{ago}",
            pl.Int32,
            f"Places gained since the same window ending a {ago} earlier (2: from fifth to third); {_ABSENT}, or the "
            "member was not in it.",
            "places",
            nullable=True,
        ),
    )
)
_IN_LONGER_WINDOWS = {
    "window": replace(WINDOW, values=WINDOWS),
    "basis": replace(BASIS, values=(*BASES, "mixed")),
}
IN_LONGER_WINDOWS = tuple(_IN_LONGER_WINDOWS.get(column.name, column) for column in IN_WINDOW)
"""The columns that say which window a row is of, whatever the window."""


@dataclass(frozen=True)
class Window:
    """One window: the months that its name promises, and those of them that there are."""

    name: str
    wanted: tuple[date, ...]
    held: tuple[date, ...]

    @property
    def last(self) -> date:
        """The month with which it ends."""
        return self.wanted[-1]


def windows_over(months: Sequence[date]) -> Iterator[Window]:
    """Every window that ends with one of the months, single months among them, in order of their last month."""
    for last in months:
        firsts = (last, add_months(last, 1 - TRAILING_MONTHS), last.replace(month=1), months[0])
        for name, first in zip(WINDOWS, firsts, strict=True):
            held = tuple(month for month in months if first <= month <= last)
            yield Window(name, tuple(months_between(first, last)), held)


def over_windows(table: Table, further: Sequence[Column] = ()) -> Table:
    """The published form of a monthly table: its rows over every window."""
    return replace(
        table,
        group="published",
        grain=f"month, window, {table.grain}",
        columns=(*(_IN_LONGER_WINDOWS.get(column.name, column) for column in table.columns), *further),
        key=("month", *table.key),
        monthly=False,
        rules=(),
    )


def months_held(months: Sequence[date]) -> pl.LazyFrame:
    """One row per window and month in it: `window`, `last`, `month`, and the window's own facts."""
    rows = [
        (window.name, window.last, month, len(window.held), window.held == window.wanted)
        for window in windows_over(sorted(months))
        for month in window.held
    ]
    schema = {
        "window": pl.String,
        "last": pl.Date,
        "month": pl.Date,
        "months_in_window": pl.Int32,
        "is_complete": pl.Boolean,
    }
    return pl.LazyFrame(rows, schema=schema, orient="row")


def sums_over_windows(monthly: pl.LazyFrame, keys: Sequence[str], aggregates: Sequence[pl.Expr]) -> pl.LazyFrame:
    """The months' rows by window and keys; `month` is the window's last, its `basis` that of all its months.

    In `aggregates`, `month` is the row's own, `window` and `last` are the window's. The other columns are those of
    `months_held`.
    """
    bases = monthly.select("month", "basis").unique().collect()
    basis = pl.when(pl.col("basis").n_unique() == 1).then(pl.col("basis").first()).otherwise(pl.lit("mixed"))
    windows = ["window", "last", "months_in_window", "is_complete"]
    held = months_held(bases["month"].to_list()).join(bases.lazy(), on="month")
    facts = held.group_by(windows).agg(basis.alias("basis"), "month").with_row_index("number").collect()
    members = monthly.select(keys).unique().with_row_index("place").collect()
    return (
        # By number, for the rows of all windows together are many times those of the months.
        monthly.join(members.lazy(), on=keys, nulls_equal=True)
        .drop(*keys, "window", "months_in_window", "is_complete", "basis")
        .join(facts.lazy().select("number", "window", "last", "month").explode("month"), on="month")
        .group_by("number", "place")
        .agg(aggregates)
        .join(members.lazy(), on="place")
        .join(facts.lazy().drop("month"), on="number")
        .drop("number", "place")
        .rename({"last": "month"})
    )


def of_last_month(column: str) -> pl.Expr:
    """The value of the last month of the window that has one."""
    return pl.col(column).sort_by("month").last()


def share_windows(monthly: pl.LazyFrame, group: Sequence[str] = GROUP) -> pl.LazyFrame:
    """The rows of a monthly share table over every window, with the changes on earlier windows.

    Numerators are added, denominators follow; a window that lacks a month says so in `is_complete`, one whose months
    differ in basis has the basis `mixed`. `group` states a denominator, as in `with_shares`. An organisation's
    `country` is that of its last month in the window.
    """
    columns = monthly.collect_schema().names()
    keys = [*(name for name in group if name not in ("month", "window")), "member"]
    aggregates = [
        pl.col("downloads").sum(),
        pl.col("models").filter(pl.col("month") == pl.col("last")).sum(),
        *(of_last_month(name) for name in ("country",) if name in columns),
    ]
    shares = with_shares(sums_over_windows(monthly, keys, aggregates).collect(engine="streaming"), group)
    windows = shares.select("month", "window", "basis", "is_complete").unique()
    rows = shares.lazy()
    for ago, months in AGO.items():
        later = pl.col("month").dt.offset_by(f"{months}mo")
        rows = _with_changes(rows, ago, windows.lazy().with_columns(later), shares.lazy().with_columns(later), keys)
    return rows.select(*columns, *(column.name for column in CHANGES))


def _with_changes(
    rows: pl.LazyFrame, ago: str, windows: pl.LazyFrame, before: pl.LazyFrame, keys: Sequence[str]
) -> pl.LazyFrame:
    """The change of share and rank on an earlier window, where there is a complete one of the same basis."""
    comparable = windows.filter("is_complete").select("month", "window", "basis", pl.lit(value=True).alias("is_there"))
    earlier = before.select("month", "window", *keys, pl.col("share", "rank").name.suffix("_before"))
    share = pl.col("share") - pl.col("share_before").fill_null(0.0)
    is_comparable = pl.col("is_complete") & pl.col("is_there")
    return (
        rows.join(comparable, on=["month", "window", "basis"], how="left")
        .join(earlier, on=["month", "window", *keys], how="left", nulls_equal=True)
        .with_columns(
            pl.when(is_comparable).then(share).alias(f"share_change_on_{ago}"),
            pl.when(is_comparable).then(pl.col("rank_before") - pl.col("rank")).alias(f"rank_change_on_{ago}"),
        )
        .drop("is_there", "share_before", "rank_before")
    )
