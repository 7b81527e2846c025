"""Runs as Dagster keeps them: how they ended, what their checks found, and those whose process is gone."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Self

import dagster as dg
from filelock import FileLock, Timeout

from pipeline import settings
from pipeline.errors import CensusError
from pipeline.orchestration.table_assets import HEAVY_POOL

PARTITION_TAG = "dagster/partition"
PROCESS_GONE = "the process of the run ended before it did (killed, or out of memory): run again"
UNDER_WAY = (
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
)
_ENDINGS = {
    dg.DagsterEventType.STEP_FAILURE,
    dg.DagsterEventType.ASSET_CHECK_EVALUATION,
    dg.DagsterEventType.RUN_FAILURE,
}


@dataclass(frozen=True)
class CheckStatus:
    """The result of one check. `declared` is the declared threshold, where another was set."""

    table: str
    check: str
    severity: str
    passed: bool
    expected: str
    observed: str
    declared: str

    @classmethod
    def of(cls, evaluation: dg.AssetCheckEvaluation) -> Self:
        """As Dagster recorded it."""
        facts = {name: str(value.value) for name, value in evaluation.metadata.items()}
        return cls(
            table=evaluation.asset_key.to_user_string(),
            check=evaluation.check_name,
            severity=evaluation.severity.value,
            passed=evaluation.passed,
            expected=facts.get("expected", ""),
            observed=facts.get("observed", evaluation.description or ""),
            declared=facts.get("declared", ""),
        )

    @property
    def key(self) -> dg.AssetCheckKey:
        """By which Dagster knows the check."""
        return dg.AssetCheckKey(dg.AssetKey(self.table.split("/")), self.check)

    @property
    def finding(self) -> str:
        """What was found, beside what was expected."""
        return f"expected {self.expected or '?'}, found {self.observed or '?'}"

    def __str__(self) -> str:
        return f"{self.severity} {self.table} {self.check}: {self.finding}"


@dataclass(frozen=True)
class RunReport:
    """`failures` has a sentence for each step that failed, or one for a run that failed outside of its steps."""

    failures: list[str] = field(default_factory=list)
    failed_checks: list[CheckStatus] = field(default_factory=list)


def report_of(instance: dg.DagsterInstance, run_id: str) -> RunReport:
    """What went wrong in a run, as far as its events say."""
    endings = instance.get_records_for_run(run_id, of_type=_ENDINGS).records
    return report_from(record.event_log_entry.get_dagster_event() for record in endings)


def report_from(events: Iterable[dg.DagsterEvent]) -> RunReport:
    """What went wrong according to a run's events."""
    report = RunReport()
    for event in events:
        if event.is_step_failure:
            report.failures.append(_sentence(event))
        elif event.is_job_failure and not report.failures:
            report.failures.append(_between_steps(event))
        elif event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            found = CheckStatus.of(event.asset_check_evaluation_data)
            report.failed_checks.extend([] if found.passed else [found])
    return report


def latest_runs(instance: dg.DagsterInstance) -> dict[date, dg.DagsterRun]:
    """By month, its latest run of whatever job, as far as Dagster still knows it."""
    found: dict[date, dg.DagsterRun] = {}
    for run in instance.get_runs(limit=2000):
        if month := month_of_run(run):
            found.setdefault(month, run)
    return found


def month_of_run(run: dg.DagsterRun) -> date | None:
    """The month that a run is about; None where it is about all of them."""
    partition = run.tags.get(PARTITION_TAG)
    return date.fromisoformat(partition) if partition else None


def limit_pools(instance: dg.DagsterInstance) -> None:
    """Gives the heavy steps their places; every other pool has the default of `dagster.yaml`, one.

    Raises:
        CensusError: CENSUS_HEAVY_STEPS is no number of steps.
    """
    wanted, storage = settings.heavy_steps(), instance.event_log_storage
    if (HEAVY_POOL, wanted) not in {
        (pool.name, pool.limit) for pool in storage.get_pool_limits() if not pool.from_default
    }:
        storage.set_concurrency_slots(HEAVY_POOL, wanted)


@contextmanager
def held(run_id: str) -> Iterator[None]:
    """Marks this process as the run's for as long as it lives, however it ends."""
    path = _processes() / f"{run_id}.lock"
    with FileLock(path):
        yield
    path.unlink(missing_ok=True)


def end_abandoned_runs(instance: dg.DagsterInstance, reason: str = PROCESS_GONE) -> list[str]:
    """Ends every held run whose process is gone and frees its places in pools; the ids of those that had not ended."""
    ended = []
    for path in sorted(_processes().glob("*.lock")):
        try:
            with FileLock(path, timeout=0):
                run = instance.get_run_by_id(path.stem)
                if run is not None and not run.is_finished:
                    instance.report_run_failed(run, reason)
                    ended.append(run.run_id)
                instance.event_log_storage.free_concurrency_slots_for_run(path.stem)
        except Timeout:
            continue
        path.unlink(missing_ok=True)
    return ended


def _processes() -> Path:
    folder = settings.dagster_folder() / "processes"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _sentence(event: dg.DagsterEvent) -> str:
    data = event.step_failure_data
    if data.error is not None and data.error.cls_name == "DagsterAssetCheckFailedError":
        _, *checks = data.error.message.strip().splitlines()
        return (
            f"{event.step_key}: blocking checks failed ({', '.join(check.strip() for check in checks)}): put the cause "
            "right and run the month again, `census checks` shows what they found"
        )
    said = data.user_failure_data.description if data.user_failure_data else None
    cause = _first_cause(data.error)
    return f"{event.step_key}: {said or (cause and cause.message.strip()) or 'failed'}"


def _between_steps(event: dg.DagsterEvent) -> str:
    # A run that another process declares failed has no failure of its own.
    cause = _first_cause(event.job_failure_data.error) if event.job_failure_data else None
    if cause is None:
        return event.message or "the run failed"
    said = str(cause.message).strip()
    if cause.cls_name == CensusError.__name__:  # it says itself what to do
        return said.partition(": ")[2]
    return f"the run ended between its steps ({said}): run it again"


def _first_cause(error: Any) -> Any:
    while error is not None and error.cause is not None:
        error = error.cause
    return error
