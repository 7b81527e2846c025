"""A month says by which rule its derivatives are split, if it has any."""

from datetime import date

import dagster as dg
import pytest

from assets.lineage.model_lineage import lineage
from assets.lineage.origin_weights import ORIGIN_WEIGHTS
from assets.listings.hub_snapshots import HUB_SNAPSHOTS
from pipeline.definitions import CATALOGUE
from pipeline.lake.store import Lake
from pipeline.orchestration.lake_io import lake_io_manager
from pipeline.orchestration.partitions import MONTHS
from pipeline.orchestration.resources import LakeResource, OriginRuleResource
from pipeline.orchestration.table_assets import asset_key
from tests.assets.lineage.scenarios import snapshot

AUGUST = date(2025, 8, 1)


@pytest.mark.parametrize(("parents", "stated"), [((), {}), (("x/root",), {"origin_rule": "majority"})])
def test_a_month_without_derivatives_is_the_same_by_every_rule_and_states_none(tmp_path, parents, stated):
    lake = Lake(str(tmp_path))
    lake.write(HUB_SNAPSHOTS, AUGUST, snapshot({"name": "x/root"}, {"name": "x/child", "card": parents}))
    made = dg.materialize(
        [dg.AssetSpec(asset_key(HUB_SNAPSHOTS), partitions_def=MONTHS).with_io_manager_key("lake_io"), lineage],
        partition_key=AUGUST.isoformat(),
        resources={
            "lake": LakeResource(url=lake.url),
            "lake_io": lake_io_manager(CATALOGUE),
            "origin_rule": OriginRuleResource(rule="majority"),
        },
    )
    assert made.success
    found = lake.provenance(ORIGIN_WEIGHTS, AUGUST).made_by
    assert {name: rule for name, rule in found.items() if name == "origin_rule"} == stated
