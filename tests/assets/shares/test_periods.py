"""Periods are the months that they hold: their sums, what they say of themselves, and changes between them."""

from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.shares.intermediaries import INTERMEDIARIES, intermediary_periods
from assets.shares.model_sizes import size_periods, sizes_of
from assets.shares.periods import share_periods
from assets.shares.release_cadence import RELEASE_DAYS, release_cadence
from pipeline.months import add_months
from pipeline.schema.shares import PERIODS, POPULATION_NAMES
from tests.assets.rows import rows_of
from tests.assets.shares.scenario import AUGUST, ROOTS, WORLDS, month_of, shares_in
from tests.report.scenario import months_promised


def shares_of(*models, month=AUGUST):
    return shares_in(month_of(*models, month=month, owners=ROOTS))


def periods_over(*monthly):
    return share_periods(pl.concat(frame.select(monthly[0].columns) for frame in monthly).lazy()).collect()


def of(downloads, **more):
    return [{"country": country, "downloads": Decimal(amount)} | more for country, amount in downloads.items()]


def one_country(numbers):
    return [shares_of({}, month=add_months(AUGUST, number)) for number in numbers]


def test_a_period_over_months_of_different_bases_is_mixed():
    periods = periods_over(shares_of({"basis": "rolling_30d"}), *one_country([1])).filter(period="trailing_12_months")
    assert periods.filter(month=AUGUST)["basis"].unique().to_list() == ["rolling_30d"]
    assert periods.filter(month=add_months(AUGUST, 1))["basis"].unique().to_list() == ["mixed"]


def change_of(periods, member, number, period="month"):
    rows = periods.filter(period=period, month=add_months(AUGUST, number), member=member, population="all")
    return rows.filter(attribution="uploader").select(pl.col(r"^.*_change_on_.*$")).row(0, named=True)


def compared(before, after, months_between=1, **more):
    return periods_over(shares_of(*before, **more), shares_of(*after, month=add_months(AUGUST, months_between)))


def test_changes_are_on_the_same_period_a_month_and_a_year_before():
    before, after = of({"CN": 20, "US": 50, "FR": 30}), of({"CN": 60, "US": 30, "FR": 10})
    on_month = change_of(compared(before, after), "CN", 1)
    assert on_month["share_change_on_month"] == pytest.approx(0.4)
    assert on_month["rank_change_on_month"] == 2
    assert on_month["share_change_on_year"] is None
    on_year = change_of(compared(before, after, 12), "CN", 12)
    assert on_year["share_change_on_year"] == pytest.approx(0.4)
    assert on_year["share_change_on_month"] is None


def test_who_was_not_there_before_gained_its_whole_share_and_no_places():
    change = change_of(compared(of({"US": 1}), of({"US": 1, "CN": 3})), "CN", 1)
    assert change["share_change_on_month"] == pytest.approx(0.75)
    assert change["rank_change_on_month"] is None


def test_no_change_is_stated_on_an_incomplete_period_or_one_of_another_basis():
    incomplete = change_of(periods_over(*one_country(range(2))), "CN", 1, "trailing_12_months")
    assert set(incomplete.values()) == {None}
    other_basis = change_of(compared([{"basis": "rolling_30d"}], [{}]), "CN", 1)
    assert other_basis["share_change_on_month"] is None


NUMBERS = st.dictionaries(st.integers(0, 15), WORLDS, min_size=1, max_size=4)


@settings(max_examples=15)
@given(NUMBERS)
def test_a_period_says_how_many_of_its_months_there_are_and_has_their_downloads_to_the_last_digit(worlds):
    monthly = pl.concat(shares_of(*world, month=add_months(AUGUST, number)) for number, world in worlds.items())
    last = monthly["month"].max()
    known = set(monthly["month"])
    periods = periods_over(monthly).filter(month=last)
    for name in PERIODS:
        promised = months_promised(name, last, known)
        period = periods.filter(period=name)
        inside = monthly.filter(pl.col("month").is_in(promised))
        stated = (len(known & set(promised)), known.issuperset(promised))
        assert period.select("months_in_period", "is_complete").unique().rows() == [stated]
        keys = ["population", "attribution", "member"]
        both = period.join(inside.group_by(keys).agg(pl.col("downloads").sum()), on=keys, suffix="_summed")
        assert both.height == period.height
        assert both["downloads"].to_list() == both["downloads_summed"].to_list()


@settings(max_examples=20)
@given(st.lists(WORLDS, min_size=1, max_size=3), st.sampled_from(["CN", "US", "FR", "SG"]))
def test_the_bounds_of_every_share_contain_the_truth_whoever_the_unmapped_were(worlds, country):
    def periods(truth):
        owners = ROOTS | ({"root/unmapped": (f"The {truth}", truth)} if truth else {})
        monthly = []
        for number, world in enumerate(worlds):
            told = [one | {"country": truth} if truth and one["country"] == "unmapped" else one for one in world]
            monthly.append(shares_in(month_of(*told, month=add_months(AUGUST, number), owners=owners)))
        return periods_over(*monthly)

    keys = ["month", "period", "population", "attribution", "member"]
    measured = periods(None).filter(pl.col("member") != "unmapped")
    both = measured.join(periods(country).select(*keys, true="share"), on=keys, how="left")
    true = pl.col("true").fill_null(0.0)
    assert both.filter((true < pl.col("share_low") - 1e-12) | (true > pl.col("share_high") + 1e-12)).is_empty()


@settings(max_examples=15)
@given(NUMBERS)
def test_sizes_over_a_period_are_the_sums_of_its_months(worlds):
    monthly = pl.concat(
        sizes_of(month_of(*world, month=add_months(AUGUST, number)).models).select(sorted(SIZES))
        for number, world in worlds.items()
    )
    found = size_periods(monthly.lazy()).filter(pl.col("period") == "cumulative").collect()
    for row in found.filter(population="all", within="all").iter_rows(named=True):
        held = monthly.filter(pl.col("month") <= row["month"]).filter(population="all", within="all")
        assert row["downloads"] == held["downloads"].sum()
        assert row["denominator"] == held["denominator"].sum()
        assert row["median_parameters"] is None
    months = size_periods(monthly.lazy()).filter(pl.col("period") == "month").collect()
    keys = ["month", "population", "within"]
    assert months.select(monthly.columns).sort(keys).equals(monthly.sort(keys))


SIZES = sizes_of(month_of({}).models).columns
RELEASED = st.lists(
    st.tuples(st.integers(0, 15), st.sampled_from(["CN", "US", "unmapped"]), st.integers(1, 28), st.integers(1, 9)),
    unique_by=lambda release: release[:3],
    max_size=12,
)


@settings(max_examples=20)
@given(RELEASED)
def test_every_release_of_the_months_of_a_period_is_in_its_cadence(released):
    months = [add_months(AUGUST, number) for number in range(16)]
    days = rows_of(
        RELEASE_DAYS,
        [
            {"month": months[number], "organization": f"The {country}", "country": country, "new_repositories": count}
            | {"released_on": months[number].replace(day=day)}
            for number, country, day, count in released
        ],
    )
    cadence = release_cadence(days, months).collect()
    for (last, _), rows in cadence.group_by("month", "dimension"):
        inside = days.filter(pl.col("month").is_between(add_months(last, -11), last)).collect()
        known = inside.filter(pl.col("country") != "unmapped")
        assert rows["new_repositories"].sum() == known["new_repositories"].sum()
        assert set(rows["new_repositories_in_all"]) == {inside["new_repositories"].sum()}
        assert (rows["release_days"] <= rows["new_repositories"]).all()


HELD = st.lists(st.dictionaries(st.sampled_from("abc"), st.integers(1, 10**6)), min_size=1, max_size=4)


@settings(max_examples=20)
@given(HELD)
def test_an_intermediarys_downloads_over_a_period_are_those_of_its_months(amounts):
    months = [add_months(AUGUST, number) for number in range(len(amounts))]
    rows = [
        {"month": month, "period": "month", "basis": "all_time_delta", "population": "all", "namespace": namespace}
        | {"intermediary": "quantizer", "downloads": Decimal(amount), "denominator": Decimal(10**9)}
        for month, by_namespace in zip(months, amounts, strict=True)
        for namespace, amount in by_namespace.items()
    ]
    denominators = periods_over(*one_country(range(len(amounts)))).lazy()
    found = intermediary_periods(rows_of(INTERMEDIARIES, rows), denominators).collect()
    assert set(found["population"]) <= set(POPULATION_NAMES)
    for row in found.filter(period="cumulative").iter_rows(named=True):
        held = (one for one in rows if one["namespace"] == row["namespace"] and one["month"] <= row["month"])
        assert row["downloads"] == sum(one["downloads"] for one in held)
