"""What can be launched, and when it launches itself."""

import os
from datetime import timedelta
from typing import Any

import dagster as dg

from pipeline import settings
from pipeline.months import previous_month
from pipeline.orchestration.launch import PUBLISHED_BY_TAG
from pipeline.orchestration.runs import PARTITION_TAG, UNDER_WAY, end_abandoned_runs
from pipeline.orchestration.table_assets import (
    BY_HAND,
    HUB_POOL,
    MONTHLY,
    NETWORK_RETRIES,
    READS_HUB,
    asset_key,
    in_plain_words,
)
from pipeline.publish.manifest import MONTH_MANIFEST
from pipeline.wording import counted

WHOLE_MONTH = dg.AssetSelection.tag(*MONTHLY)
BACKFILL_TAG = "dagster/backfill"
RUNS_LOOKED_AT = 50

MONTHLY_CENSUS, REGISTRY_CHANGE, PUBLISH = "monthly_census", "registry_change", "publish"


def from_step(step: str) -> dg.AssetSelection:
    """The monthly assets from a step (see `STEPS`) on, with those that are made in one step with them."""
    group = dg.AssetSelection.groups("listings" if step == "downloads" else step)
    first = (group & WHOLE_MONTH) - dg.AssetSelection.tag(*READS_HUB)
    return first.downstream().required_multi_asset_neighbors().downstream() & WHOLE_MONTH


def asset_jobs(freshness: dg.AssetSelection) -> list[Any]:
    """The jobs over assets. The checks of `freshness` are about all months, so they go with what is published."""
    return [
        dg.define_asset_job(
            MONTHLY_CENSUS,
            selection=WHOLE_MONTH - freshness,
            description="The whole chain for one month, from the snapshot to the manifest, with all checks.",
        ),
        dg.define_asset_job(
            REGISTRY_CHANGE,
            selection=from_step("attribution") - freshness,
            description="Remakes a month from attribution on, after a correction of the registry. The Hub is not read "
            "again.",
        ),
        dg.define_asset_job(
            PUBLISH,
            selection=(dg.AssetSelection.all() - WHOLE_MONTH - dg.AssetSelection.tag(*BY_HAND)) | freshness,
            description="Everything that is published, from every finished month.",
        ),
        dg.define_asset_job(
            "freshness", selection=freshness, description="Checks that the last closed month is made and published."
        ),
    ]


freshness_schedule = dg.ScheduleDefinition(
    name="freshness_schedule",
    job_name="freshness",
    cron_schedule="30 1 * * *",
    execution_timezone="UTC",
    description="Checks every night that the last closed month is made and published.",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)


@dg.schedule(
    name="monthly_census_schedule",
    job_name=MONTHLY_CENSUS,
    cron_schedule="20 0 1 * *",
    execution_timezone="UTC",
    description=(
        "The month that has just closed, soon after the boundary: the live listing cannot be asked later. It is read "
        "from `hub` unless CENSUS_SCHEDULED_SOURCE names another source; publishing follows."
    ),
)
def monthly_schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """One run, for the month before the one in which the schedule ticks."""
    month = previous_month(context.scheduled_execution_time.date().replace(day=1))
    source = os.environ.get("CENSUS_SCHEDULED_SOURCE") or "hub"
    return dg.RunRequest(
        run_key=month.isoformat(),
        partition_key=month.isoformat(),
        run_config={"resources": {"snapshot_source": {"config": {"source": source}}}},
    )


@dg.op(
    pool=HUB_POOL,
    retry_policy=NETWORK_RETRIES,
    out=dg.Out(dg.Nothing),
)
@in_plain_words
def list_counters() -> None:
    """Lists the counters of popular repositories of the live Hub, as `census list-counters` does."""
    from pipeline.sources.hub import HubSource  # noqa: PLC0415 - with its client, half a second to load
    from pipeline.sources.snapshots import SourceChoice  # noqa: PLC0415

    dg.get_dagster_logger().info(HubSource.opened(SourceChoice("hub"), settings.cache_folder()).list_counters())


@dg.job
def popular_counters() -> None:
    """The counters of popular repositories, before a month closes."""
    list_counters()


@dg.schedule(
    name="popular_counters_schedule",
    job=popular_counters,
    cron_schedule="20 0 26-31 * *",
    execution_timezone="UTC",
    description=(
        "The counters of popular repositories two days and one day before a month closes: with them the month's crawl "
        "tells whether counters stood still at the close."
    ),
)
def counters_schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """A run on each of the last two days of a month."""
    day = context.scheduled_execution_time.date()
    if (day + timedelta(days=2)).month == day.month:
        return dg.SkipReason("the month does not close within two days")
    return dg.RunRequest(run_key=day.isoformat())


@dg.sensor(
    name="publish_after_months",
    job_name=PUBLISH,
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=30,
    description=(
        "Publishes once, when the last running month has ended; a backfill is published once, not month by month."
    ),
)
def publish_after_months(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Asks for one publication for all months that ended since the last, also when the last of them failed."""
    under_way = context.instance.get_runs(dg.RunsFilter(statuses=list(UNDER_WAY)))
    if waiting := [run.tags[PARTITION_TAG] for run in under_way if _finishes_a_month(run)]:
        return dg.SkipReason(f"waiting for {', '.join(sorted(waiting))}")
    ended = context.instance.get_run_records(
        dg.RunsFilter(statuses=[dg.DagsterRunStatus.SUCCESS]), limit=RUNS_LOOKED_AT, order_by="update_timestamp"
    )
    of_months = (record.dagster_run for record in ended if _finishes_a_month(record.dagster_run))
    to_publish = (run for run in of_months if PUBLISHED_BY_TAG not in run.tags)
    if (last := next(to_publish, None)) is None:
        return dg.SkipReason("no month has ended that its launcher does not publish")
    if missing := _not_launched_yet(last, context.instance):
        return dg.SkipReason(f"waiting for {counted(missing, 'month')} of the backfill without a run yet")
    return dg.RunRequest(run_key=last.run_id)


def _finishes_a_month(run: dg.DagsterRun) -> bool:
    if PARTITION_TAG not in run.tags:
        return False
    return run.job_name in {MONTHLY_CENSUS, REGISTRY_CHANGE} or asset_key(MONTH_MANIFEST) in (run.asset_selection or ())


def _not_launched_yet(run: dg.DagsterRun, instance: dg.DagsterInstance) -> int:
    """How many months of the run's backfill have no run yet."""
    backfill_id = run.tags.get(BACKFILL_TAG, "")
    backfill = instance.get_backfill(backfill_id) if backfill_id else None
    if backfill is None or backfill.partition_names is None or backfill.status.value != "REQUESTED":
        return 0
    launched = instance.get_runs(dg.RunsFilter(tags={BACKFILL_TAG: backfill_id}))
    return len(set(backfill.partition_names) - {other.tags.get(PARTITION_TAG) for other in launched})


@dg.sensor(
    name="abandoned_runs",
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=60,
    description="Ends runs whose process was killed, and frees their slots in pools.",
)
def abandoned_runs(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Looks once a minute; Dagster's own run monitoring knows only the runs that the daemon launched."""
    ended = end_abandoned_runs(context.instance)
    return dg.SkipReason(f"ended {', '.join(ended)}" if ended else "no run has lost its process")


SCHEDULES = [monthly_schedule, counters_schedule, freshness_schedule]
SENSORS = [publish_after_months, abandoned_runs]
