"""The live Hub, whose counters stand still on the day before the boundary, read through its listing API."""

import uuid
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import dagster as dg
import polars as pl
import pytest

from assets.listings import second_look as looking
from assets.listings.closing_counters import CLOSING_COUNTERS, COUNTER_DAYS, read_boundary
from assets.listings.hub_snapshots import snapshot_rows
from pipeline.lake.store import Lake
from pipeline.months import closing_of, previous_month
from pipeline.orchestration.resources import LakeResource
from pipeline.sources.client import HubClient
from pipeline.sources.hub import HubSource
from synthetic_hub.incidents import CounterIncident, DailyCounters
from synthetic_hub.server import LocalHub
from synthetic_hub.world import WorldFiles, WorldSettings, ensure_world

SEPTEMBER, OPENING, CLOSING = date(2025, 9, 1), datetime(2025, 9, 1, tzinfo=UTC), datetime(2025, 10, 1, tzinfo=UTC)
DAY = timedelta(days=1)
LAST_DAY = date(2025, 9, 30)


@pytest.fixture(scope="module", params=["half_freeze", "full_freeze"])
def frozen(request, tmp_path_factory):
    """A world whose counters stand still on the last day of September and catch up on the day after."""
    settings = WorldSettings(models=2_000, pathologies=False, revisions=(CLOSING.date(),), daily=DailyCounters())
    calm = ensure_world(tmp_path_factory.getbasetemp() / "worlds", settings)
    incidents = (CounterIncident(LAST_DAY, request.param),)
    return WorldFiles(calm.path, replace(settings, daily=replace(settings.daily, incidents=incidents)))


@pytest.fixture(scope="module")
def readings(frozen, tmp_path_factory):
    """The boundary as a crawl alone tells it, after two looks before the close, and after a second look."""
    folder = tmp_path_factory.mktemp("hub")

    def at(when, act, cache="looked"):
        with LocalHub(frozen, as_of=when) as hub:
            return act(HubSource(HubClient(hub.endpoint), folder / cache, clock=lambda: when))

    def read(source):
        found = read_boundary(SEPTEMBER, snapshot_rows(source.closing_snapshot(SEPTEMBER), SEPTEMBER), source)
        return found.counters.collect(), found.days

    alone = at(CLOSING, read, cache="alone")
    for before in (2 * DAY, DAY):
        at(CLOSING - before, HubSource.list_counters)
    return {"alone": alone, "crawled": at(CLOSING, read), "looked again": at(CLOSING + 2 * DAY, read)}


def error(world, reading):
    """By how much the downloads of organisations in September differ from those planted, as a share of all."""
    counters, _ = reading
    opening = world.listing(OPENING).select(hub_id="_id", opening="downloadsAllTime")
    planted = world.truth("model_months").filter(month=SEPTEMBER).select("hub_id", planted="downloads")
    flows = (
        counters.join(opening, on="hub_id", how="left")
        .join(planted, on="hub_id")
        .group_by(pl.col("model_id").str.extract("^([^/]+)/"))
        .agg((pl.col("counter").cast(pl.Float64) - pl.col("opening").fill_null(0)).sum(), pl.col("planted").sum())
    )
    return flows.select((pl.col("counter") - pl.col("planted")).abs().sum() / pl.col("planted").sum()).item()


def test_counters_listed_before_the_close_tell_the_crawl_that_they_stand_still(readings):
    days = readings["crawled"][1].filter(observed_until=CLOSING, cohort="all")
    assert days["state"].to_list() == ["frozen"]
    assert readings["alone"][1].is_empty()


def test_a_second_look_brings_the_month_to_the_planted_flow(frozen, readings):
    alone, repaired = error(frozen, readings["alone"]), error(frozen, readings["looked again"])
    assert alone > 0.005
    assert repaired < 0.15 * alone
    assert "bridged_freeze" in set(readings["looked again"][0]["boundary"])


def lake_of(folder, month, *, source="hub", state="moving", last_seen=timedelta(hours=1)):
    """A lake that holds the month, with what counters did on the last stretch before it was crawled."""
    close = closing_of(month)
    known = {"month": month, "observed_at": close, "counted_at": close, "source": source, "source_revision": "1"}
    counters = known | {"hub_id": "a", "model_id": "maker/a", "identified_by": "hub_id"}
    days = known | {"observed_from": close - DAY, "observed_until": close + last_seen, "cohort": "all"}
    days |= {"models": 20, "models_frozen": 20, "models_fallen": 0, "state": state}
    lake = Lake(str(folder / str(uuid.uuid4())))
    for table, row in ((CLOSING_COUNTERS, counters), (COUNTER_DAYS, days)):
        lake.write(table, month, pl.DataFrame([dict.fromkeys(table.schema) | row]).select(table.schema.names()))
    return lake


@pytest.mark.parametrize(
    ("month", "known", "days", "reason"),
    [
        (date(2025, 9, 1), {}, 2, "2025-09 closed by a Wednesday"),
        (date(2025, 12, 1), {}, 2.1, "2025-12 closed by a Wednesday"),
        (date(2025, 8, 1), {"state": "frozen"}, 2.1, "counters were frozen at the close of 2025-08"),
        (date(2025, 8, 1), {"state": "rolled_back"}, 3, "counters were rolled back at the close of 2025-08"),
        (date(2025, 8, 1), {}, 2.1, None),
        (date(2025, 9, 1), {}, 1.9, None),
        (date(2025, 9, 1), {}, 3.1, None),
        (date(2025, 9, 1), {"source": "hub_stats"}, 2.1, None),
        (date(2025, 9, 1), {"last_seen": DAY}, 2.1, None),
    ],
)
def test_a_month_is_looked_at_again_where_counters_stood_still_or_may_have(tmp_path, month, known, days, reason):
    lake = lake_of(tmp_path, month, **known)
    assert looking.reason_to_look_again(lake, closing_of(month) + days * DAY) == reason


def test_the_sensor_asks_for_the_month_just_closed_from_the_live_hub_once(tmp_path, monkeypatch):
    def ask():
        return looking.second_look(dg.build_sensor_context(), lake=LakeResource(url=str(tmp_path)))

    assert isinstance(ask(), dg.SkipReason)
    monkeypatch.setattr(looking, "reason_to_look_again", lambda *_: "counters were frozen")
    request = ask()
    month = previous_month(datetime.now(UTC).date().replace(day=1))
    assert request.partition_key == month.isoformat()
    assert request.run_key == ask().run_key
    assert request.run_config["resources"]["snapshot_source"]["config"]["source"] == "hub"
