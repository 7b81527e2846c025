"""Shares of countries and organisations: denominators, bounds, and the same downloads by whatever attribution."""

from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from assets.shares.members import by_root
from assets.shares.organization_shares import shares_of_organizations
from assets.shares.share_table import GROUP
from tests.assets.shares.scenario import ROOTS, WORLDS, Month, month_of, shares_in


def shares_of(*models, attribution="uploader", dimension="country", **more):
    month = month_of(*models, owners=ROOTS, **more)
    return shares_in(month, dimension).filter(attribution=attribution)


def share_of(shares, member, population="all"):
    return shares.row(by_predicate=(pl.col("member") == member) & (pl.col("population") == population), named=True)


def model(country, downloads, **more):
    return {"country": country, "downloads": Decimal(downloads)} | more


def test_a_share_is_stated_with_numerator_denominator_and_bounds():
    shares = shares_of(model("CN", 50), model("US", 25), model("unaffiliated", 15), model("unmapped", 10))
    stated = ["downloads", "share", "share_of_attributed", "share_low", "share_high", "coverage", "rank"]
    by_member = {member: [share_of(shares, member)[name] for name in stated] for member in shares["member"].unique()}
    assert by_member == {
        "CN": [50, 0.5, 50 / 75, 0.5, 0.6, 0.9, 1],
        "US": [25, 0.25, 25 / 75, 0.25, 0.35, 0.9, 2],
        "unaffiliated": [15, 0.15, None, 0.15, 0.25, 0.9, 3],
        "unmapped": [10, 0.1, None, 0.0, 0.1, 0.9, 4],
    }
    assert share_of(shares, "CN")["denominator"] == 100


def test_each_population_has_its_own_denominator():
    shares = shares_of(model("CN", 60, is_language_model=False), model("US", 30, is_new=False))
    assert share_of(shares, "CN", "new")["share"] == 1
    assert share_of(shares, "US", "language_models")["denominator"] == 30


def test_flagged_traffic_counts_except_where_the_population_leaves_it_out():
    shares = shares_of(model("CN", 60), model("US", 30), model("US", 900, is_flagged=True))
    for population in ("all", "new", "language_models"):
        assert share_of(shares, "CN", population)["denominator"] == 990
        assert share_of(shares, "CN", f"{population}_unflagged")["denominator"] == 90


def test_ranks_go_by_downloads_and_ties_by_name():
    shares = shares_of(model("US", 5), model("CN", 5), model("FR", 9))
    assert {member: share_of(shares, member)["rank"] for member in ("FR", "CN", "US")} == {"FR": 1, "CN": 2, "US": 3}


def test_a_derivative_of_two_origins_is_split_by_weight():
    split = model("US", 100, roots={"root/CN": "0.75", "root/US": "0.25"})
    shares = shares_of(split, model("FR", 50), attribution="origin")
    downloads = {member: share_of(shares, member)["downloads"] for member in ("CN", "US", "FR")}
    assert downloads == {"CN": 75, "US": 25, "FR": 50}


def test_what_no_split_can_share_out_is_the_heaviest_roots():
    thirds = {"root/CN": "0.333333333334", "root/FR": "0.333333333333", "root/US": "0.333333333333"}
    shares = shares_of(model("US", "0.000001", roots=thirds), attribution="origin")
    assert dict(shares.filter(population="all").select("member", "downloads").iter_rows()) == {
        "CN": Decimal("0.000001"),
        "FR": 0,
        "US": 0,
    }


def test_a_root_that_nobody_attributed_is_unmapped():
    shares = shares_of(model("US", 10, roots={"gone/away": 1}), attribution="origin")
    assert shares["member"].unique().to_list() == ["unmapped"]


def test_an_organisation_is_shown_with_its_country():
    month = month_of({"organization": "Alibaba", "country": "CN", "roots": {"root/US": 1}}, owners=ROOTS)
    found = shares_of_organizations(*month.by_origin)
    assert set(found.select("member", "country").rows()) == {("Alibaba", "CN"), ("The US", "US")}


@settings(max_examples=40)
@given(WORLDS)
def test_the_parts_of_a_derivative_sum_to_its_downloads_to_the_last_digit_and_none_is_negative(world):
    month = month_of(*world, owners=ROOTS)
    parts = by_root(month.models.select("hub_id", "downloads"), month.weights, month.roots).collect()
    whole = month.models.filter("is_derivative").select("hub_id", "downloads").collect()
    assert_frame_equal(parts.group_by("hub_id").agg(pl.col("downloads").sum()), whole, check_row_order=False)
    assert (parts["downloads"] >= 0).all()


@settings(max_examples=40)
@given(WORLDS, st.sampled_from(["country", "organization"]))
def test_uploader_and_origin_share_out_the_same_downloads_to_the_last_digit(world, dimension):
    sums = [
        dict(shares.group_by("population").agg(pl.col("downloads").sum()).iter_rows())
        for shares in (shares_of(*world, attribution=name, dimension=dimension) for name in ("uploader", "origin"))
    ]
    assert sums[0] == sums[1]
    assert sums[0]["all"] == sum(model["downloads"] for model in world)


@settings(max_examples=40)
@given(WORLDS)
def test_shares_are_all_of_the_denominator_and_lie_within_their_bounds(world):
    shares = shares_of(*world)
    for _, group in shares.group_by(GROUP):
        assert group["downloads"].sum() == group["denominator"][0]
        assert group["share"].sum() == pytest.approx(1 if group["denominator"][0] else 0)
        assert sorted(group["rank"]) == list(range(1, group.height + 1))
    assert shares.filter((pl.col("share") < pl.col("share_low")) | (pl.col("share") > pl.col("share_high"))).is_empty()
    for row in shares.filter(pl.col("denominator") > 0).iter_rows(named=True):
        assert row["share"] == float(row["downloads"]) / float(row["denominator"])


@settings(max_examples=30)
@given(WORLDS, st.randoms())
def test_the_order_of_rows_changes_nothing(world, chance):
    month = month_of(*world, owners=ROOTS)
    keys = ["population", "attribution", "member"]
    made = shares_in(month, "organization").sort(keys)
    shuffled = (
        frame.collect().sample(fraction=1, shuffle=True, seed=chance.randint(0, 99)) for frame in month.by_origin
    )
    again = shares_in(Month(*(frame.lazy() for frame in shuffled)), "organization").sort(keys)
    assert again.equals(made.select(again.columns))
