"""What the checks of months expected and found, as `census checks` shows it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any

import dagster as dg

from pipeline.checks.asset_checks import check_keys, last_evaluations
from pipeline.errors import CensusError
from pipeline.orchestration.runs import latest_runs, report_of
from pipeline.schema.catalogue import Catalogue
from pipeline.wording import counted


@dataclass(frozen=True)
class CheckStatus:
    """The last result of one check."""

    table: str
    check: str
    severity: str
    passed: bool
    expected: str
    observed: str
    declared: str = ""
    """What the declaration expects, where a threshold was set for the run or the deployment."""


@dataclass(frozen=True)
class ChecksOfMonth:
    """The checks that looked at a month, those that failed first, and why its latest run failed, if it did."""

    month: date
    checks: list[CheckStatus]
    looked_at: int
    failures: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """For machines."""
        return asdict(self) | {"month": f"{self.month:%Y-%m}"}

    def as_text(self) -> str:
        """A line for each check; under a failed one what was expected, and what was declared where that was set."""
        failed = sum(not check.passed for check in self.checks)
        lines = [f"{self.month:%Y-%m}: {counted(self.looked_at, 'check')}, {failed} failed"]
        lines += [f"  the run failed: {failure}" for failure in self.failures]
        for check in self.checks:
            result = "ok" if check.passed else check.severity
            lines.append(f"  {result:5}  {check.table:34} {check.check:48} {check.observed}")
            if check.declared or not check.passed:
                lines.append(f"         expected: {check.expected}")
            if check.declared:
                lines.append(f"         declared: {check.declared} (another threshold was set)")
        return "\n".join(lines)


def checks_of_months(
    instance: dg.DagsterInstance, catalogue: Catalogue, wanted: date | None, *, failed_only: bool = False
) -> list[ChecksOfMonth]:
    """The checks of the wanted month, or of every month that was ever run, in order; all, or those that failed.

    Raises:
        CensusError: nothing was run.
    """
    runs = latest_runs(instance)
    if wanted is not None and wanted not in runs:
        raise CensusError(f"{wanted:%Y-%m} was never run, so no check has looked at it: run the month first")
    if not runs:
        raise CensusError("no month was ever run, so no check has looked at one: run a month first")
    keys, found = check_keys(table for table in catalogue.tables.values() if table.monthly), []
    for month in [wanted] if wanted else sorted(runs):
        latest = runs[month]
        failures = [] if latest.is_success or not latest.is_finished else report_of(instance, latest.run_id).failures
        checks = [_status(key, evaluation) for key, evaluation in last_evaluations(instance, keys, month).items()]
        shown = [check for check in checks if not (failed_only and check.passed)]
        shown.sort(key=lambda one: (one.passed, one.table, one.check))
        found.append(ChecksOfMonth(month, shown, len(checks), failures))
    return found


def _status(key: dg.AssetCheckKey, evaluation: dg.AssetCheckEvaluation) -> CheckStatus:
    facts = {name: str(value.value) for name, value in evaluation.metadata.items()}
    return CheckStatus(
        table=key.asset_key.to_user_string(),
        check=key.name,
        severity=evaluation.severity.value,
        passed=evaluation.passed,
        expected=facts.get("expected", ""),
        observed=facts.get("observed", evaluation.description or ""),
        declared=facts.get("declared", ""),
    )
