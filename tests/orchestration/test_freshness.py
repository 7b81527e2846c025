"""Whether the last month is published stands on every published table that has months."""

from datetime import UTC, date, datetime

import dagster as dg
import duckdb
import pytest

from pipeline.definitions import CATALOGUE
from pipeline.orchestration.freshness import freshness, month_due

DUE = month_due(datetime.now(UTC))
TABLES = [name for name, found in CATALOGUE.published.items() if "month" in found.table.schema]


@pytest.fixture
def looked_at(tmp_path, monkeypatch):
    """What the checks say of a warehouse whose last month is this one."""
    monkeypatch.setenv("CENSUS_HOME", str(tmp_path))
    (tmp_path / "published").mkdir()

    def look(last, *, is_synthetic=False):
        with duckdb.connect(tmp_path / "published" / "census.duckdb") as warehouse:
            for name in TABLES:
                warehouse.execute(
                    f"create table {name} as select ?::date as month, ? as is_synthetic", [last, is_synthetic]
                )
        check, schedule = freshness(CATALOGUE)
        job = dg.Definitions(asset_checks=[check], schedules=[schedule]).resolve_job_def("freshness")
        return job.execute_in_process().get_asset_check_evaluations()

    return look


def test_a_table_with_the_last_month_passes(looked_at):
    found = looked_at(DUE)
    assert {one.asset_key.path[-1] for one in found} == set(TABLES)
    assert all(one.passed for one in found)


def test_a_table_without_it_warns_and_says_what_is_there(looked_at):
    for one in looked_at(date(2025, 8, 1)):
        assert (one.passed, one.severity) == (False, dg.AssetCheckSeverity.WARN)
        assert one.metadata["expected"].value == f"{DUE:%Y-%m} or later"
        assert one.metadata["observed"].value == "2025-08"


def test_the_sample_has_no_clock(looked_at):
    assert all(one.passed for one in looked_at(date(2025, 8, 1), is_synthetic=True))
