"""Months from the archive come out the same in whatever order they are run, and as planted."""

import polars as pl
import pytest

from assets.listings.model_downloads import MODEL_DOWNLOADS
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
def test_a_year_backfilled_in_any_order_is_identical_files_and_the_planted_flows(tmp_path, monkeypatch):
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
    for month in YEAR:
        planted = world.truth("model_months").filter((pl.col("month") == month) & (pl.col("case") != "disappeared"))
        found = lakes["in order"].scan(MODEL_DOWNLOADS, month).select("hub_id", "downloads").collect()
        both = found.join(planted, on="hub_id", how="full", coalesce=True, suffix="_planted")
        assert both.height == found.height == planted.height
        assert (both["downloads"] - both["downloads_planted"]).abs().max() < 1e-6
