"""The observation that opens a month: the closing snapshot of the month before."""

from __future__ import annotations

from datetime import date

import polars as pl

from pipeline.errors import MonthNotServedError
from pipeline.hub.sources.base import Snapshot, SnapshotSource
from pipeline.lake.readable import ReadableLake
from pipeline.months import previous_month
from pipeline.tables.listings import HUB_SNAPSHOTS
from pipeline.transform.normalise import hub_snapshot


def snapshot_rows(snapshot: Snapshot, month: date) -> pl.LazyFrame:
    """A source's snapshot as `listings/hub_snapshots` of the month that it closes."""
    return hub_snapshot(
        snapshot.rows,
        month,
        observed_at=snapshot.observed_at,
        source=snapshot.source,
        source_revision=snapshot.source_revision,
    )


def opening_snapshot(month: date, source: SnapshotSource, lake: ReadableLake) -> pl.LazyFrame:
    """`listings/hub_snapshots` of the month before.

    The lake's own, if it was read from the same source; else the same observation from the source, which gives the
    same rows; empty where the source does not reach back so far.
    """
    before = previous_month(month)
    if lake.holds(HUB_SNAPSHOTS, before):
        kept = lake.scan(HUB_SNAPSHOTS, before)
        if kept.select(pl.col("source").first()).collect().item() == source.name:
            return kept
    try:
        return snapshot_rows(source.closing_snapshot(before), before)
    except MonthNotServedError:
        return pl.LazyFrame(schema=HUB_SNAPSHOTS.schema)
