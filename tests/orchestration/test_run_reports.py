"""What is said of a run that went wrong."""

from datetime import date
from pathlib import Path

import dagster as dg

from pipeline.orchestration.resources import SnapshotSourceResource
from pipeline.orchestration.runs import report_from, report_of


def test_a_run_that_another_process_declares_failed_is_told_in_that_process_words():
    with dg.DagsterInstance.ephemeral() as instance:
        run = instance.create_run_for_job(dg.GraphDefinition(name="month", node_defs=[]).to_job())
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
