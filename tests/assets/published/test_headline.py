"""The tables to begin with: one row per month and member, by one definition, whatever the other tables hold."""

from datetime import date

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.attribution.organizations import ORGANIZATIONS
from assets.published.headline import headline_by, headline_families
from assets.published.organizations import organizations
from assets.shares.family_shares import FAMILY_SHARES
from pipeline.definitions import CATALOGUE
from pipeline.months import add_months
from tests.assets.rows import rows_of

FIRST = date(2024, 8, 1)
SHARES = CATALOGUE.published["country_shares"].table


def test_the_headline_is_the_uploaders_trailing_year_of_new_models_or_of_all_before_any_is_known_to_be_new():
    second, third = add_months(FIRST, 1), add_months(FIRST, 2)
    months = {FIRST: ["all", "unflagged"], second: ["all", "new", "new_unflagged"], third: ["all", "new"]}
    rows = [
        {"month": month, "period": period, "population": population, "attribution": attribution, "member": "CN"}
        for month, populations in months.items()
        for population in populations
        for period in ("month", "trailing_12_months", "year_to_date", "cumulative")
        for attribution in ("uploader", "origin")
    ]
    found = headline_by("country", rows_of(SHARES, rows)).select("month", "population", "country_name").collect()
    assert sorted(found.rows()) == [(FIRST, "all", "China"), (second, "new", "China"), (third, "new", "China")]


@given(st.lists(st.lists(st.integers(0, 50), min_size=3, max_size=3), min_size=1, max_size=15))
@settings(max_examples=25)
def test_families_are_the_derivatives_of_twelve_months_and_their_shares_add_up_to_one(new):
    names = ("Alibaba", "Meta", "unmapped")
    rows = [
        {"month": add_months(FIRST, place), "level": "root_organization", "family": name, "country": "CN"}
        | {"new_derivatives": float(count), "downloads": count * 10}
        for place, counts in enumerate(new)
        for name, count in zip(names, counts, strict=True)
    ]
    found = headline_families(rows_of(FAMILY_SHARES, rows)).collect()
    assert found.select("month", "organization").is_unique().all()
    for place in range(len(new)):
        inside = new[max(0, place - 11) : place + 1]
        expected = {name: sum(counts[number] for counts in inside) for number, name in enumerate(names)}
        of_month = found.filter(month=add_months(FIRST, place))
        assert {row["organization"]: float(row["new_derivatives"]) for row in of_month.rows(named=True)} == expected
        assert {row["organization"]: float(row["downloads"]) / 10 for row in of_month.rows(named=True)} == expected
        whole = sum(expected.values())
        assert of_month["share"].sum() == pytest.approx(1 if whole else 0)
        assert of_month["share_of_downloads"].sum() == pytest.approx(1 if whole else 0)
        assert of_month["share_high"].to_list() >= of_month["share"].to_list()


def test_an_organisation_is_there_once_where_it_is_today_with_its_accounts():
    registry = rows_of(
        ORGANIZATIONS,
        [
            {"namespace": "lab", "organization": "Lab", "country": "CN", "kind": "company", "valid_to": FIRST},
            {"namespace": "lab", "organization": "Lab", "country": "SG", "kind": "company", "valid_from": FIRST},
            {"namespace": "lab-audio", "organization": "Lab", "country": "SG", "kind": "company"},
            {"namespace": "gone", "organization": "Gone", "country": "FR", "kind": "company", "valid_to": FIRST},
        ],
    )
    named = pl.LazyFrame({"organization": ["Lab", "Gone", "unmapped", "Unheard of"]})
    found = organizations(named, registry).select("organization", "country", "accounts", "is_organization").collect()
    assert sorted(found.rows()) == [
        ("Gone", "FR", 0, True),
        ("Lab", "SG", 2, True),
        ("Unheard of", None, 0, True),
        ("unmapped", "unmapped", 0, False),
    ]
