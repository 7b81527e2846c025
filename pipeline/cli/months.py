"""What the lake and Dagster know of each month, as `census status` and `census checks` show it."""

from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import dagster as dg

from pipeline.checks.asset_checks import check_keys, last_evaluations
from pipeline.errors import CensusError
from pipeline.lake.provenance import Provenance
from pipeline.lake.store import Lake
from pipeline.months import months_between, run_again
from pipeline.orchestration.runs import CheckStatus, latest_runs, report_of
from pipeline.publish.manifest import defects, digest_as_listed, misfits, months_held
from pipeline.schema.catalogue import Catalogue
from pipeline.schema.declaration import Table
from pipeline.wording import counted


@dataclass(frozen=True)
class MonthStatus:
    """One month: where it stands (`made`, `held back`, `failed`, `running`, `missing`) and what is known of it.

    `stale` says what was made from other files or observations than the lake holds now. `checks_failed` names those
    whose last evaluation failed, errors and warnings alike; `problems` has a sentence for all that needs a hand.
    """

    month: date
    state: str
    source: str | None
    source_revision: str | None
    observed_at: str | None
    tables: int
    tables_missing: list[str]
    held_back: str | None
    stale: list[str]
    checks_passed: int
    checks_failed: list[str]
    problems: list[str]


@dataclass(frozen=True)
class ChecksOfMonth:
    """The checks that looked at a month, those that failed first, and why its latest run failed, if it did."""

    month: date
    checks: list[CheckStatus]
    looked_at: int
    failures: list[str]


def as_dicts(months: Sequence[MonthStatus | ChecksOfMonth]) -> list[dict[str, Any]]:
    """For machines."""
    return [asdict(month) | {"month": f"{month.month:%Y-%m}"} for month in months]


def month_statuses(
    lake: Lake, catalogue: Catalogue, instance: dg.DagsterInstance, left_out: Collection[date | None] = ()
) -> list[MonthStatus]:
    """Every month from the first to the last that was asked for or is in the lake, but for those `left_out`."""
    runs, stored = latest_runs(instance), months_held(lake, catalogue)
    known = sorted({*stored, *runs})
    wanted = [month for month in months_between(known[0], known[-1]) if month not in left_out] if known else []
    if not wanted:
        return []
    keys = check_keys(table for table in catalogue.tables.values() if table.monthly)
    digest = digest_as_listed(lake)
    found = {month: [*defects(lake, catalogue, month, digest)] for month in stored}
    unfit = misfits(lake, catalogue, [month for month, of_month in found.items() if not of_month])

    def status(month: date) -> MonthStatus:
        held = [table for table in catalogue.monthly if lake.holds(table, month)]
        origin, latest = _origin(lake, held, month), runs.get(month)
        evaluations = last_evaluations(instance, keys, month)
        failed = [f"{key.asset_key.to_user_string()} {key.name}" for key, one in evaluations.items() if not one.passed]
        of_month = found.get(month, [])
        stale = [str(defect) for defect in (*of_month, *unfit.get(month, ())) if defect.is_stale]
        held_back = next(map(str, of_month), None)
        problems = [f"not published: {held_back}: {run_again(month)}"] if held_back else []
        if latest is not None and not latest.is_finished:
            state, problems = "running", []
        elif latest is not None and not latest.is_success:
            failures = report_of(instance, latest.run_id).failures or ["its run was cancelled"]
            state, problems = "failed", [*(f"failed: {failure}" for failure in failures), *problems]
        elif not held and not held_back:
            state, problems = "missing", [f"missing: {run_again(month)}"]
        else:
            state = "held back" if held_back else "made"
        return MonthStatus(
            month=month,
            state=state,
            source=origin.source,
            source_revision=origin.source_revision,
            observed_at=origin.observed_at,
            tables=len(held),
            tables_missing=[table.path for table in catalogue.monthly if table not in held],
            held_back=held_back,
            stale=stale,
            checks_passed=len(evaluations) - len(failed),
            checks_failed=sorted(failed),
            problems=[*problems, *(f"stale: {sentence}" for sentence in stale)],
        )

    return [status(month) for month in wanted]


def _origin(lake: Lake, held: Iterable[Table], month: date) -> Provenance:
    """What is said of the month's origin by the first of its tables that knows it."""
    for table in held:
        with suppress(CensusError):  # told as a defect
            if (known := lake.provenance(table, month)) and known.source is not None:
                return known
    return Provenance()


def statuses_as_text(months: Sequence[MonthStatus]) -> str:
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


def checks_of_months(
    instance: dg.DagsterInstance, catalogue: Catalogue, wanted: date | None, *, failed_only: bool = False
) -> list[ChecksOfMonth]:
    """The checks of the wanted month, or of every month that was ever run, in order; all, or those that failed.

    Raises:
        CensusError: nothing was run.
    """
    runs = latest_runs(instance)
    if not runs or wanted not in (None, *runs):
        never, it = (f"{wanted:%Y-%m} was never run", "it") if runs else ("no month was ever run", "one")
        raise CensusError(f"{never}, so no check has looked at {it}: run {it} first")
    keys, found = check_keys(table for table in catalogue.tables.values() if table.monthly), []
    for month in [wanted] if wanted else sorted(runs):
        latest = runs[month]
        failures = [] if latest.is_success or not latest.is_finished else report_of(instance, latest.run_id).failures
        checks = [*map(CheckStatus.of, last_evaluations(instance, keys, month).values())]
        shown = [check for check in checks if not (failed_only and check.passed)]
        shown.sort(key=lambda one: (one.passed, one.table, one.check))
        found.append(ChecksOfMonth(month, shown, len(checks), failures))
    return found


def checks_as_text(months: Sequence[ChecksOfMonth]) -> str:
    """A line for each check; under a failed one what was expected, and what was declared where that was set."""
    lines = []
    for month in months:
        failed = sum(not check.passed for check in month.checks)
        lines.append(f"{month.month:%Y-%m}: {counted(month.looked_at, 'check')}, {failed} failed")
        lines += [f"  the run failed: {failure}" for failure in month.failures]
        for check in month.checks:
            result = "ok" if check.passed else check.severity
            lines.append(f"  {result:5}  {check.table:34} {check.check:48} {check.observed}")
            if check.declared or not check.passed:
                lines.append(f"         expected: {check.expected}")
            if check.declared:
                lines.append(f"         declared: {check.declared} (another threshold was set)")
    return "\n".join(lines)
