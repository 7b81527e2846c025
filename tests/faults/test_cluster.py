"""Months on a cluster: real workers, broker, database and object store on loopback, and a worker that is killed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.faults

ROOT = Path(__file__).parents[2]
SECONDS_ALLOWED = 3000


def test_two_workers_and_one_that_is_killed_publish_what_one_machine_publishes(tmp_path):
    finished = subprocess.run(
        [
            *(sys.executable, "-m", "benchmarks.cluster", "--models", "2000", "--months", "4"),
            *("--folder", tmp_path, "--workers", "2", "--kill"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=SECONDS_ALLOWED,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr[-3000:]
    told = {name: part for line in finished.stdout.splitlines() for name, part in json.loads(line).items()}
    undisturbed, disturbed = told["2 workers"], told["2 workers, 1 killed"]
    for part in (undisturbed, disturbed):
        assert part["differences"] == []
        assert part["hub_readers_at_once"] == 1
    assert (undisturbed["runs"], undisturbed["failed"], undisturbed["retried"]) == (4, [], [])
    assert set(undisturbed["made_by"]) == {"worker-1", "worker-2"}
    assert disturbed["failed"] == disturbed["retried"] == [disturbed["killed"]]
    assert disturbed["runs"] == 5
