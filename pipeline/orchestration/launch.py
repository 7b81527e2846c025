"""Runs the jobs of the census from a command: one run a month, in processes of their own, listed in the UI as any."""

import multiprocessing
import os
import signal
import threading
import uuid
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import dagster as dg

from pipeline.orchestration.runs import PROCESS_GONE, CheckStatus, end_abandoned_runs, held, limit_pools, report_of

PUBLISHED_BY_TAG = "census/published_by"
"""On runs of months whose launcher publishes by itself once all of them have ended."""
STOPPED = "the command that launched the run was stopped: run it again"


@dataclass(frozen=True)
class RunOutcome:
    """How one run ended. `failures` has a sentence for each step that failed."""

    job: str
    month: date | None
    run_id: str
    succeeded: bool
    failures: list[str] = field(default_factory=list)
    failed_checks: list[CheckStatus] = field(default_factory=list)


@dataclass(frozen=True)
class Launch:
    """One run to be made: of a job, for a month if it has months, from a step on if one is named."""

    job: str
    month: date | None = None
    resources: Mapping[str, Any] = field(default_factory=dict)
    step: str | None = None
    run_id: str = field(default_factory=lambda: str(uuid.uuid4()))


def name_of(run: Launch | RunOutcome) -> str:
    """As people are told of it."""
    return f"{run.month:%Y-%m}" if run.month else run.job


@dataclass
class Progress:
    """Where a run is: steps done of all, the step that started last, and what it said last."""

    launch: Launch
    steps: int = 0
    steps_done: int = 0
    step: str = ""
    said: str = ""
    cursor: str | None = None

    def look(self, instance: dg.DagsterInstance) -> bool:
        """Reads the run's new events; whether there were any."""
        if self.steps == 0:
            run = instance.get_run_by_id(self.launch.run_id)
            if run is None or run.execution_plan_snapshot_id is None:
                return False
            self.steps = len(instance.get_execution_plan_snapshot(run.execution_plan_snapshot_id).steps)
        found = instance.get_records_for_run(self.launch.run_id, self.cursor)
        self.cursor = found.cursor
        for record in found.records:
            entry = record.event_log_entry
            event = entry.dagster_event
            if event is None:
                self.said = entry.user_message if entry.step_key == self.step else self.said
            elif event.is_step_start:
                self.step, self.said = event.step_key or "", ""
            elif event.is_step_success:
                self.steps_done += 1
        return bool(found.records)


def run_all(launches: Sequence[Launch], processes: int) -> Generator[Progress | RunOutcome]:
    """Makes the runs, at most `processes` at a time, in any order.

    Yields the progress of those under way and, once each, how they ended. Closed or interrupted before the end, it
    stops the processes that it started and ends their runs as failed.
    """
    instance = dg.DagsterInstance.get()
    end_abandoned_runs(instance)
    limit_pools(instance)
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(processes, mp_context=context, initializer=_prepare_worker)
    try:
        watched = {pool.submit(_execute, launch): Progress(launch) for launch in launches}
        while watched:
            done, _ = wait(watched, timeout=0.5, return_when=FIRST_COMPLETED)
            for future in done:
                launch = watched.pop(future).launch
                try:
                    yield future.result()
                except BrokenProcessPool:
                    end_abandoned_runs(instance)
                    yield RunOutcome(launch.job, launch.month, launch.run_id, succeeded=False, failures=[PROCESS_GONE])
            yield from (
                progress for future, progress in watched.items() if future.running() and progress.look(instance)
            )
    except BaseException:
        for process in multiprocessing.active_children():  # whatever they are at: what they write is whole or absent
            process.kill()
        raise
    finally:
        pool.shutdown(cancel_futures=True)
        end_abandoned_runs(instance, STOPPED)


def _prepare_worker() -> None:
    """Leaves interrupts to the command that started this process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    follow_parent()


def follow_parent() -> None:
    """Ends this process when the one that started it is gone, however that ended."""
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, name="follow-parent", daemon=True).start()


def _execute(launch: Launch) -> RunOutcome:
    """Makes one run in this process, under the job's own name and origin: the UI lists runs by origin.

    Dagster has no public call that does both, so this is what its own worker process does.
    """
    from dagster._core.definitions.job_base import InMemoryJob  # noqa: PLC0415 - loaded in each worker, once
    from dagster._core.execution.api import execute_run  # noqa: PLC0415
    from dagster._core.remote_origin import ManagedGrpcPythonEnvCodeLocationOrigin as Location  # noqa: PLC0415
    from dagster._core.remote_origin import RemoteRepositoryOrigin  # noqa: PLC0415
    from dagster._core.types.loadable_target_origin import LoadableTargetOrigin  # noqa: PLC0415

    from pipeline.definitions import defs  # noqa: PLC0415
    from pipeline.orchestration.jobs import from_step  # noqa: PLC0415

    instance, job = dg.DagsterInstance.get(), defs.resolve_job_def(launch.job)
    selection = set(from_step(launch.step).resolve(defs.resolve_asset_graph())) if launch.step else None
    month = launch.month.isoformat() if launch.month else None
    module = LoadableTargetOrigin(module_name="pipeline.definitions")
    location = Location(module, location_name="open-model-census")  # as in `workspace.yaml`
    with held(launch.run_id):
        run = instance.create_run_for_job(
            job.get_subset(asset_selection=selection) if selection else job,
            run_id=launch.run_id,
            run_config={
                "resources": {name: {"config": values} for name, values in launch.resources.items()},
                "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
            },
            tags={
                PUBLISHED_BY_TAG: "command",
                "dagster/max_retries": "0",  # who stopped the command does not want the daemon to go on
                **(job.get_tags_for_partition_key(month, selection) if month else {}),
            },
            asset_selection=selection,
            remote_job_origin=RemoteRepositoryOrigin(location, "__repository__").get_job_origin(launch.job),
        )
        result = execute_run(InMemoryJob(job), run, instance)
    return RunOutcome(launch.job, launch.month, launch.run_id, result.success, **vars(report_of(instance, run.run_id)))
