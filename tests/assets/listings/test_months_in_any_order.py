"""A month's flows are the same whether the lake or the archive opens it, and are those planted."""

from datetime import date

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from assets.listings.boundary import COUNTED
from assets.listings.closing_counters import CLOSING_COUNTERS, read_boundary
from assets.listings.hub_snapshots import HUB_SNAPSHOTS, snapshot_rows
from assets.listings.model_downloads import MODEL_DOWNLOADS, downloads_of_models, month_basis
from assets.listings.opening_counters import OPENING_COUNTERS, closing_counters_before, counters_at_opening
from pipeline.errors import MonthNotServedError
from pipeline.lake.store import Lake
from pipeline.months import months_between
from pipeline.reference.incidents import flagged_models
from pipeline.sources.client import HubClient
from pipeline.sources.hub_stats import HubStatsSource
from synthetic_hub.datasets import ARCHIVE_REPOSITORY
from synthetic_hub.incidents import CounterIncident, DailyCounters
from synthetic_hub.server import LocalHub
from synthetic_hub.world import WorldSettings, ensure_world


def backfilled(lake, source, months):
    """The digests of what the months' downloads rest on, run one after the other."""
    digests = {}
    for month in months:
        lake.write(HUB_SNAPSHOTS, month, snapshot_rows(source.closing_snapshot(month), month))
        closing = lake.scan(HUB_SNAPSHOTS, month)
        lake.write(CLOSING_COUNTERS, month, read_boundary(month, closing, source).counters)
        before = closing_counters_before(month, source, lake)
        lake.write(OPENING_COUNTERS, month, counters_at_opening(before, closing, month))
        opening = lake.scan(OPENING_COUNTERS, month)
        counters = closing.join(lake.scan(CLOSING_COUNTERS, month).select("hub_id", *COUNTED), on="hub_id")
        basis = month_basis(month, counters, opening)
        measured = downloads_of_models(basis, counters, opening, ["text-generation"], flagged_models(month))
        lake.write(MODEL_DOWNLOADS, month, measured)
        written = (HUB_SNAPSHOTS, CLOSING_COUNTERS, OPENING_COUNTERS, MODEL_DOWNLOADS)
        digests[month] = [lake.digest(table, month) for table in written]
    return digests


def archive_of(hub, folder):
    return HubStatsSource(HubClient(hub.endpoint), folder / "cache", repository=ARCHIVE_REPOSITORY)


def test_months_whose_boundaries_are_bridged_share_them_and_are_the_same_in_any_order(tmp_path, monkeypatch):
    incidents = (CounterIncident(date(2025, 7, 31), "half_freeze"), CounterIncident(date(2025, 8, 31), "roll_back"))
    settings = WorldSettings(models=2_000, pathologies=False, daily=DailyCounters(days=3, incidents=incidents))
    months = months_between(date(2025, 6, 1), date(2025, 9, 1))
    in_order, in_reverse = Lake(str(tmp_path / "in-order")), Lake(str(tmp_path / "in-reverse"))
    with LocalHub(ensure_world(tmp_path / "worlds", settings)) as hub:
        source = archive_of(hub, tmp_path)
        assert backfilled(in_order, source, months) == backfilled(in_reverse, source, months[::-1])
        monkeypatch.setenv("CENSUS_BOUNDARIES", "nearest")
        nearest = Lake(str(tmp_path / "nearest"))
        backfilled(nearest, source, months[-2:])
    found = pl.concat(in_order.scan(MODEL_DOWNLOADS, month) for month in months)
    assert {"measured", "bridged_freeze", "bridged_rollback"} <= set(found.collect()["boundary"])
    assert set(nearest.scan(MODEL_DOWNLOADS, months[-2]).collect()["boundary"].drop_nulls()) == {"measured"}
    always = (pl.len() == len(months)) & (pl.col("flow_case") == "continued").all()
    flows = found.group_by("hub_id").agg(pl.col("downloads").sum(), always.alias("always")).filter("always")
    opening = in_order.scan(OPENING_COUNTERS, months[0]).select("hub_id", opened="counter")
    closing = in_order.scan(CLOSING_COUNTERS, months[-1]).select("hub_id", closed="counter")
    both = flows.join(opening, on="hub_id").join(closing, on="hub_id").collect()
    assert both.height > 1_000
    assert (both["downloads"] == both["closed"] - both["opened"]).all()


def test_a_month_that_the_archive_missed_is_refused_and_the_next_says_that_it_is_estimated(tmp_path):
    """As on the real Hub, whose archive has nothing from 3 June to 9 July 2025."""
    boundaries = months_between(date(2025, 3, 1), date(2025, 9, 1))
    kept = tuple(boundary for boundary in boundaries if boundary != date(2025, 7, 1))
    world = ensure_world(tmp_path / "worlds", WorldSettings(models=2_000, revisions=kept))
    served = [month for month in months_between(date(2025, 4, 1), date(2025, 8, 1)) if month != date(2025, 6, 1)]
    with LocalHub(world) as hub:
        source = archive_of(hub, tmp_path)
        assert [month for month in source.months() if month >= served[0]] == served
        with pytest.raises(
            MonthNotServedError, match=r"cannot close 2025-06: no usable revision .* choose other months"
        ):
            source.closing_snapshot(date(2025, 6, 1))
        lake = Lake(str(tmp_path / "lake"))
        digests = backfilled(lake, source, served)
        assert backfilled(Lake(str(tmp_path / "in-reverse")), source, served[::-1]) == digests
    planted = world.truth("model_months").filter(pl.col("case") != "disappeared")
    for month in served:
        found = lake.scan(MODEL_DOWNLOADS, month).sort("hub_id").collect()
        of_month = planted.filter(pl.col("month") == month).select("hub_id", "downloads").sort("hub_id")
        if month == date(2025, 7, 1):
            assert found.select("basis", "quality").unique().row(0) == ("rolling_30d", "estimated")
            assert lake.scan(OPENING_COUNTERS, month).collect().is_empty()
        else:
            assert set(found["basis"]) == {"all_time_delta"}
            assert_frame_equal(found.select("hub_id", pl.col("downloads").cast(pl.Float64)), of_month, abs_tol=1e-6)
