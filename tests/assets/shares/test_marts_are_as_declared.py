"""What every mart makes of whatever months fulfils the constraints of its columns."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.models.models import MODELS
from assets.shares.adoption import ADOPTION_MARKS, marks_of
from assets.shares.attribute_shares import ATTRIBUTE_SHARES, DIMENSIONS, shares_by
from assets.shares.concentration import CONCENTRATION, concentration_of_members, concentration_of_models
from assets.shares.country_shares import COUNTRY_SHARES
from assets.shares.derivation_flows import DERIVATION_FLOWS, flows_of
from assets.shares.family_shares import FAMILY_SHARES, families_of
from assets.shares.intermediaries import INTERMEDIARIES, intermediaries_of
from assets.shares.model_sizes import MODEL_SIZES, sizes_of
from assets.shares.organization_shares import ORGANIZATION_SHARES, shares_of_organizations
from assets.shares.release_cadence import RELEASE_DAYS, days_of
from tests.assets.models.scenario import models
from tests.assets.shares.scenario import ROOTS, WORLDS, month_of, shares_in
from tests.checks.sound import faults_of

MARTS = [
    (COUNTRY_SHARES, shares_in),
    (ORGANIZATION_SHARES, lambda month: shares_of_organizations(*month.by_origin)),
    (ATTRIBUTE_SHARES, lambda month: shares_by(month.models, DIMENSIONS)),
    (MODEL_SIZES, lambda month: sizes_of(month.models)),
    (FAMILY_SHARES, lambda month: families_of(*month.by_origin)),
    (DERIVATION_FLOWS, lambda month: flows_of(*month.by_origin)),
    (CONCENTRATION, lambda month: concentration_of_models(month.models)),
    (CONCENTRATION, lambda month: concentration_of_members(shares_in(month).lazy()).collect()),
    (INTERMEDIARIES, lambda month: intermediaries_of(month.models)),
    (RELEASE_DAYS, lambda month: days_of(month.models)),
    (ADOPTION_MARKS, lambda month: marks_of(month.models)),
]
EVERY_MART = pytest.mark.parametrize(("table", "made_of"), MARTS, ids=lambda given: getattr(given, "name", ""))
PACKED = {"namespace": "packer", "intermediary": "quantizer", "redistributed_as": "quantized"}
ADOPTED = {"created_at": datetime(2025, 7, 3, tzinfo=UTC), "downloads_all_time": 1_000, "parameters": 10**8}


@EVERY_MART
@settings(max_examples=8)
@given(WORLDS)
def test_a_mart_is_as_declared(table, made_of, world):
    dated = [model | {"is_release": model["created_at"] is not None} for model in world]
    month = month_of(*dated, *[PACKED] * 10, ADOPTED, owners=ROOTS)
    assert faults_of(table, made_of(month)) == []


@EVERY_MART
def test_a_mart_is_as_declared_where_nothing_derives_is_released_or_adopted(table, made_of):
    assert faults_of(table, made_of(month_of({"is_release": False}))) == []


REPOSITORIES = [
    {"parents": {"meta/base": "quantized"}, "parameters": None},
    {"model_id": "bare", "created_at": None, "license": None},
    {"model_id": "Qwen/tune-7B", "parents": {"gone/away": "finetune"}, "gated": "auto", "downloads_all_time": 3},
]


@given(st.lists(st.sampled_from(REPOSITORIES), unique_by=id, min_size=1))
@settings(max_examples=8)
def test_the_models_are_as_declared(repositories):
    assert faults_of(MODELS, models(*repositories)) == []
