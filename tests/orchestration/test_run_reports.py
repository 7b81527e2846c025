"""What is said of a run that went wrong."""

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
        f"the snapshots' folder {tmp_path / 'absent'} does not exist: name one with --snapshots"
    ]
    assert not begun
