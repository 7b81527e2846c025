"""Where the counters that open a month come from."""

from datetime import UTC, date, datetime

import polars as pl
import pytest

from assets.listings.closing_counters import CLOSING_COUNTERS, read_boundary
from assets.listings.hub_snapshots import snapshot_rows
from assets.listings.opening_counters import closing_counters_before
from pipeline.errors import MonthNotServedError
from pipeline.lake.store import Lake
from pipeline.sources.observations import OBSERVATION_SCHEMA
from pipeline.sources.snapshots import Snapshot

AUGUST, SEPTEMBER = date(2025, 8, 1), date(2025, 9, 1)


class Source:
    """Serves the months given, each with one repository named after the source."""

    def __init__(self, name, *months):
        self.name, self.served = name, months

    def closing_snapshot(self, month):
        if month not in self.served:
            raise MonthNotServedError(f"{self.name} has no {month}")
        rows = pl.LazyFrame([{"hub_id": "a", "model_id": f"{self.name}/a"}], schema_overrides=OBSERVATION_SCHEMA)
        missing = [pl.lit(None, dtype).alias(name) for name, dtype in OBSERVATION_SCHEMA.items() if "_id" not in name]
        return Snapshot(rows.with_columns(missing), datetime(2025, 9, 1, tzinfo=UTC), self.name, "1")

    def counters_around(self, month, snapshot_revision):
        return ()


@pytest.fixture
def lake_after(tmp_path):
    """A lake that holds August, as a source closed it."""

    def kept(name):
        lake = Lake(str(tmp_path / name))
        source = Source(name, AUGUST)
        snapshot = snapshot_rows(source.closing_snapshot(AUGUST), AUGUST)
        lake.write(CLOSING_COUNTERS, AUGUST, read_boundary(AUGUST, snapshot, source).counters)
        return lake

    return kept


def opened_from(source, lake):
    return closing_counters_before(SEPTEMBER, source, lake).collect()["source"].to_list()


def test_what_the_lake_has_from_the_same_source_opens_the_month(lake_after):
    assert opened_from(Source("hub_stats"), lake_after("hub_stats")) == ["hub_stats"]


def test_what_another_source_left_in_the_lake_does_not_open_it_if_the_source_itself_can(lake_after):
    assert opened_from(Source("hub_stats", AUGUST), lake_after("weekly")) == ["hub_stats"]


def test_the_live_hub_goes_on_from_the_archives(lake_after):
    assert opened_from(Source("hub"), lake_after("hub_stats")) == ["hub_stats"]


def test_the_synthetic_world_opens_no_month_of_the_real_hub(lake_after):
    assert opened_from(Source("hub"), lake_after("sample")) == []


def test_a_month_that_nobody_can_open_opens_empty(tmp_path):
    assert opened_from(Source("hub"), Lake(str(tmp_path))) == []
