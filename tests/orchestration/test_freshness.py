"""Whether the last month is there stands on every mart, and on every published table that has months."""

from datetime import UTC, date, datetime

import dagster as dg
import duckdb
import polars as pl
import pytest

from pipeline.definitions import CATALOGUE
from pipeline.lake.store import Lake
from pipeline.orchestration.alerts import freshness, month_due
from pipeline.orchestration.resources import LakeResource
from pipeline.publish.manifest import MONTH_MANIFEST

DUE = month_due(datetime.now(UTC))
TABLES = {name for name, found in CATALOGUE.published.items() if "month" in found.table.schema}
MARTS = [table for table in CATALOGUE.monthly if table.group == "shares"]


@pytest.fixture
def looked_at(home):
    """What the checks say of marts and a warehouse whose last month is this one."""
    (home / "published").mkdir(parents=True)

    def look(last, source="hub"):
        lake = Lake(str(home / "lake"))
        lake.write(MONTH_MANIFEST, last, pl.DataFrame([{"source": source}], MONTH_MANIFEST.schema))
        for mart in MARTS:
            lake.write(mart, last, pl.DataFrame(schema=mart.schema))
        with duckdb.connect(home / "published" / "census.duckdb") as warehouse:
            for name in TABLES:
                warehouse.execute(f"create table {name} as select ?::date as month", [last])
        resources = {"lake": LakeResource(url=lake.url)}
        defs = dg.Definitions(asset_checks=[freshness(CATALOGUE)], resources=resources)
        return defs.resolve_implicit_global_asset_job_def().execute_in_process().get_asset_check_evaluations()

    return look


def test_a_table_with_the_last_month_passes(looked_at):
    found = looked_at(DUE)
    assert {one.asset_key.path[-1] for one in found} == TABLES | {mart.name for mart in MARTS}
    assert all(one.passed for one in found)


def test_a_table_without_it_warns_and_says_what_is_there(looked_at):
    for one in looked_at(date(2025, 8, 1)):
        assert (one.passed, one.severity) == (False, dg.AssetCheckSeverity.WARN)
        assert one.metadata["expected"].value == f"{DUE:%Y-%m} or later"
        assert one.metadata["observed"].value == "2025-08"


def test_the_sample_has_no_clock(looked_at):
    assert all(one.passed for one in looked_at(date(2025, 8, 1), "sample"))
