"""How declared checks behave as Dagster's asset checks; also holds what we rely on in Dagster's preview of them."""

import os
import subprocess
import sys
from dataclasses import replace
from datetime import date
from uuid import uuid4

import dagster as dg
import polars as pl
import pytest

from pipeline.checks.asset_checks import build_asset_checks, changes_judged_again
from pipeline.checks.rules import none_where
from pipeline.lake.store import Lake
from pipeline.orchestration.resources import LakeResource
from pipeline.orchestration.runs import report_from
from pipeline.schema.declaration import Column, Measure, Rule
from tests.checks.scenario import MODEL_ID, models_table

MONTHS = dg.MonthlyPartitionsDefinition(start_date="2024-08-01")
MONTH = date(2024, 8, 1)


def lake_in_memory():
    return LakeResource(url=f"memory://{uuid4()}")


def a_table(name, *statements, fewest_likes=None, **more):
    """A table of models that all state their likes."""
    columns = MODEL_ID, Column("likes", pl.Int64, "Likes.", minimum=fewest_likes)
    return replace(models_table(*statements, columns=columns, name=name, may_be_empty=False), **more)


def mean_likes(frames):
    return frames.scan("listings/models").select(pl.col("likes").mean())


FEW_LIKES = none_where("listings/models", "liked", "Every model has a like.", pl.col("likes") < 5, "warning")


def writes(table, lake, likes, made):
    partitions = MONTHS if table.monthly else None

    @dg.asset(key=table.path.split("/"), partitions_def=partitions, name=None)
    def write():
        made.append(table.name)
        if likes is None:
            raise RuntimeError("the asset fails")
        month = MONTH if table.monthly else None
        lake.store().write(table, month, pl.LazyFrame({"model_id": ["a"], "likes": [likes]}, schema=table.schema))

    return write


def follows(table, made):
    @dg.asset(key=["listings", "downstream"], deps=[table.path.split("/")], partitions_def=MONTHS)
    def downstream():
        made.append("downstream")

    return downstream


def materialize(lake, assets, checks, selection=None, thresholds=None):
    job = dg.Definitions(
        assets=assets,
        asset_checks=checks,
        resources={"lake": lake, "check_thresholds": thresholds or {}},
        jobs=[dg.define_asset_job("all", selection)],
    ).resolve_job_def("all")
    return job.execute_in_process(partition_key="2024-08-01", raise_on_error=False)


def run(table, likes, *others, thresholds=None):
    lake, made = lake_in_memory(), []
    tables = {one.path: one for one in (table, *(other for other, _ in others))}
    assets = [writes(table, lake, likes, made), follows(table, made)]
    assets += [writes(other, lake, other_likes, made) for other, other_likes in others]
    checks = build_asset_checks(table, MONTHS, tables)
    result = materialize(lake, assets, [checks], thresholds=thresholds)
    return result, made, {one.check_name: one for one in result.get_asset_check_evaluations()}


def test_a_critical_failure_shows_why():
    failure = run(a_table("models", fewest_likes=5), 1)[2]["as_declared"]
    assert failure.severity == dg.AssetCheckSeverity.ERROR
    assert failure.metadata["expected"].value == "there is at least one row, columns and key are as declared"
    assert failure.metadata["observed"].value == "1 of 1 row failed (likes is at least 5: 1)"
    assert (failure.metadata["rows"].value, failure.metadata["failed_rows"].value) == (1, 1)
    assert failure.metadata["samples"].records == [
        dg.TableRecord({"model_id": "a", "must hold": "likes is at least 5", "value": "1"})
    ]
    assert failure.metadata["columns"].records == [
        dg.TableRecord({"column": column, "constraint": constraint, "rows": 1, "failed": failed})
        for column, constraint, failed in (
            ("model_id", "occurs once", 0),
            ("model_id", "is in order", 0),
            ("model_id", "is present", 0),
            ("likes", "is present", 0),
            ("likes", "is at least 5", 1),
        )
    ]


def test_one_line_says_how_many_checks_of_a_table_failed_and_which(capfd):
    run(a_table("models", FEW_LIKES), 1)
    assert "listings/models of 2024-08: 2 checks, 1 failed (liked)" in capfd.readouterr().err


def test_a_run_stopped_by_a_check_says_in_one_sentence_which_and_what_to_do():
    result, _, _ = run(a_table("models", fewest_likes=5), 1)
    [said] = report_from(result.all_events).failures
    assert said == (
        "listings__models__checks: blocking checks failed (listings/models: as_declared): put the cause right and "
        "run the month again, `census checks` shows what they found"
    )


def test_a_run_that_fails_outside_of_its_steps_says_why():
    @dg.resource
    def away(_):
        raise RuntimeError("nobody answers")

    @dg.asset(required_resource_keys={"away"})
    def needy():
        pass

    result = dg.materialize([needy], resources={"away": away}, raise_on_error=False)
    [said] = report_from(result.all_events).failures
    assert said == "the run ended between its steps (RuntimeError: nobody answers): run it again"


def test_a_check_whose_threshold_was_set_is_judged_by_it_and_states_what_was_declared():
    liked, mean = replace(FEW_LIKES, allowed=2), Measure("mean", "Mean", mean_likes, minimum=1, severity="warning")
    table = a_table("models", liked, mean)
    _, _, declared = run(table, 0)
    _, _, chosen = run(table, 0, thresholds={"listings/models": {"liked": 1, "mean": 0}})
    _, _, other = run(table, 0, thresholds={"listings/models": {"mean": 2}})
    assert (declared["mean"].passed, chosen["mean"].passed, other["mean"].passed) == (False, True, False)
    for found in (declared["mean"], declared["liked"], chosen["as_declared"], other["liked"]):
        assert "declared" not in found.metadata
        assert "(declared" not in found.description
    assert chosen["liked"].metadata["expected"].value == "Every model has a like (1 row may fail)"
    assert chosen["liked"].metadata["declared"].value == "Every model has a like (2 rows may fail)"
    assert "(declared: Every model has a like (2 rows may fail))" in chosen["liked"].description
    for found in (chosen["mean"], other["mean"]):
        assert found.metadata["declared"].value == "Mean: must be at least 1"
        assert "(declared: Mean: must be at least 1)" in found.description


KEPT = Rule(
    "kept",
    "No model has vanished.",
    lambda frames: frames.scan_previous("listings/models").join(frames.scan("listings/models"), "model_id", "anti"),
    severity="warning",
)


def test_a_check_that_is_not_judged_says_so_and_stops_nothing():
    result, made, evaluations = run(a_table("models", KEPT), 1)
    assert result.success
    assert "downstream" in made
    assert evaluations["kept"].passed
    assert evaluations["kept"].metadata["judged"].value is False
    assert evaluations["kept"].metadata["observed"].value == "not evaluated: 2024-07 is not in the lake"
    assert evaluations["as_declared"].metadata["judged"].value is True


def judged_when_published(instance, lake, months, thresholds):
    """The evaluations that a run which publishes these months keeps of them."""
    tables = {f"listings/{name}": a_table(name, *rules) for name, rules in (("models", [KEPT]), ("others", []))}

    @dg.asset
    def publication(context):
        for evaluation in changes_judged_again(lake, tables, months, thresholds, context.instance):
            context.log_event(evaluation)

    events = dg.materialize([publication], instance=instance).all_events
    kinds = dg.DagsterEventType.ASSET_CHECK_EVALUATION
    return [event.asset_check_evaluation_data for event in events if event.event_type == kinds]


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as made:
        yield made


@pytest.fixture(params=[1, 0], ids=["after", "in the same moment as"])
def lake_of_three_months(tmp_path, request):
    """September was not made after August, so that it had no month before when it was made."""
    lake, table = Lake(str(tmp_path)), a_table("models", KEPT)
    for seconds, month, name in ((0, 7, "stays"), (2, 9, "here"), (2 + request.param, 8, "gone")):
        lake.write(table, date(2024, month, 1), pl.DataFrame({"model_id": [name], "likes": [1]}))
        os.utime(lake.path(table, date(2024, month, 1)), (1e9 + seconds, 1e9 + seconds))
    return lake


@pytest.mark.parametrize(("thresholds", "passes"), [({}, False), ({"listings/models": {"kept": 1}}, True)])
def test_a_month_that_was_made_before_the_one_before_it_is_judged_when_it_is_published(
    instance, lake_of_three_months, thresholds, passes
):
    months = [date(2024, month, 1) for month in (7, 8, 9)]
    [judged] = judged_when_published(instance, lake_of_three_months, months, thresholds)
    assert (judged.asset_check_key.name, judged.partition, judged.passed) == ("kept", "2024-09-01", passes)
    assert (judged.metadata["judged"].value, judged.severity) == (True, dg.AssetCheckSeverity.WARN)
    assert not judged.blocking


def test_what_was_judged_is_judged_again_only_once_the_month_before_has_changed(instance, lake_of_three_months):
    months = [date(2024, month, 1) for month in (8, 9)]
    assert len(judged_when_published(instance, lake_of_three_months, months, {})) == 1
    assert judged_when_published(instance, lake_of_three_months, months, {}) == []
    table = a_table("models", KEPT)
    lake_of_three_months.write(table, months[0], pl.DataFrame({"model_id": ["here"], "likes": [1]}))
    [judged] = judged_when_published(instance, lake_of_three_months, months, {})
    assert judged.passed


COVERED = Rule(
    "covered",
    "Every other is a model.",
    lambda frames: frames.scan("listings/others").join(frames.scan("listings/models"), on="model_id", how="anti"),
)


SOUND = a_table("models", fewest_likes=1)
COURSES = {
    "sound": (SOUND, 1, (), ["downstream", "models"], set()),
    "a critical failure": (a_table("models", fewest_likes=5), 1, (), ["models"], {"as_declared"}),
    "a warning": (a_table("models", FEW_LIKES), 1, (), ["downstream", "models"], {"liked"}),
    "an asset that fails": (SOUND, None, (), ["models"], None),
    "a rule over another table": (a_table("models", COVERED), 1, (1,), ["downstream", "models", "others"], set()),
    "a rule over a table that fails": (a_table("models", COVERED), 1, (None,), ["models", "others"], None),
}
"""A table and its likes, those of another table, then what is made, and which checks fail; None where none is made."""


@pytest.mark.parametrize("course", COURSES)
def test_what_is_critical_stops_what_is_downstream_and_checks_wait_for_what_they_look_at(course):
    table, likes, others, made_in_the_end, failed = COURSES[course]
    result, made, evaluations = run(table, likes, *((a_table("others"), one) for one in others))
    assert result.success == ("downstream" in made_in_the_end)
    assert sorted(made) == made_in_the_end
    assert {one.partition for one in evaluations.values()} == (set() if failed is None else {"2024-08-01"})
    assert {name for name, one in evaluations.items() if not one.passed} == (failed or set())


def test_a_rule_over_a_table_that_the_lake_lacks_fails_by_itself():
    table = a_table("models", COVERED)
    lake, made = lake_in_memory(), []
    others = {"listings/others": a_table("others")}
    checks = build_asset_checks(table, MONTHS, others)
    result = materialize(lake, [writes(table, lake, 1, made)], [checks])
    failures = [one for one in result.get_asset_check_evaluations() if not one.passed]
    assert [one.check_name for one in failures] == ["covered"]
    assert "no listings/others for 2024-08" in failures[0].metadata["error"].value


def test_a_single_check_can_be_selected():
    table = a_table("models", FEW_LIKES)
    lake, made = lake_in_memory(), []
    key = dg.AssetKey(["listings", "models"])
    checks = build_asset_checks(table, MONTHS, {})
    one = dg.AssetSelection.checks(dg.AssetCheckKey(key, "as_declared"))
    selection = dg.AssetSelection.assets(key).without_checks() | one
    result = materialize(lake, [writes(table, lake, 1, made)], [checks], selection)
    assert [found.check_name for found in result.get_asset_check_evaluations()] == ["as_declared"]


def test_a_table_without_months_is_checked_whole():
    table = a_table("registry", monthly=False)
    lake, made = lake_in_memory(), []
    checks = build_asset_checks(table, MONTHS, {})
    result = dg.materialize(
        [writes(table, lake, 1, made), checks],
        resources={"lake": lake, "check_thresholds": {}},
    )
    evaluations = result.get_asset_check_evaluations()
    assert len(evaluations) == len(list(checks.check_specs))
    assert all(one.passed for one in evaluations)


def test_checks_print_nothing_and_import_on_no_thread_but_the_one_that_runs_them():
    script = """
import sys
import threading

class Importing:
    threads = set()

    def find_spec(self, *_):
        self.threads.add(threading.current_thread().name)

sys.meta_path.insert(0, Importing())
from tests.checks.scenario import checked, models, models_table
assert checked(models_table(), models(model_id=["a", "a"], likes=[1, 1])).failed_rows == 2
print("checked", file=sys.stderr)
from tests.checks.test_asset_checks import a_table, run
result, _, _ = run(a_table("models"), 1)
assert result.success and "great_expectations" in sys.modules
print(Importing.threads)
"""
    finished = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (finished.returncode, finished.stdout.strip()) == (0, "{'MainThread'}"), finished.stderr
    assert finished.stderr.startswith("checked\n")
