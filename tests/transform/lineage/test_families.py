"""Families and flows on a market small enough to add up by hand."""

import datetime as dt

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.schema.declaration import conform
from pipeline.tables.families import DERIVATION_FLOWS, FAMILY_SHARES
from pipeline.transform.lineage.families import derivation_marts

MONTH = dt.date(2025, 8, 1)
IN_MONTH = dt.datetime(2025, 8, 31, 23, 59, tzinfo=dt.UTC)
BEFORE = dt.datetime(2025, 7, 31, 23, 59, tzinfo=dt.UTC)
AFTER = dt.datetime(2025, 9, 1, tzinfo=dt.UTC)

OWNERS = {
    "Qwen/base": ("Alibaba", "CN"),
    "meta-llama/base": ("Meta", "US"),
    "aisingapore/tune": ("AI Singapore", "SG"),
}


@pytest.fixture
def market(snapshot, lineage):
    """Two bases, a Singaporean fine-tune of one, a merge of both, a quantised form of the merge, and a bystander."""
    repositories = {
        "Qwen/base": ({}, BEFORE, 1000.0),
        "meta-llama/base": ({}, BEFORE, 500.0),
        "aisingapore/tune": ({"parents": ["Qwen/base"], "relation": "finetune"}, IN_MONTH, 100.0),
        "someone/merge": ({"parents": ["aisingapore/tune", "meta-llama/base"], "relation": "merge"}, IN_MONTH, 40.0),
        "someone/merge-GGUF": ({"parents": ["someone/merge"], "relation": "quantized"}, BEFORE, 60.0),
        "other/loner": ({}, AFTER, 7.0),
    }
    return market_of(snapshot, lineage, repositories)


def market_of(snapshot, lineage, repositories):
    """The tables of a month, from what each repository declares, when it was created, and its downloads."""
    tables = lineage(snapshot(*({"name": name} | declared for name, (declared, _, _) in repositories.items())))
    downloads = pl.DataFrame(
        [(MONTH, f"id:{name}", created, downloads) for name, (_, created, downloads) in repositories.items()],
        schema={"month": pl.Date, "hub_id": pl.String, "created_at": pl.Datetime("us", "UTC"), "downloads": pl.Float64},
        orient="row",
    )
    roots = pl.LazyFrame(
        [(name, *owner) for name, owner in OWNERS.items()],
        schema=["root_model_id", "organization", "country"],
        orient="row",
    )
    attribution = pl.LazyFrame(
        [(f"id:{name}", *OWNERS.get(name, (None, None))) for name in repositories],
        schema={"hub_id": pl.String, "organization": pl.String, "country": pl.String},
        orient="row",
    )
    return {name: frame.lazy() for name, frame in tables.items()} | {
        "model_downloads": downloads.lazy(),
        "root_attribution": roots,
        "model_attribution": attribution,
    }


def marts(market):
    names = (
        "derivations",
        "model_lineage",
        "origin_weights",
        "model_downloads",
        "model_attribution",
        "root_attribution",
    )
    return derivation_marts(*(market[name] for name in names))


def families(market):
    return conform(marts(market)[0].lazy(), FAMILY_SHARES).collect()


def flows(market):
    return conform(marts(market)[1].lazy(), DERIVATION_FLOWS).collect()


def row(frame, **key):
    (found,) = frame.filter(*(pl.col(name) == value for name, value in key.items())).to_dicts()
    return found


def test_a_merge_counts_in_both_families_by_half(market):
    qwen = row(families(market), level="root_model", family="Qwen/base")
    assert qwen["new_derivatives"] == 1.5
    assert (qwen["new_finetune"], qwen["new_merge"], qwen["new_quantized"]) == (1, 0.5, 0)
    assert qwen["derivatives"] == 2
    assert qwen["downloads"] == 1000 + 100 + 20 + 30
    assert qwen["downloads_derivatives"] == 150
    assert qwen["downloads_quantized"] == 30
    assert qwen["share_of_new_derivatives"] == 0.75
    assert (qwen["organization"], qwen["country"]) == ("Alibaba", "CN")


def test_organisations_hold_every_download_once(market):
    table = families(market).filter(pl.col("level") == "root_organization")
    assert table["downloads"].cast(float).sum() == pytest.approx(1707)
    assert table["derivatives"].sum() == pytest.approx(3)
    assert row(table, family="unmapped")["downloads"] == 7


def test_a_root_without_derivatives_is_no_family(market):
    assert families(market).filter(pl.col("family") == "other/loner").is_empty()


def test_only_the_calendar_month_counts_as_new(market):
    assert families(market)["new_derivatives_in_all"].unique().to_list() == [2]


def test_singapore_building_on_china_is_a_row(market):
    flow = row(flows(market), base_country="CN", derivative_country="SG")
    assert (flow["new_derivatives"], flow["derivatives"], flow["downloads"]) == (1, 1, 100)
    assert flow["share_of_new_derivatives"] == 0.5


def test_flows_add_up_to_the_derivatives(market):
    table = flows(market)
    assert table["derivatives"].sum() == pytest.approx(3)
    assert table["downloads"].cast(float).sum() == pytest.approx(200)
    assert table["share_of_new_derivatives"].sum() == pytest.approx(1)


def test_a_month_without_derivatives_has_no_flows_and_no_families(snapshot, lineage, market):
    tables = lineage(snapshot({"name": "other/loner"}))
    alone = market | {name: frame.lazy() for name, frame in tables.items()}
    assert flows(alone).is_empty()
    assert families(alone)["level"].unique().to_list() == ["root_organization"]


def test_the_tables_own_rules_hold(market):
    class Frames:
        def scan(self, table):
            return {"shares/family_shares": families(market), "shares/derivation_flows": flows(market)}[table].lazy()

    for table in (FAMILY_SHARES, DERIVATION_FLOWS):
        for rule in table.rules:
            assert rule.violations(Frames()).collect().is_empty(), rule.name


REPOSITORIES = ["Qwen/base", "meta-llama/base", "aisingapore/tune", "a/x", "b/y", "c/z"]
DECLARED = st.lists(
    st.tuples(
        st.lists(st.sampled_from([*REPOSITORIES, "gone/away"]), max_size=3, unique=True),
        st.sampled_from(["finetune", "merge", "quantized", "adapter"]),
        st.sampled_from([BEFORE, IN_MONTH, AFTER]),
        st.integers(0, 10**6),
    ),
    min_size=len(REPOSITORIES),
    max_size=len(REPOSITORIES),
)


@given(declared=DECLARED)
@settings(max_examples=25)
def test_whatever_derives_from_what_organisations_hold_every_download_once_and_flows_every_derivative(
    snapshot, lineage, declared
):
    market = market_of(
        snapshot,
        lineage,
        {
            name: ({"parents": parents, "relation": relation} if parents else {}, created, float(downloads))
            for name, (parents, relation, created, downloads) in zip(REPOSITORIES, declared, strict=True)
        },
    )
    table = families(market)
    children = market["derivations"].select("child_hub_id").unique().collect()["child_hub_id"].to_list()
    derivatives = market["model_downloads"].filter(pl.col("hub_id").is_in(children)).collect()
    organizations = table.filter(pl.col("level") == "root_organization")
    assert organizations["downloads"].cast(float).sum() == pytest.approx(sum(amount for *_, amount in declared))
    assert organizations["derivatives"].sum() == pytest.approx(len(children))
    flow = flows(market)
    assert flow["derivatives"].sum() == pytest.approx(len(children))
    assert flow["downloads"].cast(float).sum() == pytest.approx(derivatives["downloads"].sum())
    new = derivatives.filter(pl.col("created_at") == IN_MONTH).height
    assert flow["share_of_new_derivatives"].sum() == pytest.approx(1 if new else 0)
