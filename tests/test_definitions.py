"""The code location: what it holds, and what loading it must not do."""

import re
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest
from dagster import AssetKey

from pipeline.definitions import CATALOGUE, defs
from pipeline.orchestration.alerts import LATEST_MONTH, month_due
from pipeline.orchestration.partitions import MONTHS

GRAPH = defs.resolve_asset_graph()
ROOT = Path(__file__).parents[1]

LOADING = """
import socket, sys
import dagster, dagster_duckdb
def refuse(*_, **__):
    raise AssertionError("loading the definitions touched the network")
socket.socket.connect = refuse
import pipeline.definitions
pipeline.definitions.defs.resolve_all_job_defs()
slow = {"altair", "great_expectations", "huggingface_hub", "pandas", "pyarrow", "scipy", "vl_convert"}
print(sorted(slow & set(sys.modules)))
"""


def test_every_table_is_an_asset_with_its_grain_its_columns_and_its_owner():
    for table in CATALOGUE.tables.values():
        node = GRAPH.get(AssetKey([table.group, table.name]))
        assert node.group_name == table.group
        assert node.description.startswith(f"**One row per {table.grain}.**")
        assert [column.name for column in node.metadata["dagster/column_schema"].columns] == [
            column.name for column in table.columns
        ]
        assert node.owners
        assert node.kinds
        assert node.code_version
        page, _, anchor = node.metadata["docs"].value.partition("#")
        headings = re.findall(r"^#+ (.+)$", (ROOT / page).read_text(), re.MULTILINE)
        assert not anchor or anchor in {heading.lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize(
    ("now", "due"),
    [("2026-06-01T23:59", "2026-04-01"), ("2026-06-02T00:00", "2026-05-01"), ("2026-01-02T00:00", "2025-12-01")],
)
def test_a_month_is_due_a_day_after_its_close(now, due):
    assert month_due(datetime.fromisoformat(now)).isoformat() == due


def test_every_published_table_is_an_asset_with_its_columns():
    for name, published in CATALOGUE.published.items():
        key = AssetKey(["published", "tables", name])
        columns = GRAPH.get(key).metadata["dagster/column_schema"].columns
        assert [column.name for column in columns] == [column.name for column in published.table.columns]


def test_every_mart_and_published_table_with_months_says_whether_its_last_month_is_there():
    marts = {AssetKey(["shares", table.name]) for table in CATALOGUE.monthly if table.group == "shares"}
    published = {
        AssetKey(["published", "tables", name])
        for name, made in CATALOGUE.published.items()
        if "month" in made.table.schema
    }
    asked = {key.asset_key for key in GRAPH.asset_check_keys if key.name == LATEST_MONTH}
    assert asked == marts | published


def test_whether_a_marts_last_month_is_there_is_not_asked_in_the_run_of_a_month():
    of_a_month = defs.resolve_job_def("monthly_census").asset_layer.asset_graph.asset_check_keys
    assert LATEST_MONTH not in {key.name for key in of_a_month}


def test_monthly_tables_are_partitioned_by_month_and_depend_on_the_same_month_only():
    for table in CATALOGUE.tables.values():
        node = GRAPH.get(AssetKey([table.group, table.name]))
        assert node.partitions_def == (MONTHS if table.monthly else None)
        assert not node.partition_mappings, f"{table.path} looks at other months by a partition mapping"


def test_the_manifest_waits_for_every_table_of_the_month():
    parents = {key.to_user_string() for key in GRAPH.get(AssetKey(["published", "month_manifest"])).parent_keys}
    assert parents == {table.path for table in CATALOGUE.monthly}


def test_every_check_is_partitioned_like_its_table_and_blocks_where_critical():
    for key in GRAPH.asset_check_keys:
        spec = GRAPH.get_check_spec(key)
        monthly = GRAPH.get(key.asset_key).partitions_def is not None and key.name != LATEST_MONTH
        assert (spec.partitions_def is not None) == monthly, key
        assert spec.blocking == ("Critical" in spec.description), key


def test_loading_touches_no_network_and_nothing_that_only_steps_need():
    finished = subprocess.run([sys.executable, "-c", LOADING], capture_output=True, text=True, check=True)
    assert (finished.stdout.strip(), finished.stderr) == ("[]", "")


def test_the_schedule_runs_on_the_first_soon_after_the_boundary():
    schedule = defs.resolve_schedule_def("monthly_census_schedule")
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("20 0 1 * *", "UTC")


@pytest.mark.skipif(
    not Path(sys.executable).with_name("dg").exists(), reason="dagster-dg-cli puts dg beside the interpreter"
)
def test_dg_checks_the_definitions(tmp_path):
    finished = subprocess.run(
        [Path(sys.executable).with_name("dg"), "check", "defs"],
        cwd=Path(__file__).parents[1],
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "DAGSTER_DISABLE_TELEMETRY": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
