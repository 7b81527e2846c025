"""Other people's maps are read as they are written, and refused in words where they cannot be understood."""

import pytest

from pipeline.errors import CensusError
from pipeline.reference.other_map import VARIANTS, read_other, under_variant
from pipeline.reference.registry import read_registry
from tests.reference.invented import a_registry, organization, owner, seat


def country_map(tmp_path, *lines, header="namespace,country"):
    path = tmp_path / "other.csv"
    path.write_text("\n".join([header, *lines]))
    return read_other(str(path), read_registry())


def placed(other):
    return dict(other.rows.select("namespace", "country").iter_rows())


def test_codes_names_and_groups_are_understood_in_any_case_and_columns_beside_them_ignored(tmp_path):
    lines = ["x,a,us", "x,b,CN", "x,c,EU", "x,d,International", "x,e,unaffiliated", "x,f,south korea", "x,g,USA"]
    other = country_map(tmp_path, *lines, header="note,namespace,country")
    assert placed(other) == {"a": "US", "b": "CN", "c": "eu", "d": "international", "e": None, "f": "KR", "g": "US"}


def test_accounts_are_found_however_they_are_capitalised(tmp_path):
    assert placed(country_map(tmp_path, "qwen,CN", "MistralAI,FR")) == {"Qwen": "CN", "mistralai": "FR"}


def test_only_the_groups_that_occur_are_given_with_their_countries_of_today(tmp_path):
    groups = country_map(tmp_path, "a,eu").groups
    assert set(groups["group"]) == {"eu"}
    assert {"FR", "DE"} <= set(groups["country"])
    assert "GB" not in set(groups["country"])


@pytest.mark.parametrize("written", ["", "unknown", "Other", "none"])
def test_a_country_that_is_not_named_is_left_open(tmp_path, written):
    other = country_map(tmp_path, f"a,{written}")
    assert (other.open, placed(other)) == (("a",), {})


@pytest.mark.parametrize(
    ("header", "lines", "sentence"),
    [
        ("namespace,country", ["a,us", "b,narnia"], r"line 3: country narnia is neither an ISO 3166-1 country nor a"),
        ("namespace,country", ["a,us", "a,cn"], r"line 3: namespace a is named a second time: keep one of its rows"),
        ("namespace,region", ["a,us"], r"line 1 lacks the columns country: add them to the header"),
    ],
)
def test_what_cannot_be_understood_is_named_with_its_line(tmp_path, header, lines, sentence):
    with pytest.raises(CensusError, match=sentence):
        country_map(tmp_path, *lines, header=header)


def test_what_is_neither_a_file_nor_a_variant_is_refused_with_the_variants():
    with pytest.raises(CensusError, match=r"birthplace is neither a file nor a variant: choose one of head_office"):
        read_other("birthplace", read_registry())


UNIT = {
    "organizations": [organization("unit"), organization("buyer")],
    "seats": [seat("unit", "HK", legal_country="KY"), seat("buyer", "US")],
    "accounts": [{"namespace": "unit", "organization_id": "unit"}],
    "persons": [{"namespace": "jane", "name": "Jane"}],
}


@pytest.mark.parametrize(
    ("variant", "days", "country"),
    [
        ("head_office", {}, "HK"),
        ("greater_china", {}, "CN"),
        ("legal_seat", {}, "KY"),
        ("ultimate_owner", {}, "US"),
        ("ultimate_owner", {"announced_on": "2025-01-01", "closed_on": "2025-02-01", "ended_on": "2025-03-01"}, "HK"),
        ("ultimate_owner", {"announced_on": "2025-01-01"}, "HK"),
        ("announced_owner", {"announced_on": "2025-01-01"}, "US"),
    ],
)
def test_a_variant_places_an_organisation_by_what_it_declares_and_persons_nowhere(tmp_path, variant, days, country):
    ours = read_registry(a_registry(tmp_path, **UNIT, owners=[owner("unit", "buyer", **days)]))
    rows = under_variant(ours, variant).organizations.sort("valid_from", nulls_last=False)
    assert rows.filter(namespace="unit")["country"][-1] == country
    assert rows.filter(namespace="jane")["country"].to_list() == [None]


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_variant_is_a_map_like_any_other(variant):
    ours = read_registry()
    assert read_other(variant, ours).rows.equals(under_variant(ours, variant).organizations)
    assert (variant == "head_office") is read_other(variant, ours).rows.equals(ours.organizations)
