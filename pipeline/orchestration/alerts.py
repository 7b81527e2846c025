"""Tells people of a failed run, of a new warning and of what stays wrong: in the log, and by a webhook.

What stays wrong are failed runs, and a month that closed and is not there: a check says so of every mart and published
table that has months. Dagster's own freshness policies look at when an asset was last made, of whatever month.
"""

import json
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import dagster as dg

from pipeline import settings
from pipeline.checks.asset_checks import passed_before
from pipeline.databases import open_published
from pipeline.errors import TemporaryError
from pipeline.lake.store import Lake
from pipeline.months import previous_month
from pipeline.orchestration.resources import LakeResource
from pipeline.orchestration.runs import latest_runs, month_of_run, report_of
from pipeline.publish.manifest import MONTH_MANIFEST, source_of
from pipeline.publish.warehouse import FILE_NAME
from pipeline.schema.catalogue import Catalogue
from pipeline.synthetic import is_synthetic
from pipeline.wording import counted

MOST_LINES = 12
ATTEMPTS = 3
SECONDS_TO_ANSWER = 10
REMINDER = timedelta(days=7)
LATEST_MONTH = "latest_month_is_there"


def tell(log: logging.Logger, title: str, lines: Sequence[str], link: str) -> None:
    """Logs what happened, the particulars in order of weight, long lists cut short, and where to look.

    The same is posted to `CENSUS_ALERT_WEBHOOK`, where that is set.

    Raises:
        TemporaryError: it was logged, but did not reach the webhook.
    """
    shown = [f"- {line}" for line in lines[:MOST_LINES]]
    if (hidden := len(lines) - MOST_LINES) > 0:
        shown.append(f"- and {hidden} more")
    alert = "\n".join([title, *shown, link])
    log.error(alert)
    if url := settings.alert_webhook():
        post(alert, url)


def post(alert: str, url: str, pause_seconds: float = 1.0) -> None:
    """Posts the alert to an address that takes Slack's form of a message, `{"text": ...}`; the address is a secret.

    A busy or absent receiver is tried again, redirects are not followed.

    Raises:
        TemporaryError: no attempt was answered with success.
    """
    import httpx2  # noqa: PLC0415 - loaded where there is something to tell

    # Nothing in it may be taken by a chat for a mention or a link of its own.
    inert = alert.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    reason = ""
    for attempt in range(ATTEMPTS):
        time.sleep(attempt * pause_seconds)
        try:
            answer = httpx2.post(url, json={"text": inert}, timeout=SECONDS_TO_ANSWER, follow_redirects=False)
        except httpx2.HTTPError as error:
            reason = type(error).__name__  # its text would hold the address
            continue
        if answer.is_success:
            return
        reason = f"status {answer.status_code}"
    raise TemporaryError(
        f"the alert {alert.splitlines()[0]!r} did not reach the webhook ({reason}): check CENSUS_ALERT_WEBHOOK"
    )


# Sensors of runs are given several in one tick, and return nothing: a reason to skip one of them beside what came of
# another is an error to Dagster, which then goes through all of them again at every tick.
@dg.run_failure_sensor(
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=(
        "Alerts when a run has failed: which steps and blocking checks, why, and where to look. Retried runs raise no "
        "alert."
    ),
)
def failed_run_alert(context: dg.RunFailureSensorContext) -> None:
    """One alert a failed run; none for a run that Dagster will start again."""
    run = context.dagster_run
    if run.tags.get("dagster/will_retry") == "true":
        context.log.info(f"run {run.run_id} will be retried")
        return
    report = report_of(context.instance, run.run_id)
    blocking = [f"failed check {check}" for check in report.failed_checks if check.severity == "ERROR"]
    lines = [*blocking, *report.failures] or [context.failure_event.message or "the run's process ended"]
    tell(context.log, f"Open Model Census: {_name(run)} failed", lines, _run_page(run.run_id))


@dg.run_status_sensor(
    run_status=dg.DagsterRunStatus.SUCCESS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Alerts once when a check of a successful run starts to warn, and not again while it keeps warning.",
)
def failed_check_alert(context: dg.RunStatusSensorContext) -> None:
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
    title = f"Open Model Census: {_name(run)} succeeded with {counted(len(news), 'new warning')}"
    tell(context.log, title, [str(check) for check in news], _run_page(run.run_id))


@dg.sensor(
    minimum_interval_seconds=3600,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=(
        "Alerts when a month is still unpublished a day after it closed, and every week of all that still stands: "
        "missing months and months whose latest run failed."
    ),
)
def standing_failures_alert(context: dg.SensorEvaluationContext, lake: LakeResource) -> dg.SkipReason:
    """At most one alert an evaluation; the cursor holds what was told, and when."""
    now = datetime.now(UTC)
    problems = standing_problems(context.instance, lake.store(), now)
    is_due, cursor = what_to_tell(context.cursor, problems, now)
    context.update_cursor(cursor)
    if not is_due:
        return dg.SkipReason(f"nothing new: {counted(len(problems), 'known problem')}")
    title = f"Open Model Census: {counted(len(problems), 'standing problem')}"
    tell(context.log, title, list(problems.values()), f"{settings.ui_url()}/runs")
    return dg.SkipReason(title)


def standing_problems(instance: dg.DagsterInstance, lake: Lake, now: datetime) -> dict[str, str]:
    """What is wrong now: a sentence for the month that should be there, and one for each whose latest run failed.

    The synthetic sample has no clock: a lake that holds nothing else misses no month.
    """
    problems = {}
    due = month_due(now)
    if is_of_the_real_hub(lake) and not lake.holds(MONTH_MANIFEST, due):
        problems[f"missing {due}"] = (
            f"{due:%Y-%m} has closed and is not finished: run it from source hub while its tolerance lasts, "
            "afterwards from hub_stats"
        )
    for month, run in sorted(latest_runs(instance).items()):
        if run.status == dg.DagsterRunStatus.FAILURE:
            problems[f"failed {month}"] = f"{month:%Y-%m}: the latest run failed, see {_run_page(run.run_id)}"
    return problems


def what_to_tell(cursor: str | None, problems: Mapping[str, str], now: datetime) -> tuple[bool, str]:
    """Whether people are to be told now of what is wrong, and the cursor that keeps what they know.

    They are where a month went missing since, or a week has passed with something wrong. A month that came back is news
    when it goes missing again; before the first evaluation nobody was told anything.
    """
    known: dict[str, Any] = json.loads(cursor) if cursor else {"missing": [], "reminded_at": now.isoformat()}
    missing = sorted(key for key in problems if key.startswith("missing"))
    a_week_has_passed = now - datetime.fromisoformat(known["reminded_at"]) >= REMINDER
    is_due = not set(missing) <= set(known["missing"]) or (bool(problems) and a_week_has_passed)
    reminded_at = now.isoformat() if a_week_has_passed else known["reminded_at"]
    return is_due, json.dumps({"missing": missing, "reminded_at": reminded_at})


def _name(run: dg.DagsterRun) -> str:
    month = month_of_run(run)
    return f"{run.job_name} of {month:%Y-%m}" if month else run.job_name


def _run_page(run_id: str) -> str:
    return f"{settings.ui_url()}/runs/{run_id}"


def month_due(now: datetime) -> date:
    """The last month that should be published, for which it may take a day."""
    return previous_month((now - timedelta(days=1)).date().replace(day=1))


def is_of_the_real_hub(lake: Lake) -> bool:
    """Whether the lake's months were measured: the synthetic sample has no clock, and misses no month."""
    finished = lake.months(MONTH_MANIFEST)
    return bool(finished) and not is_synthetic(source_of(lake, finished[-1]))


def freshness(catalogue: Catalogue) -> dg.AssetChecksDefinition:
    """A warning on each mart and published table that lacks the month which closed last."""
    published = [name for name, found in catalogue.published.items() if "month" in found.table.schema]
    marts = {dg.AssetKey([table.group, table.name]): table for table in catalogue.monthly if table.group == "shares"}
    keys = [*marts, *(dg.AssetKey(["published", "tables", name]) for name in published)]

    @dg.multi_asset_check(
        name="latest_months",
        specs=[
            dg.AssetCheckSpec(
                LATEST_MONTH,
                asset=key,
                description="Warns when the last month is missing a day after it closed. The sample has no clock.",
            )
            for key in keys
        ],
        can_subset=True,
    )
    def check_freshness(context: dg.AssetCheckExecutionContext, lake: LakeResource) -> Iterator[dg.AssetCheckResult]:
        store, due = lake.store(), month_due(datetime.now(UTC))
        has_a_clock = is_of_the_real_hub(store)
        chosen = {key.asset_key for key in context.selected_asset_check_keys}
        with open_published(settings.published_folder() / FILE_NAME) as warehouse:
            for key in (key for key in keys if key in chosen):
                if key in marts:
                    latest = max(store.months(marts[key]), default=None)
                else:
                    [(latest,)] = warehouse.execute(f"select max(month) from {key.path[-1]}").fetchall()  # noqa: S608 - our names
                yield dg.AssetCheckResult(
                    asset_key=key,
                    check_name=LATEST_MONTH,
                    passed=not has_a_clock or (latest is not None and latest >= due),
                    severity=dg.AssetCheckSeverity.WARN,
                    metadata={
                        "expected": f"{due:%Y-%m} or later" if has_a_clock else "no month: the sample has no clock",
                        "observed": f"{latest:%Y-%m}" if latest else "no month",
                    },
                )

    return check_freshness


ALERTS = [failed_run_alert, failed_check_alert, standing_failures_alert]
