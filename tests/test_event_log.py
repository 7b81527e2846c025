"""The event log with kept connections is Dagster's own in every other respect."""

import dagster as dg
import pytest
from dagster._core.storage.event_log import SqliteEventLogStorage

from pipeline.orchestration.event_log import MOST_OPEN, PooledSqliteEventLogStorage
from pipeline.orchestration.home import prepare_home


@dg.op
def nothing():
    pass


@dg.job
def idle():
    nothing()


@pytest.fixture
def instance(tmp_path, monkeypatch):
    for name in ("CENSUS_HOME", "DAGSTER_HOME", "DAGSTER_DISABLE_TELEMETRY", "GX_ANALYTICS_ENABLED"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("CENSUS_HOME", str(tmp_path))
    prepare_home()
    with dg.DagsterInstance.get() as opened:
        yield opened


def event_types(storage, run_id):
    return [record.event_type_value for record in (e.dagster_event for e in storage.get_logs_for_run(run_id)) if record]


def test_a_home_uses_it(instance):
    assert isinstance(instance.event_log_storage, PooledSqliteEventLogStorage)


def test_dagsters_default_storage_reads_the_same_events_from_the_same_files(instance, tmp_path):
    run_id = idle.execute_in_process(instance=instance).run_id
    ours = event_types(instance.event_log_storage, run_id)
    default = SqliteEventLogStorage(str(tmp_path / "dagster" / "history" / "runs"))
    assert "PIPELINE_SUCCESS" in ours
    assert event_types(default, run_id) == ours


MONTHS = dg.MonthlyPartitionsDefinition(start_date="2024-08-01")


@pytest.mark.parametrize("at_once", ["0", "1000"])
@pytest.mark.parametrize(("away", "status"), [(False, "SUCCEEDED"), (True, "PLANNED")])
def test_checks_that_are_planned_at_once_are_kept_as_those_planned_one_by_one(
    instance, tmp_path, monkeypatch, at_once, away, status
):
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", at_once)

    @dg.asset(partitions_def=MONTHS)
    def listed():
        if away:
            raise dg.Failure("the Hub is away")

    @dg.asset_check(asset=listed, partitions_def=MONTHS)
    def judged():
        return dg.AssetCheckResult(passed=True)

    result = dg.materialize([listed, judged], instance=instance, partition_key="2025-08-01", raise_on_error=False)

    default = SqliteEventLogStorage(str(tmp_path / "dagster" / "history" / "runs"))
    (execution,) = default.get_asset_check_execution_history(judged.check_key, limit=5)
    assert (execution.run_id, execution.status.value, execution.partition) == (result.run_id, status, "2025-08-01")
    planned = [name for name in event_types(default, result.run_id) if name.endswith("PLANNED")]
    assert planned == ["ASSET_MATERIALIZATION_PLANNED", "ASSET_CHECK_EVALUATION_PLANNED"]


def test_more_runs_than_it_keeps_open_can_all_be_read(instance):
    runs = [idle.execute_in_process(instance=instance).run_id for _ in range(MOST_OPEN + 2)]
    assert all("PIPELINE_SUCCESS" in event_types(instance.event_log_storage, run_id) for run_id in runs)
