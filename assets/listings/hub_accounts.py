"""`listings/hub_accounts`: persons and organisations among the most downloaded namespaces."""

import dagster as dg
import polars as pl

from assets.columns import MONTH, NAMESPACE, text
from assets.listings.hub_snapshots import HUB_SNAPSHOTS
from pipeline import settings
from pipeline.orchestration.partitions import month_of
from pipeline.orchestration.resources import SnapshotSourceResource
from pipeline.orchestration.table_assets import table_asset
from pipeline.schema.declaration import Column, Table
from pipeline.sources.accounts import AccountDirectory, most_downloaded_namespaces

HUB_ACCOUNTS = Table(
    "listings/hub_accounts",
    grain="namespace that was asked about",
    description=(
        "Whether a namespace is a person's account or an organisation's, by the Hub. The most downloaded are asked "
        "about until 99 % of the month's downloads are known or the request budget ends; answers are kept."
    ),
    columns=(
        MONTH,
        NAMESPACE,
        text("account_type", "As the Hub says, else `unknown`.", values=("person", "organization", "unknown")),
        Column("checked_on", pl.Date, "The day on which the Hub gave this answer.", nullable=True),
    ),
    key=("namespace",),
    may_be_empty=True,
    warnings=("Namespaces that are not listed here were not asked about: their type is unknown.",),
)


@table_asset(HUB_ACCOUNTS, reads_network=True, snapshot=HUB_SNAPSHOTS)
def hub_accounts(
    context: dg.AssetExecutionContext, snapshot: pl.LazyFrame, snapshot_source: SnapshotSourceResource
) -> pl.LazyFrame:
    """Persons and organisations among the most downloaded namespaces."""
    directory = AccountDirectory(settings.cache_folder() / "accounts.parquet")
    answers = snapshot_source.open().accounts(most_downloaded_namespaces(snapshot), directory)
    return answers.lazy().with_columns(pl.lit(month_of(context)).alias("month"))
