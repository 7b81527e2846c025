"""Shares with their denominators, bounds and windows."""

from datetime import date

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.months import add_months
from pipeline.tables.shares import GROUP_COLUMNS
from pipeline.transform.shares import month_shares, origin_members, uploader_members
from pipeline.transform.windows import share_windows

AUGUST = date(2025, 8, 1)
MEMBERS = ["CN", "US", "FR", "international", "unaffiliated", "unmapped"]

amounts = st.integers(0, 10**10)
worlds = st.lists(st.tuples(st.sampled_from(MEMBERS), amounts, st.booleans(), st.booleans()), min_size=1, max_size=30)


def downloads_and_members(world):
    hub_ids = [f"{number:03d}" for number in range(len(world))]
    downloads = pl.LazyFrame(
        {
            "hub_id": hub_ids,
            "downloads": [float(amount) for _, amount, _, _ in world],
            "is_new": [is_new for _, _, is_new, _ in world],
            "is_language": [is_language for _, _, _, is_language in world],
            "basis": ["all_time_delta"] * len(world),
        }
    )
    countries = [country for country, _, _, _ in world]
    attribution = pl.LazyFrame({"hub_id": hub_ids, "organization": countries, "country": countries})
    return downloads, uploader_members(attribution)


def shares_of(world, month=AUGUST):
    downloads, members = downloads_and_members(world)
    return month_shares(downloads, {"uploader": members}, "country", month)


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
    assert share_of(shares, "US", "language")["denominator"] == 30


def test_ranks_go_by_downloads_and_ties_by_name():
    shares = shares_of([("US", 5, True, True), ("CN", 5, True, True), ("FR", 9, True, True)])
    ranks = {member: share_of(shares, member)["rank"] for member in ("FR", "CN", "US")}
    assert ranks == {"FR": 1, "CN": 2, "US": 3}


def test_a_derivative_of_two_origins_is_split_by_weight():
    downloads, _ = downloads_and_members([("US", 100, True, True), ("FR", 50, True, True)])
    attribution = pl.LazyFrame({"hub_id": ["000", "001"], "organization": ["US", "FR"], "country": ["US", "FR"]})
    weights = pl.LazyFrame({"hub_id": ["000"] * 2, "root_model_id": ["q/w", "m/l"], "weight": [0.75, 0.25]})
    roots = pl.LazyFrame({"root_model_id": ["q/w", "m/l"], "organization": ["Q", "M"], "country": ["CN", "US"]})
    shares = month_shares(downloads, {"origin": origin_members(attribution, weights, roots)}, "country", AUGUST)
    assert {member: share_of(shares, member)["downloads"] for member in ("CN", "US", "FR")} == {
        "CN": 75,
        "US": 25,
        "FR": 50,
    }


@given(worlds)
def test_shares_sum_to_one_and_lie_within_their_bounds(world):
    shares = shares_of(world)
    sums = shares.group_by(GROUP_COLUMNS).agg(pl.col("share").sum(), pl.col("denominator").first())
    for row in sums.iter_rows(named=True):
        assert row["share"] == pytest.approx(1 if row["denominator"] else 0)
    assert shares.filter((pl.col("share") < pl.col("share_low")) | (pl.col("share") > pl.col("share_high"))).is_empty()


@given(worlds)
def test_the_bounds_contain_the_share_whoever_the_unmapped_were(world):
    truth = [("CN" if country == "unmapped" else country, *rest) for country, *rest in world]
    if not any(country == "CN" for country, *_ in world):
        world = [*world, ("CN", 0, True, True)]
        truth = [*truth, ("CN", 0, True, True)]
    measured, true = share_of(shares_of(world), "CN"), share_of(shares_of(truth), "CN")
    assert measured["share_low"] <= true["share"] + 1e-12
    assert true["share"] <= measured["share_high"] + 1e-12


@given(worlds)
def test_models_without_downloads_change_no_share(world):
    with_idle = [*world, (world[0][0], 0, True, True)]
    columns = ["population", "member", "downloads", "share"]
    before = shares_of(world).filter(pl.col("population") == "all").select(columns)
    assert shares_of(with_idle).filter(pl.col("population") == "all").select(columns).equals(before)


@given(worlds)
def test_merging_two_members_adds_their_shares(world):
    merged = [("CN" if country == "FR" else country, *rest) for country, *rest in world]
    apart = shares_of(world).filter((pl.col("population") == "all") & pl.col("member").is_in(["CN", "FR"]))
    together = shares_of(merged).filter((pl.col("population") == "all") & (pl.col("member") == "CN"))
    assert together["share"].sum() == pytest.approx(apart["share"].sum())


@given(st.lists(worlds, min_size=1, max_size=4))
def test_a_windows_downloads_are_the_sum_of_its_months(months):
    monthly = pl.concat(shares_of(world, add_months(AUGUST, number)) for number, world in enumerate(months))
    windows = share_windows(monthly)
    last = windows.filter((pl.col("window") == "cumulative") & (pl.col("month") == monthly["month"].max()))
    by_member = monthly.group_by("population", "member").agg(pl.col("downloads").sum())
    joined = last.join(by_member, on=["population", "member"], suffix="_summed")
    assert joined.height == last.height
    assert joined["downloads"].to_list() == joined["downloads_summed"].to_list()


def trailing(windows, month):
    return windows.filter((pl.col("window") == "trailing_12_months") & (pl.col("month") == month))


def test_a_window_that_lacks_months_says_so():
    monthly = pl.concat(shares_of([("CN", 1, True, True)], add_months(AUGUST, number)) for number in range(13))
    windows = share_windows(monthly)
    assert trailing(windows, AUGUST)["is_complete"].to_list() == [False] * 3
    assert trailing(windows, AUGUST)["months_in_window"].unique().to_list() == [1]
    assert trailing(windows, add_months(AUGUST, 11))["is_complete"].all()
    assert trailing(windows, add_months(AUGUST, 12))["months_in_window"].unique().to_list() == [12]


def test_a_gap_makes_a_window_incomplete():
    monthly = pl.concat(shares_of([("CN", 1, True, True)], add_months(AUGUST, number)) for number in (0, 2))
    cumulative = share_windows(monthly).filter(
        (pl.col("window") == "cumulative") & (pl.col("month") == add_months(AUGUST, 2))
    )
    assert not cumulative["is_complete"].any()


def test_a_window_over_months_of_different_bases_is_mixed():
    estimated = shares_of([("CN", 1, True, True)]).with_columns(pl.lit("rolling_30d").alias("basis"))
    windows = share_windows(pl.concat([estimated, shares_of([("CN", 1, True, True)], add_months(AUGUST, 1))]))
    assert trailing(windows, add_months(AUGUST, 1))["basis"].unique().to_list() == ["mixed"]
    assert trailing(windows, AUGUST)["basis"].unique().to_list() == ["rolling_30d"]
