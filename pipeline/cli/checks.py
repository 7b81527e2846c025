"""What the checks of a month expected and found, as `census checks` shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import dagster as dg

from pipeline.errors import CensusError
from pipeline.orchestration.runs import last_evaluations, runs_like


@dataclass(frozen=True)
class CheckStatus:
    """The last verdict of one check."""

    table: str
    check: str
    severity: str
    passed: bool
    expected: str
    observed: str
    declared: str = ""
    """What the declaration expects, where a threshold was set for the run or the deployment."""

    def as_dict(self) -> dict[str, Any]:
        """For machines."""
        return asdict(self)


def check_statuses(month: date) -> list[CheckStatus]:
    """Every check that looked at the month, those that failed first.

    Raises:
        CensusError: no check ever looked at it.
    """
    instance = dg.DagsterInstance.get()
    verdicts = last_evaluations(instance, runs_like(instance, None, month))
    if not verdicts:
        raise CensusError(f"no check has looked at {month:%Y-%m}: run the month first")
    statuses = [_status(key, verdict) for key, verdict in verdicts.items()]
    return sorted(statuses, key=lambda status: (status.passed, status.table, status.check))


def as_text(month: date, statuses: Sequence[CheckStatus]) -> str:
    """A line for each check, what was expected under those that failed, and what was declared where that was set."""
    failed = sum(not status.passed for status in statuses)
    lines = [f"{month:%Y-%m}: {len(statuses)} checks, {failed} failed"]
    for status in statuses:
        verdict = "ok" if status.passed else status.severity
        lines.append(f"  {verdict:5}  {status.table:34} {status.check:48} {status.observed}")
        if status.declared or not status.passed:
            lines.append(f"         expected: {status.expected}")
        if status.declared:
            lines.append(f"         declared: {status.declared} (another threshold was set)")
    return "\n".join(lines)


def _status(key: dg.AssetCheckKey, verdict: dg.AssetCheckEvaluation) -> CheckStatus:
    facts = {name: str(value.value) for name, value in verdict.metadata.items()}
    return CheckStatus(
        table=key.asset_key.to_user_string(),
        check=key.name,
        severity=verdict.severity.value,
        passed=verdict.passed,
        expected=facts.get("expected", ""),
        observed=facts.get("observed", verdict.description or ""),
        declared=facts.get("declared", ""),
    )
