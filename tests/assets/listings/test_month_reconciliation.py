"""The month as a whole: how it was measured, and what it is compared with."""

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import CensusError
from pipeline.months import closing_of, days_in, opening_of
from pipeline.reference.incidents import Incident, incidents_between, plausible_downloads
from pipeline.reference.lists import read_list
from tests.assets.listings.scenario import AUGUST, measure, repository


def test_the_total_stands_beside_that_of_the_30_day_counters():
    month = measure([repository("a", 120, downloads_30d=10)], [repository("a", 100)]).whole
    assert month["downloads_by_30d_counter"] == pytest.approx(10 * 31 / 30)
    assert month["ratio_to_30d_counter"] == pytest.approx(20 / (10 * 31 / 30))


@pytest.mark.parametrize(
    ("low", "high", "is_plausible"), [(1.0, 9.0, True), (0.5, 1.0, True), (1.1, 9.0, False), (0.5, 0.9, False)]
)
def test_a_total_outside_the_plausible_range_is_not_plausible(low, high, is_plausible):
    month = measure([repository("a", 131)], [repository("a", 100)], plausible=(low, high)).whole
    assert month["is_plausible"] is is_plausible


def test_incidents_are_told_and_those_that_spoil_an_observation_apart():
    roll_back = Incident("roll_back", date(2025, 5, 19), date(2025, 5, 22), "hub")
    freeze = Incident("freeze", date(2025, 9, 1), date(2025, 9, 1), "hub")
    month = measure([repository("a", 1)], [repository("a", 1)], incidents=[roll_back, freeze]).whole
    assert month["incidents"] == "roll_back 2025-05-19..2025-05-22 (hub); freeze 2025-09-01 (hub)"
    assert month["incidents_at_observation"] == "freeze 2025-09-01 (hub)"


def test_incidents_of_another_archive_do_not_concern_a_month():
    june = (datetime(2025, 6, 1, tzinfo=UTC), datetime(2025, 7, 1, tzinfo=UTC))
    of = {source: {found.kind for found in incidents_between(*june, source)} for source in ("hub_stats", "weekly")}
    assert of == {"hub_stats": {"archive_gap"}, "weekly": set()}


def test_the_roll_back_of_may_2025_is_known_in_may_alone():
    found = [
        [str(incident) for incident in incidents_between(opening_of(month), closing_of(month), "hub_stats")]
        for month in (date(2025, 4, 1), date(2025, 5, 1))
    ]
    assert found == [[], ["roll_back 2025-05-19..2025-05-22 (hub)"]]


def test_plausible_totals_are_known_from_march_2025_on():
    assert plausible_downloads(date(2025, 2, 1)) is None
    low, high = plausible_downloads(date(2025, 3, 1))
    assert low < 72.3e6 < high


def test_every_incident_of_our_list_has_days_in_order_and_evidence():
    lines = read_list("incidents.csv")
    assert (lines["first_day"] <= lines["last_day"]).all()
    assert lines.null_count().sum_horizontal().item() == 0
    assert lines["evidence"].str.starts_with("https://").all()


def test_a_day_that_is_none_is_refused(monkeypatch):
    lines = pl.DataFrame({"kind": ["freeze"], "first_day": ["soon"], "last_day": ["later"], "scope": ["hub"]})
    monkeypatch.setattr("pipeline.reference.incidents.read_list", lambda _: lines)
    with pytest.raises(CensusError, match=r"incidents\.csv has a day that does not exist"):
        incidents_between(opening_of(AUGUST), closing_of(AUGUST), "hub")


COUNTERS = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 10**12), min_size=1)


@given(
    opened=COUNTERS,
    closed=COUNTERS,
    renamed=st.sets(st.sampled_from("abcdefgh")),
    flagged=st.sets(st.sampled_from("abcdefgh")),
    late=st.integers(0, 3),
    plausible=st.none() | st.tuples(st.floats(0, 1e12), st.floats(0, 1e12)).map(sorted),
)
@settings(max_examples=15)
def test_the_month_as_a_whole_is_what_its_rows_say(opened, closed, renamed, flagged, late, plausible):
    closing = [
        repository(
            hub_id, counter, downloads_30d=counter // 10, model_id=f"new/{hub_id}" if hub_id in renamed else hub_id
        )
        for hub_id, counter in closed.items()
    ]
    opening = [repository(hub_id, counter, model_id=hub_id) for hub_id, counter in opened.items()]
    closed_at = closing_of(AUGUST) + timedelta(days=late)
    found = measure(closing, opening, closed_at=closed_at, flagged=tuple(flagged), plausible=plausible)
    month, measured = found.whole, found.rows
    assert (month["downloads"], month["models"]) == (measured["downloads"].sum(), len(closed))
    assert month["downloads_a_day"] == pytest.approx(float(month["downloads"]) / days_in(AUGUST))
    assert month["models_renamed"] == len(renamed & opened.keys() & closed.keys())
    flagged_rows = measured.filter("is_flagged")
    assert (month["models_flagged"], month["downloads_flagged"]) == (
        flagged_rows.height,
        flagged_rows["downloads"].sum(),
    )
    if plausible:
        assert month["is_plausible"] == (plausible[0] <= month["downloads_a_day"] <= plausible[1])
    else:
        assert month["is_plausible"] is None
