"""The whole chain over the synthetic sample gives what was planted in it."""

import json
import subprocess
import sys
from datetime import date
from pathlib import Path

import duckdb
import polars as pl
import pytest

from pipeline.definitions import CATALOGUE
from pipeline.lake.store import Lake
from pipeline.months import months_between
from pipeline.orchestration.home import prepare_home
from pipeline.orchestration.launch import Launch, run_all
from synthetic_hub.world import WorldSettings, ensure_world

MONTHS = months_between(date(2024, 8, 1), date(2025, 9, 1))
EVERY_MONTH = pytest.mark.parametrize("month", MONTHS, ids=lambda month: f"{month:%Y-%m}")


def lake_of(sample):
    return Lake(str(sample[0] / "lake"))


def truth_of(sample, name):
    return ensure_world(sample[0] / "cache" / "sample" / "worlds", WorldSettings()).truth(name)


def warehouse_of(sample):
    return duckdb.connect(str(sample[0] / "published" / "census.duckdb"), read_only=True)


def with_unknown_accounts_together(frame):
    """Persons and unmapped organisations as one member.

    Which of the two a namespace is, is asked of the Hub only until 99 % of the downloads are known; the others count
    as unmapped although the planted truth knows better.
    """
    unknown = pl.col("member").is_in(["unaffiliated", "unmapped"])
    named = frame.with_columns(pl.when(unknown).then(pl.lit("unknown")).otherwise("member").alias("member"))
    return named.group_by("population", "attribution", "member").agg(pl.col("downloads").sum())


def differences(found, planted, keys):
    """Rows whose downloads differ by more than one part in a million, or that only one side has."""
    both = found.join(planted, on=keys, how="full", coalesce=True, suffix="_planted").with_columns(
        pl.col("downloads", "downloads_planted").fill_null(0)
    )
    largest = pl.max_horizontal("downloads", "downloads_planted", pl.lit(1.0))
    return both.filter((pl.col("downloads") - pl.col("downloads_planted")).abs() > 1e-6 * largest)


def test_every_month_ran_and_was_published(sample):
    _, report = sample
    assert [run["month"] for run in report["runs"]][-1] is None
    assert sorted(run["month"] for run in report["runs"] if run["month"]) == [f"{month:%Y-%m}" for month in MONTHS]
    with warehouse_of(sample) as warehouse:
        assert [month for (month,) in warehouse.sql("select month from dim_month order by month").fetchall()] == MONTHS


@EVERY_MONTH
def test_each_country_has_the_downloads_planted_for_it(sample, month):
    planted = truth_of(sample, "country_downloads").filter(pl.col("month") == month).rename({"country": "member"})
    found = lake_of(sample).scan(CATALOGUE.tables["shares/country_shares"], month).collect()
    found, planted = with_unknown_accounts_together(found), with_unknown_accounts_together(planted)
    assert differences(found, planted, ["population", "attribution", "member"]).is_empty()


@EVERY_MONTH
def test_each_organisation_has_the_downloads_planted_for_it(sample, month):
    planted = truth_of(sample, "organization_downloads").filter(pl.col("month") == month)
    found = lake_of(sample).scan(CATALOGUE.tables["shares/organization_shares"], month).collect()
    planted = with_unknown_accounts_together(planted.rename({"organization": "member"}))
    assert differences(
        with_unknown_accounts_together(found), planted, ["population", "attribution", "member"]
    ).is_empty()


@EVERY_MONTH
def test_each_repository_is_measured_as_planted(sample, month):
    planted = truth_of(sample, "model_months").filter(pl.col("month") == month)
    found = lake_of(sample).scan(CATALOGUE.tables["listings/model_downloads"], month).collect()
    listed = planted.filter(pl.col("case") != "disappeared")
    assert differences(found, listed, ["hub_id"]).is_empty()
    assert found.height == listed.height


def test_the_headline_is_the_published_one(asked, sample):
    headline = json.loads(asked(sample[0], "headline", "--last-month", "2025-08", "--json").stdout)
    share = {member["name"]: member["share"] for member in headline["members"]}
    assert share["China"] == pytest.approx(0.171, abs=0.0005)
    assert share["United States"] == pytest.approx(0.1586, abs=0.0005)
    assert sum(share.values()) == pytest.approx(1)
    assert headline["is_complete"]
    assert headline["is_synthetic"]


def test_the_printed_headline_says_all_that_qualifies_it(asked, sample):
    printed = asked(sample[0], "headline", "--last-month", "2025-08").stdout
    for word in ("SYNTHETIC", "period", "2024-09 to 2025-08", "population", "attribution", "denominator", "coverage"):
        assert word in printed


def test_periods_across_the_change_of_counters_say_mixed(sample):
    with warehouse_of(sample) as warehouse:
        bases = dict(
            warehouse.sql(
                "select distinct month, basis from country_shares where period = 'trailing_12_months'"
            ).fetchall()
        )
        monthly = dict(warehouse.sql("select month, basis from dim_month").fetchall())
    assert monthly[date(2025, 2, 1)] == "rolling_30d"
    assert monthly[date(2025, 3, 1)] == "all_time_delta"
    assert bases[date(2025, 2, 1)] == "rolling_30d"
    assert bases[date(2025, 8, 1)] == "mixed"


def test_running_a_month_again_gives_the_same_bytes(own_sample, monkeypatch):
    lake, month = Lake(str(own_sample / "lake")), date(2025, 3, 1)
    tables = [table for table in CATALOGUE.tables.values() if table.monthly]
    before = {table.path: lake.digest(table, month) for table in tables}
    monkeypatch.setenv("CENSUS_HOME", str(own_sample))
    monkeypatch.setenv("DAGSTER_HOME", str(own_sample / "dagster"))
    prepare_home()
    *_, ended = run_all([Launch("monthly_census", month, {"snapshot_source": {"source": "sample"}})], 1)
    assert ended.succeeded, ended.failures
    assert {table.path: lake.digest(table, month) for table in tables} == before


OLD_READER = Path(sys.prefix) / "duckdb-1.4"


@pytest.mark.skipif(not OLD_READER.is_dir(), reason="DuckDB 1.4 is installed beside the tests by `make test`")
def test_duckdb_1_4_reads_the_warehouse(sample):
    query = (
        "import duckdb; print(duckdb.__version__);"
        f"reader = duckdb.connect({str(sample[0] / 'published' / 'census.duckdb')!r}, read_only=True);"
        "print(reader.sql('select count(*) from country_shares').fetchone()[0])"
    )
    finished = subprocess.run(
        [sys.executable, "-c", query], env={"PYTHONPATH": str(OLD_READER)}, capture_output=True, text=True, check=True
    )
    version, rows = finished.stdout.split()
    assert version.startswith("1.4.")
    assert int(rows) > 0
