"""The registry held against what is downloaded, and against another map: examples, and months of any models."""

from datetime import date

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.attribution import registry_review as review
from assets.attribution.attribution_coverage import coverage_of, unmapped_namespaces
from assets.attribution.model_attribution import MODEL_ATTRIBUTION
from assets.attribution.organizations import ORGANIZATIONS
from assets.listings.model_downloads import MODEL_DOWNLOADS
from pipeline.reference.other_map import CountryMap
from pipeline.reference.registry import FILES
from tests.assets.rows import rows_of

AUGUST = date(2025, 8, 1)


def registry(*rows):
    return rows_of(ORGANIZATIONS, rows)


def row(namespace, country, basis="read", **more):
    kind = "individual" if country is None else "company"
    return {"namespace": namespace, "organization": namespace, "country": country, "kind": kind, "basis": basis} | more


REGISTRY = registry(row("a", "FR"), row("b", "US", "well_known"), row("p", None))


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
    expected = dict.fromkeys(("a", "b", "p"), "only_here") | {namespace: result}
    assert dict(results.select("namespace", "result").iter_rows()) == expected


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
    known = {"basis": "read", "checked_on": date(2025, 5, 31), "line": 2}
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
    seats.append(known | {"organization_id": "a year ago", "checked_on": date(2025, 6, 1)})
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


NAMESPACES = st.sampled_from("abcde")
MEMBERS = {"a": "CN", "b": "US", "c": "unaffiliated", "d": "unmapped", "e": "FR"}
METHODS = {"c": "account", "d": "unmapped"}
AMOUNTS = st.integers(0, 10**9)
MODELS = st.lists(st.tuples(NAMESPACES, AMOUNTS.map(float)), min_size=1, max_size=15)
"""Models by their namespace and downloads."""


def month_of(models):
    """The downloads and the attribution of a month in which these models are listed, and the sum of the downloads."""
    ids = [{"month": AUGUST, "hub_id": f"{at:03d}"} for at in range(len(models))]
    downloads = [row | {"downloads": amount} for row, (_, amount) in zip(ids, models, strict=True)]
    attribution = [
        row
        | {"model_id": f"{space}/{row['hub_id']}", "namespace": space, "country": MEMBERS[space], "kind": "company"}
        | {"method": METHODS.get(space, "registry"), "registry_row": f"{space}, no start date"}
        for row, (space, _) in zip(ids, models, strict=True)
    ]
    return rows_of(MODEL_DOWNLOADS, downloads), rows_of(MODEL_ATTRIBUTION, attribution), sum(row[1] for row in models)


@given(MODELS)
@settings(max_examples=20)
def test_coverage_holds_every_download_and_the_unmapped_theirs(models):
    downloads, attribution, total = month_of(models)
    covered = coverage_of(downloads, attribution).collect()
    assert covered["downloads"].sum() == pytest.approx(total)
    assert covered["share_of_downloads"].sum() == pytest.approx(1 if total else 0)
    assert covered["models"].sum() == len(models)
    unmapped = unmapped_namespaces(downloads, attribution).collect()
    assert unmapped["downloads"].sum() == pytest.approx(sum(amount for space, amount in models if space == "d"))


LISTINGS = st.lists(
    st.tuples(st.sampled_from(["may", "june"]), NAMESPACES, AMOUNTS), unique_by=lambda row: row[:2], min_size=1
)
REGISTERED = st.dictionaries(
    NAMESPACES, st.tuples(st.sampled_from(["CN", "US", None]), st.sampled_from(["read", "well_known"]))
)


def registry_of(rows):
    return registry(*(row(space, country, basis) for space, (country, basis) in rows.items()))


@given(LISTINGS, REGISTERED)
@settings(max_examples=20)
def test_a_listing_is_covered_wholly_and_the_large_are_no_more_than_are_needed(rows, registered):
    schema = {"column": pl.String, "namespace": pl.String, "downloads": pl.Float64}
    standing = review.listing_standing(pl.LazyFrame(rows, schema, orient="row"), registry_of(registered))
    ranked = review.ranked(standing)
    for column in {row[0] for row in rows}:
        amounts = sorted((amount for other, _, amount in rows if other == column and amount), reverse=True)
        own = ranked.filter(column=column)
        assert own["downloads"].to_list() == amounts
        if amounts:
            assert own["share"].sum() == pytest.approx(1)
            needed = own.filter("is_large").height
            assert sum(amounts[:needed]) >= 0.95 * sum(amounts) * (1 - 1e-9)
            assert sum(amounts[: needed - 1]) < 0.95 * sum(amounts)
    stated = {space: basis for space, (_, basis) in registered.items()}
    assert all(
        found == stated.get(space, review.WITHOUT_A_ROW[0])
        for space, found in ranked.select("namespace", "standing").rows()
    )


@given(MODELS, REGISTERED, st.dictionaries(NAMESPACES, st.sampled_from(["CN", "eu", None])))
@settings(max_examples=20)
def test_a_month_keeps_its_downloads_whatever_it_is_held_against(models, registered, other):
    downloads, attribution, total = month_of(models)
    standing = review.month_standing(downloads, attribution, registry_of(registered), AUGUST)
    assert standing.collect()["downloads"].sum() == pytest.approx(total)
    theirs = CountryMap(
        "theirs",
        registry(*(row(space, country) for space, country in other.items() if country)).collect(),
        pl.DataFrame(schema=dict.fromkeys(("model_id", "organization", "country", "kind"), pl.String)),
        pl.DataFrame({"group": ["eu", "eu", "north"], "country": ["FR", "DE", "FR"]}),
    )
    accounts = pl.LazyFrame(schema={"namespace": pl.String, "account_type": pl.String})
    both = review.downloads_under_both_maps(downloads, attribution, accounts, theirs, AUGUST)
    sums = dict(both.group_by("map").agg(pl.col("downloads").sum()).iter_rows())
    assert sums == {"ours": pytest.approx(total), "theirs": pytest.approx(total)}
