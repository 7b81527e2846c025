"""From a repository to its developer, by the rules in their order."""

from datetime import date

import polars as pl
import pytest

from assets.attribution.developers import attribute
from assets.attribution.model_attribution import MODEL_ATTRIBUTION
from assets.attribution.organizations import ORGANIZATIONS
from assets.attribution.root_attribution import all_roots
from pipeline.reference.registry import read_registry
from tests.checks.sound import faults_of

AUGUST = date(2025, 8, 1)


def registry(*rows):
    complete = [dict.fromkeys(ORGANIZATIONS.schema) | {"kind": "company"} | row for row in rows]
    return pl.LazyFrame(complete, schema=ORGANIZATIONS.schema)


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


def test_the_registrys_row_for_the_namespace_decides():
    found = developer_of("Qwen/model", QWEN)
    assert (found["organization"], found["country"], found["kind"]) == ("Alibaba", "CN", "company")
    assert (found["method"], found["registry_row"]) == ("registry", "Qwen since ever")


def test_the_namespace_must_match_to_the_letter():
    assert developer_of("qwen/model", QWEN)["method"] == "unmapped"


def test_a_model_without_a_namespace_is_found_by_its_name():
    found = developer_of("bert-base-uncased", QWEN)
    assert (found["country"], found["method"]) == ("US", "canonical_models")


def test_a_persons_account_is_unaffiliated_whatever_it_is_called():
    found = developer_of("jane/model", QWEN)
    assert (found["organization"], found["country"], found["kind"]) == ("unaffiliated", "unaffiliated", "individual")
    assert found["method"] == "account"


def test_a_person_in_the_registry_is_given_no_country():
    person = {"namespace": "TheBloke", "organization": "TheBloke", "kind": "individual"}
    found = developer_of("TheBloke/model", person)
    assert (found["country"], found["organization"], found["method"]) == ("unaffiliated", "unaffiliated", "registry")


@pytest.mark.parametrize("model_id", ["some-lab/model", "never-asked/model", "a-name-without-namespace"])
def test_everything_else_is_unmapped(model_id):
    found = developer_of(model_id, QWEN)
    assert found["organization"] == found["country"] == found["kind"] == found["method"] == "unmapped"


MOVED = (
    {"namespace": "lab", "organization": "Lab", "country": "CN", "valid_to": date(2025, 7, 1)},
    {"namespace": "lab", "organization": "Lab", "country": "SG", "valid_from": date(2025, 7, 1)},
)


@pytest.mark.parametrize(("month", "country"), [(date(2025, 6, 1), "CN"), (date(2025, 7, 1), "SG")])
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
