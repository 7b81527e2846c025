"""Periods over several months: sums of monthly numerators and denominators, and changes between periods.

A period is the months that it holds: `dim_period` names them, and those that it lacks.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date

import polars as pl

from assets.columns import IN_LONGER, number
from assets.shares.share_table import GROUP, with_shares
from pipeline.schema.declaration import Column, Table
from pipeline.schema.published import PublishedTable
from pipeline.schema.shares import PERIODS, TRAILING, months_promised

AGO = {"month": 1, "year": 12}
"""With which earlier period a period is compared: so many months before."""


def _changes_on(ago: str) -> tuple[Column, Column]:
    absent = "absent where that period is not published, is incomplete, or rests on another basis"
    share = f"`share` less that of the same period ending a {ago} earlier; {absent}."
    places = (
        f"Places gained since the same period ending a {ago} earlier (2: from fifth to third); {absent}, or the "
        "member was not in it."
    )
    return (
        number(f"share_change_on_{ago}", share, "fraction", nullable=True),
        Column(f"rank_change_on_{ago}", pl.Int32, places, "places", nullable=True),
    )


CHANGES = tuple(column for ago in AGO for column in _changes_on(ago))


@dataclass(frozen=True)
class Period:
    """One period: the months that its name promises, and those of them that there are."""

    name: str
    wanted: tuple[date, ...]
    held: tuple[date, ...]

    @property
    def last(self) -> date:
        """The month with which it ends."""
        return self.wanted[-1]


def periods_over(months: Sequence[date]) -> Iterator[Period]:
    """Every period that ends with one of the months, single months among them, in order of their last month."""
    for last in months:
        for name in PERIODS:
            wanted = tuple(months_promised(name, last, months[0]))
            yield Period(name, wanted, tuple(month for month in wanted if month in months))


def over_periods(table: Table, further: Sequence[Column] = ()) -> Table:
    """The published form of a monthly table: its rows over every period."""
    return replace(
        table,
        path=f"published/{table.name}",
        grain=f"month, period, {table.grain}",
        columns=(*(IN_LONGER.get(column.name, column) for column in table.columns), *further),
        key=("month", *table.key),
        monthly=False,
        rules=(),
    )


def in_trailing_periods(rows: pl.LazyFrame, months: Sequence[date]) -> pl.LazyFrame:
    """The rows once for each trailing period of the months that holds theirs; `last` is the period's last month."""
    held = [
        (period.name, period.last, month, len(period.held), period.held == period.wanted)
        for period in periods_over(sorted(months))
        for month in period.held
        if period.name == TRAILING
    ]
    columns = ["period", "last", "month", "months_in_period", "is_complete"]
    types = [pl.String, pl.Date, pl.Date, pl.Int32, pl.Boolean]
    return rows.join(pl.LazyFrame(held, schema=dict(zip(columns, types, strict=True)), orient="row"), on="month")


def sums_over_periods(monthly: pl.LazyFrame, keys: Sequence[str], aggregates: Sequence[pl.Expr]) -> pl.LazyFrame:
    """The months' rows by period and keys; `month` is the period's last, its `basis` that of all its months.

    In `aggregates`, `month` is the row's own, `period` and `last` are the period's.
    """
    rows = monthly.collect()
    basis_of = dict(rows.select("month", "basis").iter_rows())

    def sums(period: Period) -> pl.DataFrame:
        bases = {basis_of[month] for month in period.held}
        inside = rows.filter(pl.col("month").is_in(period.held))
        named = inside.with_columns(period=pl.lit(period.name), last=pl.lit(period.last))
        return named.group_by("period", "last", *keys).agg(
            *aggregates,
            months_in_period=pl.lit(len(period.held), pl.Int32),
            is_complete=pl.lit(period.held == period.wanted),
            basis=pl.lit(bases.pop() if len(bases) == 1 else "mixed"),
        )

    return pl.concat(map(sums, periods_over(sorted(basis_of)))).rename({"last": "month"}).lazy()


def of_last_month(column: str) -> pl.Expr:
    """The value of the last month of the period that has one."""
    return pl.col(column).sort_by("month").last()


def share_periods(monthly: pl.LazyFrame, group: Sequence[str] = GROUP) -> pl.LazyFrame:
    """The rows of a monthly share table over every period, with the changes on earlier periods.

    Numerators are added, denominators follow; a period that lacks a month says so in `is_complete`, one whose months
    differ in basis has the basis `mixed`. `group` states a denominator, as in `with_shares`. An organisation's
    `country` is that of its last month in the period. Changes are on complete periods of the same basis only.
    """
    columns = monthly.collect_schema().names()
    keys = [*(name for name in group if name not in ("month", "period")), "member"]
    models = pl.col("models").filter(pl.col("month") == pl.col("last")).sum()
    aggregates = [pl.col("downloads").sum(), models, *map(of_last_month, {"country"} & set(columns))]
    shares = with_shares(sums_over_periods(monthly, keys, aggregates).collect(), group).lazy()
    period, rows = ["month", "period", "basis"], shares
    for ago, months in AGO.items():
        earlier = shares.filter("is_complete").with_columns(pl.col("month").dt.offset_by(f"{months}mo"))
        before = earlier.select(*period, *keys, share_before="share", rank_before="rank")
        change = pl.col("share") - pl.col("share_before").fill_null(0.0)
        rows = (
            rows.join(earlier.select(*period, is_there="is_complete").unique(), on=period, how="left")
            .join(before, on=[*period, *keys], how="left")
            .with_columns(
                pl.when(pl.col("is_complete") & pl.col("is_there")).then(change).alias(f"share_change_on_{ago}"),
                pl.when("is_complete").then(pl.col("rank_before") - pl.col("rank")).alias(f"rank_change_on_{ago}"),
            )
            .drop("is_there", "share_before", "rank_before")
        )
    return rows.select(*columns, *(column.name for column in CHANGES))


def published_shares(table: Table, group: Sequence[str] = GROUP) -> PublishedTable:
    """A share table as it is published: over every period, with the changes on earlier ones."""
    return PublishedTable(over_periods(table, CHANGES), lambda months: share_periods(months.scan(table), group))
