"""Rules that hold a table to the repositories of another."""

from __future__ import annotations

import polars as pl

from pipeline.schema.declaration import Rule, TableFrames

_SNAPSHOT = "listings/hub_snapshots"


def covers_snapshot(name: str, meaning: str, table: str) -> Rule:
    """Every repository of the snapshot has a row in `table` (`group/name`), whose key is `hub_id`."""
    return Rule(
        name,
        meaning,
        lambda frames: _hub_ids(frames, _SNAPSHOT).join(_hub_ids(frames, table), on="hub_id", how="anti"),
    )


def _hub_ids(frames: TableFrames, table: str) -> pl.LazyFrame:
    return frames.scan(table).select("hub_id")
