"""Rules that hold a table to the repositories of another, with proofs by the order in which the lake stores them."""

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
        proof=lambda frames: stand_side_by_side(_hub_ids(frames, _SNAPSHOT), _hub_ids(frames, table)),
    )


def _hub_ids(frames: TableFrames, table: str) -> pl.LazyFrame:
    return frames.scan(table).select("hub_id")


def stand_side_by_side(one: pl.LazyFrame, other: pl.LazyFrame) -> pl.LazyFrame:
    """Whether two frames of one column have the same values in the same rows; one cell."""
    there = pl.lit(value=True)
    columns = (
        one.select(pl.first().alias("one"), there.alias("in_one")),
        other.select(pl.first().alias("other"), there.alias("in_other")),
    )
    both = pl.concat(columns, how="horizontal_extend")
    as_many = pl.col("in_one").eq_missing(pl.col("in_other"))
    return both.select((as_many & pl.col("one").eq_missing(pl.col("other"))).all())


def lies_within(part: pl.LazyFrame, whole: pl.LazyFrame) -> pl.LazyFrame:
    """Whether each value of a frame of one column is one of another's, both in order; one cell.

    Found in one walk along both; values that stand in no order may be missed, but none is found that is not there.
    """
    sought = part.select(pl.first().alias("value")).set_sorted("value")
    there = whole.select(pl.first().alias("value"), pl.lit(value=True).alias("is_there")).set_sorted("value")
    found = sought.join(there, on="value", how="left", maintain_order="left")
    return found.select(pl.col("is_there").is_not_null().all())


def runs(rows: pl.LazyFrame, column: str) -> pl.LazyFrame:
    """The column's values, equal ones that stand together once."""
    value = pl.col(column)
    return rows.select(value).filter(value.ne_missing(value.shift()) | (pl.int_range(pl.len()) == 0))
