"""Months from the archive are the same bytes in any order and on any number of processors.

The long forms, by `make test-faults`: threads cut a table in other places only where it is large.
"""

import hashlib
from datetime import date

import pytest

from pipeline.definitions import CATALOGUE
from pipeline.lake.store import Lake
from pipeline.orchestration.home import prepare_home
from pipeline.orchestration.launch import Launch, RunOutcome, run_all
from synthetic_hub.server import LocalHub
from synthetic_hub.world import WorldSettings, ensure_world
from tests.end_to_end.sample import YEAR


def backfilled(home, endpoint, months, processes, monkeypatch):
    """The lake of a new home after these months were run from the archive."""
    for name, value in {"CENSUS_HOME": home, "DAGSTER_HOME": home / "dagster", "HF_ENDPOINT": endpoint}.items():
        monkeypatch.setenv(name, str(value))
    prepare_home()
    resources = {"snapshot_source": {"source": "hub_stats"}}
    launches = [Launch("monthly_census", month, resources) for month in months]
    ended = [event for event in run_all(launches, processes) if isinstance(event, RunOutcome)]
    assert [outcome for outcome in ended if not outcome.succeeded] == []
    return Lake(str(home / "lake"))


RUNS = {"in order": (YEAR, 1), "in reverse": (YEAR[::-1], 1), "4 at a time": (YEAR, 4)}


@pytest.mark.faults
def test_a_year_backfilled_in_any_order_is_identical_files(tmp_path, monkeypatch):
    world = ensure_world(tmp_path / "worlds", WorldSettings(models=2_000))
    with LocalHub(world) as hub:
        lakes = {
            name: backfilled(tmp_path / name.replace(" ", "-"), hub.endpoint, months, processes, monkeypatch)
            for name, (months, processes) in RUNS.items()
        }
    digests = {
        name: {(table.path, month): lake.digest(table, month) for table in CATALOGUE.monthly for month in YEAR}
        for name, lake in lakes.items()
    }
    for name, found in digests.items():
        assert found == digests["in order"], name


MODELS = 300_000
AUGUST, SEPTEMBER = date(2025, 8, 1), date(2025, 9, 1)


def digests_in(folder):
    """By path: every Parquet file but the one that says when the publication was made."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*.parquet")
        if path.parent.name != "_census"
    }


@pytest.mark.faults
def test_a_month_and_its_publication_are_the_same_bytes_on_one_two_and_sixteen_processors(census, tmp_path):
    world = ensure_world(tmp_path / "worlds", WorldSettings(models=MODELS, revisions=(AUGUST, SEPTEMBER), truth=False))
    made = []
    with LocalHub(world) as hub:
        for threads in ("1", "2", "16"):
            home = tmp_path / threads
            month = ("run", "--source", "hub_stats", "--from", "2025-08", "--to", "2025-08")
            finished = census(home, *month, HF_ENDPOINT=hub.endpoint, POLARS_MAX_THREADS=threads)
            assert finished.returncode == 0, finished.stdout + finished.stderr
            made.append((digests_in(home / "lake"), digests_in((home / "published" / "current").resolve())))
    assert made[0][0]
    assert made[0][1]
    assert made[1] == made[0]
    assert made[2] == made[0]
