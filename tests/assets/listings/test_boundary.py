"""The counters at a boundary, where counters stood still or fell around it."""

import random
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

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

OPENING, CLOSING = datetime(2025, 8, 1, tzinfo=UTC), datetime(2025, 9, 1, tzinfo=UTC)
DAY = timedelta(days=1)
WITHIN_TOLERANCE = range(-3, 4)
LAST_DAY = date(2025, 8, 31)


def made(folder, seed, noise=0.2):
    """A world with a revision on every day around its boundaries, in which nothing goes wrong."""
    daily = DailyCounters(noise=noise)
    settings = WorldSettings(models=2_000, seed=seed, pathologies=False, revisions=(CLOSING.date(),), daily=daily)
    return ensure_world(folder, settings)


@pytest.fixture(scope="module")
def worlds(tmp_path_factory):
    folder = tmp_path_factory.getbasetemp() / "worlds"
    return [made(folder, seed, noise) for seed, noise in ((1, 0.2), (2, 0.2), (3, 0.4))]


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


def flows(world, days=WITHIN_TOLERANCE):
    """August's downloads of each model, as read and as planted, with its organisation and country."""
    opening, closing = (read(world, boundary, days).counters for boundary in (OPENING, CLOSING))
    before = opening.select("hub_id", opening="counter")
    planted = world.truth("model_months").lazy().filter(month=OPENING.date()).select("hub_id", planted="downloads")
    registry = read_registry().organizations.lazy().unique("namespace").select("namespace", "organization", "country")
    return (
        closing.join(before, on="hub_id", how="left")
        .join(planted, on="hub_id")
        .with_columns(namespace=pl.col("model_id").str.extract("^([^/]+)/"))
        .join(registry, on="namespace", how="left")
        .with_columns(
            pl.coalesce("organization", "namespace"),
            pl.col("country").fill_null("unmapped"),
            read=(pl.col("counter") - pl.col("opening").fill_null(0)).cast(pl.Float64),
        )
        .collect()
    )


def error_by(found, member):
    """How far the members' downloads are from the planted ones, in all."""
    return found.group_by(member).agg((pl.col("read") - pl.col("planted")).sum().abs().alias("off"))["off"].sum()


INCIDENTS = [
    CounterIncident(LAST_DAY, "half_freeze"),
    CounterIncident(LAST_DAY, "half_freeze", catch_up_days=2),
    CounterIncident(date(2025, 8, 30), "half_freeze", catch_up_days=2),
    CounterIncident(LAST_DAY, "full_freeze"),
    CounterIncident(LAST_DAY, "full_freeze", catch_up_days=2),
    CounterIncident(date(2025, 8, 30), "full_freeze", days=2),
    CounterIncident(LAST_DAY, "roll_back"),
    CounterIncident(LAST_DAY, "roll_back", catch_up_days=2),
]


@pytest.mark.parametrize("incident", INCIDENTS, ids=lambda one: f"{one.kind}-{one.days}-caught-up-{one.catch_up_days}")
def test_bridging_takes_away_nine_tenths_of_an_incidents_error(worlds, incident):
    for member, least in (("country", 0.9), ("organization", 0.85)):
        nearest = sum(error_by(flows(struck(world, incident), days=()), member) for world in worlds[:2])
        bridged = sum(error_by(flows(struck(world, incident)), member) for world in worlds[:2])
        assert bridged <= (1 - least) * nearest, member


def test_where_nothing_goes_wrong_the_planted_flows_are_found_to_the_last_digit(worlds):
    found = flows(worlds[0])
    assert set(found["boundary"]) == {"measured"}
    assert (found["read"] == found["planted"]).all()


def random_incidents(chance):
    """Up to two incidents on days around the close that do not touch one another."""
    kinds = ("half_freeze", "full_freeze", "roll_back", "half_rate")
    days = [LAST_DAY + (chance.choice((-2, -1)) + 3 * part) * DAY for part in range(chance.randint(0, 2))]
    severity, late = chance.uniform(0.6, 1), chance.choice((1, 1, 2))
    return [CounterIncident(day, chance.choice(kinds), catch_up_days=late, severity=severity) for day in days]


def test_struck_days_are_told_from_others_in_two_hundred_random_worlds(worlds):
    chance = random.Random(2025)
    state_of = {"half_freeze": "frozen", "full_freeze": "frozen", "roll_back": "rolled_back"}
    found, planted = set(), set()
    for number in range(200):
        incidents = random_incidents(chance)
        days = read(struck(worlds[number % len(worlds)], *incidents), CLOSING).days.filter(cohort=ALL_COHORTS)
        states = days.select(pl.col("observed_from").dt.date(), "state").iter_rows()
        found |= {(number, day, state) for day, state in states if state in state_of.values()}
        planted |= {(number, one.day, state_of[one.kind]) for one in incidents if one.kind in state_of}
    assert len(found & planted) >= 0.95 * len(found)
    assert len(found & planted) >= 0.95 * len(planted)


def test_without_incidents_no_day_is_called_struck(worlds):
    for world in worlds:
        for boundary in (OPENING, CLOSING):
            assert set(read(world, boundary).days["state"]) <= {"moving", "unknown"}


def test_young_models_are_bridged_and_old_ones_that_counted_on_are_measured(worlds):
    found = read(struck(worlds[0], INCIDENTS[0]), CLOSING).counters.collect()
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


def test_between_two_observations_the_counter_grows_evenly():
    found = counter_of({CLOSING - DAY: 100, CLOSING + 3 * DAY: 140}, CLOSING - DAY)
    assert (found["counter"], found["counted_at"], found["boundary"]) == (110, CLOSING, "interpolated")


def test_a_pace_that_is_known_on_one_side_only_says_nothing_of_the_other():
    found = counter_of({CLOSING - 2 * DAY: 0, CLOSING - DAY: 100, CLOSING + 3 * DAY: 140}, CLOSING - DAY)
    assert found["counter"] == 110


def test_a_pace_that_changes_at_the_boundary_is_followed():
    counters = {CLOSING - 3 * DAY: 0, CLOSING - DAY: 60, CLOSING + DAY: 100, CLOSING + 3 * DAY: 120}
    assert counter_of(counters, CLOSING - DAY)["counter"] == 90


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
def test_the_counter_lies_between_those_around_it_and_flows_add_up_to_the_growth(steps, start):
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
        first, last = min(before), max(after)
        assert (found["counter"] - first) + (last - found["counter"]) == last - first
    else:
        assert (found["counter"], found["counted_at"]) == (counters[nearest], nearest)


def test_observations_in_any_order_give_the_same(worlds):
    world = struck(worlds[0], INCIDENTS[1])
    forth, back = (read(world, CLOSING, days) for days in (WITHIN_TOLERANCE, WITHIN_TOLERANCE[::-1]))
    assert forth.counters.collect().equals(back.counters.collect())
    assert forth.days.equals(back.days)
