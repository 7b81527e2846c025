"""Which derivatives a developer makes of their own models."""

import polars as pl
import pytest

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
    tables = lineage_of(snapshot({"name": "a/base"}, {"name": child, "card": parents}))
    gone = [name for name in parents if name != "a/base"]
    found = first_party(
        tables["derivations"].lazy(),
        attributed(["a/base", child], "model_id", owners),
        attributed(gone, "root_model_id", owners),
    ).collect()
    assert found.rows() == [(f"id:{child}", own)]
