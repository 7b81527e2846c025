"""Months of any models: what is counted of them adds up, and nobody is counted twice."""

from datetime import date

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.attribution import attribution_coverage, registry_review
from assets.attribution.model_attribution import MODEL_ATTRIBUTION
from assets.attribution.organizations import ORGANIZATIONS
from assets.listings.model_downloads import MODEL_DOWNLOADS
from pipeline.reference.other_map import CountryMap

AUGUST = date(2025, 8, 1)
NAMESPACES = st.sampled_from("abcde")
MEMBERS = {"a": "CN", "b": "US", "c": "unaffiliated", "d": "unmapped", "e": "FR"}
METHODS = {"c": "account", "d": "unmapped"}
AMOUNTS = st.integers(0, 10**9)
MODELS = st.lists(st.tuples(NAMESPACES, AMOUNTS.map(float)), min_size=1, max_size=15)
"""Models by their namespace and downloads."""


def rows_of(table, rows):
    """Rows of a table in which everything that is not said is null."""
    return pl.LazyFrame([dict.fromkeys(table.schema) | row for row in rows], schema=table.schema)


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
    covered = attribution_coverage.coverage_of(downloads, attribution).collect()
    assert covered["downloads"].sum() == pytest.approx(total)
    assert covered["share_of_downloads"].sum() == pytest.approx(1 if total else 0)
    assert covered["models"].sum() == len(models)
    unmapped = attribution_coverage.unmapped_namespaces(downloads, attribution).collect()
    assert unmapped["downloads"].sum() == pytest.approx(sum(amount for space, amount in models if space == "d"))


LISTINGS = st.lists(
    st.tuples(st.sampled_from(["may", "june"]), NAMESPACES, AMOUNTS), unique_by=lambda row: row[:2], min_size=1
)
REGISTERED = st.dictionaries(
    NAMESPACES, st.tuples(st.sampled_from(["CN", "US", None]), st.sampled_from(["read", "well_known"]))
)


def registry_of(rows):
    return rows_of(
        ORGANIZATIONS,
        [
            {"namespace": space, "organization": space, "country": country, "basis": basis}
            | {"kind": "company" if country else "individual"}
            for space, (country, basis) in rows.items()
        ],
    )


@given(LISTINGS, REGISTERED)
@settings(max_examples=20)
def test_a_listing_is_covered_wholly_and_the_large_are_no_more_than_are_needed(rows, registered):
    schema = {"column": pl.String, "namespace": pl.String, "downloads": pl.Float64}
    standing = registry_review.listing_standing(pl.LazyFrame(rows, schema, orient="row"), registry_of(registered))
    ranked = registry_review.ranked(standing)
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
        found == stated.get(space, registry_review.WITHOUT_A_ROW[0])
        for space, found in ranked.select("namespace", "standing").rows()
    )


@given(MODELS, REGISTERED, st.dictionaries(NAMESPACES, st.sampled_from(["CN", "eu", None])))
@settings(max_examples=20)
def test_a_month_keeps_its_downloads_whatever_it_is_held_against(models, registered, other):
    downloads, attribution, total = month_of(models)
    standing = registry_review.month_standing(downloads, attribution, registry_of(registered), AUGUST)
    assert standing.collect()["downloads"].sum() == pytest.approx(total)
    rows = [{"namespace": space, "country": country, "kind": "company"} for space, country in other.items() if country]
    theirs = CountryMap(
        "theirs",
        rows_of(ORGANIZATIONS, rows).collect(),
        pl.DataFrame(schema=dict.fromkeys(("model_id", "organization", "country", "kind"), pl.String)),
        pl.DataFrame({"group": ["eu", "eu", "north"], "country": ["FR", "DE", "FR"]}),
    )
    accounts = pl.LazyFrame(schema={"namespace": pl.String, "account_type": pl.String})
    both = registry_review.downloads_under_both_maps(downloads, attribution, accounts, theirs, AUGUST)
    sums = dict(both.group_by("map").agg(pl.col("downloads").sum()).iter_rows())
    assert sums == {"ours": pytest.approx(total), "theirs": pytest.approx(total)}
