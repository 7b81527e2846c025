"""What was downloaded in a month, and what could not be measured."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.months import closing_of, opening_of
from pipeline.sources.snapshots import COUNTER_COLUMNS, CounterObservation
from tests.assets.listings.scenario import AUGUST, LONG_AGO, measure, repository, snapshot_at

IN_AUGUST = datetime(2025, 8, 10, tzinfo=UTC)


@pytest.mark.parametrize("counted_before", [100, None], ids=["cumulative", "30 days"])
def test_what_is_measured_of_a_repository_is_the_same_to_the_last_digit_in_whatever_company(counted_before):
    when = {"closed_at": closing_of(AUGUST) + timedelta(hours=7)}
    closing = [
        repository(f"{n:03}", 101 + 37 * n, created_at=LONG_AGO + timedelta(seconds=n**3), downloads_30d=7 * n)
        for n in range(60)
    ]
    opening = [repository(f"{n:03}", counted_before) for n in range(60)]
    measured = ["hub_id", "downloads", "age_days"]
    together = measure(closing, opening, **when)
    alone = [measure([one], [before], **when).rows for one, before in zip(closing, opening, strict=True)]
    assert together.rows.select(measured).rows() == pl.concat(alone).select(measured).rows()


@pytest.mark.parametrize(("closing", "case", "lost"), [(40, "counter_reset", 60), (100, "continued", 0)])
def test_a_counter_that_fell_is_no_flow_and_its_loss_is_counted_and_one_that_stood_is_no_reset(closing, case, lost):
    month = measure([repository("a", closing)], [repository("a", 100)])
    assert (month.flow("a")["flow_case"], month.flow("a")["downloads"]) == (case, 0)
    assert month.flow("a")["downloads_lost"] == month.case(case)["downloads_lost"] == lost


def test_one_that_is_gone_has_no_row_and_is_counted():
    month = measure([repository("a", 1)], [repository("a", 1), repository("gone", 5)])
    assert month.rows["hub_id"].to_list() == ["a"]
    assert month.case("disappeared")["models"] == 1


def test_observations_away_from_the_boundaries_are_scaled_to_the_month():
    late = closing_of(AUGUST) + timedelta(days=2)
    month = measure([repository("a", 133)], [repository("a", 100)], closed_at=late)
    assert month.basis.quality == "scaled"
    assert month.flow("a")["downloads"] == month.whole["downloads"] == pytest.approx(31)
    assert (month.whole["days_observed"], month.whole["scaling"]) == (33, pytest.approx(31 / 33))


EDGE, BEYOND = timedelta(hours=36), timedelta(hours=36, seconds=1)


@pytest.mark.parametrize(
    ("away", "quality"), [(EDGE, "exact"), (-EDGE, "exact"), (BEYOND, "scaled"), (-BEYOND, "scaled")]
)
@pytest.mark.parametrize(("end", "boundary"), [("closed_at", closing_of(AUGUST)), ("opened_at", opening_of(AUGUST))])
def test_a_month_is_exact_with_both_observations_within_36_hours(end, boundary, away, quality):
    month = measure([repository("a", 133)], [repository("a", 100)], **{end: boundary + away})
    assert month.basis.quality == quality


@pytest.mark.parametrize(("seen_before", "quality"), [(19, "exact"), (18, "scaled")])
def test_a_month_is_exact_only_where_95_percent_of_its_counters_are_known_of_the_boundary(seen_before, quality):
    closing = [repository(f"{number:02}", 133) for number in range(20)]
    opening = [repository(f"{number:02}", 100) for number in range(20)]
    close = closing_of(AUGUST)
    few = CounterObservation(
        snapshot_at(close, closing[:seen_before]).with_columns(downloads_all_time=pl.lit(130)).select(COUNTER_COLUMNS),
        close - timedelta(days=1),
    )
    month = measure(closing, opening, closed_at=close + timedelta(days=2), further=[few])
    assert month.flow("00")["downloads"] == 31
    assert month.basis.quality == quality


@pytest.mark.parametrize(("without", "basis"), [(1, "all_time_delta"), (2, "rolling_30d")])
@pytest.mark.parametrize("end", ["closing", "opening"])
def test_the_cumulative_counter_is_used_where_95_percent_have_it_at_both_ends(end, without, basis):
    whole = [repository(f"{number:02}", 10) for number in range(20)]
    partly = [row | {"downloads_all_time": None} if place < without else row for place, row in enumerate(whole)]
    ends = {"closing": whole, "opening": whole} | {end: partly}
    assert measure(ends["closing"], ends["opening"]).basis.basis == basis


@pytest.mark.parametrize(
    ("created", "flow_case", "downloads"),
    [
        (IN_AUGUST, "created", 7),
        (opening_of(AUGUST), "created", 7),
        (opening_of(AUGUST) - timedelta(seconds=1), "late_arrival", 0),
    ],
)
def test_one_created_from_the_opening_on_starts_at_nothing_and_an_older_one_is_left_out(created, flow_case, downloads):
    month = measure([repository("a", 1), repository("new", 7, created_at=created)], [repository("a", 1)])
    assert (month.flow("new")["flow_case"], month.flow("new")["downloads"]) == (flow_case, downloads)
    assert month.case(flow_case)["models"] == 1


@pytest.mark.parametrize("opening", [[repository("a", None)], []], ids=["no counter at the opening", "no opening"])
def test_without_the_cumulative_counter_at_both_ends_the_month_rests_on_the_30_day_counter(opening):
    month = measure([repository("a", 150, downloads_30d=60)], opening)
    assert (month.basis.basis, month.basis.quality) == ("rolling_30d", "estimated")
    assert (month.flow("a")["downloads"], month.flow("a")["flow_case"]) == (60 * 31 / 30, "estimated")


@pytest.mark.parametrize(("age_days", "is_new"), [(365, True), (365.001, False), (None, False)])
def test_new_means_at_most_365_days_old_at_the_close_and_of_known_age(age_days, is_new):
    created = closing_of(AUGUST) - timedelta(days=age_days) if age_days else None
    month = measure([repository("a", 1, created_at=created)], [repository("a", 1)])
    assert month.rows["is_new"].to_list() == [is_new]


def test_language_models_are_told_by_their_task():
    closing = [repository("a", 1, pipeline_tag="text-generation"), repository("b", 1, pipeline_tag="text-to-image")]
    month = measure(closing, closing)
    assert month.rows["is_language_model"].to_list() == [True, False]


def test_flagged_traffic_is_marked_and_still_counted():
    closing = [repository(hub_id, 30) for hub_id in ("tested", "burst", "renamed", "used")]
    closing[0] |= {"model_id": "ci/tested", "namespace": "ci"}
    closing.append(repository("oldest", 30) | {"model_id": "gpt2", "namespace": None})
    opening = [row | {"downloads_all_time": 10} for row in closing]
    month = measure(closing, opening, flagged=("maker/burst", "renamed", "ci/*"))
    assert month.rows.filter("is_flagged")["hub_id"].to_list() == ["burst", "renamed", "tested"]
    assert month.rows["is_flagged"].null_count() == 0
    assert month.rows["downloads"].to_list() == [20] * 5


counters = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 10**12), min_size=1)


@given(opening=counters, closing=counters)
def test_every_download_between_the_observations_is_accounted_for_whatever_repositories_were_called(opening, closing):
    month = measure(
        [repository(hub_id, counter) for hub_id, counter in closing.items()],
        [repository(hub_id, counter, model_id=f"former/{hub_id}") for hub_id, counter in opening.items()],
    )
    both = closing.keys() & opening.keys()
    growth = sum(closing[hub_id] - opening[hub_id] for hub_id in both)
    assert month.rows["downloads"].sum() - month.rows["downloads_lost"].sum() == pytest.approx(growth, rel=1e-9)
    assert month.by_case.filter(pl.col("flow_case") != "disappeared")["models"].sum() == len(closing)
    assert month.rows["downloads"].min() >= 0
