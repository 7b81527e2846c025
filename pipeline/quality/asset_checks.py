"""A table's declared checks as the asset checks of its asset.

One operation judges the whole table at once, so that Great Expectations is loaded once, and reports one result a
check. What does not belong here: what is checked (see `pipeline.tables`) and how (see `judge`).
"""

import json
import time
import warnings
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

import dagster as dg

from pipeline.quality.declared import Check, declared_checks
from pipeline.quality.judge import Verdict, judge
from pipeline.quality.lake_frames import LakeFrames
from pipeline.quality.reads import tables_read
from pipeline.tables.catalog import TABLES_BY_PATH
from pipeline.tables.declaration import Expectation, Table

SEVERITIES = {"critical": dg.AssetCheckSeverity.ERROR, "warning": dg.AssetCheckSeverity.WARN}


def build_asset_checks(
    table: Table,
    asset_key: dg.AssetKey,
    partitions_def: dg.PartitionsDefinition[str] | None,
    *,
    tables: Mapping[str, Table] = TABLES_BY_PATH,
) -> dg.AssetChecksDefinition:
    """The checks of the asset that holds the table: one a declared check, critical ones blocking.

    The checks wait for the assets that their rules look at, and read the lake through the resource `lake`.
    `partitions_def` is the asset's own; `tables` are those that rules may name.

    Raises:
        ValueError: something that the table declares cannot be checked.
    """
    checks = declared_checks(table)
    looked_at = [dg.AssetKey(other.path.split("/")) for other in tables_read(table, tables)]
    seen_by_rules = {**tables, table.path: table}

    @dg.multi_asset_check(
        name=f"{'__'.join(asset_key.path)}__checks",
        specs=[_spec(check, asset_key, looked_at, partitions_def) for check in checks],
        description=f"Judges {table.path} by everything that its declaration expects.",
        can_subset=True,
        required_resource_keys={"lake"},
    )
    def check_table(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        month = date.fromisoformat(context.partition_key) if partitions_def else None
        started = time.monotonic()
        verdicts = judge(table, LakeFrames(context.resources.lake, seen_by_rules, month))
        seconds = time.monotonic() - started
        selected = {key.name for key in context.selected_asset_check_keys}
        for verdict in verdicts:
            if verdict.name in selected:
                yield _result(verdict, asset_key, seconds)

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
            metadata=_declaration(check),
            partitions_def=partitions_def,
        )


def _declaration(check: Check) -> dict[str, Any]:
    if not isinstance(check.statement, Expectation):
        return {}
    arguments = json.dumps(dict(check.statement.arguments), default=str)
    return {"expectation": check.statement.kind, "arguments": dg.MetadataValue.text(arguments)}


def _result(verdict: Verdict, asset_key: dg.AssetKey, seconds: float) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        asset_key=asset_key,
        check_name=verdict.name,
        passed=verdict.passed,
        severity=SEVERITIES[verdict.severity],
        description=verdict.error or f"{verdict.expected}; observed: {verdict.observed}",
        metadata=_metadata(verdict, seconds),
    )


def _metadata(verdict: Verdict, seconds: float) -> dict[str, Any]:
    stated = {
        "expected": dg.MetadataValue.text(verdict.expected),
        "observed": dg.MetadataValue.text(str(verdict.observed)),
        "rows": verdict.rows,
        "failed_rows": verdict.failed_rows,
        "failed_share": verdict.failed_share,
        "samples": _samples(verdict) if verdict.samples else None,
        "error": dg.MetadataValue.text(verdict.error) if verdict.error else None,
        "seconds_for_the_table": round(seconds, 3),
    }
    return {name: value for name, value in stated.items() if value is not None}


def _samples(verdict: Verdict) -> dg.TableMetadataValue:
    # A table shows its cells as text, so what strangers wrote is never rendered.
    return dg.MetadataValue.table([dg.TableRecord(row) for row in verdict.samples])
