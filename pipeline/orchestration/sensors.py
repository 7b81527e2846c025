"""What tells people of a failed run, of a warning, and of what stays wrong."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta

import dagster as dg

from pipeline import settings
from pipeline.checks.evaluations import passed_before
from pipeline.lake.store import Lake
from pipeline.months import previous_month
from pipeline.orchestration.alerts import Alert, AlertsResource
from pipeline.orchestration.resources import LakeResource
from pipeline.orchestration.runs import latest_runs, month_of_run, report_of
from pipeline.publish.manifest import MONTH_MANIFEST, manifest_rows
from pipeline.synthetic import is_synthetic

WILL_BE_RETRIED = "dagster/will_retry"
GRACE = timedelta(hours=24)
"""How long after its close a month may take to be finished."""
REMINDER = timedelta(days=7)


# Sensors of runs are given several in one tick, and return nothing: a reason to skip one of them beside what came of
# another is an error to Dagster, which then goes through all of them again at every tick.
@dg.run_failure_sensor(
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Tells people of a run that failed for good: which steps and blocking checks, why, and where to look.",
)
def failed_run_alert(context: dg.RunFailureSensorContext, alerts: AlertsResource) -> None:
    """One alert a failed run; none for a run that Dagster will start again."""
    run = context.dagster_run
    if run.tags.get(WILL_BE_RETRIED) == "true":
        context.log.info(f"run {run.run_id} will be retried")
        return
    report = report_of(context.instance, run.run_id)
    blocking = [f"failed check {check}" for check in report.failed_checks if check.severity == "ERROR"]
    lines = [*blocking, *report.failures] or [context.failure_event.message or "the run's process ended"]
    alerts.deliver(Alert(f"Open Model Census: {_name(run)} failed", lines, _run_page(run.run_id)), context.log)


@dg.run_status_sensor(
    run_status=dg.DagsterRunStatus.SUCCESS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Tells people once of checks that warn in a run that succeeded; not again while they go on warning.",
)
def failed_check_alert(context: dg.RunStatusSensorContext, alerts: AlertsResource) -> None:
    """One alert a run, naming the checks that did not warn the last time they looked at the same month."""
    run = context.dagster_run
    news = [
        failed
        for failed in report_of(context.instance, run.run_id).failed_checks
        if passed_before(context.instance, failed.key, month_of_run(run), run.run_id)
    ]
    if not news:
        context.log.info("no check warns that did not warn before")
        return
    title = f"Open Model Census: {_name(run)} succeeded with {len(news)} new warning{'s' * (len(news) > 1)}"
    alerts.deliver(Alert(title, [str(check) for check in news], _run_page(run.run_id)), context.log)


@dg.sensor(
    minimum_interval_seconds=3600,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=(
        "Tells people of a month that closed a day ago and is not finished, and every week of all that still stands: "
        "missing months and months whose latest run failed."
    ),
)
def standing_failures_alert(
    context: dg.SensorEvaluationContext, alerts: AlertsResource, lake: LakeResource
) -> dg.SkipReason:
    """At most one alert an evaluation; the cursor holds what was told, and when."""
    now = datetime.now(UTC)
    problems = standing_problems(context.instance, lake.store(), now)
    told = Told.read(context.cursor, now)
    context.update_cursor(told.after(problems, now).written())
    if not told.is_due(problems, now):
        return dg.SkipReason(f"nothing new: {len(problems)} known problems")
    title = f"Open Model Census: {len(problems)} standing problem{'s' * (len(problems) > 1)}"
    alerts.deliver(Alert(title, list(problems.values()), f"{settings.ui_url()}/runs"), context.log)
    return dg.SkipReason(title)


def standing_problems(instance: dg.DagsterInstance, lake: Lake, now: datetime) -> dict[str, str]:
    """What is wrong now: a sentence for the month that should be there, and one for each whose latest run failed.

    The synthetic sample has no clock: a lake that holds nothing else misses no month.
    """
    problems = {}
    due = previous_month((now - GRACE).date().replace(day=1))
    if _is_of_the_real_hub(lake) and not lake.holds(MONTH_MANIFEST, due):
        problems[f"missing {due}"] = (
            f"{due:%Y-%m} has closed and is not finished: run it from source hub while its tolerance lasts, "
            "afterwards from hub_stats"
        )
    for month, run in sorted(latest_runs(instance).items()):
        if run.status == dg.DagsterRunStatus.FAILURE:
            problems[f"failed {month}"] = f"{month:%Y-%m}: the latest run failed, see {_run_page(run.run_id)}"
    return problems


def _is_of_the_real_hub(lake: Lake) -> bool:
    finished = lake.months(MONTH_MANIFEST)
    return bool(finished) and not is_synthetic(manifest_rows(lake, finished[-1])["source"][0])


@dataclass(frozen=True)
class Told:
    """Which missing months people know of, and when they were last reminded of all that stands."""

    missing: tuple[str, ...]
    reminded_at: str

    @staticmethod
    def read(cursor: str | None, now: datetime) -> Told:
        """What the cursor holds; before the first evaluation nobody was told anything."""
        if not cursor:
            return Told((), now.isoformat())
        stored = json.loads(cursor)
        return Told(tuple(stored["missing"]), stored["reminded_at"])

    def written(self) -> str:
        """As a cursor."""
        return json.dumps(asdict(self))

    def is_due(self, problems: Mapping[str, str], now: datetime) -> bool:
        """Whether a month went missing since, or a week has passed with something wrong."""
        return bool(_missing(problems) - set(self.missing)) or (bool(problems) and self._week_has_passed(now))

    def after(self, problems: Mapping[str, str], now: datetime) -> Told:
        """What people know after this evaluation; a month that came back is news when it goes missing again."""
        reminded = now.isoformat() if self._week_has_passed(now) else self.reminded_at
        return replace(self, missing=tuple(sorted(_missing(problems))), reminded_at=reminded)

    def _week_has_passed(self, now: datetime) -> bool:
        return now - datetime.fromisoformat(self.reminded_at) >= REMINDER


def _missing(problems: Mapping[str, str]) -> set[str]:
    return {key for key in problems if key.startswith("missing")}


def _name(run: dg.DagsterRun) -> str:
    month = month_of_run(run)
    return f"{run.job_name} of {month:%Y-%m}" if month else run.job_name


def _run_page(run_id: str) -> str:
    return f"{settings.ui_url()}/runs/{run_id}"


ALERTS = [failed_run_alert, failed_check_alert, standing_failures_alert]
