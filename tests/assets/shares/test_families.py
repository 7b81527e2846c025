"""Families and flows on a market small enough to add up by hand."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings

from assets.shares.derivation_flows import DERIVATION_FLOWS, flows_of
from assets.shares.family_shares import FAMILY_SHARES, families_of
from pipeline.schema.declaration import conform
from tests.assets.shares.scenario import ROOTS, WORLDS, month_of
from tests.checks.scenario import FramesInMemory

IN_MONTH = {"created_at": datetime(2025, 8, 31, 23, 59, tzinfo=UTC)}
BEFORE = {"created_at": datetime(2025, 7, 31, 23, 59, tzinfo=UTC)}
AFTER = {"created_at": datetime(2025, 9, 1, tzinfo=UTC)}
ALIBABA = {"organization": "Alibaba", "country": "CN"}
META = {"organization": "Meta", "country": "US"}
SINGAPORE = {"organization": "AI Singapore", "country": "SG"}
NOBODY = {"organization": "unmapped", "country": "unmapped"}
HALVES = {"Qwen/base": "0.5", "meta-llama/base": "0.5"}


def of(model_id, downloads, **more):
    return {"model_id": model_id, "downloads": Decimal(downloads)} | more


MARKET = month_of(
    of("Qwen/base", 1000, **BEFORE, **ALIBABA),
    of("meta-llama/base", 500, **BEFORE, **META),
    of("aisingapore/tune", 100, **IN_MONTH, **SINGAPORE, roots={"Qwen/base": 1}),
    of("someone/merge", 40, **IN_MONTH, **NOBODY, roots=HALVES, merge_parents=2, relation="merge"),
    of("someone/merge-GGUF", 60, **BEFORE, **NOBODY, roots=HALVES, quantized_parents=1, relation="quantized"),
    of("other/loner", 7, **AFTER, **NOBODY),
)
"""Two bases, a Singaporean fine-tune of one, a merge of both, a quantised form of the merge, and a bystander."""


def families(month=MARKET):
    return conform(families_of(*month.by_origin).lazy(), FAMILY_SHARES).collect()


def flows(month=MARKET):
    return conform(flows_of(*month.by_origin).lazy(), DERIVATION_FLOWS).collect()


def row(frame, **key):
    (found,) = frame.filter(**key).to_dicts()
    return found


def test_a_merge_counts_in_both_families_by_half():
    qwen = row(families(), level="root_model", family="Qwen/base")
    assert qwen["new_derivatives"] == 1.5
    assert (qwen["new_finetune"], qwen["new_merge"], qwen["new_quantized"]) == (1, 0.5, 0)
    assert qwen["derivatives"] == 2
    assert qwen["downloads"] == 1000 + 100 + 20 + 30
    assert qwen["downloads_derivatives"] == 150
    assert qwen["downloads_quantized"] == 30
    assert qwen["share_of_new_derivatives"] == 0.75
    assert (qwen["organization"], qwen["country"]) == ("Alibaba", "CN")


def test_a_derivative_counts_under_each_relation_by_its_part_of_the_parents():
    parents = {"merge_parents": 1, "adapter_parents": 3, "relation": "merge"}
    found = families(month_of(of("a/x", 4, **IN_MONTH, roots={"gone/root": 1}, **parents)))
    gone = row(found, level="root_model")
    assert (gone["new_merge"], gone["new_adapter"], gone["new_derivatives"]) == (0.25, 0.75, 1)
    assert (gone["family"], gone["organization"], gone["downloads"]) == ("gone/root", "unmapped", 4)


def test_only_the_calendar_month_counts_as_new():
    assert families()["new_derivatives_in_all"].unique().to_list() == [2]


def test_singapore_building_on_china_is_a_row():
    flow = row(flows(), base_country="CN", derivative_country="SG")
    assert (flow["new_derivatives"], flow["derivatives"], flow["downloads"]) == (1, 1, 100)
    assert flow["share_of_new_derivatives"] == 0.5


def test_a_month_without_derivatives_has_no_flows_and_no_families():
    alone = month_of(of("other/loner", 1))
    assert flows(alone).is_empty()
    assert families(alone)["level"].unique().to_list() == ["root_organization"]


@settings(max_examples=25)
@given(WORLDS)
def test_organisations_hold_every_download_once_and_flows_every_derivative(world):
    month = month_of(*world, owners=ROOTS)
    derivatives = [model for model in world if model["roots"]]
    new = [model for model in derivatives if model["created_at"] and model["created_at"].month == 8]
    by_organization, flow = families(month).filter(level="root_organization"), flows(month)
    assert by_organization["downloads"].sum() == sum(model["downloads"] for model in world)
    assert flow["downloads"].sum() == sum(model["downloads"] for model in derivatives)
    for table in (by_organization, flow):
        assert table["derivatives"].sum() == pytest.approx(len(derivatives))
        assert table["new_derivatives"].sum() == pytest.approx(len(new))
        assert table["share_of_new_derivatives"].sum() == pytest.approx(1 if new else 0)


@settings(max_examples=25)
@given(WORLDS)
def test_the_tables_own_rules_hold(world):
    month = month_of(*world, owners=ROOTS)
    frames = FramesInMemory({FAMILY_SHARES.path: families(month), DERIVATION_FLOWS.path: flows(month)}, {})
    for table in (FAMILY_SHARES, DERIVATION_FLOWS):
        for rule in table.rules:
            assert rule.violations(frames).collect().is_empty(), rule.name
