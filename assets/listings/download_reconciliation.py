"""`listings/download_reconciliation`, `listings/boundary_reconciliation`: what was measured how, and what was not."""

import dagster as dg
import polars as pl

from assets.columns import BASIS, MONTH, OBSERVED_AT, PROVENANCE, count, downloads, number
from assets.listings.boundary import BOUNDARIES
from assets.listings.closing_counters import CLOSING_COUNTERS
from assets.listings.model_downloads import FLOW_CASES, MODEL_DOWNLOADS, QUALITIES, MonthBasis, month_basis
from assets.listings.opening_counters import OPENING_COUNTERS
from pipeline.orchestration.partitions import month_of
from pipeline.orchestration.table_assets import inputs, table_asset
from pipeline.schema.declaration import Column, Table

CASES = (*FLOW_CASES, "disappeared")
NOT_BETWEEN_TWO = "not_between_two"
QUALITY = Column("quality", pl.String, "As in `listings/model_downloads`.", values=QUALITIES)
OPENED_AT = Column("opened_at", OBSERVED_AT.type, "Observation at the month's opening.", "UTC", nullable=True)
CLOSED_AT = Column("closed_at", OBSERVED_AT.type, "Observation at the month's close.", "UTC")
DAYS_OBSERVED = number("days_observed", "Days between the two observations.", "days", nullable=True)

DOWNLOAD_RECONCILIATION = Table(
    group="listings",
    name="download_reconciliation",
    grain="flow case",
    description="How the month's repositories and downloads were measured, and how many could not be.",
    columns=(
        MONTH,
        Column(
            "flow_case",
            pl.String,
            "As in `listings/model_downloads`; `disappeared`: listed at the opening only.",
            values=CASES,
        ),
        count("models", "Repositories in this case.", "repositories", minimum=0),
        downloads("Downloads counted in the month's flow."),
        count("downloads_lost", "Downloads by which cumulative counters fell.", "downloads", minimum=0),
        BASIS,
        QUALITY,
        DAYS_OBSERVED,
        OPENED_AT,
        CLOSED_AT,
        *PROVENANCE,
    ),
    key=("flow_case",),
)


def reconciled(
    basis: MonthBasis, downloads: pl.LazyFrame, closing: pl.LazyFrame, opening: pl.LazyFrame
) -> pl.LazyFrame:
    """Repositories and downloads by flow case, those that disappeared among them."""
    amounts = ("models", "downloads", "downloads_lost")
    counted = pl.len().cast(pl.Int64).alias("models")
    measured = downloads.group_by("flow_case").agg(counted, pl.col("downloads", "downloads_lost").sum())
    gone = opening.join(closing, on="hub_id", how="anti").select(pl.lit("disappeared").alias("flow_case"), counted)
    return (
        pl.LazyFrame({"flow_case": CASES}, schema={"flow_case": pl.String})
        .join(pl.concat([measured, gone], how="diagonal"), on="flow_case", how="left")
        .with_columns(pl.col(amounts).fill_null(0))
        .join(closing.select("source", "source_revision").head(1), how="cross")
        .with_columns(
            pl.lit(basis.month).alias("month"),
            pl.lit(basis.basis).alias("basis"),
            pl.lit(basis.quality).alias("quality"),
            pl.lit(basis.days_observed, pl.Float64).alias("days_observed"),
            pl.lit(basis.opened_at, OPENED_AT.type).alias("opened_at"),
            pl.lit(basis.closed_at, CLOSED_AT.type).alias("closed_at"),
        )
    )


def basis_of(by_case: pl.DataFrame) -> MonthBasis:
    """How the month was measured, as its reconciliation says."""
    return MonthBasis(*by_case.select("month", "basis", "quality", "opened_at", "closed_at").row(0))


@table_asset(
    DOWNLOAD_RECONCILIATION, ins=inputs(measured=MODEL_DOWNLOADS, closing=CLOSING_COUNTERS, opening=OPENING_COUNTERS)
)
def download_reconciliation(
    context: dg.AssetExecutionContext, measured: pl.LazyFrame, closing: pl.LazyFrame, opening: pl.LazyFrame
) -> pl.LazyFrame:
    """Repositories and downloads by flow case."""
    return reconciled(month_basis(month_of(context), closing, opening), measured, closing, opening)


BOUNDARY_RECONCILIATION = Table(
    group="listings",
    name="boundary_reconciliation",
    grain="way in which boundaries are known",
    description="Repositories and downloads of the month by how the counters at its boundaries are known.",
    columns=(
        MONTH,
        Column(
            "boundary",
            pl.String,
            "As in `listings/model_downloads`; `not_between_two`: nothing is counted between two boundaries.",
            values=(*BOUNDARIES, NOT_BETWEEN_TWO),
        ),
        count("models", "Repositories.", "repositories", minimum=0),
        downloads("Downloads of these repositories."),
    ),
    key=("boundary",),
)


def by_boundary(downloads: pl.LazyFrame) -> pl.LazyFrame:
    """Repositories and downloads by how their boundaries are known; only the ways that occur."""
    boundary = pl.col("boundary").fill_null(NOT_BETWEEN_TWO)
    return downloads.group_by("month", boundary).agg(pl.len().cast(pl.Int64).alias("models"), pl.col("downloads").sum())


@table_asset(BOUNDARY_RECONCILIATION, ins=inputs(measured=MODEL_DOWNLOADS))
def boundary_reconciliation(context: dg.AssetExecutionContext, measured: pl.LazyFrame) -> pl.LazyFrame:  # noqa: ARG001
    """Repositories and downloads by how the counters at the month's boundaries are known."""
    return by_boundary(measured)
