"""Months from an archive whose labels say the week, not the moment; through the real client."""

from datetime import date, timedelta

import pytest

from pipeline.errors import MonthNotServedError
from pipeline.months import closing_of
from pipeline.sources.client import HubClient
from pipeline.sources.weekly import WeeklySource
from synthetic_hub.datasets import WEEKLY_REPOSITORY


@pytest.fixture
def source(hub_of, tmp_path):
    return WeeklySource(HubClient(hub_of().endpoint), tmp_path, repository=WEEKLY_REPOSITORY)


@pytest.mark.parametrize("month", [date(2024, 10, 1), date(2025, 2, 1), date(2025, 6, 1)])
def test_what_closes_a_month_is_dated_by_its_newest_model_not_by_its_label(source, world, month):
    snapshot = source.closing_snapshot(month)
    label = date.fromisoformat(snapshot.source_revision.split("/")[2])
    rows = snapshot.rows.collect()
    assert snapshot.observed_at == rows["created_at"].max()
    assert abs(snapshot.observed_at - closing_of(month)) < timedelta(days=1)
    assert label <= snapshot.observed_at.date() <= label + timedelta(days=7)
    assert set(rows["hub_id"]) == set(world.listing(_observed(world, month))["_id"])


def _observed(world, month):
    """When the world's usable revision nearest to the close was observed."""
    usable = world.revisions.filter("usable")
    return min(usable["observed_at"], key=lambda at: abs(at - closing_of(month)))


def test_what_an_older_file_lacks_is_null_and_noted(source):
    snapshot = source.closing_snapshot(date(2024, 10, 1))
    assert snapshot.notes["absent_columns"] == "downloads_all_time, gated, base_models"
    assert snapshot.rows.collect()["downloads_all_time"].null_count() == snapshot.rows.collect().height


def test_a_copy_of_an_older_week_is_not_near_the_close_whatever_its_label_says(source, world):
    months = source.months()
    assert (months[0], months[-1]) == (date(2024, 7, 1), world.months[-1])
    with pytest.raises(MonthNotServedError, match=r"cannot close 2024-06: .* it reaches from 2024-07-29"):
        source.closing_snapshot(date(2024, 6, 1))
