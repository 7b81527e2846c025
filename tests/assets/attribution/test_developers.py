"""From a repository to its developer, by the rules in their order, and what developers make of their own models."""

from datetime import date

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.attribution.model_attribution import MODEL_ATTRIBUTION, all_roots, attribute
from assets.attribution.organizations import ORGANIZATIONS
from assets.models.models import first_party
from pipeline.reference.registry import read_registry
from tests.assets.lineage.scenarios import lineage_of, snapshot
from tests.assets.rows import rows_of
from tests.checks.sound import faults_of

AUGUST = date(2025, 8, 1)


def registry(*rows):
    return rows_of(ORGANIZATIONS, [{"kind": "company"} | row for row in rows])


CANONICAL = pl.LazyFrame(
    {"model_id": ["bert-base-uncased"], "organization": ["Google"], "country": ["US"], "kind": ["company"]}
)
ACCOUNTS = pl.LazyFrame({"namespace": ["jane", "some-lab"], "account_type": ["person", "organization"]})
QWEN = {"namespace": "Qwen", "organization": "Alibaba", "country": "CN"}


def developer_of(model_id, *rows, month=AUGUST):
    namespace = model_id.split("/")[0] if "/" in model_id else None
    models = pl.LazyFrame(
        {"hub_id": ["1"], "model_id": [model_id], "namespace": [namespace]},
        schema={"hub_id": pl.String, "model_id": pl.String, "namespace": pl.String},
    )
    attributed = attribute(models, month, registry=registry(*rows), canonical_models=CANONICAL, accounts=ACCOUNTS)
    return attributed.collect().row(0, named=True)


@pytest.mark.parametrize(
    ("model_id", "organization", "country", "kind", "method", "row"),
    [
        ("Qwen/model", "Alibaba", "CN", "company", "registry", "Qwen, no start date"),
        ("bert-base-uncased", "Google", "US", "company", "canonical_models", "bert-base-uncased, no start date"),
        ("jane/model", "unaffiliated", "unaffiliated", "individual", "account", None),
        ("TheBloke/model", "unaffiliated", "unaffiliated", "individual", "registry", "TheBloke, no start date"),
        ("qwen/the-namespace-must-match-to-the-letter", *["unmapped"] * 4, None),
        ("some-lab/an-organisation", *["unmapped"] * 4, None),
        ("never-asked/model", *["unmapped"] * 4, None),
        ("a-name-without-namespace", *["unmapped"] * 4, None),
    ],
)
def test_the_first_rule_that_knows_the_developer_decides(model_id, organization, country, kind, method, row):
    person = {"namespace": "TheBloke", "organization": "TheBloke", "kind": "individual"}
    found = developer_of(model_id, QWEN, person)
    assert [found[name] for name in ("organization", "country", "kind", "method", "registry_row")] == [
        *(organization, country, kind, method, row)
    ]


MOVED = (
    {"namespace": "lab", "organization": "Lab", "country": "CN", "valid_to": date(2025, 7, 1)},
    {"namespace": "lab", "organization": "Lab", "country": "SG", "valid_from": date(2025, 7, 1)},
)


@pytest.mark.parametrize(("month", "country"), [(date(2025, 6, 1), "CN"), (date(2025, 7, 1), "SG"), (AUGUST, "SG")])
def test_an_organisation_that_moved_keeps_its_past_and_todays_place_is_told_beside_it(month, country):
    found = developer_of("lab/model", *MOVED, month=month)
    assert (found["country"], found["country_today"]) == (country, "SG")


def test_before_a_row_holds_the_namespace_is_unmapped_though_today_it_is_known():
    later = {"namespace": "lab", "organization": "Lab", "country": "SG", "valid_from": date(2025, 9, 1)}
    found = developer_of("lab/model", later)
    assert (found["country"], found["country_today"]) == ("unmapped", "SG")


def test_roots_and_unlisted_parents_are_attributed_by_name_once_each():
    weights = pl.LazyFrame(
        {"root_model_id": ["Qwen/gone", "Qwen/gone", "who/knows"], "namespace": ["Qwen", "Qwen", "who"]}
    )
    unlisted = pl.LazyFrame({"parent_model_id": ["who/knows", "bare", "a/b"], "parent_listed": [False, False, True]})
    roots = attribute(
        all_roots(weights, unlisted), AUGUST, registry=registry(QWEN), canonical_models=CANONICAL, accounts=ACCOUNTS
    ).collect()
    assert dict(roots.select("model_id", "country").iter_rows()) == {
        "Qwen/gone": "CN",
        "who/knows": "unmapped",
        "bare": "unmapped",
    }
    assert roots.height == 3


def test_every_kind_of_developer_is_as_declared():
    """Of the registry, by name, a person, and unmapped, with and without a namespace."""
    names = ["Qwen/model", "bert-base-uncased", "jane/model", "who/knows", "bare"]
    rows = [developer_of(name, QWEN) | {"month": AUGUST, "hub_id": str(at)} for at, name in enumerate(names)]
    attributed = pl.DataFrame(
        [{name: row[name] for name in MODEL_ATTRIBUTION.schema} for row in rows], infer_schema_length=None
    )
    assert faults_of(MODEL_ATTRIBUTION, attributed) == []


def test_our_registry_is_as_declared():
    assert faults_of(ORGANIZATIONS, read_registry().organizations) == []


OWN = {"a": "Alpha", "alpha-labs": "Alpha", "b": "Beta"}
NOT_KNOWN = {"c": "unmapped", "d": "unmapped"}
PERSONS = {"c": "unaffiliated", "d": "unaffiliated"}


def attributed(names, key, owners):
    """Whose each name is; `owners` by namespace, whoever is not there is unmapped."""
    namespaces = [name.split("/")[0] if "/" in name else None for name in names]
    organizations = [owners.get(namespace, "unmapped") for namespace in namespaces]
    schema = dict.fromkeys((key, "namespace", "organization"), pl.String)
    return pl.LazyFrame({key: names, "namespace": namespaces, "organization": organizations}, schema=schema)


def is_first_party(child, parents, owners, listed=()):
    tables = lineage_of(snapshot(*({"name": name} for name in listed), {"name": child, "card": parents}))
    found = first_party(
        tables["derivations"].lazy(),
        attributed([*listed, child], "model_id", owners),
        attributed([name for name in parents if name not in listed], "root_model_id", owners),
    )
    (row,) = found.collect().rows()
    assert row[0] == f"id:{child}"
    return row[1]


@pytest.mark.parametrize(
    ("child", "parents", "owners", "own"),
    [
        ("alpha-labs/tune", ["a/base"], OWN, True),
        ("b/tune", ["a/base"], OWN, False),
        ("b/tune", ["a/base", "b/other"], OWN, False),
        ("alpha-labs/tune", ["a/base", "a/gone"], OWN, True),
        ("c/tune", ["c/gone"], {}, True),
        ("c/tune", ["c/gone", "d/gone"], {}, False),
        ("c/tune", ["d/gone"], NOT_KNOWN, False),
        ("c/tune", ["c/gone"], PERSONS, True),
        ("c/tune", ["d/gone"], PERSONS, False),
        ("Alpha/tune", ["a/base"], OWN, False),
        ("tune-without-namespace", ["base-without-namespace"], {}, False),
    ],
)
def test_first_party_means_all_parents_are_ones_own(child, parents, owners, own):
    assert is_first_party(child, parents, owners, listed=["a/base"]) is own


NAMES = st.sampled_from([f"{namespace}/{model}" for namespace in "abcd" for model in "xy"])
OWNERS = st.dictionaries(st.sampled_from("abcd"), st.sampled_from(["One", "Two", "unmapped", "unaffiliated"]))


@given(NAMES, st.sets(NAMES, min_size=1), OWNERS)
def test_it_does_not_matter_which_parents_are_listed(child, parents, owners):
    def developer(name):
        organization = owners.get(name[0], "unmapped")
        return name[0] if organization in ("unmapped", "unaffiliated") else organization

    parents -= {child}
    if parents:
        own = all(developer(parent) == developer(child) for parent in parents)
        for listed in ([], sorted(parents)):
            assert is_first_party(child, sorted(parents), owners, listed) is own
