"""`listings/opening_counters`: the counters at the boundary that opens a month."""

from datetime import date

import dagster as dg
import polars as pl

from assets.listings.closing_counters import BOUNDARY_RULE, CLOSING_COUNTERS, COUNTERS, read_boundary
from assets.listings.hub_snapshots import HUB_SNAPSHOTS, snapshot_rows
from pipeline import settings
from pipeline.errors import MonthNotServedError
from pipeline.lake.store import Lake
from pipeline.months import previous_month
from pipeline.orchestration.partitions import month_of
from pipeline.orchestration.resources import LakeResource, SnapshotSourceResource
from pipeline.orchestration.table_assets import table_asset
from pipeline.schema.declaration import Measure, Table, TableFrames, rule
from pipeline.sources.snapshots import SnapshotSource
from pipeline.synthetic import MARK

PUBLIC_HUB = frozenset({"hub", "hub_stats", "weekly"})
"""Sources that observe the public Hub: its ids and counters, whichever of them is read."""
STRETCH = 1000
"""Repositories on a page of the listing."""


def _with_presence(frames: TableFrames) -> pl.LazyFrame:
    """The repositories of the opening in the order of their ids, and whether each is listed at the close."""
    listed = frames.scan("listings/hub_snapshots").select("hub_id", is_there=True)
    opening = frames.scan("listings/opening_counters").select("hub_id", "model_id")
    return opening.join(listed, on="hub_id", how="left").fill_null(value=False).sort("hub_id")


def _gone(frames: TableFrames) -> pl.LazyFrame:
    """One row: the repositories of the opening, and how many of them are not listed at the close."""
    return _with_presence(frames).select(models=pl.len(), gone=(~pl.col("is_there")).sum())


@rule(quoted=("gone", "models"))
def still_listed(frames: TableFrames) -> pl.LazyFrame:
    """At least 95 % of the opening's repositories (CENSUS_FEWEST_STILL_LISTED), or all but two, are still listed.

    With fewer at the close, the observation is cut off.
    """
    tolerated = (1 - settings.fewest_still_listed()) * pl.col("models")
    return _gone(frames).filter(pl.col("gone") > pl.max_horizontal(tolerated, 2))


@rule(quoted=("models", "model_id"))
def no_stretch_gone(frames: TableFrames) -> pl.LazyFrame:
    """No 1,000 repositories created one after the other are missing at the close: that would be a skipped page."""
    presence = _with_presence(frames).with_columns(pl.col("is_there").rle_id().alias("stretch"))
    gone = presence.filter(~pl.col("is_there")).group_by("stretch")
    sizes = gone.agg(pl.len().alias("models"), pl.col("hub_id").first(), pl.col("model_id").first())
    return sizes.filter(pl.col("models") >= STRETCH).sort("stretch")


@rule(severity="warning", quoted=("matched_by_name",))
def identity_unchanged(frames: TableFrames) -> pl.LazyFrame:
    """Both observations identify repositories the same way. Those without an id in one are matched by name."""
    closing = frames.scan("listings/hub_snapshots").select("hub_id", by_at_close="identified_by")
    both = frames.scan("listings/opening_counters").join(closing, on="hub_id")
    differing = both.filter(pl.col("identified_by") != pl.col("by_at_close")).group_by("identified_by")
    return differing.agg(pl.len().alias("matched_by_name"))


OPENING_COUNTERS = Table(
    "listings/opening_counters",
    continues="listings/hub_snapshots",
    grain="public model repository at the month's opening",
    description="The closing counters of the month before, from the lake or the source; empty where neither has them.",
    columns=COUNTERS,
    key=("hub_id",),
    may_be_empty=True,
    rules=(still_listed, no_stretch_gone, identity_unchanged),
    measures=(
        Measure(
            "gone_share",
            "Share of the repositories of the opening that are not listed at the close.",
            lambda frames: _gone(frames).select(pl.col("gone") / pl.col("models")).fill_nan(0.0),
            maximum=0.02,
            severity="warning",
        ),
    ),
)


def counters_at_opening(counters: pl.LazyFrame, closing: pl.LazyFrame, month: date) -> pl.LazyFrame:
    """`listings/opening_counters` of a month from the closing counters of the month before and its own snapshot.

    A repository that only one of the two identifies by an id is the one of the same name: it gets the `hub_id` of the
    close. `identified_by` stays what it was at the opening.
    """
    kinds = pl.concat([counters.select("identified_by"), closing.select("identified_by")]).unique().collect()
    if kinds.height > 1:
        counters = _with_ids_of(closing, counters)
    return counters.with_columns(pl.lit(month).alias("month"))


def _with_ids_of(closing: pl.LazyFrame, opening: pl.LazyFrame) -> pl.LazyFrame:
    named = closing.select("model_id", id_at_close="hub_id", by_at_close="identified_by")
    once = named.unique("model_id", keep="first", maintain_order=True)
    is_by_name = (pl.col("identified_by") == "name") | (pl.col("by_at_close") == "name")
    return (
        opening.join(once, on="model_id", how="left", maintain_order="left")
        .with_columns(hub_id=pl.when(is_by_name).then(pl.coalesce("id_at_close", "hub_id")).otherwise("hub_id"))
        .unique("hub_id", keep="first", maintain_order=True)
        .drop("id_at_close", "by_at_close")
    )


def closing_counters_before(month: date, source: SnapshotSource, lake: Lake) -> pl.LazyFrame:
    """`listings/closing_counters` of the month before.

    The lake's own, if they were read from the same source by the same rule; else the same observations from the source,
    which give the same rows. A source that cannot be asked about the month before goes on from the lake's, if they are
    of another source that observes the same Hub. Empty where there are none.
    """
    before, rule = previous_month(month), settings.boundary_rule()
    kept, read_from, rule_of_kept = pl.LazyFrame(schema=CLOSING_COUNTERS.schema), None, rule
    if lake.holds(CLOSING_COUNTERS, before):
        kept = lake.scan(CLOSING_COUNTERS, before)
        read_from = kept.select(pl.col("source").first()).collect().item()
        if known := lake.provenance(CLOSING_COUNTERS, before):
            rule_of_kept = known.made_by.get(BOUNDARY_RULE, rule)
    if rule_of_kept == rule and read_from in (source.name, f"{source.name}{MARK}"):
        return kept
    try:
        snapshot = snapshot_rows(source.closing_snapshot(before), before)
    except MonthNotServedError:
        return kept if {read_from, source.name} <= PUBLIC_HUB else kept.clear()
    return read_boundary(before, snapshot, source).counters.select(CLOSING_COUNTERS.schema.names())


@table_asset(OPENING_COUNTERS, reads_network=True, closing=HUB_SNAPSHOTS)
def opening_counters(
    context: dg.AssetExecutionContext,
    closing: pl.LazyFrame,
    snapshot_source: SnapshotSourceResource,
    lake: LakeResource,
) -> pl.LazyFrame:
    """The counters at the month's opening, from the lake or from the source."""
    month = month_of(context)
    before = closing_counters_before(month, snapshot_source.open(), lake.store())
    return counters_at_opening(before, closing, month)
