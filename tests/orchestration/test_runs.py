"""A run whose process was killed holds up nobody: it is ended, and its place in a pool is given back."""

import subprocess
import sys

import dagster as dg
import pytest

from pipeline.orchestration.runs import end_abandoned_runs, held

WORKING = """
import sys, time
import dagster as dg
from pipeline.orchestration.runs import held
run_id = sys.argv[1]
with dg.DagsterInstance.get() as instance, held(run_id):
    instance.event_log_storage.claim_concurrency_slot("hub_api", run_id, "step")
    print("working", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def run(instance):
    instance.event_log_storage.initialize_concurrency_limit_to_default("hub_api")

    @dg.job
    def month():
        pass

    return instance.create_run_for_job(month, status=dg.DagsterRunStatus.STARTED)


@pytest.fixture
def working(instance, run):
    """A process that works on the run and holds the pool's only place."""
    process = subprocess.Popen([sys.executable, "-c", WORKING, run.run_id], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "working\n"
    yield process
    process.kill()
    process.wait()


def places_held(instance):
    return instance.event_log_storage.get_concurrency_info("hub_api").active_slot_count


def test_a_killed_run_is_ended_and_gives_its_place_back(instance, run, working):
    working.kill()
    working.wait()
    assert places_held(instance) == 1
    assert end_abandoned_runs(instance) == [run.run_id]
    assert places_held(instance) == 0
    assert instance.get_run_by_id(run.run_id).status == dg.DagsterRunStatus.FAILURE
    assert end_abandoned_runs(instance) == []


def test_a_run_that_is_being_worked_on_is_left_alone(instance, run, working):
    assert end_abandoned_runs(instance) == []
    assert places_held(instance) == 1
    assert instance.get_run_by_id(run.run_id).status == dg.DagsterRunStatus.STARTED


def test_a_run_that_ended_by_itself_leaves_nothing_behind(run, home):
    with held(run.run_id):
        pass
    assert not list(home.rglob("*.lock"))
