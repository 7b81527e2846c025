"""Runs the census' jobs through Dagster from a command: one run a month, in processes of their own.

The runs are those that the UI shows: same instance, same jobs, same checks.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import dagster as dg

from pipeline.orchestration.abandoned_runs import REASON, end_abandoned_runs, held
from pipeline.orchestration.pools import limit_pools
from pipeline.orchestration.run_report import FailedCheck, report_from

POLL_SECONDS = 0.5


@dataclass(frozen=True)
class RunOutcome:
    """How one run ended. `failures` has a sentence for each step that failed."""

    job: str
    month: date | None
    run_id: str
    succeeded: bool
    failures: list[str] = field(default_factory=list)
    failed_checks: list[FailedCheck] = field(default_factory=list)


@dataclass(frozen=True)
class Progress:
    """Where a run is: steps done of all, the step that started last, and what it said last."""

    month: date | None
    steps_done: int
    steps: int
    step: str
    said: str = ""


def run_months(
    months: Sequence[date], resources: Mapping[str, Any], processes: int, step: str | None = None
) -> Iterator[Progress | RunOutcome]:
    """Runs `monthly_census` for each month, at most `processes` at a time, in any order.

    With a `step` (see `pipeline.orchestration.jobs.STEPS`), only what follows from it is made anew. Yields the progress
    of running months and, once each, how they ended.
    """
    yield from _run([_Launch("monthly_census", month, dict(resources), step) for month in months], processes)


def run_publish(resources: Mapping[str, Any]) -> Iterator[Progress | RunOutcome]:
    """Runs `publish`; yields its progress and how it ended."""
    yield from _run([_Launch("publish", None, dict(resources))], 1)


@dataclass(frozen=True)
class _Launch:
    """One run to be made."""

    job: str
    month: date | None
    resources: dict[str, Any]
    step: str | None = None
    run_id: str = field(default_factory=lambda: str(uuid.uuid4()))


def _run(launches: list[_Launch], processes: int) -> Iterator[Progress | RunOutcome]:
    instance = dg.DagsterInstance.get()
    end_abandoned_runs(instance)
    limit_pools(instance)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context, initializer=_end_with_parent) as pool:
        watched: dict[Future[RunOutcome], _Watch] = {}
        for asked in launches:
            watched[pool.submit(_execute, asked)] = _Watch(asked.job, asked.run_id, asked.month)
        while watched:
            done, _ = wait(watched, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED)
            for future in done:
                watch = watched.pop(future)
                try:
                    yield future.result()
                except BrokenProcessPool:
                    end_abandoned_runs(instance)
                    yield watch.cut_short()
            for future, watch in watched.items():
                if future.running() and watch.look(instance):
                    yield watch.progress()


@dataclass
class _Watch:
    """What was seen so far of a run's events; each look reads only what is new."""

    job: str
    run_id: str
    month: date | None
    steps: int = 0
    steps_done: int = 0
    step: str = ""
    said: str = ""
    cursor: str | None = None

    def look(self, instance: dg.DagsterInstance) -> bool:
        """Reads what is new; whether there was anything."""
        if self.steps == 0:
            run = instance.get_run_by_id(self.run_id)
            if run is None or run.execution_plan_snapshot_id is None:
                return False
            self.steps = len(instance.get_execution_plan_snapshot(run.execution_plan_snapshot_id).steps)
        found = instance.get_records_for_run(self.run_id, self.cursor)
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

    def cut_short(self) -> RunOutcome:
        return RunOutcome(self.job, self.month, self.run_id, succeeded=False, failures=[REASON])

    def progress(self) -> Progress:
        return Progress(self.month, self.steps_done, self.steps, self.step, self.said)


def _end_with_parent() -> None:
    """Ends this process when the command that started it is gone, however it ended."""
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, name="end-with-parent", daemon=True).start()


def _execute(asked: _Launch) -> RunOutcome:
    from pipeline.definitions import defs  # noqa: PLC0415 - loaded once in each worker process, never in the command
    from pipeline.orchestration.jobs import PUBLISHED_BY_TAG, from_step  # noqa: PLC0415

    selection = from_step(asked.step).resolve(defs.resolve_asset_graph()) if asked.step else None
    with held(asked.run_id):
        result = defs.resolve_job_def(asked.job).execute_in_process(
            run_config={
                "resources": {name: {"config": values} for name, values in asked.resources.items()},
                "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
            },
            instance=dg.DagsterInstance.get(),
            partition_key=asked.month.isoformat() if asked.month else None,
            asset_selection=sorted(selection) if selection else None,
            tags={PUBLISHED_BY_TAG: "command"},
            run_id=asked.run_id,
            raise_on_error=False,
        )
    report = report_from(result.all_events)
    return RunOutcome(asked.job, asked.month, asked.run_id, result.success, report.failures, report.failed_checks)
