"""`listings/closing_counters` and `counter_days`: the counters at a month's close, and how they got there.

One step makes both: the observations around a boundary are read once.
"""

import datetime as dt
from collections.abc import Sequence

import dagster as dg
import polars as pl

from assets.columns import CREATED_AT, DOWNLOADS_ALL_TIME, MODEL, MONTH, OBSERVED_AT, PROVENANCE, count, downloads, text
from assets.listings.boundary import ALL_COHORTS, BOUNDARIES, STATES, BoundaryCounters, counters_at
from assets.listings.hub_snapshots import HUB_SNAPSHOTS, IDENTIFIED_BY
from pipeline import settings
from pipeline.months import closing_of
from pipeline.orchestration.partitions import month_of
from pipeline.orchestration.resources import SnapshotSourceResource
from pipeline.orchestration.table_assets import table_assets
from pipeline.reference.incidents import incidents_between
from pipeline.schema.declaration import TIMESTAMP, Column, Table, TableFrames, rule
from pipeline.sources.snapshots import SnapshotSource
from pipeline.synthetic import is_synthetic

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
    "listings/closing_counters",
    grain="public model repository at the month's close",
    description="The cumulative counters at the month's close, read from the observations on both sides of it.",
    columns=COUNTERS,
    key=("hub_id",),
)


@rule(severity="warning", quoted=("day", "said"))
def incidents_known(frames: TableFrames) -> pl.LazyFrame:
    """The days with frozen or rolled-back counters are those listed in incidents.csv."""
    rows: list[tuple[dt.date, str]] = []
    days = frames.scan("listings/counter_days").filter(cohort=ALL_COHORTS).collect()
    if days.height and not is_synthetic(days["source"][0]):
        of_struck = pl.col("state").is_in([*STATE_OF.values()])
        found = days.filter(of_struck).select(pl.col("observed_from", "observed_until").dt.date(), "state").rows()
        # Only incidents that lie wholly among the days must have been seen.
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
    "listings/counter_days",
    grain="stretch between two observations around the month's close, and cohort of creation",
    description=(
        "What the counters of busy models (2,000 downloads a day or more) did between observations around the month's "
        "close. Empty where the source has fewer than three observations, or no model is busy."
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
    rules=(incidents_known,),
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
    snapshot=HUB_SNAPSHOTS,
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
