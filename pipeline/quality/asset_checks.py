"""A table's declared checks as the asset checks of its asset.

One operation judges the whole table at once, so that Great Expectations is loaded once, and reports one result a
check. What does not belong here: what is checked (see `pipeline.tables`) and how (see `judge`).
"""

import json
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import Any

import dagster as dg

from pipeline.quality.declared import Check, declared_checks
from pipeline.quality.judge import Verdict, judge
from pipeline.quality.lake_frames import LakeFrames
from pipeline.quality.reads import tables_read
from pipeline.quality.thresholds import with_thresholds
from pipeline.schema.declaration import Expectation, Table

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
    `partitions_def` is the asset's own; `tables` are those that rules may name; `pool_of` names the pool
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
        description=f"Judges {table.path} by everything that its declaration expects.",
        can_subset=True,
        pool=pool_of([table, *read]),
        required_resource_keys={"lake", "check_thresholds"},
    )
    def check_table(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        month = date.fromisoformat(context.partition_key) if partitions_def else None
        started = time.monotonic()
        judged = with_thresholds(table, context.resources.check_thresholds.get(table.path, {}))
        verdicts = judge(judged, LakeFrames(context.resources.lake, seen_by_rules, month))
        seconds = time.monotonic() - started
        judged_rows: _Materialization = {}
        selected = {key.name for key in context.selected_asset_check_keys}
        for verdict in verdicts:
            if verdict.name in selected:
                yield _ResultOfOneStep.of(_result(verdict, declared[verdict.name], asset_key, seconds), judged_rows)

    return check_table


_Materialization = dict[dg.AssetKey, Any]


class _ResultOfOneStep(dg.AssetCheckResult):
    """A result for which Dagster looks up once a step, not once a check, which materialisation was judged."""

    known: _Materialization

    @classmethod
    def of(cls, result: dg.AssetCheckResult, known: _Materialization) -> dg.AssetCheckResult:
        """The result, sharing with the others of its step what is `known`."""
        made = cls(**result._asdict())
        made.known = known
        return made

    def _get_target_materialization_data(self, step_context: Any, check_key: dg.AssetCheckKey) -> Any:
        if check_key.asset_key not in self.known:
            self.known[check_key.asset_key] = super()._get_target_materialization_data(step_context, check_key)
        return self.known[check_key.asset_key]


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


def _result(verdict: Verdict, declared: str, asset_key: dg.AssetKey, seconds: float) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        asset_key=asset_key,
        check_name=verdict.name,
        passed=verdict.passed,
        severity=SEVERITIES[verdict.severity],
        description=verdict.error or f"{_expected(verdict, declared)}; observed: {verdict.observed}",
        metadata=_metadata(verdict, declared, seconds),
    )


def _expected(verdict: Verdict, declared: str) -> str:
    return verdict.expected if verdict.expected == declared else f"{verdict.expected} (declared: {declared})"


def _metadata(verdict: Verdict, declared: str, seconds: float) -> dict[str, Any]:
    stated = {
        "expected": dg.MetadataValue.text(verdict.expected),
        "declared": dg.MetadataValue.text(declared) if verdict.expected != declared else None,
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
