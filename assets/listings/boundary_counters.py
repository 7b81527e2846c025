"""`listings/closing_counters`, `counter_days` and `opening_counters`: the counters at both ends of a month.

Those at the close are read with how they got there, in one step: the observations around a boundary are read once.
"""

import datetime as dt
from collections.abc import Sequence
from datetime import date

import dagster as dg
import polars as pl

from assets.columns import CREATED_AT, DOWNLOADS_ALL_TIME, MODEL, MONTH, OBSERVED_AT, PROVENANCE, count, downloads, text
from assets.listings.boundary import ALL_COHORTS, BOUNDARIES, STATES, BoundaryCounters, counters_at
from assets.listings.hub_snapshots import HUB_SNAPSHOTS, IDENTIFIED_BY, snapshot_rows
from pipeline import settings
from pipeline.errors import MonthNotServedError
from pipeline.lake.store import Lake
from pipeline.months import closing_of, previous_month
from pipeline.orchestration.partitions import month_of
from pipeline.orchestration.resources import LakeResource, SnapshotSourceResource
from pipeline.orchestration.table_assets import inputs, table_asset, table_assets
from pipeline.reference.incidents import incidents_between
from pipeline.schema.declaration import TIMESTAMP, Column, Measure, Rule, Table, TableFrames
from pipeline.sources.snapshots import SnapshotSource
from pipeline.synthetic import MARK, is_synthetic

BOUNDARY_RULE = "boundary_rule"
"""Under which name a month states how its boundaries are read."""

STATE_OF = {"freeze": "frozen", "roll_back": "rolled_back", "half_rate": "slowed"}
"""What counters do in an incident that `incidents.csv` names."""

BOUNDARY = text(
    "boundary",
    "How the counter at the boundary is known: `measured` (observed there), `interpolated` (between the observations "
    "before and after), `bridged_freeze` or `bridged_rollback` (the same, over observations in which the counter stood "
    "still or had fallen), `nearest` (only one observation can be used); absent without a counter.",
    nullable=True,
    values=BOUNDARIES,
)
COUNTERS = (
    MONTH,
    *MODEL,
    IDENTIFIED_BY,
    CREATED_AT.optional(),
    DOWNLOADS_ALL_TIME,
    downloads("The cumulative counter at `counted_at`.", "counter").optional(),
    Column("counted_at", TIMESTAMP, "The boundary; with `nearest` the time of the observation.", "UTC"),
    BOUNDARY,
    OBSERVED_AT,
    *PROVENANCE,
)
"""The counter of a repository at a boundary, beside what the snapshot nearest to it says."""

CLOSING_COUNTERS = Table(
    group="listings",
    name="closing_counters",
    grain="public model repository at the month's close",
    description=(
        "The cumulative counters at the boundary that closes the month, read model by model from the observations on "
        "both sides of it: days on which counters stood still or had fallen are bridged."
    ),
    columns=COUNTERS,
    key=("hub_id",),
)


def _otherwise_known(frames: TableFrames) -> pl.LazyFrame:
    """Days that are found and not known, or known and not found, among those around the month's close.

    Known are incidents of the whole Hub's counters that lie wholly among the days.
    """
    rows: list[tuple[dt.date, str]] = []
    days = frames.scan("listings/counter_days").filter(cohort=ALL_COHORTS).collect()
    if days.height and not is_synthetic(days["source"][0]):
        of_struck = pl.col("state").is_in([*STATE_OF.values()])
        found = days.filter(of_struck).select(pl.col("observed_from", "observed_until").dt.date(), "state").rows()
        start, end = days.select(pl.col("observed_from").min(), pl.col("observed_until").max()).row(0)
        known = [
            (one.first_day, one.last_day, STATE_OF[one.kind])
            for one in incidents_between(start, end, days["source"][0])
            if one.kind in STATE_OF and start.date() <= one.first_day and one.last_day < end.date()
        ]
        rows += [(one[0], f"{one[2]} and not known") for one in found if not _is_among(one, known)]
        rows += [(one[0], f"known as {one[2]} and not found") for one in known if not _is_among(one, found)]
    return pl.LazyFrame(rows, schema={"day": pl.Date, "said": pl.String}, orient="row")


def _is_among(one: tuple[dt.date, dt.date, str], others: Sequence[tuple[dt.date, dt.date, str]]) -> bool:
    return any(one[2] == state and first <= one[1] and one[0] <= last for first, last, state in others)


COUNTER_DAYS = Table(
    group="listings",
    name="counter_days",
    grain="stretch between two observations around the month's close, and cohort of creation",
    description=(
        "What the counters of busy models (2,000 downloads a day or more) did from one observation to the next around "
        "the boundary that closes the month. Where a quarter of a cohort stands still or falls, counters were frozen "
        "or rolled back. Empty where the source has fewer than three observations, or no model is busy."
    ),
    columns=(
        MONTH,
        Column("observed_from", TIMESTAMP, "The observation at which the stretch begins.", "UTC"),
        Column("observed_until", TIMESTAMP, "The observation at which it ends.", "UTC"),
        text("cohort", "The models created in this year; `all`; `unknown` where no date is known."),
        count("models", "Busy models observed at both ends.", minimum=0),
        count("models_frozen", "Busy models whose counter did not move.", minimum=0),
        count("models_fallen", "Busy models whose counter fell.", minimum=0),
        text(
            "state",
            "`moving`; `frozen` or `rolled_back` from a quarter of the models on, in `all` from that in any cohort; "
            "`slowed`, in `all` only, if they grew by at most 70 % of what is usual and made it good within two days; "
            "`unknown` with fewer than thirty models.",
            values=STATES,
        ),
        *PROVENANCE,
    ),
    key=("observed_from", "cohort"),
    may_be_empty=True,
    rules=(
        Rule(
            "incidents_known",
            "The days with frozen or rolled-back counters are those listed in incidents.csv.",
            _otherwise_known,
            severity="warning",
            quoted=("day", "said"),
        ),
    ),
)


def read_boundary(month: dt.date, snapshot: pl.LazyFrame, source: SnapshotSource) -> BoundaryCounters:
    """The counters at the month's close of the repositories in its snapshot, by the rule that is set."""
    if settings.boundary_rule() == "nearest":
        return counters_at(closing_of(month), snapshot)
    revision = snapshot.select(pl.col("source_revision").first()).collect().item()
    return counters_at(closing_of(month), snapshot, source.counters_around(month, revision))


@table_assets(
    "listings__closing_counters",
    {CLOSING_COUNTERS: [HUB_SNAPSHOTS], COUNTER_DAYS: [HUB_SNAPSHOTS]},
    ins=inputs(snapshot=HUB_SNAPSHOTS),
    reads_network=True,
)
def closing_counters(
    context: dg.AssetExecutionContext, snapshot: pl.LazyFrame, snapshot_source: SnapshotSourceResource
) -> tuple[pl.LazyFrame, pl.LazyFrame]:
    """The counters at the month's close, and what counters did around it."""
    month = month_of(context)
    read = read_boundary(month, snapshot, snapshot_source.open(context.log.info))
    for table in (CLOSING_COUNTERS, COUNTER_DAYS):
        rule = {BOUNDARY_RULE: settings.boundary_rule()}
        context.add_output_metadata({"made_by": rule}, output_name=table.name)
    provenance = snapshot.select("month", "source", "source_revision").head(1)
    return read.counters, read.days.lazy().join(provenance, how="cross")


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


OPENING_COUNTERS = Table(
    group="listings",
    name="opening_counters",
    continues="listings/hub_snapshots",
    grain="public model repository at the month's opening",
    description=(
        "The counters at the boundary that opens the month: the closing counters of the month before if the lake holds "
        "them, else the same observations from the source. Empty where the source does not reach back so far."
    ),
    columns=COUNTERS,
    key=("hub_id",),
    may_be_empty=True,
    rules=(
        Rule(
            "still_listed",
            "At least 95 % of the opening's repositories (CENSUS_FEWEST_STILL_LISTED), or all but two, are listed at "
            "the close. With fewer, the observation is cut off.",
            lambda frames: _gone(frames).filter(
                pl.col("gone") > pl.max_horizontal((1 - settings.fewest_still_listed()) * pl.col("models"), 2)
            ),
            quoted=("gone", "models"),
        ),
        Rule(
            "no_stretch_gone",
            "No 1,000 repositories created one after the other are missing at the close: that would be a skipped page.",
            lambda frames: (
                _with_presence(frames)
                .with_columns(pl.col("is_there").rle_id().alias("stretch"))
                .filter(~pl.col("is_there"))
                .group_by("stretch")
                .agg(pl.len().alias("models"), pl.col("hub_id").first(), pl.col("model_id").first())
                .filter(pl.col("models") >= STRETCH)
                .sort("stretch")
            ),
            quoted=("models", "model_id"),
        ),
        Rule(
            "identity_unchanged",
            "Both observations identify repositories the same way. Those without an id in one of them are matched by "
            "name.",
            lambda frames: (
                frames.scan("listings/opening_counters")
                .join(frames.scan("listings/hub_snapshots").select("hub_id", "identified_by"), on="hub_id")
                .filter(pl.col("identified_by") != pl.col("identified_by_right"))
                .group_by("identified_by")
                .agg(pl.len().alias("matched_by_name"))
            ),
            severity="warning",
            quoted=("matched_by_name",),
        ),
    ),
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


@table_asset(OPENING_COUNTERS, reads_network=True, ins=inputs(closing=HUB_SNAPSHOTS))
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
