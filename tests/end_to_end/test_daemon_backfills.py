"""Backfills under Dagster's daemon: one run a month, one publication, no locks, and a bad month that harms no other.

Long forms, with the services that `make ui` starts, over a home of their own.
"""

import shutil
import sys
import threading
import time
from contextlib import contextmanager, suppress
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import psutil
import psycopg
import pytest

from pipeline.definitions import CATALOGUE
from pipeline.lake.store import Lake
from pipeline.publish.manifest import MONTH_MANIFEST
from synthetic_hub.world import WorldSettings, ensure_world
from tests.end_to_end import sample
from tests.end_to_end.sample import rows_of
from tests.orchestration.test_alerts import receiving

pytestmark = pytest.mark.faults

ROOT = Path(__file__).parents[2]
YEAR = [month.isoformat() for month in sample.YEAR]
SECONDS_FOR_ANOTHER = 90
"""Three rounds of the sensors: what they do again by mistake, they have done by then."""
LOCKED = (b"database is locked", b"Could not set lock", b"OperationalError")
EVALUATIONS = """
query Checks($assetKey: AssetKeyInput!, $checkName: String!) {
  assetCheckExecutions(assetKey: $assetKey, checkName: $checkName, limit: 5) {
    runId status evaluation { partition description }
  }
}
"""


@contextmanager
def peak_memory(process):
    """The most bytes that a process and all that it started held, looked at every second; shared ones once."""
    held, ended, root = [0], threading.Event(), psutil.Process(process.pid)

    def watch():
        while not ended.wait(1):
            with suppress(psutil.Error):
                held.append(sum(each.memory_full_info().pss for each in [root, *root.children(recursive=True)]))

    watching = threading.Thread(target=watch, daemon=True)
    watching.start()
    yield lambda: max(held)
    ended.set()
    watching.join()


def at_the_same_time(runs):
    """The most runs that were under way at one moment."""
    moments = sorted([(run["startTime"], 1) for run in runs] + [(run["endTime"], -1) for run in runs])
    under_way, most = 0, 0
    for _, change in moments:
        under_way += change
        most = max(most, under_way)
    return most


def lines_about_locks(home):
    logs = [home / "services.log", *(path for path in (home / "dagster").rglob("*") if path.is_file())]
    return [
        (path.name, line) for path in logs for line in path.read_bytes().splitlines() if any(k in line for k in LOCKED)
    ]


def test_a_year_backfilled_from_the_ui_makes_twelve_runs_and_one_publication(dagster_services, tmp_path):
    home = tmp_path / "home"
    with dagster_services(home) as services:
        with peak_memory(services.process) as peak:
            runs = services.launch_months(YEAR)
        services.publications()
        time.sleep(SECONDS_FOR_ANOTHER)
        publications = services.runs(pipelineName="publish")
        everything = services.runs()
    assert sorted(run["tags"]["dagster/partition"] for run in runs) == YEAR
    assert {run["status"] for run in runs} == {"SUCCESS"}
    assert [run["status"] for run in publications] == ["SUCCESS"]
    assert len(everything) == len(YEAR) + 1
    assert lines_about_locks(home) == []
    assert at_the_same_time(runs) == 2
    assert [month.isoformat() for month in published_months(home)] == YEAR
    sys.stdout.write(f"at most {peak() / 2**30:.2f} GiB\n")  # what docs/operations.md states


JULY, AUGUST = date(2025, 7, 1), date(2025, 8, 1)


@pytest.fixture
def dumps(tmp_path):
    """A folder of dumps that close June to August 2025; the last one has a counter that cannot be."""
    world = ensure_world(tmp_path / "worlds", WorldSettings(models=1_000))
    folder = tmp_path / "dumps"
    folder.mkdir()
    for month in (date(2025, 6, 1), JULY, AUGUST):
        boundary = (month + timedelta(days=31)).replace(day=1)
        world.listing(boundary).write_parquet(folder / f"{boundary}.parquet")
    return folder


def spoil(dump):
    sound = pl.read_parquet(dump)
    sound.with_columns(
        pl.when(pl.int_range(pl.len()) == 7).then(-5).otherwise("downloads").alias("downloads")
    ).write_parquet(dump)
    return sound


def published_months(home):
    return [month for (month,) in rows_of(home, "select month from dim_month order by month")]


def test_a_month_with_a_failed_check_is_not_published_harms_no_other_and_is_told_once(
    dagster_services, dumps, tmp_path
):
    home, lake = tmp_path / "home", Lake(str(tmp_path / "home" / "lake"))
    sound = spoil(dumps / "2025-09-01.parquet")
    with (
        receiving() as receiver,
        dagster_services(
            home,
            CENSUS_SOURCE="folder",
            CENSUS_SNAPSHOTS=str(dumps),
            CENSUS_ALERT_WEBHOOK=receiver.url,
            CENSUS_UI_URL="http://census.example",
        ) as services,
    ):
        runs = services.launch_months([JULY.isoformat(), AUGUST.isoformat()])
        by_month = {run["tags"]["dagster/partition"]: run for run in runs}
        failed = by_month[AUGUST.isoformat()]
        assert {month: run["status"] for month, run in by_month.items()} == {
            JULY.isoformat(): "SUCCESS",
            AUGUST.isoformat(): "FAILURE",
        }
        assert [run["status"] for run in services.publications()] == ["SUCCESS"]
        assert published_months(home) == [JULY]
        assert not lake.holds(MONTH_MANIFEST, AUGUST)
        july = {table: lake.digest(table, JULY) for table in CATALOGUE.monthly}

        def alerts_of_august():
            return [text for text in receiver.texts if "2025-08" in text.splitlines()[0]]

        services.wait_until(alerts_of_august, 120)
        counters = services.ask(EVALUATIONS, assetKey={"path": ["listings", "hub_snapshots"]}, checkName="as_declared")[
            "assetCheckExecutions"
        ]
        (bad,) = (seen for seen in counters if seen["runId"] == failed["runId"])
        assert (bad["status"], bad["evaluation"]["partition"]) == ("FAILED", AUGUST.isoformat())
        assert "observed: 1" in bad["evaluation"]["description"]
        time.sleep(SECONDS_FOR_ANOTHER)
        (alert,) = alerts_of_august()
        assert alert.splitlines()[0] == "Open Model Census: monthly_census of 2025-08 failed"
        assert "listings/hub_snapshots as_declared" in alert
        assert "downloads_30d is at least 0" in alert
        assert alert.endswith(f"http://census.example/runs/{failed['runId']}")

        sound.write_parquet(dumps / "2025-09-01.parquet")
        (again,) = services.launch_months([AUGUST.isoformat()])
        assert again["status"] == "SUCCESS"
        services.wait_until(lambda: published_months(home) == [JULY, AUGUST], 300)
        assert {table: lake.digest(table, JULY) for table in CATALOGUE.monthly} == july
        assert len(services.runs(pipelineName="publish")) == 2
        assert len([text for text in receiver.texts if "failed" in text.splitlines()[0]]) == 1


SENSORS = """
query Sensors($selector: RepositorySelector!) {
  sensorsOrError(repositorySelector: $selector) {
    ... on Sensors { results { name sensorState { status ticks(limit: 20) { status } } } }
  }
}
"""
DAEMONS = "{ instance { daemonHealth { allDaemonStatuses { daemonType required healthy } } } }"


def test_an_instance_on_postgres_as_deployed_runs_a_month_its_sensors_and_its_publication(
    dagster_services, dumps, postgres, tmp_path
):
    home = tmp_path / "home"
    (home / "dagster").mkdir(parents=True)
    shutil.copy(ROOT / "deploy" / "dagster.yaml", home / "dagster" / "dagster.yaml")
    address = postgres.replace("postgresql://", "postgresql+psycopg2://")
    with dagster_services(
        home, CENSUS_INSTANCE_URL=address, CENSUS_SOURCE="folder", CENSUS_SNAPSHOTS=str(dumps)
    ) as services:
        (run,) = services.launch_months([JULY.isoformat()])
        assert run["status"] == "SUCCESS"
        assert [publication["status"] for publication in services.publications()] == ["SUCCESS"]
        sensors = services.ask(SENSORS, selector=services.repository)["sensorsOrError"]["results"]
        daemons = services.ask(DAEMONS)["instance"]["daemonHealth"]["allDaemonStatuses"]
    assert published_months(home) == [JULY]
    for sensor in sensors:
        assert sensor["sensorState"]["status"] == "RUNNING", sensor["name"]
        assert "FAILURE" not in {tick["status"] for tick in sensor["sensorState"]["ticks"]}, sensor["name"]
    assert all(daemon["healthy"] for daemon in daemons if daemon["required"])
    with psycopg.connect(postgres) as instance:
        finished = instance.execute("select count(*) from runs where status = 'SUCCESS'").fetchone()
        events = instance.execute("select count(*) from event_logs").fetchone()
    assert finished == (2,)
    assert events[0] > 500
    assert not list((home / "dagster").rglob("*.db"))
