"""Months from the archive come out the same in whatever order they are run, and as planted."""

from datetime import date

import polars as pl
import pytest

from assets.listings.model_downloads import MODEL_DOWNLOADS
from pipeline.definitions import CATALOGUE
from pipeline.lake.store import Lake
from pipeline.months import months_between
from pipeline.orchestration.home import prepare_home
from pipeline.orchestration.launch import Launch, RunOutcome, run_all
from synthetic_hub.server import LocalHub
from synthetic_hub.world import WorldSettings, ensure_world

CHANGE_OF_COUNTERS = months_between(date(2025, 2, 1), date(2025, 3, 1))
YEAR = months_between(date(2024, 9, 1), date(2025, 8, 1))


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


def orders(months, at_a_time):
    return {"in order": (months, 1), "in reverse": (months[::-1], 1), f"{at_a_time} at a time": (months, at_a_time)}


@pytest.mark.parametrize(
    "runs",
    [
        pytest.param(
            orders(CHANGE_OF_COUNTERS, 2),
            id="the two months around the change of counters",
            marks=pytest.mark.faults,
        ),
        pytest.param(orders(YEAR, 4), id="a year", marks=pytest.mark.faults),
    ],
)
def test_a_backfill_gives_identical_files_and_the_planted_flows_in_any_order(tmp_path, monkeypatch, runs):
    world = ensure_world(tmp_path / "worlds", WorldSettings(models=2_000))
    with LocalHub(world) as hub:
        lakes = {
            name: backfilled(tmp_path / name.replace(" ", "-"), hub.endpoint, months, processes, monkeypatch)
            for name, (months, processes) in runs.items()
        }
    months, _ = runs["in order"]
    digests = {
        name: {(table.path, month): lake.digest(table, month) for table in CATALOGUE.monthly for month in months}
        for name, lake in lakes.items()
    }
    for name, found in digests.items():
        assert found == digests["in order"], name
    for month in months:
        planted = world.truth("model_months").filter((pl.col("month") == month) & (pl.col("case") != "disappeared"))
        found = lakes["in order"].scan(MODEL_DOWNLOADS, month).select("hub_id", "downloads").collect()
        both = found.join(planted, on="hub_id", how="full", coalesce=True, suffix="_planted")
        assert both.height == found.height == planted.height
        assert (both["downloads"] - both["downloads_planted"]).abs().max() < 1e-6
