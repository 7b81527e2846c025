"""What can be launched, and when it launches itself."""

from __future__ import annotations

import dagster as dg

from pipeline.orchestration.table_assets import asset_key
from pipeline.tables.attribution import ORGANIZATIONS
from pipeline.tables.catalog import TABLES

MONTHLY_CENSUS = dg.define_asset_job(
    "monthly_census",
    selection=dg.AssetSelection.assets(*(asset_key(table) for table in TABLES if table.monthly)),
    description="The whole chain for one month, checks included: from the snapshot to the month's seal.",
)

PUBLISH = dg.define_asset_job(
    "publish",
    selection=dg.AssetSelection.assets(asset_key(ORGANIZATIONS), dg.AssetKey(["published", "warehouse"])),
    description="The warehouse from every sealed month.",
)

MONTHLY_SCHEDULE = dg.build_schedule_from_partitioned_job(
    MONTHLY_CENSUS,
    name="monthly_census_schedule",
    description="The month that has just closed, soon after the boundary: the live listing cannot be asked later.",
    day_of_month=1,
    hour_of_day=0,
    minute_of_hour=20,
)

JOBS = [MONTHLY_CENSUS, PUBLISH]
SCHEDULES = [MONTHLY_SCHEDULE]
