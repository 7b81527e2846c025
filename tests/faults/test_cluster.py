"""Months on a cluster: real workers, broker, database and object store on loopback, and a worker that is killed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.faults

ROOT = Path(__file__).parents[2]
SECONDS_ALLOWED = 3000


def cluster(folder, *asked):
    """What `python -m benchmarks.cluster` tells, by part; it fails where a figure differs from one machine's."""
    finished = subprocess.run(
        [sys.executable, "-m", "benchmarks.cluster", "--models", "2000", "--months", "4", "--folder", folder, *asked],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=SECONDS_ALLOWED,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr[-3000:]
    return {name: told for line in finished.stdout.splitlines() for name, told in json.loads(line).items()}


def test_a_worker_killed_in_the_middle_of_a_month_changes_no_figure(tmp_path):
    told = cluster(tmp_path, "--kill")["2 workers"]
    assert told["differences"] == []
    assert told["failed"] == [told["killed"]]
    assert told["retried"] == [told["killed"]]
    assert told["runs"] == 5
    assert told["hub_readers_at_once"] == 1


def test_two_workers_publish_what_one_machine_publishes(tmp_path):
    told = cluster(tmp_path)["2 workers"]
    assert told["differences"] == []
    assert (told["runs"], told["failed"], told["retried"]) == (4, [], [])
    assert len(told["made_by"]) == 2
