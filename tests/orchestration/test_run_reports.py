"""What is said of a run that went wrong."""

import dagster as dg

from pipeline.orchestration.runs import report_of


def test_a_run_that_another_process_declares_failed_is_told_in_that_process_words():
    with dg.DagsterInstance.ephemeral() as instance:
        run = instance.create_run_for_job(dg.GraphDefinition(name="month", node_defs=[]).to_job())
        instance.report_run_failed(run, "its process was killed")
        assert report_of(instance, run.run_id).failures == ["its process was killed"]
