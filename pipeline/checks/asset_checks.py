"""A table's declared checks as the asset checks of its asset.

One operation evaluates the whole table at once, so that Great Expectations is loaded once, and reports one result a
check. What does not belong here: what is checked (see the tables) and how (see `evaluate`).
"""

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import dropwhile
from typing import Any, cast

import dagster as dg
import polars as pl
from dagster._core.event_api import PartitionKeyFilter  # Dagster has no public name for this one and the next
from dagster._core.storage.asset_check_execution_record import (
    AssetCheckExecutionRecord,
    AssetCheckExecutionRecordStatus,
)

from pipeline.checks.declared import checks_of_change, declared_checks, tables_read
from pipeline.checks.evaluate import Result, evaluate
from pipeline.checks.thresholds import Thresholds, with_thresholds
from pipeline.lake.store import Lake
from pipeline.months import previous_month
from pipeline.schema.declaration import MonthAbsentError, Table
from pipeline.wording import counted

COMPARED_WITH = "compared_with"
"""In the metadata of a check that was judged when its month was published: the file of the month before."""
EVALUATED = {AssetCheckExecutionRecordStatus.SUCCEEDED, AssetCheckExecutionRecordStatus.FAILED}


@dataclass(frozen=True)
class LakeFrames:
    """The lake's tables in one month; tables without months are seen whole."""

    lake: Lake
    tables: Mapping[str, Table]
    month: date | None

    def scan(self, table: str) -> pl.LazyFrame:
        """See `TableFrames`."""
        declared = self.tables[table]
        return self.lake.scan(declared, self.month if declared.monthly else None)

    def scan_previous(self, table: str) -> pl.LazyFrame:
        """See `TableFrames`."""
        before = previous_month(cast("date", self.month))
        if not self.lake.holds(self.tables[table], before):
            raise MonthAbsentError(before)
        return self.lake.scan(self.tables[table], before)


def build_asset_checks(
    table: Table,
    months: dg.PartitionsDefinition[str],
    tables: Mapping[str, Table],
    pool_of: Callable[[list[Table]], str | None] = lambda _: None,
) -> dg.AssetChecksDefinition:
    """The checks of the asset that holds the table: one a declared check, critical ones blocking.

    The checks wait for the assets that their rules look at, and read the lake through the resource `lake`. Where the
    resource `check_thresholds` sets a threshold, its check states what was declared as well.
    `months` are the partitions of monthly assets; `tables` are those that rules may name, by path; `pool_of` names the
    pool of a step that reads tables.

    Raises:
        ValueError: something that the table declares cannot be checked.
    """
    checks = declared_checks(table)
    declared = {check.name: check.expected for check in checks}
    asset_key, partitions_def = dg.AssetKey(table.path.split("/")), months if table.monthly else None
    read = tables_read(table, tables)
    looked_at = [dg.AssetKey(other.path.split("/")) for other in read]
    seen_by_rules = {**tables, table.path: table}
    with warnings.catch_warnings():
        # Checks by partition are a preview in Dagster 1.13; what we rely on is held by tests.
        warnings.filterwarnings("ignore", message=".*partitions_def on an AssetCheckSpec", category=dg.PreviewWarning)
        specs = [
            dg.AssetCheckSpec(
                check.name,
                asset=asset_key,
                description=check.description,
                additional_deps=looked_at,
                blocking=check.severity == "critical",
                partitions_def=partitions_def,
            )
            for check in checks
        ]

    @dg.multi_asset_check(
        name=f"{'__'.join(asset_key.path)}__checks",
        specs=specs,
        description=f"Checks {table.path} by everything that its declaration states.",
        can_subset=True,
        pool=pool_of([table, *read]),
        required_resource_keys={"lake", "check_thresholds"},
    )
    def check_table(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        month = date.fromisoformat(context.partition_key) if partitions_def else None
        chosen = with_thresholds(table, context.resources.check_thresholds.get(table.path, {}))
        selected = {key.name for key in context.selected_asset_check_keys}
        results = evaluate(chosen, LakeFrames(context.resources.lake.store(), seen_by_rules, month), selected)
        failed = [result.check.name for result in results if not result.passed]
        of_month = f"{table.path} of {month:%Y-%m}" if month else table.path
        named = f" ({', '.join(failed)})" if failed else ""
        context.log.info(f"{of_month}: {counted(len(results), 'check')}, {len(failed)} failed{named}")
        for result in results:
            name = result.check.name
            yield dg.AssetCheckResult(asset_key=asset_key, check_name=name, **_shown(result, declared[name]))

    return check_table


def changes_judged_again(
    lake: Lake,
    tables: Mapping[str, Table],
    months: Sequence[date],
    thresholds: Thresholds,
    instance: dg.DagsterInstance,
) -> Iterator[dg.AssetCheckEvaluation]:
    """What the checks that compare with the month before say of the months that were made before that one.

    Whoever publishes the months logs these evaluations in its run (`context.log_event`), so that the order in which the
    months were made changes no result. What was judged since both months were written is not judged again. `tables` are
    those of the lake, by path.
    """
    for path, table in tables.items():
        declared = {check.name: check.expected for check in declared_checks(table)}
        names = checks_of_change(table, tables)
        keys = [_key(table, name) for name in names]
        for month in months if names else ():
            before = previous_month(month)
            if not lake.holds(table, before) or lake.modified(table, month) > lake.modified(table, before):
                continue
            compared_with, known = lake.state(table, before), last_evaluations(instance, keys, month)
            judged = {
                key.name
                for key, last in known.items()
                if COMPARED_WITH in last.metadata and last.metadata[COMPARED_WITH].value == compared_with
            }
            due, frames = set(names) - judged, LakeFrames(lake, tables, month)
            for result in evaluate(with_thresholds(table, thresholds.get(path, {})), frames, due):
                shown = _shown(result, declared[result.check.name])
                shown["metadata"][COMPARED_WITH] = compared_with
                yield dg.AssetCheckEvaluation(
                    asset_key=dg.AssetKey(path.split("/")),
                    check_name=result.check.name,
                    blocking=result.check.severity == "critical",
                    partition=month.isoformat(),
                    **shown,
                )


def _shown(result: Result, declared: str) -> dict[str, Any]:
    """What a result says, as the UI and `census checks` show it; `declared` is what the table itself states."""
    check = result.check
    stated = check.expected if check.expected == declared else f"{check.expected} (declared: {declared})"
    metadata = {
        "expected": dg.MetadataValue.text(check.expected),
        "declared": dg.MetadataValue.text(declared) if check.expected != declared else None,
        "observed": dg.MetadataValue.text(result.observed),
        "judged": result.judged,
        "rows": result.rows,
        "failed_rows": result.failed_rows,
        "columns": _table(result.by_column),
        "samples": _table(result.samples),
        "error": dg.MetadataValue.text(result.error) if result.error else None,
    }
    return {
        "passed": result.passed,
        "severity": dg.AssetCheckSeverity.ERROR if check.severity == "critical" else dg.AssetCheckSeverity.WARN,
        "description": result.error or f"{stated}; observed: {result.observed}",
        "metadata": {name: value for name, value in metadata.items() if value is not None},
    }


def _table(rows: Sequence[Mapping[str, Any]]) -> dg.TableMetadataValue | None:
    """The rows as a table, which shows its cells as text, so that untrusted input is never rendered."""
    return dg.MetadataValue.table([dg.TableRecord(row) for row in rows]) if rows else None


def check_keys(tables: Iterable[Table]) -> list[dg.AssetCheckKey]:
    """The checks of the tables."""
    return [_key(table, check.name) for table in tables for check in declared_checks(table)]


def _key(table: Table, check: str) -> dg.AssetCheckKey:
    return dg.AssetCheckKey(dg.AssetKey(table.path.split("/")), check)


def last_evaluations(
    instance: dg.DagsterInstance, checks: Iterable[dg.AssetCheckKey], month: date | None
) -> Mapping[dg.AssetCheckKey, dg.AssetCheckEvaluation]:
    """The last evaluation of each of the checks that ever looked at the month."""
    storage = instance.event_log_storage
    records = storage.get_latest_asset_check_execution_by_key(list(checks), _partition(month))
    found = {}
    for check, record in records.items():
        # A run that was to evaluate it may not have come to that.
        if last := record if record.status in EVALUATED else next(_history(instance, check, month), None):
            found[check] = cast("dg.AssetCheckEvaluation", last.evaluation)
    return found


def passed_before(instance: dg.DagsterInstance, check: dg.AssetCheckKey, month: date | None, run_id: str) -> bool:
    """Whether the check passed the last time that it looked at the month before this run, or never had."""
    until_run = dropwhile(lambda record: record.run_id != run_id, _history(instance, check, month))
    before = next((record for record in until_run if record.run_id != run_id), None)
    return before is None or before.status == AssetCheckExecutionRecordStatus.SUCCEEDED


def _history(
    instance: dg.DagsterInstance, check: dg.AssetCheckKey, month: date | None
) -> Iterator[AssetCheckExecutionRecord]:
    """The latest evaluations, newest first."""
    yield from instance.event_log_storage.get_asset_check_execution_history(
        check, limit=50, status=EVALUATED, partition_filter=_partition(month)
    )


def _partition(month: date | None) -> PartitionKeyFilter:
    return PartitionKeyFilter(key=month.isoformat() if month else None)
