"""What a whole month costs through Dagster: an archive's Parquet to the monthly marts, with every check.

The lake holds the month before, as it does in a deployment that runs month by month. Nothing is published.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import dagster as dg

from assets.listings.closing_counters import CLOSING_COUNTERS, read_boundary
from assets.listings.hub_snapshots import snapshot_rows
from benchmarks.dumps import MONTH, daily_dumps, month_dumps
from benchmarks.stages import WRITTEN, Stage
from pipeline.lake.store import Lake
from pipeline.months import previous_month
from pipeline.orchestration import launch
from pipeline.orchestration.home import prepare_home
from pipeline.sources.folder import FolderSource


def prepare(folder: Path, models: int) -> None:
    """The dumps, and a lake with the month before."""
    _keep_month_before(month_dumps(folder, models), folder)


def prepare_daily(folder: Path, models: int) -> None:
    """The dumps of every day around the close, and a lake with the month before."""
    _keep_month_before(daily_dumps(folder, models), folder)


def _keep_month_before(dumps: Path, folder: Path) -> None:
    before = previous_month(MONTH)
    source = FolderSource(dumps)
    opening = snapshot_rows(source.closing_snapshot(before), before)
    Lake((folder / "before").as_uri()).write(CLOSING_COUNTERS, before, read_boundary(before, opening, source).counters)


def through_dagster(folder: Path) -> dict[str, Any]:
    """One month in a new home, by the command's own way of running it; seconds of each of its steps.

    Raises:
        RuntimeError: the month failed, with its reasons.
    """
    home = folder / WRITTEN
    os.environ["CENSUS_HOME"] = str(home)
    prepare_home()
    shutil.copytree(folder / "before", home / "lake", copy_function=os.link)
    source = {"snapshot_source": {"source": "folder", "snapshots": str(folder / "dumps")}}
    events = launch.run_all([launch.Launch("monthly_census", MONTH, source)], processes=1)
    [outcome] = [event for event in events if isinstance(event, launch.RunOutcome)]
    if not outcome.succeeded:
        raise RuntimeError(f"the month failed: {'; '.join(outcome.failures)}")
    return {"steps": seconds_by_step(outcome.run_id)}


def from_nearest(folder: Path) -> dict[str, Any]:
    """The same, of all dumps around the close only the nearest being read."""
    os.environ["CENSUS_BOUNDARIES"] = "nearest"
    return through_dagster(folder)


def seconds_by_step(run_id: str) -> dict[str, float]:
    """Seconds of every step of a run, from the events that Dagster kept of it."""
    began, seconds = {}, {}
    for record in dg.DagsterInstance.get().get_records_for_run(run_id).records:
        entry = record.event_log_entry
        event = entry.dagster_event
        if event is not None and event.is_step_start:
            began[event.step_key] = entry.timestamp
        elif event is not None and event.is_step_success:
            seconds[event.step_key] = entry.timestamp - began[event.step_key]
    return seconds


STAGES = (
    Stage(
        "month",
        "a whole month through Dagster, with every check",
        prepare,
        through_dagster,
        at_most_seconds=60,
        at_most_gib=6,
    ),
    Stage("month_daily", "the same, its close read from seven observations", prepare_daily, through_dagster),
    Stage("month_nearest", "the same, of seven only the nearest", prepare_daily, from_nearest, made_for="month_daily"),
)
