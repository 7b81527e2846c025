"""The composition root: assets, checks, resources, jobs and schedules as one code location.

Loading it touches no network and no data, and does not import Great Expectations.
"""

from pathlib import Path

import click
import dagster as dg
from dagster_duckdb import DuckDBResource

import assets
from pipeline.checks.asset_checks import build_asset_checks
from pipeline.databases import NO_EXTENSIONS
from pipeline.errors import CensusError
from pipeline.orchestration.alerts import ALERTS, freshness
from pipeline.orchestration.jobs import SCHEDULES, SENSORS, asset_jobs, popular_counters
from pipeline.orchestration.lake_io import lake_io_manager
from pipeline.orchestration.partitions import MONTHS
from pipeline.orchestration.resources import (
    AllowancesResource,
    LakeResource,
    OriginRuleResource,
    RegistryResource,
    check_thresholds,
    snapshot_source,
)
from pipeline.orchestration.table_assets import CatalogueAssets, pool_of
from pipeline.schema.catalogue import catalogue_of, declared_in

CATALOGUE = catalogue_of(assets)
"""Every table of the census, found by walking `assets`."""

COMMANDS = {
    command.name: command
    for command in declared_in(click.Command, assets)
    if command.name and not any(command in group.commands.values() for group in declared_in(click.Group, assets))
}
"""The commands of the census itself, by name; those of the machine are in `pipeline.cli`."""

_of_every_table = [made for declared in declared_in(CatalogueAssets, assets) for made in declared.build(CATALOGUE)]
_table_checks = [build_asset_checks(table, MONTHS, CATALOGUE.tables, pool_of) for table in CATALOGUE.tables.values()]
_freshness = freshness(CATALOGUE)
if _components := sorted(Path(assets.__path__[0]).rglob("defs.yaml")):
    raise CensusError(
        f"{_components[0]} declares a component, and the census loads modules only: declare it in Python, as "
        "`dg scaffold defs dagster.asset NAME.py` does"
    )

defs = dg.Definitions(
    assets=[*declared_in(dg.AssetsDefinition, assets), *_of_every_table],
    asset_checks=[*_table_checks, _freshness, *declared_in(dg.AssetChecksDefinition, assets)],
    jobs=[*asset_jobs(dg.AssetSelection.checks(_freshness)), popular_counters, *declared_in(dg.JobDefinition, assets)],
    schedules=[*SCHEDULES, *declared_in(dg.ScheduleDefinition, assets)],
    sensors=[*SENSORS, *ALERTS, *declared_in(dg.SensorDefinition, assets)],
    # A run is one process: its steps take parts of a second, starting Python and loading its libraries takes several.
    executor=dg.in_process_executor,
    resources={
        "lake": LakeResource.configure_at_launch(),
        "lake_io": lake_io_manager(CATALOGUE),
        "snapshot_source": snapshot_source,
        "allowances": AllowancesResource.configure_at_launch(),
        "registry": RegistryResource.configure_at_launch(),
        "origin_rule": OriginRuleResource.configure_at_launch(),
        "check_thresholds": check_thresholds(CATALOGUE),
        "duckdb": DuckDBResource(database=":memory:", connection_config=NO_EXTENSIONS),
    },
)
