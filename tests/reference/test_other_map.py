"""Other people's maps are read as they are written, and refused in words where they cannot be understood."""

import pytest

from pipeline.errors import CensusError
from pipeline.reference.other_map import VARIANTS, read_other, under_variant
from pipeline.reference.registry import read_registry
from tests.reference.invented import a_registry, organization, owner, seat


def map_file(tmp_path, *lines, header="namespace,country"):
    path = tmp_path / "other.csv"
    path.write_text("\n".join([header, *lines]))
    return path


def read_country_map(path):
    return read_other(str(path), read_registry())


def placed(other):
    return dict(other.rows.select("namespace", "country").iter_rows())


def test_countries_and_groups_are_understood_in_any_case_and_columns_beside_them_ignored(tmp_path):
    lines = ["x,a,us", "x,b,CN", "x,c,EU", "x,d,International", "x,e,unaffiliated"]
    other = read_country_map(map_file(tmp_path, *lines, header="note,namespace,country"))
    assert placed(other) == {"a": "US", "b": "CN", "c": "eu", "d": "international", "e": None}


def test_only_the_groups_that_occur_are_given_with_their_countries(tmp_path):
    groups = read_country_map(map_file(tmp_path, "a,eu")).groups
    assert set(groups["group"]) == {"eu"}
    assert {"FR", "DE"} <= set(groups["country"])
    assert "GB" not in set(groups["country"])


@pytest.mark.parametrize("written", ["", "unknown", "Other", "none"])
def test_a_country_that_is_not_named_is_left_open(tmp_path, written):
    other = read_country_map(map_file(tmp_path, f"a,{written}"))
    assert (other.open, placed(other)) == (("a",), {})


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (["a,us", "b,narnia"], r"line 3: country narnia is neither an ISO 3166-1 alpha-2 code nor a group: write"),
        (["a,us", "a,cn"], r"line 3: namespace a is named a second time: keep one of its rows"),
    ],
)
def test_what_cannot_be_understood_is_named_with_its_line(tmp_path, lines, sentence):
    with pytest.raises(CensusError, match=sentence):
        read_country_map(map_file(tmp_path, *lines))


def test_a_map_without_countries_is_refused(tmp_path):
    with pytest.raises(CensusError, match=r"line 1 lacks the columns country: add them to the header"):
        read_country_map(map_file(tmp_path, "a,us", header="namespace,region"))


def under(tmp_path, variant, **files):
    registry = under_variant(read_registry(a_registry(tmp_path, **files)), variant)
    return dict(registry.organizations.select("namespace", "country").iter_rows())


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
def test_a_variant_places_an_organisation_by_what_it_declares(tmp_path, variant, days, country):
    registry = under_variant(
        read_registry(a_registry(tmp_path, **UNIT, owners=[owner("unit", "buyer", **days)])), variant
    )
    last = registry.organizations.filter(namespace="unit").sort("valid_from", nulls_last=False)["country"][-1]
    assert last == country


@pytest.mark.parametrize("variant", VARIANTS)
def test_no_variant_gives_a_person_a_country(tmp_path, variant):
    assert under(tmp_path, variant, **UNIT)["jane"] is None


def test_a_variant_is_a_map_like_any_other():
    ours = read_registry()
    assert read_other("head_office", ours).rows.equals(ours.organizations)


def test_what_is_neither_a_file_nor_a_variant_is_refused_with_the_variants():
    with pytest.raises(CensusError, match=r"birthplace is neither a file nor a variant: choose one of head_office"):
        read_other("birthplace", read_registry())
