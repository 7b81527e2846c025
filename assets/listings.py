"""Group `listings`: what the Hub listed each month, and what was downloaded in it."""

import dagster as dg
import polars as pl

from pipeline.months import opening_of
from pipeline.orchestration.partitions import month_of
from pipeline.orchestration.resources import LakeResource, SnapshotSourceResource
from pipeline.orchestration.table_assets import inputs, table_asset, table_assets
from pipeline.reference.flagged import flagged_models
from pipeline.reference.incidents import incidents_between, plausible_downloads
from pipeline.reference.tasks import language_tasks
from pipeline.sources.accounts import most_downloaded_namespaces
from pipeline.tables import listings
from pipeline.transform import downloads, normalise
from pipeline.transform.accounts import KnownOfMonth, month_accounts
from pipeline.transform.opening import opening_snapshot, snapshot_rows


@table_asset(listings.HUB_SNAPSHOTS, reads_network=True)
def hub_snapshots(context: dg.AssetExecutionContext, snapshot_source: SnapshotSourceResource) -> pl.LazyFrame:
    """The usable observation nearest to the month's close."""
    month = month_of(context)
    snapshot = snapshot_source.open(context.log.info).closing_snapshot(month)
    context.add_output_metadata(
        {
            "source": snapshot.source,
            "source_revision": snapshot.source_revision,
            "observed_at": dg.MetadataValue.timestamp(snapshot.observed_at),
            **snapshot.notes,
        }
    )
    return snapshot_rows(snapshot, month)


@table_asset(listings.HUB_ACCOUNTS, reads_network=True, ins=inputs(snapshot=listings.HUB_SNAPSHOTS))
def hub_accounts(
    context: dg.AssetExecutionContext, snapshot: pl.LazyFrame, snapshot_source: SnapshotSourceResource
) -> pl.LazyFrame:
    """Persons and organisations among the most downloaded namespaces."""
    answers = snapshot_source.open().accounts(most_downloaded_namespaces(snapshot))
    return answers.lazy().with_columns(pl.lit(month_of(context)).alias("month"))


@table_asset(listings.OPENING_COUNTERS, reads_network=True, ins=inputs(closing=listings.HUB_SNAPSHOTS))
def opening_counters(
    context: dg.AssetExecutionContext,
    closing: pl.LazyFrame,
    snapshot_source: SnapshotSourceResource,
    lake: LakeResource,
) -> pl.LazyFrame:
    """The counters at the month's opening, from the lake or from the source."""
    month = month_of(context)
    return normalise.opening_counters(opening_snapshot(month, snapshot_source.open(), lake), closing, month)


@table_asset(listings.MODEL_DOWNLOADS, ins=inputs(closing=listings.HUB_SNAPSHOTS, opening=listings.OPENING_COUNTERS))
def model_downloads(context: dg.AssetExecutionContext, closing: pl.LazyFrame, opening: pl.LazyFrame) -> pl.LazyFrame:
    """Downloads in the month, repository by repository."""
    month = month_of(context)
    basis = downloads.month_basis(month, closing, opening)
    populations = downloads.Populations(language_tasks(), flagged_models(month))
    return downloads.model_downloads(basis, closing, opening, populations)


COUNTED = [listings.MODEL_DOWNLOADS, listings.HUB_SNAPSHOTS, listings.OPENING_COUNTERS]


@table_assets(
    "accounts",
    {
        listings.DOWNLOAD_ACCOUNTS: COUNTED,
        listings.MONTH_ACCOUNTS: [listings.DOWNLOAD_ACCOUNTS, *COUNTED],
    },
    ins=inputs(measured=listings.MODEL_DOWNLOADS, closing=listings.HUB_SNAPSHOTS, opening=listings.OPENING_COUNTERS),
)
def download_accounts(
    context: dg.AssetExecutionContext, measured: pl.LazyFrame, closing: pl.LazyFrame, opening: pl.LazyFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What was measured in which way, what could not be, and what the month is to be compared with."""
    month = month_of(context)
    basis = downloads.month_basis(month, closing, opening)
    by_case = downloads.download_accounts(basis, measured, closing, opening).collect()
    since = basis.opened_at or opening_of(month)
    known = KnownOfMonth(
        incidents_between(since, basis.closed_at, by_case.item(0, "source")), plausible_downloads(month)
    )
    whole = month_accounts(basis, by_case, measured, closing, opening, known)
    context.log.info(f"known incidents: {whole.item(0, 'incidents') or 'none'}")
    return by_case, whole
