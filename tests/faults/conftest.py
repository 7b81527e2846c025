"""Jobs in processes that may be killed, and a small Hub that they read."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline.months import add_months
from synthetic_hub.server import LocalHub
from synthetic_hub.world import WorldSettings, ensure_world
from tests.faults.remains import MONTH
from tests.mirror import Mirror

WORKER = Path(__file__).with_name("worker.py")
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Worker:
    """Runs jobs in one home, each in a process of its own that can be killed."""

    process: subprocess.Popen
    home: Path
    endpoint: str

    def start(self, job, month=None, source="hub_stats", **environment):
        """The id of the process that runs the job."""
        own = {"CENSUS_HOME": str(self.home), "DAGSTER_HOME": str(self.home / "dagster"), "HF_ENDPOINT": self.endpoint}
        asked = {"job": job, "month": month and month.isoformat(), "source": source, "environment": own | environment}
        return self.ask(**asked)["pid"]

    def end(self, pid):
        """How it ended, once it has."""
        return self.ask(ended=pid)

    def run(self, *job, **environment):
        return self.end(self.start(*job, **environment))

    def killed_after(self, processor_seconds, *job):
        """Whether the job was still running when it was killed after so much work, however fast the machine is."""
        return self.killed_once(lambda pid: work_of(pid) >= processor_seconds, *job)

    def killed_once(self, reached, *job):
        """Whether the job was still running when it was killed, as soon as its process had reached something."""
        pid = self.start(*job)
        while not reached(pid) and work_of(pid) != ENDED:
            time.sleep(0.001)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        return os.WIFSIGNALED(self.end(pid)["status"])

    def ask(self, **asked):
        self.process.stdin.write(json.dumps(asked) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


ENDED = float("inf")


def work_of(pid):
    """Seconds of processor time that a process has had; endless if it has ended."""
    state, *numbers = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return ENDED if state == "Z" else (int(numbers[10]) + int(numbers[11])) / os.sysconf("SC_CLK_TCK")


@pytest.fixture(scope="session")
def worker_in(tmp_path_factory):
    """Runs jobs in processes that may be killed: `worker_in(home, endpoint).run("publish")`."""
    process = subprocess.Popen(
        [sys.executable, WORKER, tmp_path_factory.mktemp("worker")],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    json.loads(process.stdout.readline())

    def of(home, endpoint="http://127.0.0.1:9"):
        home.mkdir(parents=True, exist_ok=True)
        return Worker(process, home, endpoint)

    yield of
    process.kill()
    process.wait()


@pytest.fixture(scope="session")
def world_of(tmp_path_factory):
    """Worlds of a thousand models that open and close one month: `world_of(seed)`."""
    folder = tmp_path_factory.mktemp("worlds")
    boundaries = (MONTH, add_months(MONTH, 1))
    return lambda seed: ensure_world(folder, WorldSettings(models=1_000, seed=seed, revisions=boundaries, truth=False))


@pytest.fixture(scope="session")
def small_world(world_of):
    return world_of(1)


@pytest.fixture(scope="session")
def small_hub(small_world):
    with LocalHub(small_world) as hub:
        yield hub


@pytest.fixture
def mirror_that(small_hub):
    """Starts a mirror of the small Hub with these misbehaviours; it ends with the test."""
    running = ExitStack()

    def start(*misbehaviours):
        return running.enter_context(Mirror(small_hub.endpoint, misbehaviours))

    with running:
        yield start


@pytest.fixture
def no_pauses(monkeypatch):
    """Retries follow one another at once."""
    sleep = time.sleep
    monkeypatch.setattr(time, "sleep", lambda seconds: sleep(min(seconds, 0.01)))
