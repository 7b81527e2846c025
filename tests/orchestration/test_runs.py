"""What is said of a run that went wrong; one whose process was killed is ended, and its place in a pool given back."""

import subprocess
import sys
from datetime import date
from pathlib import Path

import dagster as dg
import pytest

from pipeline.orchestration.resources import SnapshotSourceResource
from pipeline.orchestration.runs import end_abandoned_runs, held, report_from, report_of

WORKING = """
import sys, time
import dagster as dg
from pipeline.orchestration.runs import held
run_id = sys.argv[1]
with dg.DagsterInstance.get() as instance, held(run_id):
    instance.event_log_storage.claim_concurrency_slot("hub_api", run_id, "step")
    print("working", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def run(instance):
    instance.event_log_storage.initialize_concurrency_limit_to_default("hub_api")

    @dg.job
    def month():
        pass

    return instance.create_run_for_job(month, status=dg.DagsterRunStatus.STARTED)


@pytest.fixture
def working(instance, run):
    """A process that works on the run and holds the pool's only place."""
    process = subprocess.Popen([sys.executable, "-c", WORKING, run.run_id], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "working\n"
    yield process
    process.kill()
    process.wait()


def places_held(instance):
    return instance.event_log_storage.get_concurrency_info("hub_api").active_slot_count


def test_a_run_that_is_worked_on_is_left_alone_and_once_it_is_killed_ended_and_its_place_given_back(
    instance, run, working
):
    assert end_abandoned_runs(instance) == []
    assert places_held(instance) == 1
    assert instance.get_run_by_id(run.run_id).status == dg.DagsterRunStatus.STARTED
    working.kill()
    working.wait()
    assert places_held(instance) == 1
    assert end_abandoned_runs(instance) == [run.run_id]
    assert places_held(instance) == 0
    assert instance.get_run_by_id(run.run_id).status == dg.DagsterRunStatus.FAILURE
    assert end_abandoned_runs(instance) == []


def test_a_run_that_ended_by_itself_leaves_nothing_behind(run, home):
    with held(run.run_id):
        pass
    assert not list(home.rglob("*.lock"))


def test_a_run_that_another_process_declares_failed_is_told_in_that_process_words(instance, run):
    instance.report_run_failed(run, "its process was killed")
    assert report_of(instance, run.run_id).failures == ["its process was killed"]


def test_a_folder_that_is_not_there_is_told_before_any_step_begins(tmp_path):
    begun = []

    @dg.asset
    def listing(snapshot_source: SnapshotSourceResource) -> None:
        begun.append(snapshot_source)

    source = SnapshotSourceResource(source="folder", snapshots=str(tmp_path / "absent"))
    result = dg.materialize([listing], resources={"snapshot_source": source}, raise_on_error=False)
    assert report_from(result.all_events).failures == [
        f"the snapshots' folder {tmp_path / 'absent'} does not exist: set `snapshots` or CENSUS_SNAPSHOTS to a folder "
        "of dated dumps"
    ]
    assert not begun


def test_the_dumps_of_a_folder_are_listed_once_for_a_run(tmp_path, monkeypatch):
    (tmp_path / "2026-05-31.jsonl").touch()
    listed, listing_of = [], Path.iterdir
    monkeypatch.setattr(Path, "iterdir", lambda folder: listed.append(folder) or listing_of(folder))

    @dg.asset
    def months(snapshot_source: SnapshotSourceResource) -> None:
        assert snapshot_source.open().months() == [date(2026, 5, 1)]

    source = SnapshotSourceResource(source="folder", snapshots=str(tmp_path))
    assert dg.materialize([months], resources={"snapshot_source": source}).success
    assert listed.count(tmp_path) == 1
