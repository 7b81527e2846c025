"""Bad news reaches people: once, in words, over a real webhook, and never with the secret address in it."""

import json
import logging
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from uuid import UUID

import dagster as dg
import polars as pl
import pytest

from pipeline.checks.asset_checks import last_evaluations
from pipeline.errors import TemporaryError
from pipeline.lake.store import Lake
from pipeline.orchestration.alerts import (
    REMINDER,
    failed_check_alert,
    failed_run_alert,
    post,
    standing_problems,
    tell,
    what_to_tell,
)
from pipeline.orchestration.jobs import MONTHLY_CENSUS
from pipeline.orchestration.partitions import MONTHS
from pipeline.publish.manifest import MONTH_MANIFEST
from tests.mirror import answering, saying

MONTH = "2025-03-01"
NOW = datetime(2025, 5, 10, tzinfo=UTC)


@contextmanager
def receiving(*statuses):
    """A chat's incoming webhook on loopback: what it got, and how it answers: the statuses in turn, then 200."""
    texts, left = [], list(statuses)

    def answer_to(request):
        status = left.pop(0) if left else 200
        if status == 200:
            texts.append(json.loads(request.body)["text"])
        return saying(status=status).with_header("Location", "/elsewhere")

    with answering(answer_to) as address:
        yield SimpleNamespace(texts=texts, url=f"{address}/secret-path")


@pytest.fixture
def receiver(monkeypatch):
    with receiving() as running:
        monkeypatch.setenv("CENSUS_ALERT_WEBHOOK", running.url)
        monkeypatch.setenv("CENSUS_UI_URL", "http://census.example")
        yield running


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def month_run(instance, *, step_fails=False, warning=True, error=True, tags=None, run_id=None):
    """A real run of a one-asset `monthly_census` whose step and checks end as told, for 2025-03."""

    @dg.asset(name="listing", partitions_def=MONTHS)
    def listing():
        if step_fails:
            raise dg.Failure("the Hub is away: try again tomorrow", allow_retries=False)

    @dg.asset_check(asset=listing, name="drift", partitions_def=MONTHS)
    def drift():
        return checked("drift", warning, dg.AssetCheckSeverity.WARN)

    @dg.asset_check(asset=listing, name="keys", blocking=True, partitions_def=MONTHS)
    def keys():
        return checked("keys", error, dg.AssetCheckSeverity.ERROR)

    def checked(_, passed, severity):
        return dg.AssetCheckResult(
            passed=passed, severity=severity, metadata={"expected": "at most 2", "observed": "<!channel> 5"}
        )

    defs = dg.Definitions(
        assets=[listing],
        asset_checks=[drift, keys],
        jobs=[dg.define_asset_job(MONTHLY_CENSUS, dg.AssetSelection.all())],
        executor=dg.in_process_executor,
    )
    return defs.resolve_job_def(MONTHLY_CENSUS).execute_in_process(
        instance=instance, partition_key=MONTH, raise_on_error=False, tags=tags, run_id=run_id
    )


def sensed(sensor, instance, result):
    """What the sensor does about the run that has just ended."""
    wanted = (
        dg.DagsterEventType.RUN_SUCCESS if sensor.name == failed_check_alert.name else dg.DagsterEventType.RUN_FAILURE
    )
    context = dg.build_run_status_sensor_context(
        sensor_name=sensor.name,
        dagster_event=next(event for event in result.all_events if event.event_type == wanted),
        dagster_instance=instance,
        dagster_run=instance.get_run_by_id(result.run_id),
    )
    return sensor(context.for_run_failure() if sensor is failed_run_alert else context)


def test_a_failed_run_is_told_once_with_its_reason_and_where_to_look(instance, receiver):
    result = month_run(instance, step_fails=True)
    sensed(failed_run_alert, instance, result)
    (text,) = receiver.texts
    assert text.splitlines()[0] == "Open Model Census: monthly_census of 2025-03 failed"
    assert "listing: the Hub is away: try again tomorrow" in text
    assert text.endswith(f"http://census.example/runs/{result.run_id}")


def test_a_failed_blocking_check_is_named_first_and_untrusted_input_is_inert(instance, receiver):
    sensed(failed_run_alert, instance, month_run(instance, error=False))
    (text,) = receiver.texts
    assert text.splitlines()[1] == "- failed check ERROR listing keys: expected at most 2, found &lt;!channel&gt; 5"
    assert ": blocking checks failed (listing: keys): put the cause right" in text.splitlines()[2]


def test_a_run_that_dagster_starts_again_is_not_told(instance, receiver):
    retried = month_run(instance, step_fails=True, tags={"dagster/will_retry": "true"})
    sensed(failed_run_alert, instance, retried)
    assert receiver.texts == []


@pytest.mark.parametrize(("runs", "told"), [((True,), 0), ((False, False), 1), ((False, True, False), 2)])
def test_a_warning_in_a_green_run_reaches_people_once_and_again_when_it_comes_back(instance, receiver, runs, told):
    for passed in runs:
        sensed(failed_check_alert, instance, month_run(instance, warning=passed))
    assert len(receiver.texts) == told
    for text in receiver.texts:
        assert text.splitlines()[0] == "Open Model Census: monthly_census of 2025-03 succeeded with 1 new warning"
        assert "WARN listing drift" in text


def test_a_check_that_a_failed_run_did_not_come_to_keeps_what_it_found_before(instance):
    drift = dg.AssetCheckKey(dg.AssetKey("listing"), "drift")
    assert last_evaluations(instance, [drift], date(2025, 3, 1)) == {}
    month_run(instance, step_fails=True)
    assert last_evaluations(instance, [drift], date(2025, 3, 1)) == {}
    month_run(instance, warning=False)
    month_run(instance, step_fails=True)
    assert not last_evaluations(instance, [drift], date(2025, 3, 1))[drift].passed
    assert last_evaluations(instance, [drift], date(2025, 4, 1)) == {}


def test_runs_that_ended_between_two_looks_are_told_once_each_and_the_green_ones_not(instance, receiver):
    def look(cursor):
        context = dg.build_sensor_context(instance, cursor)
        return failed_check_alert.evaluate_tick(context).cursor

    cursor = look(None)
    # Their names are in no order in time.
    for name, passed in (("7", False), ("2", False), ("8", True), ("5", False), ("6", False), ("4", True)):
        month_run(instance, warning=passed, run_id=str(UUID(name * 32)))
    cursor = look(cursor)
    assert len(receiver.texts) == 2
    look(cursor)
    assert len(receiver.texts) == 2


def test_without_a_webhook_alerts_are_logged_and_long_ones_cut_with_a_count_of_what_is_hidden(monkeypatch, caplog):
    monkeypatch.delenv("CENSUS_ALERT_WEBHOOK", raising=False)
    with caplog.at_level(logging.ERROR):
        tell(logging.getLogger("alerts"), "news", [str(number) for number in range(20)], "http://census.example")
    assert "news\n- 0\n- 1\n" in caplog.text
    assert "\n- 11\n- and 8 more\nhttp://census.example" in caplog.text


def test_a_busy_receiver_is_tried_again():
    with receiving(503, 429) as receiver:
        post("news\nhere", receiver.url, pause_seconds=0)
    assert receiver.texts == ["news\nhere"]


@pytest.mark.parametrize("status", [500, 404, 302, None])
def test_an_alert_that_cannot_be_delivered_is_an_error_without_the_secret_address(status):
    with receiving(status, status, status) as receiver, pytest.raises(TemporaryError) as caught:
        post("news\nhere", receiver.url if status else "http://127.0.0.1:9/secret-path", pause_seconds=0)
    assert f"status {status}" in str(caught.value) or status is None
    assert "secret-path" not in str(caught.value)
    assert receiver.texts == []


def finished_lake(tmp_path, *months, source="hub"):
    lake = Lake(str(tmp_path / "lake"))
    for month in months:
        manifest = pl.DataFrame({name: [None] for name in MONTH_MANIFEST.schema}).with_columns(
            pl.lit(month).alias("month"), pl.lit(source).alias("source")
        )
        lake.write(MONTH_MANIFEST, month, manifest)
    return lake


@pytest.mark.parametrize(
    ("months", "source", "now", "missing"),
    [
        ((date(2025, 3, 1),), "hub", NOW, ["2025-04-01"]),
        ((date(2025, 3, 1),), "sample", NOW, []),
        ((date(2025, 3, 1),), "hub", datetime(2025, 5, 1, 20, tzinfo=UTC), []),
        ((date(2025, 3, 1),), "hub", datetime(2025, 4, 30, tzinfo=UTC), []),
        ((), "hub", NOW, []),
    ],
    ids=["closed", "the sample has no clock", "within a day of the close", "before the close", "an empty lake"],
)
def test_a_month_that_closed_and_is_not_finished_is_a_standing_problem(
    instance, tmp_path, months, source, now, missing
):
    problems = standing_problems(instance, finished_lake(tmp_path, *months, source=source), now)
    assert list(problems) == [f"missing {month}" for month in missing]
    assert all(said.startswith("2025-04 has closed and is not finished") for said in problems.values())


def test_a_month_whose_latest_run_failed_stands_until_a_run_succeeds(instance, tmp_path):
    lake = finished_lake(tmp_path)
    month_run(instance, step_fails=True)
    assert list(standing_problems(instance, lake, NOW)) == [f"failed {MONTH}"]
    month_run(instance)
    assert standing_problems(instance, lake, NOW) == {}


def test_people_are_told_of_a_missing_month_at_once_and_of_what_stands_every_week():
    missing, failed = {"missing 2025-04-01": "..."}, {"failed 2025-03-01": "..."}
    later = NOW + REMINDER
    assert not what_to_tell(None, failed, NOW)[0], "the failed run was told when it failed"
    is_due, cursor = what_to_tell(None, missing, NOW)
    assert is_due
    assert not what_to_tell(cursor, missing, NOW + timedelta(hours=1))[0]
    is_due, cursor = what_to_tell(cursor, missing | failed, later)
    assert is_due
    assert not what_to_tell(cursor, missing | failed, later + timedelta(days=1))[0]
    assert not what_to_tell(cursor, {}, NOW + 3 * REMINDER)[0]
