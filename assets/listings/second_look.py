"""Asks for a month of the live Hub once more where counters stood still at its close, or may have.

A crawl on such a day cannot know the next day's catch-up: run again two or three days after the close, the source reads
the counters of popular repositories a second time, and the month is made with them.
"""

from datetime import UTC, datetime, timedelta

import dagster as dg
import polars as pl

from assets.listings.boundary import ALL_COHORTS
from assets.listings.closing_counters import CLOSING_COUNTERS, COUNTER_DAYS, STATE_OF
from pipeline.lake.store import Lake
from pipeline.months import closing_of, previous_month
from pipeline.orchestration import jobs
from pipeline.orchestration.resources import LakeResource
from pipeline.sources.snapshots import is_closed_by_a_wednesday

CAUGHT_UP, TOO_LATE = timedelta(days=2), timedelta(days=3)
"""How long after the close to ask: most counters have caught up within two days."""
LIVE = "hub"


def reason_to_look_again(lake: Lake, now: datetime) -> str | None:
    """Why the month just closed should be read again from the live Hub; None where it need not, or cannot now."""
    month = previous_month(now.date().replace(day=1))
    if not CAUGHT_UP <= now - closing_of(month) <= TOO_LATE or not lake.holds(COUNTER_DAYS, month):
        return None
    source = lake.scan(CLOSING_COUNTERS, month).select(pl.col("source").first()).collect().item()
    days = lake.scan(COUNTER_DAYS, month).filter(cohort=ALL_COHORTS).collect()
    last_seen = days["observed_until"].max()
    if source != LIVE or (isinstance(last_seen, datetime) and last_seen >= closing_of(month) + timedelta(days=1)):
        return None
    struck = days.filter(pl.col("state").is_in([*STATE_OF.values()]))["state"].to_list()
    if struck:
        return f"counters were {struck[-1].replace('_', ' ')} at the close of {month:%Y-%m}"
    return f"{month:%Y-%m} closed by a Wednesday" if is_closed_by_a_wednesday(month) else None


@dg.sensor(
    name="second_look",
    job_name=jobs.MONTHLY_CENSUS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=3600,
    description=(
        "Makes a month that was read from the live Hub once more, two to three days after its close, where counters "
        "were frozen or rolled back at it, or it lies by a Wednesday: popular counters are read again."
    ),
)
def second_look(context: dg.SensorEvaluationContext, lake: LakeResource) -> dg.RunRequest | dg.SkipReason:
    """One run a month at most."""
    now = datetime.now(UTC)
    reason = reason_to_look_again(lake.store(), now)
    if reason is None:
        return dg.SkipReason("no month of the live Hub is to be read again now")
    month = previous_month(now.date().replace(day=1)).isoformat()
    context.log.info(reason)
    return dg.RunRequest(
        run_key=f"second look {month}",
        partition_key=month,
        run_config={"resources": {"snapshot_source": {"config": {"source": LIVE}}}},
    )
