"""What checks found the last time that they looked at a month, as Dagster keeps it, whichever run they looked in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from itertools import dropwhile
from typing import cast

import dagster as dg
from dagster._core.event_api import PartitionKeyFilter  # Dagster has no public name for this one and the next
from dagster._core.storage.asset_check_execution_record import (
    AssetCheckExecutionRecord,
    AssetCheckExecutionRecordStatus,
)

from pipeline.checks.declared import declared_checks
from pipeline.schema.declaration import Table

RUNS_LOOKED_AT = 50
EVALUATED = {AssetCheckExecutionRecordStatus.SUCCEEDED, AssetCheckExecutionRecordStatus.FAILED}


def check_keys(tables: Iterable[Table]) -> list[dg.AssetCheckKey]:
    """The checks of the tables."""
    return [
        dg.AssetCheckKey(dg.AssetKey(table.path.split("/")), check.name)
        for table in tables
        for check in declared_checks(table)
    ]


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
        check, RUNS_LOOKED_AT, status=EVALUATED, partition_filter=_partition(month)
    )


def _partition(month: date | None) -> PartitionKeyFilter:
    return PartitionKeyFilter(key=month.isoformat() if month else None)
