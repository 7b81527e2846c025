"""Which derivatives a developer makes of their own models."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.attribution.first_party import first_party
from tests.assets.lineage.scenarios import lineage_of, snapshot

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
