"""Worlds with daily revisions: what happens to counters around a boundary, and that nothing is lost by it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from synthetic_hub.incident_picture import incident_picture
from synthetic_hub.incidents import CounterIncident, DailyCounters
from synthetic_hub.server import LocalHub
from synthetic_hub.world import WorldSettings, ensure_world

BOUNDARY = date(2025, 9, 1)
LAST_DAY = date(2025, 8, 31)
MANY = 2_000
"""Downloads a day from which a counter that stands still is no accident."""


@pytest.fixture
def world_with(tmp_path_factory):
    """A world with these incidents around the boundary."""

    def world(*incidents, **settings):
        settings = {"pathologies": False, "revisions": (date(2025, 8, 1), BOUNDARY)} | settings
        daily = DailyCounters(incidents=incidents)
        folder = tmp_path_factory.getbasetemp() / "worlds"
        return ensure_world(folder, WorldSettings(models=2_000, daily=daily, **settings))

    return world


def growth_of_popular(world, *days):
    """By repository that many download: what its counter grows by on each of these days."""
    shown = [
        world.listing(day).select("_id", "createdAt", pl.col("downloadsAllTime").alias(f"{day}"))
        for day in (*days, days[-1] + timedelta(days=1))
    ]
    joined = shown[0]
    for frame in shown[1:]:
        joined = joined.join(frame.drop("createdAt"), on="_id")
    counters = joined.drop("_id", "createdAt").to_numpy()
    usual = (counters[:, -1] - counters[:, 0]) / len(days)
    return joined["createdAt"].filter(usual >= MANY), np.diff(counters[usual >= MANY], axis=1)


def days_from(first, count):
    return [first + timedelta(days=day) for day in range(count)]


def test_every_day_around_a_boundary_has_a_revision(world_with):
    committed = world_with().revisions["committed_at"].to_list()
    first = datetime(2025, 8, 27, tzinfo=UTC)
    assert [moment for moment in committed if moment >= first] == [first + timedelta(days=day) for day in range(11)]


def test_no_popular_counter_stands_still_or_falls_without_an_incident_but_days_differ(world_with):
    _, growth = growth_of_popular(world_with(), *days_from(date(2025, 8, 26), 5))
    assert (growth > 0).all()
    assert 0.1 < (growth.std(axis=1) / growth.mean(axis=1)).mean() < 0.3


@pytest.mark.parametrize("catch_up_days", [1, 2])
def test_a_half_freeze_stops_the_young_and_they_catch_up(world_with, catch_up_days):
    world = world_with(CounterIncident(LAST_DAY, "half_freeze", catch_up_days=catch_up_days))
    created, growth = growth_of_popular(world, *days_from(LAST_DAY, 4))
    stopped = growth[:, 0] == 0
    young = (created.dt.year() >= 2025).to_numpy()
    old = (created.dt.date() < date(2022, 3, 3)).to_numpy()
    assert stopped[young].mean() > 0.85
    assert stopped[old].mean() < 0.15
    caught_up = growth[stopped, catch_up_days] / growth[stopped, 3]
    assert 1.6 < np.median(caught_up) < 2.4


@pytest.mark.parametrize(
    ("incident", "grown", "tolerance"),
    [
        (CounterIncident(LAST_DAY - timedelta(days=1), "full_freeze", days=2), [0, 0, 3], 0.3),
        (CounterIncident(LAST_DAY - timedelta(days=1), "half_rate"), [0.5, 1.5, 1], 0.15),
        (CounterIncident(LAST_DAY - timedelta(days=1), "half_rate", catch_up_days=2), [0.5, 1, 1.5], 0.15),
    ],
)
def test_on_frozen_and_slow_days_all_counters_show_less_and_make_it_good(world_with, incident, grown, tolerance):
    _, growth = growth_of_popular(world_with(incident), *days_from(incident.day, 4))
    assert np.median(growth[:, :3] / growth[:, 3:], axis=0) == pytest.approx(grown, abs=tolerance)


def test_in_a_roll_back_most_counters_fall_and_come_back(world_with):
    world = world_with(CounterIncident(LAST_DAY, "roll_back"))
    _, growth = growth_of_popular(world, *days_from(LAST_DAY, 2))
    assert 0.6 < (growth[:, 0] < 0).mean() < 0.8
    assert (growth[growth[:, 0] < 0].sum(axis=1) > 0).all()


def test_an_incident_changes_what_is_shown_and_not_what_is_planted(world_with):
    calm, frozen = world_with(), world_with(CounterIncident(LAST_DAY, "full_freeze"))
    assert calm.truth("model_months").equals(frozen.truth("model_months"))
    for day, is_true in ((LAST_DAY, True), (BOUNDARY, False), (BOUNDARY + timedelta(days=1), True)):
        assert calm.listing(day)["downloadsAllTime"].equals(frozen.listing(day)["downloadsAllTime"]) == is_true


def test_the_planted_flow_is_that_from_boundary_to_boundary(world_with):
    world = world_with(pathologies=True)
    opening, closing = (world.listing(day).select("_id", "downloadsAllTime") for day in (date(2025, 8, 1), BOUNDARY))
    grown = closing.join(opening, on="_id", suffix="_before").select(
        "_id", grown=pl.col("downloadsAllTime") - pl.col("downloadsAllTime_before")
    )
    measured = world.truth("model_months").filter(month=date(2025, 8, 1), case="measured")
    both = measured.join(grown, left_on="hub_id", right_on="_id")
    assert both.height == measured.height
    assert (both["downloads"] == both["grown"]).all()


def test_the_truth_names_who_was_hit(world_with):
    world = world_with(CounterIncident(LAST_DAY, "half_freeze"))
    named = world.truth("incidents")
    assert set(named.select("day", "kind", "catch_up_days").iter_rows()) == {(LAST_DAY, "half_freeze", 1)}
    before, after = (world.listing(day).select("_id", "downloadsAllTime") for day in (LAST_DAY, BOUNDARY))
    moved = before.join(after, on="_id", suffix="_after").filter(
        pl.col("downloadsAllTime") != pl.col("downloadsAllTime_after")
    )
    assert not set(moved["_id"]) & set(named["hub_id"])


def test_the_hub_can_be_asked_on_the_days_after_the_last_boundary(world_with):
    end = datetime(2025, 10, 1, tzinfo=UTC)
    world = world_with(revisions=(date(2025, 10, 1),))
    totals = [world.listing(end + timedelta(days=day))["downloadsAllTime"].sum() for day in range(4)]
    assert totals == sorted(set(totals))
    with LocalHub(world, as_of=end + timedelta(days=2)) as hub:
        assert hub.endpoint
    with pytest.raises(ValueError, match="not 2025-10-07"):
        world.listing(date(2025, 10, 7))


def test_the_picture_in_the_methodology_shows_these_incidents():
    """`python -m synthetic_hub.incident_picture docs/images/counters.svg` makes it."""
    drawn = Path(__file__).parents[2] / "docs" / "images" / "counters.svg"
    assert drawn.read_text(encoding="utf-8") == incident_picture()
