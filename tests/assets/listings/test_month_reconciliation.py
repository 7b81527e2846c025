"""The month as a whole: how it was measured, and what it is compared with."""

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from assets.listings.download_reconciliation import reconciled
from assets.listings.hub_snapshots import HUB_SNAPSHOTS
from assets.listings.model_downloads import Populations, downloads_of_models, month_basis
from assets.listings.month_reconciliation import KnownOfMonth, whole_month
from assets.listings.opening_counters import OPENING_COUNTERS
from pipeline.errors import CensusError
from pipeline.months import closing_of, opening_of
from pipeline.reference.flagged import FlaggedModels
from pipeline.reference.incidents import Incident, incidents_between, plausible_downloads
from pipeline.reference.lists import read_list

MAY = date(2025, 5, 1)


def observed(table, rows, at):
    complete = [{"month": MAY, "observed_at": at, "source": "test", "source_revision": "1"} | row for row in rows]
    return pl.LazyFrame([{name: row.get(name) for name in table.schema} for row in complete], schema=table.schema)


def accounts_of(closing, opening, *, incidents=(), plausible=None, closed_at=None, flagged=()):
    closing = observed(HUB_SNAPSHOTS, closing, closed_at or closing_of(MAY))
    opening = observed(OPENING_COUNTERS, opening, opening_of(MAY))
    basis = month_basis(MAY, closing, opening)
    rows = downloads_of_models(basis, closing, opening, Populations([], FlaggedModels(flagged, ())))
    by_case = reconciled(basis, rows, closing, opening).collect()
    known = KnownOfMonth(incidents, plausible)
    return whole_month(by_case, rows, closing, opening, known).row(0, named=True)


def repository(hub_id, all_time, **more):
    return {"hub_id": hub_id, "model_id": f"maker/{hub_id}", "downloads_all_time": all_time, "downloads_30d": 0} | more


def test_the_scaling_says_how_what_was_observed_became_the_month():
    month = accounts_of([repository("a", 133)], [repository("a", 100)], closed_at=closing_of(MAY) + timedelta(days=2))
    assert (month["days_observed"], month["scaling"]) == (33, pytest.approx(31 / 33))
    assert month["downloads"] == pytest.approx(31)


def test_the_total_stands_beside_that_of_the_30_day_counters():
    month = accounts_of([repository("a", 120, downloads_30d=10)], [repository("a", 100)])
    assert month["downloads_by_30d_counter"] == pytest.approx(10 * 31 / 30)
    assert month["ratio_to_30d_counter"] == pytest.approx(20 / (10 * 31 / 30))


def test_renamed_and_flagged_repositories_are_counted_and_measured():
    closing = [repository("a", 120, model_id="maker/new-name"), repository("b", 50)]
    month = accounts_of(closing, [repository("a", 100), repository("b", 20)], flagged=("b",))
    assert (month["models_renamed"], month["downloads"]) == (1, 50)
    assert (month["models_flagged"], month["downloads_flagged"]) == (1, 30)


@pytest.mark.parametrize(("low", "is_plausible"), [(0.5, True), (1.5, False)])
def test_a_total_outside_the_plausible_range_is_not_plausible(low, is_plausible):
    month = accounts_of([repository("a", 131)], [repository("a", 100)], plausible=(low, 9.0))
    assert month["is_plausible"] is is_plausible


def test_incidents_are_told_and_those_that_spoil_an_observation_apart():
    roll_back = Incident("roll_back", date(2025, 5, 19), date(2025, 5, 22), "hub")
    freeze = Incident("freeze", date(2025, 6, 1), date(2025, 6, 1), "hub")
    month = accounts_of([repository("a", 1)], [repository("a", 1)], incidents=[roll_back, freeze])
    assert month["incidents"] == "roll_back 2025-05-19..2025-05-22 (hub); freeze 2025-06-01 (hub)"
    assert month["incidents_at_observation"] == "freeze 2025-06-01 (hub)"


def test_incidents_of_another_archive_do_not_concern_a_month():
    june = (datetime(2025, 6, 1, tzinfo=UTC), datetime(2025, 7, 1, tzinfo=UTC))
    of = {source: {found.kind for found in incidents_between(*june, source)} for source in ("hub_stats", "weekly")}
    assert of == {"hub_stats": {"archive_gap"}, "weekly": set()}


def test_the_roll_back_of_may_2025_is_known_in_may_alone():
    found = [
        [str(incident) for incident in incidents_between(opening_of(month), closing_of(month), "hub_stats")]
        for month in (date(2025, 4, 1), MAY)
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
    with pytest.raises(CensusError, match=r"incidents\.csv has a day that is none"):
        incidents_between(opening_of(MAY), closing_of(MAY), "hub")
