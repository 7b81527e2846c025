"""`listings/boundary_reconciliation`: what the month's downloads rest on at its boundaries."""

import dagster as dg
import polars as pl

from assets.columns import MONTH
from assets.listings.boundary import BOUNDARIES
from assets.listings.model_downloads import MODEL_DOWNLOADS
from pipeline.orchestration.table_assets import inputs, table_asset
from pipeline.schema.declaration import DECIMAL, Column, Table

NOT_BETWEEN_TWO = "not_between_two"

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
        Column("models", pl.Int64, "Repositories.", "repositories", minimum=0),
        Column("downloads", DECIMAL, "Downloads of these repositories.", "downloads", minimum=0),
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
