"""Windows over several months: sums of monthly numerators and denominators, and changes between windows.

A window is the months that it holds: `dim_window` names them, and those that it lacks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

import polars as pl

from assets.columns import BASES, BASIS
from assets.shares.share_table import GROUP, IN_WINDOW, WINDOW, with_shares
from pipeline.months import add_months, months_between
from pipeline.schema.declaration import Column, Table
from pipeline.schema.published import PublishedTable
from pipeline.schema.shares import WINDOWS

TRAILING = "trailing_12_months"
TRAILING_MONTHS = 12
AGO = {"month": 1, "year": 12}
"""With which earlier window a window is compared: so many months before."""
OF_MONTH = {"month": ("dim_month", "month")}
OF_WINDOW = {**OF_MONTH, "window": ("dim_window", "window")}
OF_COUNTRY = ("dim_country", "country")
"""What explains the columns of tables over months, windows and countries."""


def _changes_on(ago: str) -> tuple[Column, Column]:
    absent = "absent where that window is not published, is incomplete, or rests on another basis"
    share = f"`share` less that of the same window ending a {ago} earlier; {absent}."
    places = (
        f"Places gained since the same window ending a {ago} earlier (2: from fifth to third); {absent}, or the "
        "member was not in it."
    )
    return (
        Column(f"share_change_on_{ago}", pl.Float64, share, "fraction", nullable=True),
        Column(f"rank_change_on_{ago}", pl.Int32, places, "places", nullable=True),
    )


CHANGES = tuple(column for ago in AGO for column in _changes_on(ago))
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


def in_trailing_windows(rows: pl.LazyFrame, months: Sequence[date]) -> pl.LazyFrame:
    """The rows once for each trailing window of the months that holds theirs; `last` is the window's last month."""
    held = [
        (window.name, window.last, month, len(window.held), window.held == window.wanted)
        for window in windows_over(sorted(months))
        for month in window.held
        if window.name == TRAILING
    ]
    columns = ["window", "last", "month", "months_in_window", "is_complete"]
    types = [pl.String, pl.Date, pl.Date, pl.Int32, pl.Boolean]
    return rows.join(pl.LazyFrame(held, schema=dict(zip(columns, types, strict=True)), orient="row"), on="month")


def sums_over_windows(monthly: pl.LazyFrame, keys: Sequence[str], aggregates: Sequence[pl.Expr]) -> pl.LazyFrame:
    """The months' rows by window and keys; `month` is the window's last, its `basis` that of all its months.

    In `aggregates`, `month` is the row's own, `window` and `last` are the window's.
    """
    rows = monthly.collect()
    basis_of = dict(rows.select("month", "basis").iter_rows())

    def sums(window: Window) -> pl.DataFrame:
        bases = {basis_of[month] for month in window.held}
        inside = rows.filter(pl.col("month").is_in(window.held))
        named = inside.with_columns(pl.lit(window.name).alias("window"), pl.lit(window.last).alias("last"))
        return named.group_by("window", "last", *keys).agg(
            *aggregates,
            pl.lit(len(window.held), pl.Int32).alias("months_in_window"),
            pl.lit(window.held == window.wanted).alias("is_complete"),
            pl.lit(bases.pop() if len(bases) == 1 else "mixed").alias("basis"),
        )

    return pl.concat(map(sums, windows_over(sorted(basis_of)))).rename({"last": "month"}).lazy()


def of_last_month(column: str) -> pl.Expr:
    """The value of the last month of the window that has one."""
    return pl.col(column).sort_by("month").last()


def share_windows(monthly: pl.LazyFrame, group: Sequence[str] = GROUP) -> pl.LazyFrame:
    """The rows of a monthly share table over every window, with the changes on earlier windows.

    Numerators are added, denominators follow; a window that lacks a month says so in `is_complete`, one whose months
    differ in basis has the basis `mixed`. `group` states a denominator, as in `with_shares`. An organisation's
    `country` is that of its last month in the window. Changes are on complete windows of the same basis only.
    """
    columns = monthly.collect_schema().names()
    keys = [*(name for name in group if name not in ("month", "window")), "member"]
    aggregates = [
        pl.col("downloads").sum(),
        pl.col("models").filter(pl.col("month") == pl.col("last")).sum(),
        *(of_last_month(name) for name in ("country",) if name in columns),
    ]
    shares = with_shares(sums_over_windows(monthly, keys, aggregates).collect(), group).lazy()
    window, rows = ["month", "window", "basis"], shares
    for ago, months in AGO.items():
        earlier = shares.filter("is_complete").with_columns(pl.col("month").dt.offset_by(f"{months}mo"))
        before = earlier.select(*window, *keys, share_before="share", rank_before="rank")
        change = pl.col("share") - pl.col("share_before").fill_null(0.0)
        rows = (
            rows.join(earlier.select(*window, is_there="is_complete").unique(), on=window, how="left")
            .join(before, on=[*window, *keys], how="left")
            .with_columns(
                pl.when(pl.col("is_complete") & pl.col("is_there")).then(change).alias(f"share_change_on_{ago}"),
                pl.when("is_complete").then(pl.col("rank_before") - pl.col("rank")).alias(f"rank_change_on_{ago}"),
            )
            .drop("is_there", "share_before", "rank_before")
        )
    return rows.select(*columns, *(column.name for column in CHANGES))


def published_shares(
    table: Table, group: Sequence[str] = GROUP, references: Mapping[str, tuple[str, str]] | None = None
) -> PublishedTable:
    """A share table as it is published: over every window, with the changes on earlier ones."""
    return PublishedTable(
        over_windows(table, CHANGES),
        lambda months: share_windows(months.scan(table), group),
        {**OF_WINDOW, **(references or {})},
    )
