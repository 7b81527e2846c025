"""The composition root: assets, checks, resources, jobs and schedules as one code location.

Loading it touches no network and no data, and does not import Great Expectations.
"""

from __future__ import annotations

import dagster as dg
from dagster_duckdb import DuckDBResource

from assets import attribution, checks, lineage, listings, published, shares
from pipeline.databases import NO_EXTENSIONS
from pipeline.orchestration.alerts import AlertsResource
from pipeline.orchestration.jobs import JOBS, SCHEDULES, publish_after_months
from pipeline.orchestration.lake_io import LakeIOManager
from pipeline.orchestration.resources import (
    LakeResource,
    OriginRuleResource,
    RegistryResource,
    SnapshotSourceResource,
)
from pipeline.orchestration.sensors import ALERTS
from pipeline.orchestration.thresholds import check_thresholds

lake = LakeResource.configure_at_launch()

defs = dg.Definitions(
    assets=dg.load_assets_from_modules([listings, attribution, lineage, shares, published]),
    asset_checks=[*checks.TABLE_CHECKS, published.months_fit_together, published.headline_stands],
    jobs=JOBS,
    schedules=SCHEDULES,
    sensors=[publish_after_months, *ALERTS],
    # A run is one process: its steps take parts of a second, starting Python and loading its libraries takes several.
    executor=dg.in_process_executor,
    resources={
        "lake": lake,
        "lake_io": LakeIOManager(lake=lake),
        "snapshot_source": SnapshotSourceResource.configure_at_launch(),
        "alerts": AlertsResource(),
        "registry": RegistryResource.configure_at_launch(),
        "origin_rule": OriginRuleResource.configure_at_launch(),
        "check_thresholds": check_thresholds,
        "duckdb": DuckDBResource(database=":memory:", connection_config=NO_EXTENSIONS),
    },
)
