"""The observation that opens a month: the closing snapshot of the month before."""

from __future__ import annotations

from datetime import date

import polars as pl

from pipeline.errors import MonthNotServedError
from pipeline.lake.readable import ReadableLake
from pipeline.months import previous_month
from pipeline.sources.snapshots import Snapshot, SnapshotSource
from pipeline.synthetic import MARK
from pipeline.tables.listings import HUB_SNAPSHOTS
from pipeline.transform.normalise import hub_snapshot

PUBLIC_HUB = frozenset({"hub", "hub_stats", "weekly"})
"""Sources that observe the public Hub: its ids and counters, whichever of them is read."""


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
    same rows. A source that cannot be asked about the month before goes on from the lake's, if that is of another
    source that observes the same Hub. Empty where there is none.
    """
    before = previous_month(month)
    kept = lake.scan(HUB_SNAPSHOTS, before) if lake.holds(HUB_SNAPSHOTS, before) else None
    read_from = kept.select(pl.col("source").first()).collect().item() if kept is not None else None
    if kept is not None and read_from in (source.name, f"{source.name}{MARK}"):
        return kept
    try:
        return snapshot_rows(source.closing_snapshot(before), before)
    except MonthNotServedError:
        if kept is not None and {read_from, source.name} <= PUBLIC_HUB:
            return kept
        return pl.LazyFrame(schema=HUB_SNAPSHOTS.schema)
