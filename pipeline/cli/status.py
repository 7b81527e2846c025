"""What is there, month by month: the lake's tables and manifests, and the last verdict of each check."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

import dagster as dg

from pipeline import settings
from pipeline.definitions import CATALOGUE
from pipeline.lake.store import Lake
from pipeline.months import run_again
from pipeline.orchestration.runs import last_evaluations, runs_like
from pipeline.publish.manifest import defects as month_defects
from pipeline.publish.manifest import misfits
from pipeline.tables.listings import HUB_SNAPSHOTS


@dataclass(frozen=True)
class MonthStatus:
    """One month of the lake.

    `stale` says what was made from other files or observations than the lake holds now. `checks_failed` names those
    whose last evaluation failed, errors and warnings alike.
    """

    month: date
    source: str
    source_revision: str
    observed_at: datetime
    tables: int
    tables_missing: list[str]
    held_back: str | None
    stale: list[str]
    checks_passed: int
    checks_failed: list[str]

    def as_dict(self) -> dict[str, Any]:
        """For machines."""
        return asdict(self) | {"month": f"{self.month:%Y-%m}", "observed_at": self.observed_at.isoformat()}


def month_statuses() -> list[MonthStatus]:
    """Every month of which the lake holds a snapshot, in order."""
    lake, instance = Lake(settings.lake_url()), dg.DagsterInstance.get()
    defects = {month: list(month_defects(lake, CATALOGUE, month)) for month in lake.months(HUB_SNAPSHOTS)}
    stale = misfits(lake, CATALOGUE, [month for month, found in defects.items() if not found])
    statuses = []
    for month, of_month in defects.items():
        observed = lake.scan(HUB_SNAPSHOTS, month).select("source", "source_revision", "observed_at").head(1).collect()
        held = [table.path for table in CATALOGUE.monthly if lake.holds(table, month)]
        verdicts = {
            f"{key.asset_key.to_user_string()} {key.name}": verdict.passed
            for key, verdict in last_evaluations(instance, runs_like(instance, None, month)).items()
        }
        statuses.append(
            MonthStatus(
                month=month,
                **observed.row(0, named=True),
                tables=len(held),
                tables_missing=[table.path for table in CATALOGUE.monthly if table.path not in held],
                held_back=next((f"{defect}: {run_again(month)}" for defect in of_month), None),
                stale=[str(defect) for defect in (*of_month, *stale.get(month, ())) if defect.is_stale],
                checks_passed=sum(verdicts.values()),
                checks_failed=sorted(check for check, passed in verdicts.items() if not passed),
            )
        )
    return statuses


def as_text(months: list[MonthStatus]) -> str:
    """A table for people, with a line more for what is wrong."""
    if not months:
        return "the lake holds no month: run one with `census run`"
    lines = [f"{'month':8} {'source':10} {'observed (UTC)':17} {'tables':>7} {'checks':>11}  revision"]
    for month in months:
        tables = f"{month.tables}/{month.tables + len(month.tables_missing)}"
        checks = f"{month.checks_passed}/{month.checks_passed + len(month.checks_failed)}"
        lines.append(
            f"{month.month:%Y-%m}  {month.source:10} {month.observed_at:%Y-%m-%d %H:%M}  {tables:>7} {checks:>11}  "
            f"{month.source_revision[:40]}"
        )
        if month.held_back:
            lines.append(f"         not published: {month.held_back}")
        lines += [f"         stale: {stale}" for stale in month.stale]
        lines += [f"         failed: {check}" for check in month.checks_failed]
    return "\n".join(lines)
