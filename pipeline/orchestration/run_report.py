"""How a run ended, in words, from the events that Dagster kept of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import dagster as dg
from dagster._core.errors import DagsterAssetCheckFailedError
from dagster_shared.error import SerializableErrorInfo

ENDINGS = {
    dg.DagsterEventType.STEP_FAILURE,
    dg.DagsterEventType.ASSET_CHECK_EVALUATION,
    dg.DagsterEventType.RUN_FAILURE,
}


@dataclass(frozen=True)
class FailedCheck:
    """A check that did not pass: on which table, how severe, and what was found."""

    table: str
    check: str
    severity: str
    finding: str
    partition: str | None = None

    @property
    def key(self) -> dg.AssetCheckKey:
        """The check as Dagster names it."""
        return dg.AssetCheckKey(dg.AssetKey(self.table.split("/")), self.check)

    def __str__(self) -> str:
        return f"{self.severity} {self.table} {self.check}: {self.finding}"


@dataclass(frozen=True)
class RunReport:
    """`failures` has a sentence for each step that failed, or one for a run that failed outside of its steps."""

    failures: list[str] = field(default_factory=list)
    failed_checks: list[FailedCheck] = field(default_factory=list)


def report_of(instance: dg.DagsterInstance, run_id: str) -> RunReport:
    """What went wrong in a run, as far as its events say."""
    records = instance.get_records_for_run(run_id, of_type=ENDINGS).records
    return report_from(record.event_log_entry.get_dagster_event() for record in records)


def report_from(events: Iterable[dg.DagsterEvent]) -> RunReport:
    """What went wrong according to a run's events."""
    report = RunReport()
    for event in events:
        if event.is_step_failure:
            report.failures.append(_sentence(event))
        elif event.is_job_failure and not report.failures:
            report.failures.append(_between_steps(event))
        elif event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            evaluation = event.asset_check_evaluation_data
            if not evaluation.passed:
                report.failed_checks.append(_failed(evaluation))
    return report


def _sentence(event: dg.DagsterEvent) -> str:
    data = event.step_failure_data
    if data.error is not None and data.error.cls_name == DagsterAssetCheckFailedError.__name__:
        _, *checks = data.error.message.strip().splitlines()
        return (
            f"{event.step_key}: blocking checks failed ({', '.join(check.strip() for check in checks)}): put the cause "
            "right and run the month again, `census checks` shows what they found"
        )
    said = data.user_failure_data.description if data.user_failure_data else None
    return f"{event.step_key}: {said or _first_cause(data.error) or 'failed'}"


def _between_steps(event: dg.DagsterEvent) -> str:
    cause = _first_cause(event.job_failure_data.error)
    return f"the run ended between its steps ({cause}): run it again" if cause else event.message or "the run failed"


def _first_cause(error: SerializableErrorInfo | None) -> str | None:
    while error is not None and error.cause is not None:
        error = error.cause
    return error.message.strip() if error else None


def _failed(evaluation: dg.AssetCheckEvaluation) -> FailedCheck:
    facts = {name: value.value for name, value in evaluation.metadata.items() if name in {"expected", "observed"}}
    return FailedCheck(
        evaluation.asset_key.to_user_string(),
        evaluation.check_name,
        evaluation.severity.value,
        f"expected {facts.get('expected', '?')}, found {facts.get('observed', '?')}",
        evaluation.partition,
    )
