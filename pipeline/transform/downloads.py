"""What was downloaded in a month: the flow between two observations, and the accounts of what could not be measured.

The method is `docs/methodology.md`, section "Downloads in a month".
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

import polars as pl

from pipeline.months import closing_of, days_in, opening_of
from pipeline.reference.flagged import FlaggedModels
from pipeline.schema.declaration import DECIMAL
from pipeline.tables.listings import ACCOUNT_CASES
from pipeline.transform.sums import totals_by

FEWEST_WITH_COUNTER = 0.95
"""With fewer repositories that carry the cumulative counter at both ends, the month uses the 30-day counter."""
EXACT_WITHIN = timedelta(hours=36)
NEW_FOR_DAYS = 365
DAYS_OF_A_MICROSECOND = 1 / 86_400_000_000
"""To multiply by. Polars divides a row that is alone in its portion otherwise than many rows, and how rows are split
into portions is the threads' affair: the last digit would be as well."""


@dataclass(frozen=True)
class MonthBasis:
    """How a month is measured, and between which observations. `opened_at` is None where there was none."""

    month: date
    basis: str
    quality: str
    opened_at: datetime | None
    closed_at: datetime

    @property
    def days_observed(self) -> float | None:
        """Days between the two observations; None where the month was not measured between two."""
        if self.opened_at is None:
            return None
        return (self.closed_at - self.opened_at) / timedelta(days=1)

    @property
    def scaling(self) -> float:
        """What the observed growth, or the 30-day counter, is multiplied by to become the month's downloads."""
        if self.basis == "rolling_30d":
            return days_in(self.month) / 30
        return days_in(self.month) / (self.days_observed or 1.0)


def month_basis(month: date, closing: pl.LazyFrame, opening: pl.LazyFrame) -> MonthBasis:
    """Which counter the month can use, from the snapshot that closes it and the counters that opened it."""
    facts = closing.select(
        pl.col("observed_at").max().alias("closed_at"),
        pl.col("downloads_all_time").is_not_null().mean().alias("with_counter"),
    ).collect()
    opened = opening.select(
        pl.col("observed_at").max().alias("opened_at"),
        pl.col("downloads_all_time").is_not_null().mean().alias("with_counter"),
    ).collect()
    closed_at: datetime = facts.item(0, "closed_at")
    opened_at: datetime | None = opened.item(0, "opened_at")
    fewest = min(facts.item(0, "with_counter") or 0.0, opened.item(0, "with_counter") or 0.0)
    if opened_at is None or opened_at >= closed_at or fewest < FEWEST_WITH_COUNTER:
        return MonthBasis(month, "rolling_30d", "estimated", opened_at, closed_at)
    near = abs(closed_at - closing_of(month)) <= EXACT_WITHIN and abs(opened_at - opening_of(month)) <= EXACT_WITHIN
    return MonthBasis(month, "all_time_delta", "exact" if near else "scaled", opened_at, closed_at)


@dataclass(frozen=True)
class Populations:
    """What decides the populations that a repository belongs to, beside its age.

    `language_tasks` are the Hub's tasks of text and vision-language models; `flagged` is the month's traffic that is
    not people's use.
    """

    language_tasks: list[str]
    flagged: FlaggedModels


def model_downloads(
    basis: MonthBasis, closing: pl.LazyFrame, opening: pl.LazyFrame, populations: Populations
) -> pl.LazyFrame:
    """`listings/model_downloads`: one row per repository of the closing snapshot."""
    measured = _estimates(basis, closing) if basis.basis == "rolling_30d" else _flows(basis, closing, opening)
    age_days = (pl.lit(closing_of(basis.month)) - pl.col("created_at")).dt.total_microseconds() * DAYS_OF_A_MICROSECOND
    return measured.with_columns(
        pl.lit(basis.month).alias("month"),
        pl.lit(basis.basis).alias("basis"),
        pl.lit(basis.quality).alias("quality"),
        age_days.alias("age_days"),
        (age_days <= NEW_FOR_DAYS).fill_null(value=False).alias("is_new"),
        pl.col("pipeline_tag").is_in(populations.language_tasks).fill_null(value=False).alias("is_language_model"),
        _is_flagged(populations.flagged).alias("is_flagged"),
    )


def _is_flagged(flagged: FlaggedModels) -> pl.Expr:
    return (
        pl.col("model_id").is_in(flagged.repositories)
        | pl.col("hub_id").is_in(flagged.repositories)
        | pl.col("namespace").is_in(flagged.namespaces).fill_null(value=False)
    )


def _flows(basis: MonthBasis, closing: pl.LazyFrame, opening: pl.LazyFrame) -> pl.LazyFrame:
    before = opening.select("hub_id", pl.col("downloads_all_time").alias("opening"), pl.lit(True).alias("was_listed"))  # noqa: FBT003
    change = pl.col("downloads_all_time") - pl.col("opening")
    created = pl.col("was_listed").is_null() & (pl.col("created_at") >= pl.lit(basis.opened_at))
    case = (
        pl.when(created & pl.col("downloads_all_time").is_not_null())
        .then(pl.lit("created"))
        .when(pl.col("was_listed").is_null())
        .then(pl.lit("late_arrival"))
        .when(change.is_null())
        .then(pl.lit("not_counted"))
        .when(change < 0)
        .then(pl.lit("counter_reset"))
        .otherwise(pl.lit("continued"))
    )
    counted = (
        pl.when(pl.col("flow_case") == "created")
        .then(pl.col("downloads_all_time"))
        .when(pl.col("flow_case") == "continued")
        .then(change)
        .otherwise(0)
    )
    lost = pl.when(pl.col("flow_case") == "counter_reset").then(-change).otherwise(0)
    return (
        closing.join(before, on="hub_id", how="left", maintain_order="left")
        .with_columns(case.alias("flow_case"))
        .with_columns(
            _exact(counted.cast(pl.Float64) * days_in(basis.month) * (1 / (basis.days_observed or 1.0))),
            lost.alias("downloads_lost"),
        )
    )


def _exact(downloads: pl.Expr) -> pl.Expr:
    """The only rounding of a month's downloads, to six places: whatever is added up from here on is exact."""
    return downloads.cast(DECIMAL).alias("downloads")


def _estimates(basis: MonthBasis, closing: pl.LazyFrame) -> pl.LazyFrame:
    known = pl.col("downloads_30d").is_not_null()
    return closing.with_columns(
        _exact(pl.col("downloads_30d").fill_null(0).cast(pl.Float64) * days_in(basis.month) * (1 / 30)),
        pl.when(known).then(pl.lit("estimated")).otherwise(pl.lit("not_counted")).alias("flow_case"),
        pl.lit(0, pl.Int64).alias("downloads_lost"),
    )


def download_accounts(
    basis: MonthBasis, downloads: pl.LazyFrame, closing: pl.LazyFrame, opening: pl.LazyFrame
) -> pl.LazyFrame:
    """`listings/download_accounts`: repositories and downloads by flow case, those that disappeared among them."""
    disappeared = opening.join(closing, on="hub_id", how="anti").select(
        pl.lit("disappeared").alias("flow_case"),
        pl.len().cast(pl.Int64).alias("models"),
        pl.lit(0, DECIMAL).alias("downloads"),
        pl.lit(0, pl.Int64).alias("downloads_lost"),
    )
    measured = downloads.select("hub_id", "flow_case", "downloads", "downloads_lost").sort("hub_id").collect()
    by_case = totals_by(measured, ["flow_case"], ["downloads", "downloads_lost"]).lazy()
    every_case = pl.LazyFrame({"flow_case": ACCOUNT_CASES}, schema={"flow_case": pl.String})
    provenance = closing.select("source", "source_revision").head(1)
    return (
        every_case.join(pl.concat([by_case, disappeared]), on="flow_case", how="left")
        .with_columns(pl.col("models", "downloads", "downloads_lost").fill_null(0))
        .join(provenance, how="cross")
        .with_columns(
            pl.lit(basis.month).alias("month"),
            pl.lit(basis.basis).alias("basis"),
            pl.lit(basis.quality).alias("quality"),
            pl.lit(basis.days_observed, pl.Float64).alias("days_observed"),
            pl.lit(basis.opened_at, pl.Datetime("us", "UTC")).alias("opened_at"),
            pl.lit(basis.closed_at, pl.Datetime("us", "UTC")).alias("closed_at"),
        )
    )
