"""`dim_month` and `dim_period`: how the published months, and periods over them, were measured."""

from collections.abc import Iterator, Sequence
from typing import Any

import polars as pl

from assets.attribution.attribution_coverage import ATTRIBUTION_COVERAGE
from assets.attribution.model_attribution import UNMAPPED
from assets.columns import IN_LONGER, IS_COMPLETE, MONTH, MONTHS_IN_PERIOD, PROVENANCE, boolean, number, text
from assets.lineage.origin_weights import ORIGIN_RULE
from assets.listings.reconciliation import MONTH_RECONCILIATION
from assets.shares.periods import Period, periods_over
from pipeline.months import in_words
from pipeline.schema.declaration import Column
from pipeline.schema.figure import IN_MONTH, Figure, Shown
from pipeline.schema.published import PublishedMonths, published_table
from pipeline.synthetic import is_synthetic_source

IS_SYNTHETIC = boolean("is_synthetic", "Whether any of it is of a synthetic Hub, not of the real one.")
QUALITY = text(
    "quality",
    "`exact`: 95 % of the counters at both boundaries are known within 36 hours of them; `scaled`: fewer; `estimated`: "
    "from 30-day counters; `mixed` in a period whose months differ.",
)
_COVERAGE = number("coverage", "Attributed part of the downloads; absent without any.", "fraction", nullable=True)


def _months(months: PublishedMonths) -> pl.LazyFrame:
    unmapped = pl.col("share_of_downloads").filter(method=UNMAPPED).sum()
    attributed = months.scan(ATTRIBUTION_COVERAGE).group_by("month").agg(coverage=1 - unmapped)
    whole = months.scan(MONTH_RECONCILIATION).join(attributed, on="month", how="left")
    return whole.with_columns(
        coverage=pl.when(pl.col("downloads") > 0).then("coverage"),
        is_synthetic=is_synthetic_source(pl.col("source")),
        origin_rule=pl.lit(months.edition.origin_rule),
    )


DIM_MONTH = published_table(
    "dim_month",
    _months,
    grain="published month",
    description="Every published month: what it was measured from, how, and how much of it is attributed.",
    columns=(
        MONTH,
        *PROVENANCE,
        *map(MONTH_RECONCILIATION.column, ("opened_at", "closed_at", "days_observed", "scaling", "basis")),
        QUALITY,
        *map(MONTH_RECONCILIATION.column, ("models", "downloads", "downloads_by_30d_counter", "downloads_flagged")),
        *map(MONTH_RECONCILIATION.column, ("is_plausible", "incidents", "incidents_at_observation")),
        _COVERAGE,
        ORIGIN_RULE,
        IS_SYNTHETIC,
    ),
    key=("month",),
    shown={name: name for name in ("quality", "source", "is_synthetic")},
)


def _periods(months: PublishedMonths) -> pl.LazyFrame:
    known = {row["month"]: row for row in months.published("dim_month").collect().iter_rows(named=True)}
    rows = [_period(period, [known[month] for month in period.held]) for period in periods_over(months.months)]
    return pl.LazyFrame(rows, schema=DIM_PERIOD.table.schema)


def _period(period: Period, held: Sequence[dict[str, Any]]) -> dict[str, Any]:
    downloads = sum(month["downloads"] for month in held)
    attributed = sum(float(month["downloads"]) * (month["coverage"] or 0) for month in held)
    return {
        "month": period.last,
        "period": period.name,
        "first_month": period.wanted[0],
        "months_in_period": len(held),
        "is_complete": len(held) == len(period.wanted),
        "months": in_words(period.held),
        "months_missing": in_words([month for month in period.wanted if month not in period.held]) or None,
        "basis": _common(month["basis"] for month in held),
        "quality": _common(month["quality"] for month in held),
        "source": ", ".join(sorted({month["source"] for month in held})),
        "coverage": attributed / float(downloads) if downloads else None,
        "is_synthetic": any(month["is_synthetic"] for month in held),
        **{name: _joined(month[name] for month in held) for name in ("incidents", "incidents_at_observation")},
    }


def _common(values: Iterator[str]) -> str:
    found = set(values)
    return found.pop() if len(found) == 1 else "mixed"


def _joined(texts: Iterator[str | None]) -> str | None:
    return "; ".join(dict.fromkeys(part for text in texts if text for part in text.split("; "))) or None


DIM_PERIOD = published_table(
    "dim_period",
    _periods,
    grain="month and period that ends with it",
    description="Every period: which months it holds and lacks, and what they are; where they differ it says so.",
    columns=(
        MONTH,
        IN_LONGER["period"],
        Column("first_month", pl.Date, "The first month that the period's name promises, published or not."),
        MONTHS_IN_PERIOD,
        IS_COMPLETE,
        text("months", "The months that the period holds: `2025-01 to 2025-03, 2025-05`."),
        text("months_missing", "Months that the period's name promises and that it lacks.", nullable=True),
        IN_LONGER["basis"],
        QUALITY,
        text("source", "The snapshot sources that were read, by commas."),
        _COVERAGE,
        IS_SYNTHETIC,
        *map(MONTH_RECONCILIATION.column, ("incidents", "incidents_at_observation")),
    ),
    key=("month", "period"),
    warnings=("The months of a period are those of `dim_month` from `first_month` to `month`.",),
    shown={
        **{name: name for name in ("quality", "source", "is_synthetic", "incidents")},
        "months_held": "months",
        "months_missing": "months_missing",
    },
)

MONTHS_FIGURE = Figure(
    "months",
    "Months and incidents",
    "What each month was measured from, and what is known to have happened to the Hub's counters or to the source in "
    "it. Days are scaled to the month where the snapshots do not lie on its boundaries.",
    table="dim_month",
    place=140,
    sql="select *, downloads as denominator from dim_month order by month",
    columns=(
        IN_MONTH,
        Shown("incidents", "incidents", "prose"),
        Shown("incidents_at_observation", "incidents when observed", "prose"),
        Shown("quality", "quality", "text"),
        Shown("basis", "basis", "text"),
        Shown("days_observed", "days observed", "number"),
        Shown("scaling", "scaled by", "index"),
        Shown("downloads", "downloads", "count"),
        Shown("downloads_flagged", "of flagged models", "count"),
        Shown("coverage", "coverage", "share"),
        Shown("source", "source", "text"),
        Shown("source_revision", "revision", "code"),
    ),
    over="months",
    population="all models",
    denominator="downloads",
)
