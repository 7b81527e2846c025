"""Countries under other maps, and groups of countries: derived from what is published already, and adding up."""

from datetime import date

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.attribution.organizations import ORGANIZATIONS
from assets.published.country_group_shares import country_group_shares
from assets.published.variant_shares import variant_shares
from assets.shares.organization_shares import ORGANIZATION_SHARES
from assets.shares.periods import share_periods
from assets.shares.share_table import with_shares
from pipeline.reference.countries import country_groups
from pipeline.reference.other_map import VARIANTS
from tests.assets.rows import rows_of

JANUARY, FEBRUARY = date(2020, 1, 1), date(2020, 2, 1)
SEATS = {"Lab": "HK", "Buyer": "US", "unmapped": "unmapped", "unaffiliated": "unaffiliated"}


def shares(dimension, *amounts):
    """A month's rows of a share table of `all` by uploader, from (month, member, downloads)."""
    rows = [
        {"month": month, "member": member, "downloads": downloads, "country": SEATS.get(member)}
        | {"period": "month", "months_in_period": 1, "is_complete": True, "basis": "all_time_delta"}
        | {"population": "all", "attribution": "uploader", "dimension": dimension, "models": 1}
        for month, member, downloads in amounts
    ]
    return with_shares(pl.DataFrame(rows, schema={name: ORGANIZATION_SHARES.schema[name] for name in rows[0]}))


def lab(owner=None, announced=None, **more):
    facts = {"namespace": "lab", "organization": "Lab", "country": "HK", "legal_country": "KY"}
    owners = {"ultimate_owner_country": owner or "HK", "announced_owner_country": announced or owner or "HK"}
    return facts | owners | more


BUYER = {"namespace": "buyer", "organization": "Buyer", "country": "US", "ultimate_owner_country": "US"}


def under(variant, *rows, month=JANUARY):
    organizations = shares("organization", (month, "Lab", 6), (month, "Buyer", 3), (month, "unmapped", 1))
    found = variant_shares(organizations.lazy(), rows_of(ORGANIZATIONS, [BUYER, *rows])).collect()
    return dict(found.filter(map_name=variant, period="month").select("member", "share").iter_rows())


@pytest.mark.parametrize(
    ("variant", "expected"),
    [
        ("head_office", {"HK": 0.6, "US": 0.3}),
        ("greater_china", {"CN": 0.6, "US": 0.3}),
        ("legal_seat", {"KY": 0.6, "US": 0.3}),
        ("ultimate_owner", {"HK": 0.6, "US": 0.3}),
        ("announced_owner", {"US": 0.9}),
    ],
)
def test_each_variant_places_an_organisation_by_another_of_its_facts(variant, expected):
    assert under(variant, lab(announced="US")) == expected | {"unmapped": 0.1}


@pytest.mark.parametrize(("month", "expected"), [(JANUARY, {"HK": 0.6, "US": 0.3}), (FEBRUARY, {"US": 0.9})])
def test_an_owner_counts_from_the_first_month_that_begins_under_it(month, expected):
    bought = (lab(valid_to=date(2020, 1, 15)), lab("US", valid_from=date(2020, 1, 15)))
    assert under("ultimate_owner", *bought, month=month) == expected | {"unmapped": 0.1}


AMOUNTS = st.lists(
    st.tuples(st.sampled_from([JANUARY, FEBRUARY]), st.sampled_from(list(SEATS)), st.integers(0, 10**9)),
    min_size=1,
    unique_by=lambda row: row[:2],
)


@given(AMOUNTS)
def test_under_our_own_map_the_shares_are_those_of_countries_and_no_map_drops_downloads(amounts):
    organizations = shares("organization", *amounts)
    found = variant_shares(organizations.lazy(), rows_of(ORGANIZATIONS, [BUYER, lab("US")])).collect()
    by_country = [(month, SEATS[member], downloads) for month, member, downloads in amounts]
    countries = share_periods(shares("country", *by_country).drop("country").lazy()).collect()
    columns = ["month", "period", "member", "downloads", "denominator", "share", "share_low", "share_high", "coverage"]
    ours = found.filter(map_name="head_office").select(columns).sort(columns)
    assert ours.equals(countries.select(columns).sort(columns))
    sums = found.group_by("map_name", "month", "period").agg(pl.col("downloads").sum(), pl.col("denominator").first())
    assert set(sums["map_name"]) == set(VARIANTS)
    assert (sums["downloads"] == sums["denominator"]).all()


def of_groups(*amounts):
    found = country_group_shares(shares("country", *amounts).lazy(), country_groups().lazy()).collect()
    return {(row["member"], row["period"], row["month"]): row for row in found.to_dicts()}


def test_a_group_is_its_members_of_each_month():
    """The United Kingdom left the European Union within January 2020."""
    amounts = [(month, member, 1) for month in (JANUARY, FEBRUARY) for member in ("GB", "FR", "US", "unmapped")]
    found = of_groups(*amounts)
    eu = [
        found["eu", period, month]
        for period, month in (("month", JANUARY), ("month", FEBRUARY), ("cumulative", FEBRUARY))
    ]
    assert [(row["downloads"], row["denominator"], row["share"]) for row in eu] == [
        (2, 4, 0.5),
        (1, 4, 0.25),
        (3, 8, 0.375),
    ]
    assert [(row["share_low"], row["share_high"], row["coverage"]) for row in eu[:2]] == [
        (0.5, 0.75, 0.75),
        (0.25, 0.5, 0.75),
    ]


def test_a_group_without_downloads_is_there_with_nothing():
    row = of_groups((JANUARY, "US", 3), (JANUARY, "unmapped", 1))["asean", "month", JANUARY]
    assert (row["downloads"], row["share"], row["share_high"]) == (0, 0.0, 0.25)


MEMBERS = st.sampled_from(["GB", "FR", "DE", "NO", "US", "CN", "international", "unaffiliated", "unmapped"])


@given(st.lists(st.tuples(st.just(FEBRUARY), MEMBERS, st.integers(0, 10**9)), min_size=1, unique_by=lambda row: row[1]))
def test_a_group_holds_what_its_members_hold_and_its_share_lies_within_its_bounds(amounts):
    downloads = {member: amount for _, member, amount in amounts}
    rows = of_groups(*amounts)
    assert rows["eu", "month", FEBRUARY]["downloads"] == downloads.get("FR", 0) + downloads.get("DE", 0)
    for row in rows.values():
        assert row["denominator"] == sum(downloads.values())
        assert 0 <= row["share_low"] <= row["share"] <= row["share_high"] <= 1
