"""Every month that was asked for or is missing, and what is wrong with it, as `census status` shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from functools import cached_property
from typing import Any

import dagster as dg

from pipeline.checks.asset_checks import check_keys, last_evaluations
from pipeline.errors import CensusError
from pipeline.lake.provenance import Provenance
from pipeline.lake.store import Lake
from pipeline.months import months_between, run_again
from pipeline.orchestration.runs import latest_runs, report_of
from pipeline.publish.manifest import defects, digest_as_listed, misfits, months_held
from pipeline.schema.catalogue import Catalogue
from pipeline.wording import counted


@dataclass(frozen=True)
class MonthStatus:
    """One month: where it stands (`made`, `held back`, `failed`, `running`, `missing`) and what is known of it.

    `stale` says what was made from other files or observations than the lake holds now. `checks_failed` names those
    whose last evaluation failed, errors and warnings alike; `problems` has a sentence for all that needs a hand.
    """

    month: date
    state: str
    source: str | None = None
    source_revision: str | None = None
    observed_at: str | None = None
    tables: int = 0
    tables_missing: list[str] = field(default_factory=list)
    held_back: str | None = None
    stale: list[str] = field(default_factory=list)
    checks_passed: int = 0
    checks_failed: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """For machines."""
        return asdict(self) | {"month": f"{self.month:%Y-%m}"}


def month_statuses(lake: Lake, catalogue: Catalogue, instance: dg.DagsterInstance) -> list[MonthStatus]:
    """Every month from the first to the last that was asked for or is in the lake."""
    runs = latest_runs(instance)
    keys = check_keys(table for table in catalogue.tables.values() if table.monthly)
    stored = months_held(lake, catalogue)
    known = sorted({*stored, *runs})
    if not known:
        return []
    digest = digest_as_listed(lake)
    found = {month: [*defects(lake, catalogue, month, digest)] for month in stored}
    unfit = misfits(lake, catalogue, [month for month, of_month in found.items() if not of_month])
    statuses = []
    for month in months_between(known[0], known[-1]):
        of_month = found.get(month, [])
        statuses.append(
            _status(
                _Known(lake, catalogue, instance, month),
                runs.get(month),
                last_evaluations(instance, keys, month),
                held_back=next(map(str, of_month), None) if month in stored else None,
                stale=[str(defect) for defect in (*of_month, *unfit.get(month, ())) if defect.is_stale],
            )
        )
    return statuses


def as_text(months: Sequence[MonthStatus]) -> str:
    """A table for people, with a line more for what is wrong, and one for the whole."""
    if not months:
        return "the lake holds no month: run one with `census run`"
    lines = [f"{'month':8} {'state':10} {'source':10} {'observed (UTC)':17} {'tables':>7} {'checks':>9}  revision"]
    for month in months:
        tables = f"{month.tables}/{month.tables + len(month.tables_missing)}"
        checks = f"{month.checks_passed}/{month.checks_passed + len(month.checks_failed)}"
        lines.append(
            f"{month.month:%Y-%m}  {month.state:10} {month.source or '-':10} {(month.observed_at or '-')[:16]:17} "
            f"{tables:>7} {checks:>9}  {(month.source_revision or '-')[:40]}"
        )
        lines += [f"         {problem}" for problem in month.problems]
        lines += [f"         check failed: {check}" for check in month.checks_failed]
    wrong = sum(bool(month.problems) for month in months)
    return "\n".join([*lines, f"{counted(len(months), 'month')}, {wrong} with something wrong"])


@dataclass(frozen=True)
class _Known:
    """Where to look a month up."""

    lake: Lake
    catalogue: Catalogue
    instance: dg.DagsterInstance
    month: date

    @cached_property
    def tables(self) -> Mapping[str, bool]:
        """Whether the lake holds each table of the month."""
        return {table.path: self.lake.holds(table, self.month) for table in self.catalogue.monthly}

    def provenance(self) -> Provenance:
        """What is said of the month's origin by the first of its tables that knows it."""
        for table in self.catalogue.monthly:
            try:
                known = self.lake.provenance(table, self.month) if self.tables[table.path] else None
            except CensusError:
                continue  # told as a defect
            if known is not None and known.source is not None:
                return known
        return Provenance()


def _status(
    known: _Known,
    latest: dg.DagsterRun | None,
    evaluations: Mapping[dg.AssetCheckKey, dg.AssetCheckEvaluation],
    *,
    held_back: str | None,
    stale: list[str],
) -> MonthStatus:
    tables, origin = known.tables, known.provenance()
    failed = [f"{key.asset_key.to_user_string()} {key.name}" for key, one in evaluations.items() if not one.passed]
    state, problems = _state(known, latest, held_back)
    return MonthStatus(
        month=known.month,
        state=state,
        source=origin.source,
        source_revision=origin.source_revision,
        observed_at=origin.observed_at,
        tables=sum(tables.values()),
        tables_missing=[path for path, is_there in tables.items() if not is_there],
        held_back=held_back,
        stale=stale,
        checks_passed=len(evaluations) - len(failed),
        checks_failed=sorted(failed),
        problems=[*problems, *(f"stale: {sentence}" for sentence in stale)],
    )


def _state(known: _Known, latest: dg.DagsterRun | None, held_back: str | None) -> tuple[str, list[str]]:
    again = run_again(known.month)
    if latest is not None and not latest.is_finished:
        return "running", []
    held = [f"not published: {held_back}: {again}"] if held_back else []
    if latest is not None and latest.status != dg.DagsterRunStatus.SUCCESS:
        failures = report_of(known.instance, latest.run_id).failures or ["its run was cancelled"]
        return "failed", [*(f"failed: {failure}" for failure in failures), *held]
    if held_back:
        return "held back", held
    if not any(known.tables.values()):
        return "missing", [f"missing: {again}"]
    return "made", []
