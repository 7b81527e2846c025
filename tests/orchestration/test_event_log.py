"""The event log with kept connections is Dagster's own in every other respect."""

from concurrent.futures import ThreadPoolExecutor

import dagster as dg
from dagster._core.storage.event_log import SqliteEventLogStorage

from pipeline.orchestration.event_log import MOST_OPEN, PooledSqliteEventLogStorage


@dg.op
def nothing():
    pass


@dg.job
def idle():
    nothing()


def event_types(storage, run_id):
    return [entry.dagster_event_type for entry in storage.get_logs_for_run(run_id) if entry.is_dagster_event]


def test_dagsters_default_storage_reads_the_same_events_from_the_same_files(instance, home):
    run_id = idle.execute_in_process(instance=instance).run_id
    assert isinstance(instance.event_log_storage, PooledSqliteEventLogStorage)
    ours = event_types(instance.event_log_storage, run_id)
    default = SqliteEventLogStorage(str(home / "dagster" / "history" / "runs"))
    assert dg.DagsterEventType.RUN_SUCCESS in ours
    assert event_types(default, run_id) == ours


def test_many_threads_read_more_runs_than_it_keeps_open(instance):
    runs = [idle.execute_in_process(instance=instance).run_id for _ in range(MOST_OPEN + 4)]
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda run_id: event_types(instance.event_log_storage, run_id), runs * 5))
    assert all(dg.DagsterEventType.RUN_SUCCESS in types for types in found)
