"""The checks of every table in the lake, as its declaration states them."""

from pipeline.orchestration.partitions import MONTHS
from pipeline.orchestration.pools import pool_of
from pipeline.orchestration.table_assets import asset_key
from pipeline.quality.asset_checks import build_asset_checks
from pipeline.tables.catalog import TABLES

TABLE_CHECKS = [
    build_asset_checks(table, asset_key(table), MONTHS if table.monthly else None, pool_of=pool_of) for table in TABLES
]
