"""A command that is stopped leaves no process, no run that never ends and no place in a pool."""

import signal

import dagster as dg
import psutil
import pytest

from pipeline.orchestration.table_assets import HEAVY_POOL, HUB_POOL


def state_of_runs(home, monkeypatch):
    """The status of each run, and how many places in pools are taken."""
    monkeypatch.setenv("DAGSTER_HOME", str(home / "dagster"))
    monkeypatch.setenv("CENSUS_HOME", str(home))
    with dg.DagsterInstance.get() as instance:
        log = instance.event_log_storage
        taken = sum(log.get_concurrency_info(pool).active_slot_count for pool in (HUB_POOL, HEAVY_POOL))
        return [run.status for run in instance.get_runs()], taken


@pytest.mark.parametrize(("stopping", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)], ids=str)
def test_a_stopped_command_ends_what_it_started(begun, sample, tmp_path, monkeypatch, stopping, code):
    (tmp_path / "cache").symlink_to(sample[0] / "cache")
    process, started = begun(tmp_path, "2025-03")
    process.send_signal(stopping)
    _, said = process.communicate(timeout=30)
    assert process.returncode == code, said
    assert "Traceback" not in said
    assert psutil.wait_procs(started, timeout=10)[1] == []
    assert state_of_runs(tmp_path, monkeypatch) == ([dg.DagsterRunStatus.FAILURE], 0)


def test_a_terminal_that_is_closed_stops_a_command_as_one_that_asks_it_to_end(asked, tmp_path):
    asked(tmp_path, "sources")
    stop = signal.getsignal(signal.SIGHUP)
    assert stop is signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit, match="129"):
        stop(signal.SIGHUP, None)
