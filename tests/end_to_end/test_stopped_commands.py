"""A command that is stopped, or killed, leaves no process, no run that never ends and no place in a pool."""

import os
import signal
import subprocess
import time

import dagster as dg
import psutil
import pytest

from pipeline.orchestration.table_assets import HEAVY_POOL, HUB_POOL

MONTH = "2025-03"
SECONDS_FOR_THE_DAEMON = 120


@pytest.fixture
def home(sample, tmp_path):
    """An empty home whose sample need not be made again."""
    made = tmp_path / "home"
    made.mkdir()
    (made / "cache").symlink_to(sample[0] / "cache")
    return made


@pytest.fixture
def running(census_path, home):
    """A command that has begun a month, with the processes that it started."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # what is ignored here would be ignored there
    process = subprocess.Popen(
        [census_path, "run", "--from", MONTH, "--to", MONTH],
        env=os.environ | {"CENSUS_HOME": str(home), "DAGSTER_HOME": ""},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    signal.signal(signal.SIGINT, before)
    wait_until(lambda: list(home.glob("lake/listings/*/month=*/part-0.parquet")) or process.poll() is not None, 120)
    yield process, psutil.Process(process.pid).children(recursive=True)
    if process.poll() is None:
        process.kill()
    process.communicate()


def wait_until(condition, seconds):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.1)
    raise TimeoutError(f"it did not come to it within {seconds} s")


def state_of_runs(home, monkeypatch):
    """The status of each run, and how many places in pools are taken."""
    monkeypatch.setenv("DAGSTER_HOME", str(home / "dagster"))
    monkeypatch.setenv("CENSUS_HOME", str(home))
    with dg.DagsterInstance.get() as instance:
        taken = sum(
            instance.event_log_storage.get_concurrency_info(pool).active_slot_count for pool in (HUB_POOL, HEAVY_POOL)
        )
        return [run.status for run in instance.get_runs()], taken


@pytest.mark.parametrize(
    ("stopping", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)], ids=str
)
def test_a_stopped_command_ends_what_it_started(home, running, monkeypatch, stopping, code):
    process, started = running
    process.send_signal(stopping)
    _, said = process.communicate(timeout=30)
    assert process.returncode == code, said
    assert "Traceback" not in said
    assert psutil.wait_procs(started, timeout=10)[1] == []
    assert state_of_runs(home, monkeypatch) == ([dg.DagsterRunStatus.FAILURE], 0)


def test_the_daemon_ends_within_two_minutes_what_a_killed_command_left(home, running, monkeypatch, dagster_services):
    process, _ = running
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert state_of_runs(home, monkeypatch)[0] == [dg.DagsterRunStatus.STARTED]
    with dagster_services(home):
        ended = ([dg.DagsterRunStatus.FAILURE], 0)
        wait_until(lambda: state_of_runs(home, monkeypatch) == ended, SECONDS_FOR_THE_DAEMON)
