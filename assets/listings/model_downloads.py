"""`listings/model_downloads`: what was downloaded in a month, the flow between two observations.

The method is `docs/methodology.md`, section "Downloads in a month".
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

import dagster as dg
import polars as pl

from assets.columns import BASIS, CREATED_AT, MODEL, MONTH, NAMESPACE, boolean, count, downloads, number, text
from assets.expressions import first_case
from assets.listings.boundary import BOUNDARIES, COUNTED, READ_FROM_SEVERAL
from assets.listings.closing_counters import BOUNDARY, CLOSING_COUNTERS
from assets.listings.hub_snapshots import HUB_SNAPSHOTS, covers_snapshot
from assets.listings.opening_counters import OPENING_COUNTERS
from pipeline.checks.rules import rarely
from pipeline.errors import CensusError
from pipeline.months import closing_of, days_in, opening_of, run_again
from pipeline.orchestration.partitions import month_of
from pipeline.orchestration.table_assets import table_asset
from pipeline.reference.incidents import WHOLE_NAMESPACE, flagged_models
from pipeline.reference.lists import language_tasks
from pipeline.schema.declaration import DECIMAL, Table, TableFrames, rule

FEWEST_WITH_COUNTER = 0.95
"""With fewer repositories that carry the cumulative counter at both ends, the month uses the 30-day counter."""
EXACT_WITHIN = timedelta(hours=36)
"""A counter known within this time of a boundary needs next to no scaling; see `quality`."""
NEW_FOR_DAYS = 365
MICROSECONDS_A_DAY = 86_400_000_000
DAYS_OF_A_MICROSECOND = 1 / MICROSECONDS_A_DAY
"""To multiply by. Polars divides a row that is alone in its portion otherwise than many rows, and how rows are split
into portions is the threads' affair: the last digit would be as well."""

QUALITIES = ("exact", "scaled", "estimated")
FLOW_CASES = ("continued", "created", "late_arrival", "counter_reset", "not_counted", "estimated")
"""What the month's flow of a repository rests on, in `model_downloads`; see that column's meaning."""


@rule()
def one_basis(frames: TableFrames) -> pl.LazyFrame:
    """All rows of a month rest on the same counter."""
    return frames.scan("listings/model_downloads").select(bases=pl.col("basis").n_unique()).filter(pl.first() > 1)


@rule(quoted=("models",))
def counters_moved(frames: TableFrames) -> pl.LazyFrame:
    """At least one repository was downloaded. If none of ten or more was, the close is a copy of the opening."""
    counted = frames.scan("listings/model_downloads").filter(pl.col("flow_case").is_in(["continued", "counter_reset"]))
    moved = ((pl.col("downloads") > 0) | (pl.col("downloads_lost") > 0)).sum()
    return counted.select(models=pl.len(), moved=moved).filter(pl.col("models") >= 10, pl.col("moved") == 0)


MODEL_DOWNLOADS = Table(
    "listings/model_downloads",
    reviewed_lists=("flagged_models.csv", "language_tasks.csv"),
    grain="public model repository at the month's close",
    description=(
        "Downloads in the month, from the cumulative counter at both boundaries, scaled to the month's length where it "
        "was observed at other times. Where fewer than 95 % of repositories carry that counter at both ends, all come "
        "from the 30-day counter: one month has one basis."
    ),
    columns=(
        MONTH,
        *MODEL,
        NAMESPACE.optional(),
        CREATED_AT.optional(),
        downloads("Downloads in the month."),
        BASIS,
        text("quality", "How well both boundaries are known, as `dim_month` explains.", values=QUALITIES),
        text(
            "flow_case",
            "`continued`; `created` in the month (previous counter 0); `late_arrival` (first seen, but created "
            "earlier: left out of the flow); `counter_reset` (counter fell: flow 0); `not_counted` (no counter at one "
            "end); `estimated` (30-day counter).",
            values=FLOW_CASES,
        ),
        count("downloads_lost", "By how much the cumulative counter fell, else 0.", "downloads", minimum=0),
        BOUNDARY.optional(
            "How the counters at the two boundaries are known, the less certain of them; see "
            "`listings/closing_counters`. Absent where nothing is counted between two."
        ),
        number("age_days", "Age at the month's close.", "days", nullable=True),
        boolean("is_new", "At most 365 days old at the month's close; false where the age is unknown."),
        boolean("is_language_model", "A text or vision-language model, by its task on the Hub."),
        boolean("is_flagged", "Known in this month, by the reviewed list, for downloads that are not people's use."),
    ),
    key=("hub_id",),
    warnings=("In months with basis `rolling_30d` the figures are estimates and no repository is left out.",),
    rules=(one_basis, counters_moved, covers_snapshot("listings/model_downloads")),
    measures=tuple(
        rarely("listings/model_downloads", f"{case}_share", meaning, pl.col("flow_case") == case, 0.05)
        for case, meaning in (
            ("late_arrival", "Share of repositories that are first seen although created earlier."),
            ("counter_reset", "Share of repositories whose counter fell."),
        )
    ),
)


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
        return None if self.opened_at is None else (self.closed_at - self.opened_at) / timedelta(days=1)

    @property
    def scaling(self) -> float:
        """What the observed growth, or the 30-day counter, is multiplied by to become the month's downloads."""
        observed = 30 if self.basis == "rolling_30d" else self.days_observed or 1.0
        return days_in(self.month) / observed


def month_basis(month: date, closing: pl.LazyFrame, opening: pl.LazyFrame) -> MonthBasis:
    """Which counter the month can use, from the counters that close and open it.

    Where a boundary's counters were read from observations on both sides, they are known of the boundary itself.
    """
    closed_at, closed, closes_near = _counted_at(closing, closing_of(month))
    opened_at, opened, opens_near = _counted_at(opening, opening_of(month))
    if closed_at is None:
        raise CensusError(f"no repository closes {month:%Y-%m}: {run_again(month)}")
    if opened_at is None or opened_at >= closed_at or min(closed, opened) < FEWEST_WITH_COUNTER:
        return MonthBasis(month, "rolling_30d", "estimated", opened_at, closed_at)
    quality = "exact" if min(closes_near, opens_near) >= FEWEST_WITH_COUNTER else "scaled"
    return MonthBasis(month, "all_time_delta", quality, opened_at, closed_at)


def _counted_at(counters: pl.LazyFrame, boundary: datetime) -> tuple[datetime | None, float, float]:
    """The time of which counters are known, the share of repositories that have one, and the share of these near it."""
    is_between = pl.col("boundary").is_in(READ_FROM_SEVERAL)
    is_near = (pl.col("counted_at") - pl.lit(boundary)).abs() <= EXACT_WITHIN
    is_known = pl.col("counter").is_not_null()
    found = counters.select(
        pl.col("observed_at").max(), is_known.mean(), between=is_between.any(), near=is_near.filter(is_known).mean()
    )
    observed_at, known, between, near = found.collect().row(0)
    return boundary if between else observed_at, known or 0.0, near or 0.0


def downloads_of_models(
    basis: MonthBasis, closing: pl.LazyFrame, opening: pl.LazyFrame, language_tasks: list[str], flagged: list[str]
) -> pl.LazyFrame:
    """`listings/model_downloads`: one row per repository of the closing snapshot, some of them `flagged`."""
    measured = _estimates(basis, closing) if basis.basis == "rolling_30d" else _flows(basis, closing, opening)
    age_days = (pl.lit(closing_of(basis.month)) - pl.col("created_at")).dt.total_microseconds() * DAYS_OF_A_MICROSECOND
    namespaces = [name.removesuffix(WHOLE_NAMESPACE) for name in flagged if name.endswith(WHOLE_NAMESPACE)]
    in_namespace = pl.col("namespace").is_in(namespaces).fill_null(value=False)
    return measured.with_columns(
        month=pl.lit(basis.month),
        basis=pl.lit(basis.basis),
        quality=pl.lit(basis.quality),
        age_days=age_days,
        is_new=(age_days <= NEW_FOR_DAYS).fill_null(value=False),
        is_language_model=pl.col("pipeline_tag").is_in(language_tasks).fill_null(value=False),
        is_flagged=pl.col("model_id").is_in(flagged) | pl.col("hub_id").is_in(flagged) | in_namespace,
    )


def _flows(basis: MonthBasis, closing: pl.LazyFrame, opening: pl.LazyFrame) -> pl.LazyFrame:
    before = opening.select(
        "hub_id", opening="counter", opened_at="counted_at", opening_boundary="boundary", was_listed=True
    )
    seen_at = opening.select(pl.col("observed_at").max()).collect().item()
    change = pl.col("counter") - pl.col("opening")
    is_first_seen = pl.col("was_listed").is_null()
    case = first_case(
        ("created", is_first_seen & (pl.col("created_at") >= seen_at) & pl.col("counter").is_not_null()),
        ("late_arrival", is_first_seen),
        ("not_counted", change.is_null()),
        ("counter_reset", change < 0),
        otherwise="continued",
    )
    is_created, is_continued = pl.col("flow_case") == "created", pl.col("flow_case") == "continued"
    observed = (pl.col("counted_at") - pl.coalesce("opened_at", pl.lit(basis.opened_at))).dt.total_microseconds()
    counted = pl.when(is_created).then(pl.col("counter")).when(is_continued).then(change).otherwise(0)
    lost = pl.when(pl.col("flow_case") == "counter_reset").then(-change).otherwise(0)
    return (
        closing.join(before, on="hub_id", how="left", maintain_order="left")
        .with_columns(flow_case=case)
        .with_columns(
            downloads=_scaled(counted, days_in(basis.month) * MICROSECONDS_A_DAY, observed),
            downloads_lost=lost.round().cast(pl.Int64),
            boundary=pl.when(is_created | is_continued).then(_worse_boundary()),
        )
    )


def _worse_boundary() -> pl.Expr:
    """Of the two boundaries that the downloads lie between, how the less certain one is known."""
    ranks = pl.Enum(BOUNDARIES)
    worse = pl.max_horizontal(pl.col(name).cast(ranks).to_physical() for name in ("boundary", "opening_boundary"))
    return worse.replace_strict(dict(enumerate(BOUNDARIES)), return_dtype=pl.String, default=None)


def _scaled(counted: pl.Expr, wanted: int, observed: pl.Expr | int) -> pl.Expr:
    """What was counted in a time as the downloads of another, to six places: the only rounding of a month's downloads.

    Whatever is added up from here on is exact.
    """
    return (counted.cast(DECIMAL) * wanted / observed).cast(DECIMAL)


def _estimates(basis: MonthBasis, closing: pl.LazyFrame) -> pl.LazyFrame:
    known = pl.col("downloads_30d").is_not_null()
    return closing.with_columns(
        downloads=_scaled(pl.col("downloads_30d").fill_null(0), days_in(basis.month), 30),
        flow_case=pl.when(known).then(pl.lit("estimated")).otherwise(pl.lit("not_counted")),
        downloads_lost=pl.lit(0, pl.Int64),
        boundary=pl.lit(None, pl.String),
    )


@table_asset(MODEL_DOWNLOADS, snapshot=HUB_SNAPSHOTS, counters=CLOSING_COUNTERS, opening=OPENING_COUNTERS)
def model_downloads(
    context: dg.AssetExecutionContext, snapshot: pl.LazyFrame, counters: pl.LazyFrame, opening: pl.LazyFrame
) -> pl.LazyFrame:
    """Downloads in the month, repository by repository."""
    month = month_of(context)
    closing = snapshot.join(counters.select("hub_id", *COUNTED), on="hub_id", maintain_order="left")
    basis = month_basis(month, counters, opening)
    return downloads_of_models(basis, closing, opening, language_tasks(), flagged_models(month))
