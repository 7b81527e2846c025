"""The registry held against what is downloaded, and against another map."""

from datetime import date

import polars as pl
import pytest

from assets.attribution import registry_review as review
from assets.attribution.organizations import ORGANIZATIONS
from pipeline.reference.other_map import CountryMap
from pipeline.reference.registry import FILES

AUGUST = date(2025, 8, 1)


def registry(*rows):
    complete = [dict.fromkeys(ORGANIZATIONS.schema) | row for row in rows]
    return pl.LazyFrame(complete, schema=ORGANIZATIONS.schema)


def row(namespace, country, basis="read", **more):
    kind = "individual" if country is None else "company"
    return {"namespace": namespace, "organization": namespace, "country": country, "kind": kind, "basis": basis} | more


def listing(**downloads):
    return pl.LazyFrame(
        {"column": ["june"] * len(downloads), "namespace": list(downloads), "downloads": list(downloads.values())},
        schema={"column": pl.String, "namespace": pl.String, "downloads": pl.Float64},
    )


REGISTRY = registry(row("a", "FR"), row("b", "US", "well_known"), row("p", None))


def test_what_namespaces_rest_on_is_told_the_largest_first_and_which_hold_95_percent():
    ranked = review.ranked(review.listing_standing(listing(x=5.0, a=60.0, b=30.0, p=5.0, idle=0.0), REGISTRY))
    assert ranked.select("namespace", "standing", "share", "is_large").rows() == [
        ("a", "read", 0.6, True),
        ("b", "well_known", 0.3, True),
        ("p", "read", 0.05, True),
        ("x", "not in the registry", 0.05, False),
    ]


def month():
    """A month of two models in the registry, one canonical, one of a person, one of nobody known."""
    hub_ids = ["1", "2", "3", "4", "5"]
    downloads = pl.LazyFrame({"hub_id": hub_ids, "downloads": [50.0, 20.0, 15.0, 10.0, 5.0]})
    attribution = pl.LazyFrame(
        {
            "hub_id": hub_ids,
            "namespace": ["a", "b", None, "jane", "x"],
            "model_id": ["a/1", "b/1", "bert", "jane/1", "x/1"],
            "country": ["FR", "US", "US", "unaffiliated", "unmapped"],
            "method": ["registry", "registry", "canonical_models", "account", "unmapped"],
            "registry_row": ["a, no start date", "b since 2025-01-01", "bert, no start date", None, None],
        }
    )
    return downloads, attribution


def test_a_month_is_covered_by_the_rows_that_were_applied():
    downloads, attribution = month()
    standing = review.month_standing(downloads, attribution, REGISTRY, AUGUST).collect()
    assert dict(standing.select("namespace", "standing").iter_rows()) == {
        "a": "read",
        "b": "registry row changed since",
        "bert": "canonical_models",
        "jane": "account",
        "x": "unmapped",
    }


GROUPS = pl.DataFrame({"group": ["eu", "eu"], "country": ["FR", "DE"]})


def other_map(countries):
    """Another map without periods; a namespace without a country is left open."""
    placed = [row(namespace, country) for namespace, country in countries.items() if country]
    canonical = {"model_id": ["bert"], "organization": ["Google"], "country": ["US"], "kind": ["company"]}
    return CountryMap(
        "theirs",
        registry(*(person(r) if r["country"] == "unaffiliated" else r for r in placed)).collect(),
        pl.DataFrame(canonical),
        GROUPS,
        tuple(namespace for namespace, country in countries.items() if not country),
        has_periods=False,
    )


def person(known):
    return known | {"country": None, "kind": "individual"}


@pytest.mark.parametrize(
    ("namespace", "theirs", "result"),
    [
        ("a", "FR", "agreement"),
        ("a", "eu", "agreement"),
        ("a", "US", "disagreement"),
        ("b", "eu", "disagreement"),
        ("a", None, "not_stated"),
        ("p", "unaffiliated", "agreement"),
        ("z", "FR", "only_there"),
    ],
)
def test_two_maps_agree_where_their_countries_do_or_the_group_holds_ours(namespace, theirs, result):
    results = review.compare_maps(REGISTRY, other_map({namespace: theirs}))
    assert dict(results.select("namespace", "result").iter_rows())[namespace] == result


def test_what_the_other_map_does_not_have_is_only_here():
    results = review.compare_maps(REGISTRY, other_map({"a": "FR"}))
    assert results.filter(pl.col("result") == "only_here")["namespace"].to_list() == ["b", "p"]


@pytest.mark.parametrize(
    ("theirs", "expected"),
    [
        ({"a": "eu", "x": "CN"}, {"eu": 50, "CN": 5, "US": 15, "unaffiliated": 10, "unmapped": 20}),
        ({"a": "eu", "x": "FR"}, {"eu": 50, "FR": 5, "US": 15, "unaffiliated": 10, "unmapped": 20}),
    ],
)
def test_another_map_takes_the_registrys_place_and_nothing_else_changes(theirs, expected):
    """Our countries are put into the other map's groups, unless it names them too."""
    persons = pl.LazyFrame({"namespace": ["jane"], "account_type": ["person"]})
    both = review.downloads_under_both_maps(*month(), persons, other_map(theirs), AUGUST)
    sums = {
        name: dict(rows.group_by("member").agg(pl.col("downloads").sum()).iter_rows())
        for (name,), rows in both.group_by("map")
    }
    assert sums["theirs"] == expected
    in_a_group = "FR" if "FR" in theirs.values() else "eu"
    assert sums["ours"] == {in_a_group: 50, "US": 35, "unaffiliated": 10, "unmapped": 5}


def test_what_is_due_is_old_readings_announced_purchases_and_disputed_seats():
    known = {"basis": "read", "checked_on": date(2025, 1, 1), "line": 2}
    seats = [
        known | {"organization_id": "old", "country": "FR"},
        {"organization_id": "moot", "country": "FR", "disputed_country": "US", "disputed_by": "the press", "line": 3},
    ]
    owners = [
        {"organization_id": "sold", "owner_id": "buyer", "announced_on": date(2026, 1, 1), "line": 2},
        {
            "organization_id": "done",
            "owner_id": "buyer",
            "announced_on": date(2025, 1, 1),
            "closed_on": date(2025, 2, 1),
        },
    ]
    files = {"seats": seats, "owners": owners, "accounts": [known | {"namespace": "lab"}]}
    due = review.due_for_review(
        {
            name: pl.DataFrame(rows, schema=["line", *FILES[name]]).cast({pl.Null: pl.String}, strict=False)
            for name, rows in files.items()
        },
        date(2026, 6, 1),
    )
    assert due.select("reason", "subject").rows() == [
        ("read more than a year ago", "old"),
        ("read more than a year ago", "lab"),
        ("announced and not closed", "sold"),
        ("disputed", "moot"),
    ]
