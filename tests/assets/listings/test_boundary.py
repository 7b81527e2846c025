"""The counters at a boundary, where counters stood still, ran slow or fell around it."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.listings.boundary import ALL_COHORTS, READ_FROM_SEVERAL, counters_at
from pipeline.reference.registry import read_registry
from pipeline.sources.snapshots import CounterObservation
from synthetic_hub.incidents import CounterIncident, DailyCounters
from synthetic_hub.world import WorldFiles, WorldSettings, ensure_world
from tests.assets.listings.scenario import LONG_AGO, repository, snapshot_at

CLOSING = datetime(2025, 9, 1, tzinfo=UTC)
BOUNDARIES = [datetime(2025, month, 1, tzinfo=UTC) for month in (4, 5, 7, 8, 9, 10)]
"""Of all days of the week but two. June's is left out: worlds with pathologies have their roll-back by it."""
DAY = timedelta(days=1)
WITHIN_TOLERANCE = range(-3, 4)
REGISTRY = read_registry().organizations.lazy().unique("namespace").select("namespace", "organization", "country")
STATE_OF = {"half_freeze": "frozen", "full_freeze": "frozen", "roll_back": "rolled_back", "half_rate": "slowed"}


@pytest.fixture(scope="module")
def worlds(tmp_path_factory):
    """Worlds with a revision on every day around their boundaries: one without a weekday effect, one with it."""
    folder = tmp_path_factory.getbasetemp() / "worlds"
    asked = WorldSettings(models=2_000, revisions=(CLOSING.date(),), daily=DailyCounters())
    return [ensure_world(folder, replace(asked, seed=seed, pathologies=seed == 2)) for seed in (1, 2)]


def struck(world, *incidents):
    """The same world, whose counters show these incidents."""
    return WorldFiles(world.path, replace(world.settings, daily=replace(world.settings.daily, incidents=incidents)))


def listing(world, when):
    return (
        world.listing(when)
        .lazy()
        .select(
            hub_id="_id",
            model_id="id",
            created_at=pl.col("createdAt").cast(pl.Datetime("us", "UTC")),
            downloads_all_time="downloadsAllTime",
            observed_at=pl.lit(when),
        )
    )


def read(world, boundary, days=WITHIN_TOLERANCE):
    """The counters at the boundary by the snapshot on it and those so many days from it."""
    further = [CounterObservation(listing(world, boundary + day * DAY), boundary + day * DAY) for day in days]
    return counters_at(boundary, listing(world, boundary).sort("hub_id"), further)


def errors(shown, world, boundary, days):
    """How far the downloads of countries and organisations until the boundary are from those of the world, summed."""
    truth = listing(world, boundary).select("hub_id", true="downloads_all_time")
    found = (
        read(shown, boundary, days)
        .counters.join(truth, on="hub_id")
        .with_columns(namespace=pl.col("model_id").str.extract("^([^/]+)/"))
        .join(REGISTRY, on="namespace", how="left")
        .with_columns(pl.coalesce("organization", "namespace"), pl.col("country").fill_null("unmapped"))
        .with_columns(off=(pl.col("counter") - pl.col("true")).cast(pl.Float64))
        .collect()
    )
    off = (found.group_by(member).agg(pl.col("off").sum().abs())["off"].sum() for member in ("country", "organization"))
    return np.array(list(off))


INCIDENTS = [
    ("half_freeze", -1, {}, (0.9, 0.9)),
    ("half_freeze", -1, {"catch_up_days": 2}, (0.9, 0.9)),
    ("half_freeze", -2, {"catch_up_days": 2}, (0.9, 0.9)),
    ("full_freeze", -1, {}, (0.9, 0.9)),
    ("full_freeze", -1, {"catch_up_days": 2}, (0.9, 0.9)),
    ("full_freeze", -2, {"days": 2}, (0.9, 0.9)),
    ("roll_back", -1, {}, (0.9, 0.9)),
    ("roll_back", -1, {"catch_up_days": 2}, (0.9, 0.9)),
    ("half_rate", -1, {}, (0.9, 0.85)),
]


@pytest.mark.parametrize(("kind", "day", "more", "least"), INCIDENTS, ids=str)
def test_bridging_takes_away_nine_tenths_of_an_incidents_error(worlds, kind, day, more, least):
    """Of a day of downloads; of the half of one that a day at half rate is late, nearly as much of organisations'."""
    nearest, bridged = np.zeros(2), np.zeros(2)
    for world in worlds:
        shown = struck(world, *(CounterIncident((one + day * DAY).date(), kind, **more) for one in BOUNDARIES))
        nearest += sum(errors(shown, world, boundary, ()) for boundary in BOUNDARIES)
        bridged += sum(errors(shown, world, boundary, WITHIN_TOLERANCE) for boundary in BOUNDARIES)
    assert (bridged <= (1 - np.array(least)) * nearest).all(), 1 - bridged / nearest


@pytest.mark.parametrize("day", range(25, 32))
def test_a_freeze_on_any_day_of_the_week_is_bridged_once_counters_have_caught_up(worlds, day):
    world, boundary = worlds[1], datetime(2025, 8, day, tzinfo=UTC) + DAY
    for kind in ("half_freeze", "full_freeze"):
        found = read(struck(world, CounterIncident(date(2025, 8, day), kind)), boundary).counters
        assert found.select((pl.col("boundary") == "bridged_freeze").mean()).collect().item() > 0.3


class RandomHub:
    """A few hundred busy counters of a random Hub over 40 days, as unsteady as real ones on their worst days.

    Downloads vary by 10 to 40 % a day, those of all together by some percent and by weekends; on every day 3 % of
    counters stand still and 1 % fall by themselves.
    """

    def __init__(self, number):
        self.chance = np.random.default_rng(number)
        self.boundary = CLOSING + int(self.chance.integers(0, 28)) * DAY
        self.start = self.boundary - 30 * DAY
        self.created = self.chance.integers(1646263744, int((self.boundary - 60 * DAY).timestamp()), 400)
        self.incidents = [self._incident(part) for part in range(self.chance.integers(0, 3))]
        weekend, spread = self.chance.uniform(0.5, 1), self.chance.uniform(0.1, 0.4)
        week = [weekend if (self.start + day * DAY).weekday() >= 5 else 1 for day in range(40)]
        usual = 2_500 * (1 + self.chance.pareto(1.2, (400, 1))) * week * self.chance.normal(1, 0.04, 40)
        grown = usual * self.chance.lognormal(0, spread, (400, 40))
        self.counted = np.concatenate([np.full((400, 1), 10**6), 10**6 + grown.cumsum(axis=1)], axis=1)

    def _incident(self, part):
        day = self.boundary + int(self.chance.choice([-3, -2]) + 3 * part) * DAY
        kind, late = str(self.chance.choice(list(STATE_OF))), int(self.chance.choice([1, 1, 2]))
        severity = 1.0 if kind == "half_rate" else self.chance.uniform(0.6, 1)
        return CounterIncident(day.date(), kind, catch_up_days=late, severity=severity)

    def _true(self, now):
        day, part = divmod((now - self.start.timestamp()) / 86_400, 1)
        before, after = self.counted[:, int(day)], self.counted[:, min(int(day) + 1, 40)]
        return before + (after - before) * part

    def observations(self):
        """What is shown on the days around the boundary."""
        shown = {}
        for day in (self.boundary + step * DAY for step in WITHIN_TOLERANCE):
            now = int(day.timestamp())
            counters = self._true(now)
            for incident in self.incidents:
                is_hit = incident.happens_to(self.created, 1)
                shown_late = np.minimum(counters, self._true(incident.counted_until(now)))
                counters = np.where(is_hit, shown_late, counters)
            before, draw = shown.get(day - DAY, counters), self.chance.random(400)
            shown[day] = np.where(draw < 0.03, before, np.where(draw < 0.04, before - 5, counters)).astype(np.int64)
        return shown

    def states(self):
        """The days that are found to be other than usual, with what they are."""
        frames = {
            day: pl.LazyFrame({"hub_id": map(str, range(400)), "model_id": "a", "downloads_all_time": counters})
            for day, counters in self.observations().items()
        }
        created = pl.Series(self.created * 10**6).cast(pl.Datetime("us", "UTC"))
        snapshot = frames.pop(self.boundary).with_columns(created_at=created, observed_at=pl.lit(self.boundary))
        further = [CounterObservation(frame, day) for day, frame in frames.items()]
        days = counters_at(self.boundary, snapshot, further).days.filter(cohort=ALL_COHORTS)
        return {(day.date(), state) for day, state in days.select("observed_from", "state").rows() if state != "moving"}


def test_struck_days_are_told_from_others_in_two_hundred_random_hubs_and_none_where_nothing_happens():
    found, planted = set(), set()
    for number in range(200):
        hub = RandomHub(number)
        states = hub.states()
        assert hub.incidents or not states
        found |= {(number, *state) for state in states}
        planted |= {(number, one.day, STATE_OF[one.kind]) for one in hub.incidents}
    assert len(found & planted) >= 0.95 * len(found)
    assert len(found & planted) >= 0.95 * len(planted)


@pytest.mark.parametrize(("downloads_a_day", "states"), [(2_000, {"moving"}), (1_999, set())])
def test_a_counter_is_busy_by_its_downloads_a_day_however_far_apart_observations_are(downloads_a_day, states):
    shown = {
        days: snapshot_at(CLOSING + days * DAY, [repository(str(n), (days + 3) * downloads_a_day) for n in range(30)])
        for days in (-3, 0, 3)
    }
    further = [CounterObservation(shown[days], CLOSING + days * DAY) for days in (-3, 3)]
    assert set(counters_at(CLOSING, shown[0], further).days["state"]) == states


def test_young_models_are_bridged_and_old_ones_that_counted_on_are_measured(worlds):
    found = read(struck(worlds[0], CounterIncident(date(2025, 8, 31), "half_freeze")), CLOSING).counters.collect()
    year = pl.col("created_at").dt.year()
    assert (found.filter(year == 2025)["boundary"] == "bridged_freeze").mean() > 0.85
    assert (found.filter(year < 2022)["boundary"] == "measured").all()


def counter_of(observations, nearest, created_at=LONG_AGO):
    """The counter of one model at the boundary, the snapshot being the observation at `nearest`."""
    rows = {
        at: snapshot_at(at, [repository("a", counter, created_at=created_at)] if counter is not None else [])
        for at, counter in observations.items()
    }
    further = [CounterObservation(frame, at) for at, frame in rows.items() if at != nearest]
    return counters_at(CLOSING, rows[nearest], further).counters.collect().row(0, named=True)


@pytest.mark.parametrize(
    ("counters", "counter"),
    [({-1: 100, 3: 140}, 110), ({-2: 0, -1: 100, 3: 140}, 110), ({-3: 0, -1: 60, 1: 100, 3: 120}, 90)],
    ids=[
        "a counter grows evenly",
        "a pace of one side says nothing of the other",
        "a pace that changes is followed",
    ],
)
def test_a_counter_between_two_observations(counters, counter):
    found = counter_of({CLOSING + days * DAY: counted for days, counted in counters.items()}, CLOSING - DAY)
    assert (found["counter"], found["counted_at"], found["boundary"]) == (counter, CLOSING, "interpolated")


def test_a_model_that_was_created_between_two_observations_began_at_nothing():
    counters = {CLOSING - 3 * DAY: None, CLOSING + DAY: 40}
    found = counter_of(counters, CLOSING + DAY, created_at=CLOSING - DAY)
    assert (found["counter"], found["boundary"]) == (20, "interpolated")
    unborn = counter_of(counters, CLOSING + DAY, created_at=CLOSING + DAY / 2)
    assert (unborn["counter"], unborn["counted_at"]) == (0, CLOSING)


@pytest.mark.parametrize(
    ("counters", "nearest", "counter"),
    [
        ({CLOSING - DAY: 100}, CLOSING - DAY, 100),
        ({CLOSING - 3 * DAY: None, CLOSING + DAY: 40}, CLOSING + DAY, 40),
        ({CLOSING - DAY: 100, CLOSING + 3 * DAY: 40}, CLOSING - DAY, 100),
    ],
    ids=["one observation", "not listed before although older", "fell for good"],
)
def test_without_a_good_observation_on_either_side_the_nearest_counts_as_of_its_own_time(counters, nearest, counter):
    found = counter_of(counters, nearest)
    assert (found["counter"], found["counted_at"], found["boundary"]) == (counter, nearest, "nearest")


def test_an_observation_on_the_boundary_is_what_was_measured():
    found = counter_of({CLOSING - DAY: 100, CLOSING: 101, CLOSING + DAY: 140}, CLOSING)
    assert (found["counter"], found["boundary"]) == (101, "measured")


STEPS = st.lists(st.tuples(st.integers(1, 20 * 3600), st.integers(0, 10**9)), min_size=2, max_size=7)


@given(STEPS, st.integers(-3 * 86_400, 0))
def test_the_counter_lies_between_those_around_it(steps, start):
    at, counter, counters = CLOSING + timedelta(seconds=start), 0, {}
    for seconds, growth in steps:
        at, counter = at + timedelta(seconds=seconds), counter + growth
        counters[at] = counter
    nearest = min(counters, key=lambda time: abs(time - CLOSING))
    found = counter_of(counters, nearest)
    before = [counters[time] for time in counters if time <= CLOSING]
    after = [counters[time] for time in counters if time > CLOSING]
    if before and after:
        assert max(before) <= found["counter"] <= min(after)
        assert found["boundary"] in (*READ_FROM_SEVERAL, "measured")
    else:
        assert (found["counter"], found["counted_at"]) == (counters[nearest], nearest)


def test_observations_in_any_order_give_the_same(worlds):
    world = struck(worlds[0], CounterIncident(date(2025, 8, 31), "half_freeze", catch_up_days=2))
    forth, back = (read(world, CLOSING, days) for days in (WITHIN_TOLERANCE, WITHIN_TOLERANCE[::-1]))
    assert forth.counters.collect().equals(back.counters.collect())
    assert forth.days.equals(back.days)
