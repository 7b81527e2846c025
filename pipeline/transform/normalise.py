"""From a source's rows to the snapshot as the census keeps it."""

from __future__ import annotations

from datetime import UTC, date, datetime

import polars as pl

from pipeline.tables.listings import LINEAGE_TAGS

COUNTERS_COMPLETE_SINCE = datetime(2025, 2, 27, tzinfo=UTC)
"""Before, archives wrote 0 for cumulative counters that were not public yet."""


def hub_snapshot(
    rows: pl.LazyFrame, month: date, *, observed_at: datetime, source: str, source_revision: str
) -> pl.LazyFrame:
    """The month's `listings/hub_snapshots` from rows in `OBSERVATION_SCHEMA`.

    In the order of `hub_id`. A repository listed twice is kept once, with the larger counters. A repository without an
    id is identified by its name. A cumulative counter of 0 beside recent downloads is a missing one if it was observed
    before `COUNTERS_COMPLETE_SINCE`.
    """
    too_early = pl.lit(observed_at < COUNTERS_COMPLETE_SINCE)
    missing_counter = (pl.col("downloads_all_time") == 0) & (pl.col("downloads_30d") > 0) & too_early
    named = rows.with_columns(
        pl.coalesce("hub_id", "model_id").alias("hub_id"),
        pl.when(pl.col("hub_id").is_null()).then(pl.lit("name")).otherwise(pl.lit("hub_id")).alias("identified_by"),
        namespace_of(pl.col("model_id")).alias("namespace"),
        pl.when(~missing_counter | missing_counter.is_null())
        .then(pl.col("downloads_all_time"))
        .alias("downloads_all_time"),
    )
    return _once_in_order(named).with_columns(
        lineage_tags(),
        pl.lit(month).alias("month"),
        pl.lit(observed_at).alias("observed_at"),
        pl.lit(source).alias("source"),
        pl.lit(source_revision).alias("source_revision"),
    )


def _once_in_order(named: pl.LazyFrame) -> pl.LazyFrame:
    """One row per `hub_id`, sorted by it.

    Sources list repositories by the age of their ids, so that the rows are in order but for those shown again. That is
    found out from the few columns that it takes: to sort all of them costs more memory than to read them.
    """
    hub_ids = named.select("hub_id").collect().to_series()
    if hub_ids.is_sorted() and not (hub_ids == hub_ids.shift()).any():
        return named.set_sorted("hub_id")
    placed = named.with_row_index("place")
    keys = placed.select("place", "hub_id", "downloads_all_time", "downloads_30d", "model_id").collect()
    repeated = keys.filter(pl.col("hub_id").is_duplicated()).sort(
        "hub_id", "downloads_all_time", "downloads_30d", "model_id", nulls_last=False, maintain_order=True
    )
    superseded = repeated.filter(pl.col("hub_id").eq_missing(pl.col("hub_id").shift(-1)))["place"]
    once = named
    if not superseded.is_empty():
        once = placed.filter(~pl.col("place").is_in(superseded.implode())).drop("place")
        hub_ids = keys.filter(~pl.col("place").is_in(superseded.implode()))["hub_id"]
    if hub_ids.is_sorted():
        return once.set_sorted("hub_id")
    return once.sort("hub_id")


def lineage_tags() -> pl.Expr:
    """The column `lineage_tags` from `tags`, in their order."""
    tag = pl.element()
    of_use = pl.any_horizontal(tag.str.starts_with(beginning) for beginning in LINEAGE_TAGS)
    return pl.col("tags").list.eval(tag.filter(of_use)).alias("lineage_tags")


def namespace_of(model_id: pl.Expr) -> pl.Expr:
    """The account in a repository's name; null for a name without one."""
    return model_id.str.extract(r"^([^/]+)/", 1)


def opening_counters(snapshot: pl.LazyFrame, closing: pl.LazyFrame, month: date) -> pl.LazyFrame:
    """`listings/opening_counters` of a month from the closing snapshot of the month before and its own.

    A repository that only one of the two identifies by an id is the one of the same name: it gets the `hub_id` of the
    close. `identified_by` stays what it was at the opening.
    """
    opening = snapshot.select(
        "hub_id",
        "model_id",
        "identified_by",
        "created_at",
        "downloads_all_time",
        "observed_at",
        "source",
        "source_revision",
    )
    kinds = pl.concat([opening.select("identified_by"), closing.select("identified_by")]).unique().collect()
    if kinds.height > 1:
        opening = _with_ids_of(closing, opening)
    return opening.with_columns(pl.lit(month).alias("month"))


def _with_ids_of(closing: pl.LazyFrame, opening: pl.LazyFrame) -> pl.LazyFrame:
    named = closing.select(
        "model_id", pl.col("hub_id").alias("id_at_close"), pl.col("identified_by").alias("by_at_close")
    ).unique("model_id", keep="first", maintain_order=True)
    is_by_name = (pl.col("identified_by") == "name") | (pl.col("by_at_close") == "name")
    found = opening.join(named, on="model_id", how="left", maintain_order="left")
    matched = pl.when(is_by_name).then(pl.coalesce("id_at_close", "hub_id")).otherwise("hub_id").alias("hub_id")
    return (
        found.with_columns(matched)
        .unique("hub_id", keep="first", maintain_order=True)
        .drop("id_at_close", "by_at_close")
    )
