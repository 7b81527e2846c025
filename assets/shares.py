"""Group `shares`: who holds which part of the month's downloads."""

import dagster as dg
import polars as pl

from pipeline.orchestration.partitions import month_of
from pipeline.orchestration.table_assets import inputs, table_asset
from pipeline.tables import attribution, lineage, listings
from pipeline.tables import shares as tables
from pipeline.tables.declaration import Table
from pipeline.transform import shares


def _share_asset(table: Table, dimension: str) -> dg.AssetsDefinition:
    @table_asset(
        table,
        ins=inputs(
            downloads=listings.MODEL_DOWNLOADS,
            attribution=attribution.MODEL_ATTRIBUTION,
            weights=lineage.ORIGIN_WEIGHTS,
            roots=attribution.ROOT_ATTRIBUTION,
        ),
    )
    def share_table(
        context: dg.AssetExecutionContext,
        downloads: pl.LazyFrame,
        attribution: pl.LazyFrame,
        weights: pl.LazyFrame,
        roots: pl.LazyFrame,
    ) -> pl.DataFrame:
        members = {
            "uploader": shares.uploader_members(attribution),
            "origin": shares.origin_members(attribution, weights, roots),
        }
        return shares.month_shares(downloads, members, dimension, month_of(context))

    return share_table


country_shares = _share_asset(tables.COUNTRY_SHARES, "country")
organization_shares = _share_asset(tables.ORGANIZATION_SHARES, "organization")
