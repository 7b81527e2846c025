"""What launches itself: the month just closed, and one publication for all months that ended together."""

import uuid
from datetime import UTC, date, datetime

import dagster as dg
import pytest
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill

from pipeline.definitions import CATALOGUE, defs
from pipeline.orchestration.jobs import from_step, publish_after_months
from pipeline.orchestration.launch import PUBLISHED_BY_TAG
from pipeline.schema.groups import STEPS

Status = dg.DagsterRunStatus
OF_BACKFILL = {"dagster/backfill": "all"}


def month_run(instance, month, status=Status.SUCCESS, tags=None):
    tags = {"dagster/partition": f"{month}-01"} | (tags or {})
    return instance.add_run(dg.DagsterRun("monthly_census", run_id=str(uuid.uuid4()), tags=tags, status=status))


def asked(instance):
    """What the sensor asks for now."""
    return publish_after_months(dg.build_sensor_context(instance))


def backfill_of(instance, *months, status=BulkActionStatus.REQUESTED):
    backfill = PartitionBackfill(
        backfill_id="all",
        status=status,
        from_failure=False,
        tags={},
        backfill_timestamp=0.0,
        partition_names=[f"{month}-01" for month in months],
    )
    instance.add_backfill(backfill)


@pytest.mark.parametrize("status", [Status.STARTED, Status.NOT_STARTED])
def test_publication_waits_for_the_months_still_under_way(instance, status):
    month_run(instance, "2025-07", status)
    month_run(instance, "2025-08")
    assert asked(instance).skip_message == "waiting for 2025-07-01"


def test_months_that_ended_together_ask_for_one_publication_however_often_it_is_looked(instance):
    runs = [month_run(instance, f"2025-{month:02}").run_id for month in range(1, 13)]
    assert asked(instance).run_key == asked(instance).run_key
    assert asked(instance).run_key in runs


def test_months_that_succeeded_are_published_also_when_the_last_to_end_failed(instance):
    good = month_run(instance, "2025-07")
    month_run(instance, "2025-08", Status.FAILURE)
    assert asked(instance).run_key == good.run_id


def test_publication_waits_for_the_months_of_a_backfill_that_were_not_launched_yet(instance):
    backfill_of(instance, "2025-07", "2025-08")
    month_run(instance, "2025-07", tags=OF_BACKFILL)
    assert asked(instance).skip_message.startswith("waiting for 1 month of the backfill")
    month_run(instance, "2025-08", tags=OF_BACKFILL)
    assert isinstance(asked(instance), dg.RunRequest)


def test_publication_does_not_wait_for_a_backfill_that_was_given_up(instance):
    backfill_of(instance, "2025-07", "2025-08", status=BulkActionStatus.CANCELED)
    month_run(instance, "2025-07", tags=OF_BACKFILL)
    assert isinstance(asked(instance), dg.RunRequest)


def test_neither_what_the_command_launches_nor_a_publication_asks_for_another(instance):
    month_run(instance, "2025-08", tags={PUBLISHED_BY_TAG: "command"})
    instance.add_run(dg.DagsterRun(job_name="publish", run_id=str(uuid.uuid4()), status=Status.SUCCESS))
    assert isinstance(asked(instance), dg.SkipReason)


@pytest.mark.parametrize(("scheduled", "source"), [(None, "hub"), ("hub_stats", "hub_stats")])
def test_the_schedule_asks_for_the_month_just_closed_from_the_live_hub(monkeypatch, scheduled, source):
    monkeypatch.delenv("CENSUS_SCHEDULED_SOURCE", raising=False)
    if scheduled:
        monkeypatch.setenv("CENSUS_SCHEDULED_SOURCE", scheduled)
    schedule = defs.resolve_schedule_def("monthly_census_schedule")
    tick = dg.build_schedule_context(scheduled_execution_time=datetime(2026, 1, 1, 0, 20, tzinfo=UTC))
    request = schedule(tick)
    assert request.partition_key == date(2025, 12, 1).isoformat()
    assert request.run_config["resources"]["snapshot_source"]["config"]["source"] == source


def paths_from(step):
    return {key.to_user_string() for key in from_step(step).resolve(defs.resolve_asset_graph())}


@pytest.mark.parametrize("step", STEPS)
def test_from_a_step_on_nothing_is_read_from_a_hub_and_the_month_is_finished_anew(step):
    chosen = paths_from(step)
    assert not chosen & {"listings/hub_snapshots", "listings/hub_accounts", "listings/opening_counters"}
    assert "published/month_manifest" in chosen
    assert chosen <= {table.path for table in CATALOGUE.monthly} | {"published/month_manifest"}
    launched = set(from_step(step).resolve(defs.resolve_asset_graph()))
    assert defs.resolve_job_def("monthly_census").get_subset(asset_selection=launched)


def test_from_attribution_on_every_share_is_made_anew_and_no_lineage():
    chosen = paths_from("attribution")
    assert {table.path for table in CATALOGUE.monthly if table.group in ("attribution", "shares")} <= chosen
    assert not any(path.startswith(("listings/", "lineage/")) for path in chosen)
