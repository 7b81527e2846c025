"""Shares with their denominators, bounds and windows."""

from datetime import date

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.months import add_months
from pipeline.tables.shares import GROUP_COLUMNS, POPULATION_NAMES
from pipeline.transform.shares import member_shares
from pipeline.transform.windows import share_windows

AUGUST = date(2025, 8, 1)
MEMBERS = ["CN", "US", "FR", "international", "unaffiliated", "unmapped"]

amounts = st.integers(0, 10**10)
worlds = st.lists(st.tuples(st.sampled_from(MEMBERS), amounts, st.booleans(), st.booleans()), min_size=1, max_size=30)
"""Models as (country, downloads, is new, is of language)."""
families = st.lists(st.tuples(st.integers(0, 29), st.sampled_from(MEMBERS), st.sampled_from([0.25, 0.5, 1.0])))
"""Derivatives as (number of the model, country of a root, part of the root); the rest is a French root's."""


def hub_ids(world):
    return [f"{number:03d}" for number in range(len(world))]


def attribution_of(world):
    countries = [country for country, *_ in world]
    return pl.LazyFrame({"hub_id": hub_ids(world), "organization": countries, "country": countries})


def downloads_of(world, month=AUGUST, flagged=()):
    return pl.LazyFrame(
        {
            "month": [month] * len(world),
            "hub_id": hub_ids(world),
            "downloads": [float(amount) for _, amount, _, _ in world],
            "is_new": [is_new for _, _, is_new, _ in world],
            "is_language_model": [is_language_model for _, _, _, is_language_model in world],
            "is_flagged": [number in flagged for number in range(len(world))],
            "basis": ["all_time_delta"] * len(world),
        }
    )


def roots_of(parts):
    """Weights and developers of roots, from (number of the model, country of the root, weight)."""
    weights = pl.LazyFrame(
        [(f"{number:03d}", f"root/{country}", weight) for number, country, weight in parts],
        schema={"hub_id": pl.String, "root_model_id": pl.String, "weight": pl.Float64},
        orient="row",
    )
    names = {"root_model_id": [f"root/{member}" for member in MEMBERS]}
    return weights, pl.LazyFrame(names | {"organization": MEMBERS, "country": MEMBERS})


def tables_of(world, month=AUGUST, flagged=(), parts=()):
    return member_shares(downloads_of(world, month, flagged), attribution_of(world), *roots_of(parts))


def shares_of(world, month=AUGUST, attribution="uploader", **more):
    return tables_of(world, month, **more)[0].filter(pl.col("attribution") == attribution)


def share_of(shares, member, population="all"):
    return shares.row(by_predicate=(pl.col("member") == member) & (pl.col("population") == population), named=True)


def test_a_share_is_stated_with_numerator_denominator_and_bounds():
    china = share_of(shares_of([("CN", 60, True, True), ("US", 30, False, True), ("unmapped", 10, False, False)]), "CN")
    assert (china["downloads"], china["denominator"], china["share"]) == (60, 100, 0.6)
    assert china["share_of_attributed"] == pytest.approx(60 / 90)
    assert (china["share_low"], china["share_high"]) == (0.6, 0.7)
    assert china["coverage"] == 0.9
    assert china["rank"] == 1


def test_each_population_has_its_own_denominator():
    shares = shares_of([("CN", 60, True, False), ("US", 30, False, True)])
    assert share_of(shares, "CN", "new")["share"] == 1
    assert share_of(shares, "US", "language_models")["denominator"] == 30


def test_flagged_traffic_counts_except_where_the_population_leaves_it_out():
    world = [("CN", 60, True, True), ("US", 30, True, True), ("US", 900, True, True)]
    shares = shares_of(world, flagged=[2])
    for population in ("all", "new", "language_models"):
        assert share_of(shares, "CN", population)["denominator"] == 990
        assert share_of(shares, "CN", f"{population}_unflagged")["denominator"] == 90


def test_ranks_go_by_downloads_and_ties_by_name():
    shares = shares_of([("US", 5, True, True), ("CN", 5, True, True), ("FR", 9, True, True)])
    ranks = {member: share_of(shares, member)["rank"] for member in ("FR", "CN", "US")}
    assert ranks == {"FR": 1, "CN": 2, "US": 3}


def test_a_derivative_of_two_origins_is_split_by_weight():
    world = [("US", 100, True, True), ("FR", 50, True, True)]
    shares = shares_of(world, attribution="origin", parts=[(0, "CN", 0.75), (0, "US", 0.25)])
    assert {member: share_of(shares, member)["downloads"] for member in ("CN", "US", "FR")} == {
        "CN": 75,
        "US": 25,
        "FR": 50,
    }


def test_an_organisation_is_shown_with_its_country():
    downloads = downloads_of([("CN", 7, True, True)])
    attribution = pl.LazyFrame({"hub_id": ["000"], "organization": ["Alibaba"], "country": ["CN"]})
    _, organizations = member_shares(downloads, attribution, *roots_of([]))
    assert set(organizations.select("member", "country").rows()) == {("Alibaba", "CN")}


@settings(deadline=None, max_examples=40)
@given(worlds)
def test_shares_sum_to_one_and_lie_within_their_bounds(world):
    shares = shares_of(world)
    sums = shares.group_by(GROUP_COLUMNS).agg(pl.col("share").sum(), pl.col("denominator").first())
    for row in sums.iter_rows(named=True):
        assert row["share"] == pytest.approx(1 if row["denominator"] else 0)
    assert shares.filter((pl.col("share") < pl.col("share_low")) | (pl.col("share") > pl.col("share_high"))).is_empty()


@settings(deadline=None, max_examples=40)
@given(worlds, families)
def test_uploader_and_origin_share_out_the_same_downloads(world, derivatives):
    parts = {}
    for number, country, part in derivatives:
        if number < len(world):
            parts[number] = [(number, country, part), *([(number, "FR", 1 - part)] if part < 1 else [])]
    merged = [
        (number, country, sum(part for _, other, part in roots if other == country))
        for number, roots in parts.items()
        for country in sorted({country for _, country, _ in roots})
    ]
    for table in tables_of(world, parts=merged):
        totals = table.pivot("attribution", index="population", values="downloads", aggregate_function="sum")
        for _, uploader, origin in totals.select("population", "uploader", "origin").iter_rows():
            assert uploader == pytest.approx(origin)


@settings(deadline=None, max_examples=40)
@given(worlds)
def test_the_bounds_contain_the_share_whoever_the_unmapped_were(world):
    truth = [("CN" if country == "unmapped" else country, *rest) for country, *rest in world]
    if not any(country == "CN" for country, *_ in world):
        world = [*world, ("CN", 0, True, True)]
        truth = [*truth, ("CN", 0, True, True)]
    measured, true = share_of(shares_of(world), "CN"), share_of(shares_of(truth), "CN")
    assert measured["share_low"] <= true["share"] + 1e-12
    assert true["share"] <= measured["share_high"] + 1e-12


@settings(deadline=None, max_examples=40)
@given(worlds)
def test_models_without_downloads_change_no_share(world):
    with_idle = [*world, (world[0][0], 0, True, True)]
    columns = ["population", "member", "downloads", "share"]
    before = shares_of(world).filter(pl.col("population") == "all").select(columns)
    assert shares_of(with_idle).filter(pl.col("population") == "all").select(columns).equals(before)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.sampled_from(["CN", "US"]), min_size=1, max_size=30), st.integers(1, 100))
def test_a_share_is_its_numerator_over_its_denominator_to_the_last_bit(countries, amount):
    shares = shares_of([(country, amount, True, True) for country in countries])
    for row in shares.iter_rows(named=True):
        assert row["share"] == row["downloads"] / row["denominator"]


@settings(deadline=None, max_examples=40)
@given(worlds)
def test_merging_two_members_adds_their_shares(world):
    merged = [("CN" if country == "FR" else country, *rest) for country, *rest in world]
    apart = shares_of(world).filter(pl.col("member").is_in(["CN", "FR"]))
    together = shares_of(merged).filter(pl.col("member") == "CN")
    for population in POPULATION_NAMES:
        both, one = (shares.filter(pl.col("population") == population)["share"].sum() for shares in (apart, together))
        assert one == pytest.approx(both)


@settings(deadline=None, max_examples=20)
@given(st.dictionaries(st.integers(0, 15), worlds, min_size=1, max_size=4))
def test_a_windows_downloads_are_the_sum_of_its_months(worlds_by_month):
    monthly = pl.concat(shares_of(world, add_months(AUGUST, number)) for number, world in worlds_by_month.items())
    last = monthly["month"].max()
    firsts = {
        "month": last,
        "trailing_12_months": add_months(last, -11),
        "year_to_date": last.replace(month=1),
        "cumulative": monthly["month"].min(),
    }
    windows = share_windows(monthly).filter(pl.col("month") == last)
    for name, first in firsts.items():
        window = windows.filter(pl.col("window") == name)
        inside = monthly.filter(pl.col("month").is_between(first, last))
        summed = inside.group_by("population", "member").agg(pl.col("downloads").sum())
        joined = window.join(summed, on=["population", "member"], suffix="_summed")
        assert joined.height == window.height == summed.height
        assert joined["downloads"].to_list() == joined["downloads_summed"].to_list()


def windows_of(windows, name, month):
    return windows.filter((pl.col("window") == name) & (pl.col("month") == month))


def trailing(windows, month):
    return windows_of(windows, "trailing_12_months", month)


def one_country(months):
    return pl.concat(shares_of([("CN", 1, True, True)], add_months(AUGUST, number)) for number in months)


def test_a_window_that_lacks_months_says_so():
    windows = share_windows(one_country(range(13)))
    assert not trailing(windows, AUGUST)["is_complete"].any()
    assert trailing(windows, AUGUST)["months_in_window"].unique().to_list() == [1]
    assert trailing(windows, add_months(AUGUST, 11))["is_complete"].all()
    assert trailing(windows, add_months(AUGUST, 12))["months_in_window"].unique().to_list() == [12]


def test_the_year_to_date_begins_in_january():
    windows = share_windows(one_country(range(8)))
    assert not windows_of(windows, "year_to_date", date(2025, 12, 1))["is_complete"].any()
    march = windows_of(windows, "year_to_date", date(2026, 3, 1))
    assert march["is_complete"].all()
    assert march["months_in_window"].unique().to_list() == [3]
    assert march["downloads"].unique().to_list() == [3]


def test_a_gap_makes_a_window_incomplete():
    windows = share_windows(one_country((0, 2)))
    assert not windows_of(windows, "cumulative", add_months(AUGUST, 2))["is_complete"].any()


def test_a_window_over_months_of_different_bases_is_mixed():
    estimated = shares_of([("CN", 1, True, True)]).with_columns(pl.lit("rolling_30d").alias("basis"))
    windows = share_windows(pl.concat([estimated, shares_of([("CN", 1, True, True)], add_months(AUGUST, 1))]))
    assert trailing(windows, add_months(AUGUST, 1))["basis"].unique().to_list() == ["mixed"]
    assert trailing(windows, AUGUST)["basis"].unique().to_list() == ["rolling_30d"]


def change_of(windows, member, month, window="month"):
    found = windows_of(windows, window, month).filter((pl.col("member") == member) & (pl.col("population") == "all"))
    return found.select(pl.col(r"^.*_change_on_.*$")).row(0, named=True)


def two_months(earlier, later, months_between=1):
    return pl.concat([shares_of(earlier), shares_of(later, add_months(AUGUST, months_between))])


def test_changes_are_on_the_same_window_a_month_and_a_year_before():
    before = [("CN", 20, True, True), ("US", 50, True, True), ("FR", 30, True, True)]
    after = [("CN", 60, True, True), ("US", 30, True, True), ("FR", 10, True, True)]
    on_month = change_of(share_windows(two_months(before, after)), "CN", add_months(AUGUST, 1))
    assert on_month["share_change_on_month"] == pytest.approx(0.4)
    assert on_month["rank_change_on_month"] == 2
    assert on_month["share_change_on_year"] is None
    on_year = change_of(share_windows(two_months(before, after, 12)), "CN", add_months(AUGUST, 12))
    assert on_year["share_change_on_year"] == pytest.approx(0.4)
    assert on_year["share_change_on_month"] is None


def test_who_was_not_there_before_gained_its_whole_share_and_no_places():
    windows = share_windows(two_months([("US", 1, True, True)], [("US", 1, True, True), ("CN", 3, True, True)]))
    change = change_of(windows, "CN", add_months(AUGUST, 1))
    assert change["share_change_on_month"] == pytest.approx(0.75)
    assert change["rank_change_on_month"] is None


def test_no_change_is_stated_on_an_incomplete_window_or_one_of_another_basis():
    months = one_country(range(2))
    assert change_of(share_windows(months), "CN", add_months(AUGUST, 1), "trailing_12_months") == dict.fromkeys(
        change_of(share_windows(months), "CN", AUGUST)
    )
    estimated = months.with_columns(
        pl.when(pl.col("month") == AUGUST).then(pl.lit("rolling_30d")).otherwise("basis").alias("basis")
    )
    assert change_of(share_windows(estimated), "CN", add_months(AUGUST, 1))["share_change_on_month"] is None
