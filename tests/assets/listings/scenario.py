"""A month of a few repositories, observed at its opening and its close."""

from dataclasses import dataclass
from datetime import UTC, date, datetime

import polars as pl

from assets.listings.boundary import counters_at
from assets.listings.closing_counters import CLOSING_COUNTERS
from assets.listings.hub_snapshots import HUB_SNAPSHOTS, snapshot_rows
from assets.listings.model_downloads import MonthBasis, downloads_of_models, month_basis
from assets.listings.opening_counters import counters_at_opening
from assets.listings.reconciliation import reconciled, whole_month
from pipeline.months import closing_of, opening_of
from pipeline.sources.snapshots import OBSERVATION_SCHEMA, Snapshot
from tests.assets.rows import rows_of

AUGUST = date(2025, 8, 1)
LONG_AGO = datetime(2023, 1, 1, tzinfo=UTC)


def repository(hub_id, all_time, **more):
    """A repository with this cumulative counter."""
    stated = {"hub_id": hub_id, "model_id": f"maker/{hub_id}", "namespace": "maker", "created_at": LONG_AGO}
    return stated | {"downloads_all_time": all_time, "downloads_30d": 0} | more


def snapshot_at(when, rows):
    """`listings/hub_snapshots` of the rows, observed at a time; what they do not state is null."""
    stated = {"month": AUGUST, "observed_at": when, "source": "test", "source_revision": "1", "identified_by": "hub_id"}
    return rows_of(HUB_SNAPSHOTS, [stated | row for row in rows])


def snapshot_of(*rows, observed_at=datetime(2025, 9, 1, tzinfo=UTC)):
    """`listings/hub_snapshots` of what a source says of repositories; what it does not say is null."""
    complete = [{name: row.get(name) for name in OBSERVATION_SCHEMA} for row in rows]
    observed = Snapshot(pl.LazyFrame(complete, schema=OBSERVATION_SCHEMA), observed_at, "test", "1")
    return snapshot_rows(observed, AUGUST).collect()


@dataclass(frozen=True)
class Measured:
    """What a month comes to."""

    basis: MonthBasis
    rows: pl.DataFrame
    by_case: pl.DataFrame
    whole: dict

    def flow(self, hub_id):
        """The row of a repository."""
        return self.rows.row(by_predicate=pl.col("hub_id") == hub_id, named=True)

    def case(self, flow_case):
        """The reconciliation of a flow case."""
        return self.by_case.row(by_predicate=pl.col("flow_case") == flow_case, named=True)


def measure(closing, opening, *, closed_at=None, opened_at=None, further=(), flagged=(), incidents=(), plausible=None):
    """August 2025 with these repositories at its close and at its opening, by default observed at the boundaries.

    `further` are other observations around the close.
    """
    snapshot = snapshot_at(closed_at or closing_of(AUGUST), closing)
    before = counters_at(opening_of(AUGUST), snapshot_at(opened_at or opening_of(AUGUST), opening)).counters
    counters = counters_at(closing_of(AUGUST), snapshot, further).counters
    opened = counters_at_opening(before.select(CLOSING_COUNTERS.schema.names()), snapshot, AUGUST)
    basis = month_basis(AUGUST, counters, opened)
    rows = downloads_of_models(basis, counters, opened, ["text-generation"], list(flagged))
    by_case = reconciled(basis, rows, counters, opened).collect()
    [whole] = whole_month(by_case, rows, counters, opened, incidents, plausible).to_dicts()
    return Measured(basis, rows.sort("hub_id").collect(), by_case, whole)
