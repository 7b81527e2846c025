"""What Dagster costs beside our own work: loading the code location, and a month's run.

The code location is loaded by Dagster's web server, a new process each time, and timed as its GraphQL API answers. A
month of the sample is run in a new process; what its assets, their storing and their checks took is taken from the
wall time of the process, from its start to its end. What remains is Dagster's: start-up, imports, plan, events.

    python -m benchmarks.overhead                       # three loads and three months, a table
    python -m benchmarks.overhead --home .census        # with the sample's world that is there already
"""

from __future__ import annotations

import argparse
import functools
import json
import multiprocessing
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from datetime import date
from pathlib import Path

ROOT = Path(__file__).parents[1]
MONTH = date(2025, 8, 1)
RELOAD = """
mutation { reloadRepositoryLocation(repositoryLocationName: "open-model-census") {
  ... on WorkspaceLocationEntry { locationOrLoadError { __typename } } } }
"""


def loads(runs: int) -> list[float]:
    """Seconds that the web server takes to load the code location anew, the first start left out."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [Path(sys.executable).with_name("dagster-webserver"), "--host", "127.0.0.1", "--port", str(port)]
    server = subprocess.Popen(
        [*command, "--workspace", "workspace.yaml"], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while True:
            try:
                ask(port, "{ version }")
                break
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.5)
        seconds = []
        for _ in range(runs):
            begun = time.monotonic()
            answer = ask(port, RELOAD)
            seconds.append(time.monotonic() - begun)
            loaded = answer["data"]["reloadRepositoryLocation"]["locationOrLoadError"]["__typename"]
            assert loaded == "RepositoryLocation", answer
        return seconds
    finally:
        server.terminate()
        server.wait()


def ask(port: int, query: str) -> dict:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/graphql", json.dumps({"query": query}).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=120) as answer:
        return json.load(answer)


class Work:
    """Seconds within our own functions, by the clock and of the processors, and how many calls they were."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.processor_seconds = 0.0
        self.calls = 0

    def timed(self, function):
        @functools.wraps(function)
        def call(*arguments, **named):
            begun, used = time.monotonic(), time.process_time()
            try:
                return function(*arguments, **named)
            finally:
                self.seconds += time.monotonic() - begun
                self.processor_seconds += time.process_time() - used
                self.calls += 1

        return call


def run_month(answer: multiprocessing.Queue) -> None:
    """Runs one month of the sample as `census run` does, our functions timed; puts what they took."""
    from pipeline.checks import asset_checks  # noqa: PLC0415
    from pipeline.orchestration import lake_io, table_assets  # noqa: PLC0415 - its loading belongs to what is timed

    work = Work()
    in_plain_words = table_assets.in_plain_words
    table_assets.in_plain_words = lambda body: work.timed(in_plain_words(body))
    lake_io.LakeIOManager.handle_output = work.timed(lake_io.LakeIOManager.handle_output)
    asset_checks.evaluate = work.timed(asset_checks.evaluate)

    from pipeline.orchestration import launch  # noqa: PLC0415

    outcome = launch._execute(launch.Launch("monthly_census", MONTH, {"snapshot_source": {"source": "sample"}}))
    assert outcome.succeeded, outcome.failures
    answer.put(
        {
            "own": (work.seconds, work.processor_seconds),
            "own_calls": work.calls,
            "processor_seconds": time.process_time(),
        }
    )


def month() -> dict:
    """One month in a process of its own: from its start to its end, of it our work, and what remains."""
    context = multiprocessing.get_context("spawn")
    answer = context.Queue()
    process = context.Process(target=run_month, args=(answer,))
    begun = time.monotonic()
    process.start()
    ran = answer.get()
    process.join()
    whole = (time.monotonic() - begun, ran["processor_seconds"])
    overhead = tuple(all_of - own for all_of, own in zip(whole, ran["own"], strict=True))
    return {"whole": whole, "own": ran["own"], "own_calls": ran["own_calls"], "overhead": overhead}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--home", type=Path, help="a census home with the sample's world; default: it is made anew")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        os.environ |= {"CENSUS_HOME": temporary, "DAGSTER_HOME": ""}
        from pipeline.orchestration.home import prepare_home  # noqa: PLC0415 - it reads the home set just now

        if options.home:
            Path(temporary, "cache").symlink_to(options.home.resolve() / "cache")
        prepare_home()
        loading = loads(options.runs)
        if not options.home:
            month()
        months = [month() for _ in range(options.runs)]
    chosen = sorted(months, key=lambda run: run["overhead"])[len(months) // 2]
    print(f"{'measure':<56} {'seconds':>8} {'processor':>10}  allowed")
    for label, (seconds, processor), allowed in (
        ("load of the code location by GraphQL, median", (statistics.median(loading), None), "5"),
        ("load of the code location by GraphQL, longest", (max(loading), None), "5"),
        ("a month of the sample, from process start to end", chosen["whole"], ""),
        (f"of it our work: {chosen['own_calls']} bodies, files and checks", chosen["own"], ""),
        ("of it Dagster's overhead", chosen["overhead"], "10"),
    ):
        used = f"{processor:>10.2f}" if processor is not None else " " * 10
        print(f"{label:<56} {seconds:>8.2f} {used}  {allowed}".rstrip())


if __name__ == "__main__":
    main()
