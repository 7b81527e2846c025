"""Where the counters that open a month come from."""

from datetime import UTC, date, datetime

import polars as pl
import pytest

from assets.listings.closing_counters import CLOSING_COUNTERS, read_boundary
from assets.listings.hub_snapshots import snapshot_rows
from assets.listings.opening_counters import closing_counters_before
from pipeline.errors import MonthNotServedError
from pipeline.lake.provenance import Provenance
from pipeline.lake.store import Lake
from pipeline.sources.snapshots import OBSERVATION_SCHEMA, Snapshot

AUGUST, SEPTEMBER = date(2025, 8, 1), date(2025, 9, 1)


class Source:
    """Serves the months given, each with one repository."""

    def __init__(self, name, *months, model="source/a"):
        self.name, self.served, self.model = name, months, model

    def closing_snapshot(self, month):
        if month not in self.served:
            raise MonthNotServedError(f"{self.name} has no {month}")
        row = dict.fromkeys(OBSERVATION_SCHEMA) | {"hub_id": "a", "model_id": self.model}
        rows = pl.LazyFrame([row], schema=OBSERVATION_SCHEMA)
        return Snapshot(rows, datetime(2025, 9, 1, tzinfo=UTC), self.name, "1")

    def counters_around(self, month, snapshot_revision):
        return ()


KEPT, READ = ["lake/a"], ["source/a"]


@pytest.mark.parametrize(
    ("left_by", "source", "opens"),
    [
        ("hub_stats", Source("hub_stats", AUGUST), KEPT),
        ("hub (synthetic)", Source("hub"), KEPT),
        ("weekly", Source("hub_stats", AUGUST), READ),
        ("hub_stats", Source("hub"), KEPT),
        ("sample", Source("hub"), []),
        ("folder", Source("hub"), []),
        ("hub_stats", Source("folder"), []),
        (None, Source("hub_stats", AUGUST), READ),
        (None, Source("hub"), []),
    ],
)
def test_a_month_opens_with_what_the_lake_has_of_the_same_source_or_the_source_itself_has(
    tmp_path, left_by, source, opens
):
    assert opened_from(source, lake_left_by(tmp_path, left_by)) == opens


@pytest.mark.parametrize(("rule", "opens"), [("bridged", KEPT), ("nearest", READ)])
def test_what_the_lake_has_by_another_rule_is_read_again(tmp_path, rule, opens):
    lake = lake_left_by(tmp_path, "hub_stats", Provenance(made_by={"boundary_rule": rule}))
    assert opened_from(Source("hub_stats", AUGUST), lake) == opens
    assert opened_from(Source("hub_stats"), lake) == KEPT


def lake_left_by(folder, name, provenance=None):
    """A lake that holds August as a source of this name closed it."""
    lake = Lake(str(folder))
    if name:
        source = Source(name, AUGUST, model="lake/a")
        snapshot = snapshot_rows(source.closing_snapshot(AUGUST), AUGUST)
        lake.write(CLOSING_COUNTERS, AUGUST, read_boundary(AUGUST, snapshot, source).counters, provenance)
    return lake


def opened_from(source, lake):
    return closing_counters_before(SEPTEMBER, source, lake).collect()["model_id"].to_list()
