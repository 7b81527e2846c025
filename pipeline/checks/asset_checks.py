"""A table's declared checks as the asset checks of its asset.

One operation evaluates the whole table at once, so that Great Expectations is loaded once, and reports one result a
check. What does not belong here: what is checked (see the tables) and how (see `evaluate`).
"""

import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import Any

import dagster as dg

from pipeline.checks.declared import Check, declared_checks
from pipeline.checks.evaluate import Result, evaluate
from pipeline.checks.lake_frames import LakeFrames
from pipeline.checks.reads import tables_read
from pipeline.checks.thresholds import with_thresholds
from pipeline.schema.declaration import Table

SEVERITIES = {"critical": dg.AssetCheckSeverity.ERROR, "warning": dg.AssetCheckSeverity.WARN}


def build_asset_checks(
    table: Table,
    asset_key: dg.AssetKey,
    partitions_def: dg.PartitionsDefinition[str] | None,
    *,
    tables: Mapping[str, Table],
    pool_of: Callable[[list[Table]], str | None] = lambda _: None,
) -> dg.AssetChecksDefinition:
    """The checks of the asset that holds the table: one a declared check, critical ones blocking.

    The checks wait for the assets that their rules look at, and read the lake through the resource `lake`. Where the
    resource `check_thresholds` sets a threshold, its check states what was declared as well.
    `partitions_def` is the asset's own; `tables` are those that rules may name, by path; `pool_of` names the pool
    of a step that reads tables.

    Raises:
        ValueError: something that the table declares cannot be checked.
    """
    checks = declared_checks(table)
    declared = {check.name: check.expected for check in checks}
    read = tables_read(table, tables)
    looked_at = [dg.AssetKey(other.path.split("/")) for other in read]
    seen_by_rules = {**tables, table.path: table}

    @dg.multi_asset_check(
        name=f"{'__'.join(asset_key.path)}__checks",
        specs=[_spec(check, asset_key, looked_at, partitions_def) for check in checks],
        description=f"Checks {table.path} by everything that its declaration states.",
        can_subset=True,
        pool=pool_of([table, *read]),
        required_resource_keys={"lake", "check_thresholds"},
    )
    def check_table(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        month = date.fromisoformat(context.partition_key) if partitions_def else None
        started = time.monotonic()
        chosen = with_thresholds(table, context.resources.check_thresholds.get(table.path, {}))
        selected = {key.name for key in context.selected_asset_check_keys}
        results = evaluate(chosen, LakeFrames(context.resources.lake, seen_by_rules, month), selected)
        seconds = time.monotonic() - started
        for result in results:
            yield _as_dagster(result, declared[result.name], asset_key, seconds)

    return check_table


def _spec(
    check: Check,
    asset_key: dg.AssetKey,
    looked_at: list[dg.AssetKey],
    partitions_def: dg.PartitionsDefinition[str] | None,
) -> dg.AssetCheckSpec:
    with warnings.catch_warnings():
        # Checks by partition are a preview in Dagster 1.13; what we rely on is held by tests.
        warnings.filterwarnings("ignore", message=".*partitions_def on an AssetCheckSpec", category=dg.PreviewWarning)
        return dg.AssetCheckSpec(
            check.name,
            asset=asset_key,
            description=check.description,
            additional_deps=looked_at,
            blocking=check.severity == "critical",
            partitions_def=partitions_def,
        )


def _as_dagster(result: Result, declared: str, asset_key: dg.AssetKey, seconds: float) -> dg.AssetCheckResult:
    expected = result.check.expected
    stated = expected if expected == declared else f"{expected} (declared: {declared})"
    return dg.AssetCheckResult(
        asset_key=asset_key,
        check_name=result.name,
        passed=result.passed,
        severity=SEVERITIES[result.check.severity],
        description=result.error or f"{stated}; observed: {result.observed}",
        metadata={**result_metadata(result, declared), "seconds_for_the_table": round(seconds, 3)},
    )


def result_metadata(result: Result, declared: str) -> dict[str, Any]:
    """What a result says, as the UI shows it and `census checks` reads it; `declared` is what the table itself states.

    A table shows its cells as text, so that untrusted input is never rendered.
    """
    expected = result.check.expected
    stated = {
        "expected": dg.MetadataValue.text(expected),
        "declared": dg.MetadataValue.text(declared) if expected != declared else None,
        "observed": dg.MetadataValue.text(result.observed),
        "judged": result.judged,
        "rows": result.rows,
        "failed_rows": result.failed_rows,
        "columns": _table([vars(count) for count in result.by_column]),
        "samples": _table(result.samples),
        "error": dg.MetadataValue.text(result.error) if result.error else None,
    }
    return {name: value for name, value in stated.items() if value is not None}


def _table(rows: list[dict[str, Any]]) -> dg.TableMetadataValue | None:
    return dg.MetadataValue.table([dg.TableRecord(row) for row in rows]) if rows else None
