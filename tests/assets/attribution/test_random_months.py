"""Months of any models: what is counted of them adds up, and nobody is counted twice."""

from datetime import date

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.attribution import attribution_coverage, registry_review
from assets.attribution.model_attribution import MODEL_ATTRIBUTION
from assets.attribution.organizations import ORGANIZATIONS
from assets.attribution.root_attribution import ROOT_ATTRIBUTION
from assets.lineage.model_lineage import MODEL_LINEAGE
from assets.lineage.origin_weights import ORIGIN_WEIGHTS
from assets.listings.hub_snapshots import HUB_SNAPSHOTS
from assets.listings.model_downloads import MODEL_DOWNLOADS
from pipeline.reference.other_map import CountryMap

AUGUST = date(2025, 8, 1)
NAMESPACES = st.sampled_from("abcde")
MEMBERS = {"a": "CN", "b": "US", "c": "unaffiliated", "d": "unmapped", "e": "FR"}
AMOUNTS = st.integers(0, 10**9)


def rows_of(table, rows):
    """Rows of a table in which everything that is not said is null."""
    return pl.LazyFrame([dict.fromkeys(table.schema) | row for row in rows], schema=table.schema)


MODELS = st.lists(
    st.fixed_dictionaries(
        {
            "namespace": NAMESPACES,
            "downloads": AMOUNTS.map(float),
            "is_new": st.booleans(),
            "is_language_model": st.booleans(),
            "is_flagged": st.booleans(),
            "roots": st.lists(NAMESPACES, max_size=3, unique=True),
        }
    ),
    min_size=1,
    max_size=15,
)


class MonthOfModels:
    """The tables of a month in which these models are listed."""

    def __init__(self, models):
        names = [f"{number:03d}" for number in range(len(models))]
        listed = [
            {"month": AUGUST, "basis": "all_time_delta", "hub_id": name, "model_id": f"{model['namespace']}/{name}"}
            | model
            for name, model in zip(names, models, strict=True)
        ]
        known = {space: {"organization": f"The {space}", "country": country} for space, country in MEMBERS.items()}
        method = {"unmapped": "unmapped", "unaffiliated": "account"}
        self.models = listed
        self.downloads = rows_of(MODEL_DOWNLOADS, [{k: v for k, v in row.items() if k != "roots"} for row in listed])
        self.snapshot = rows_of(
            HUB_SNAPSHOTS, [{"hub_id": row["hub_id"], "license": row["model_id"]} for row in listed]
        )
        self.lineage = rows_of(
            MODEL_LINEAGE, [{"hub_id": row["hub_id"], "root_model_id": row["model_id"]} for row in listed]
        )
        self.attribution = rows_of(
            MODEL_ATTRIBUTION,
            [
                {name: row[name] for name in ("month", "hub_id", "model_id", "namespace")}
                | known[row["namespace"]]
                | {"kind": "company", "method": method.get(known[row["namespace"]]["country"], "registry")}
                | {"registry_row": f"{row['namespace']} since ever"}
                for row in listed
            ],
        )
        self.weights = rows_of(
            ORIGIN_WEIGHTS,
            [
                {"hub_id": row["hub_id"], "root_model_id": f"{root}/root", "namespace": root}
                | {"weight": 1 / len(row["roots"])}
                for row in listed
                for root in row["roots"]
            ],
        )
        self.roots = rows_of(
            ROOT_ATTRIBUTION,
            [{"root_model_id": f"{space}/root", "method": "registry"} | owner for space, owner in known.items()],
        )
        self.total = sum(row["downloads"] for row in listed)


@given(MODELS)
@settings(max_examples=20)
def test_coverage_holds_every_download_and_the_unmapped_theirs(models):
    month = MonthOfModels(models)
    covered = attribution_coverage.coverage_of(month.downloads, month.attribution).collect()
    assert covered["downloads"].sum() == pytest.approx(month.total)
    assert covered["share_of_downloads"].sum() == pytest.approx(1 if month.total else 0)
    assert covered["models"].sum() == len(models)
    unmapped = attribution_coverage.unmapped_namespaces(month.downloads, month.attribution).collect()
    by_hand = sum(row["downloads"] for row in month.models if row["namespace"] == "d")
    assert unmapped["downloads"].sum() == pytest.approx(by_hand)


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
def test_a_listing_is_covered_wholly_and_the_largest_are_no_more_than_are_needed(rows, registered):
    listing = pl.LazyFrame(
        rows, schema={"column": pl.String, "namespace": pl.String, "downloads": pl.Float64}, orient="row"
    )
    standing = registry_review.listing_standing(listing, registry_of(registered))
    covered = registry_review.coverage_by_standing(standing)
    largest = {row["column"]: row for row in registry_review.largest_namespaces(standing).to_dicts()}
    without = registry_review.largest_without_a_row(standing, 2)
    for column in {row[0] for row in rows}:
        amounts = {space: amount for other, space, amount in rows if other == column}
        total, ordered = sum(amounts.values()), sorted(amounts.values(), reverse=True)
        own = covered.filter(pl.col("column") == column)
        assert own["downloads"].sum() == pytest.approx(total)
        assert own["share"].sum() == pytest.approx(1 if total else 0)
        if total:
            needed = largest[column]["namespaces"]
            assert sum(ordered[:needed]) >= 0.95 * total - 1e-3
            assert sum(ordered[: needed - 1]) < 0.95 * total
        unknown = sorted(
            (amount for space, amount in amounts.items() if space not in registered and amount), reverse=True
        )
        assert without.filter(pl.col("column") == column)["downloads"].to_list() == unknown[:2]


@given(MODELS, REGISTERED, st.dictionaries(NAMESPACES, st.sampled_from(["CN", "eu", None])))
@settings(max_examples=20)
def test_a_month_keeps_its_downloads_whatever_it_is_held_against(models, registered, other):
    month = MonthOfModels(models)
    standing = registry_review.month_standing(month.downloads, month.attribution, registry_of(registered), AUGUST)
    assert standing.collect()["downloads"].sum() == pytest.approx(month.total)
    rows = [dict(zip(("namespace", "country"), placed, strict=True)) | {"kind": "company"} for placed in other.items()]
    theirs = CountryMap(
        "theirs",
        rows_of(ORGANIZATIONS, [row for row in rows if row["country"]]).collect(),
        pl.DataFrame(schema=dict.fromkeys(("model_id", "organization", "country", "kind"), pl.String)),
        pl.DataFrame({"group": ["eu", "eu", "north"], "country": ["FR", "DE", "FR"]}),
    )
    accounts = pl.LazyFrame(schema={"namespace": pl.String, "account_type": pl.String})
    both = registry_review.downloads_under_both_maps(month.downloads, month.attribution, accounts, theirs, AUGUST)
    sums = dict(both.group_by("map").agg(pl.col("downloads").sum()).iter_rows())
    assert sums == {"ours": pytest.approx(month.total), "theirs": pytest.approx(month.total)}
