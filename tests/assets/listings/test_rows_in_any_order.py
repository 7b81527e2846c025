"""The small steps under all others: whatever rows come, in whatever order, the same comes of them."""

from datetime import date

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from assets.attribution.model_attribution import attribute
from assets.attribution.organizations import ORGANIZATIONS
from assets.attribution.registry_review import compare_maps
from pipeline.reference.other_map import CountryMap
from tests.assets.listings.scenario import snapshot_of
from tests.assets.rows import rows_of

AUGUST = date(2025, 8, 1)
IDS = st.sampled_from("abcdefgh")


OBSERVED = st.fixed_dictionaries(
    {
        "hub_id": st.one_of(IDS, st.none()),
        "model_id": st.sampled_from(["a/x", "b/y", "bare", "c/z"]),
        "downloads_all_time": st.one_of(st.none(), st.integers(0, 5)),
        "downloads_30d": st.one_of(st.none(), st.integers(0, 5)),
    }
)


@given(st.lists(OBSERVED, max_size=12), st.randoms())
def test_a_snapshot_has_each_repository_once_with_its_largest_counter_in_whatever_order_it_was_listed(rows, chance):
    found = snapshot_of(*rows)
    assert found["hub_id"].is_sorted()
    assert found["hub_id"].is_unique().all()
    assert set(found["hub_id"]) == {row["hub_id"] or row["model_id"] for row in rows}
    for hub_id, counter in found.select("hub_id", "downloads_all_time").iter_rows():
        counters = [row["downloads_all_time"] for row in rows if (row["hub_id"] or row["model_id"]) == hub_id]
        assert counter == max((one for one in counters if one is not None), default=None)
    chance.shuffle(rows)
    assert_frame_equal(snapshot_of(*rows), found)


REGISTRY = st.lists(
    st.builds(
        lambda namespace, country: (
            {"namespace": namespace, "organization": f"The {namespace}", "country": country}
            | {"kind": "company", "basis": "read"}
        ),
        IDS,
        st.sampled_from(["CN", "US", "FR"]),
    ),
    unique_by=lambda row: row["namespace"],
)


def texts(columns, rows):
    return pl.LazyFrame(rows, schema=dict.fromkeys(columns, pl.String), orient="row")


@given(st.lists(IDS, max_size=12), REGISTRY, st.lists(IDS, unique=True))
@settings(max_examples=50)
def test_every_model_has_one_developer_and_a_country_only_by_the_registry(namespaces, registry, persons):
    listed = [(str(number), f"{namespace}/m{number}", namespace) for number, namespace in enumerate(namespaces)]
    models = texts(("hub_id", "model_id", "namespace"), listed)
    canonical = texts(("model_id", "organization", "country", "kind"), [])
    accounts = texts(("namespace", "account_type"), [(namespace, "person") for namespace in persons])
    found = attribute(
        models, AUGUST, registry=rows_of(ORGANIZATIONS, registry), canonical_models=canonical, accounts=accounts
    ).collect()
    country = {row["namespace"]: row["country"] for row in registry}
    expected = [country.get(name, "unaffiliated" if name in persons else "unmapped") for name in namespaces]
    assert found.sort(pl.col("hub_id").cast(pl.Int64))["country"].to_list() == expected


@given(REGISTRY, st.lists(st.tuples(IDS, st.sampled_from(["CN", "US", "eu", None])), unique_by=lambda row: row[0]))
@settings(max_examples=50)
def test_two_maps_are_compared_namespace_by_namespace_once_each(registry, other):
    rows = [{"namespace": name, "country": country} for name, country in other if country]
    theirs = CountryMap(
        "theirs",
        rows_of(ORGANIZATIONS, rows).collect(),
        pl.DataFrame(),
        pl.DataFrame({"group": ["eu"], "country": ["FR"]}),
        tuple(name for name, country in other if not country),
    )
    found = compare_maps(rows_of(ORGANIZATIONS, registry), theirs)
    assert found["namespace"].is_unique().all()
    assert set(found["namespace"]) >= {name for name, _ in other}
