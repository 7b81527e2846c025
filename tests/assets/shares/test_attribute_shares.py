"""What the downloaded models are: members, shares by dimension, sizes, releases, adoption, intermediaries."""

from datetime import UTC, date, datetime
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.shares.adoption import adoption, marks_of
from assets.shares.attribute_shares import DIMENSIONS, SIZE_BANDS, shares_by
from assets.shares.concentration import concentration_of_members, concentration_of_models
from assets.shares.intermediaries import intermediaries_of
from assets.shares.model_sizes import sizes_of
from assets.shares.release_cadence import days_of, release_cadence
from assets.shares.share_table import GROUP
from tests.assets.models.scenario import on
from tests.assets.shares.scenario import AUGUST, COUNTRIES, ROOTS, WORLDS, month_of, shares_in

READINGS = {
    "a size": ("size_band", {"parameters": 3_000_000_000}, "1B_to_5B"),
    "a size at a bound": ("size_band", {"parameters": 250_000_000_000}, "250B_and_above"),
    "no size at all": ("size_band", {}, "unknown"),
    "a format": ("numeric_format", {"numeric_format": "gguf", "relation": "quantized"}, "gguf"),
    "quantised, nobody says how": ("numeric_format", {"relation": "quantized"}, "quantized_otherwise"),
    "nothing says that it is quantised": ("numeric_format", {}, "full"),
    "an unknown relation says nothing of a format": ("numeric_format", {"relation": "unknown"}, "full"),
    "experts": ("architecture", {"is_mixture_of_experts": True}, "mixture_of_experts"),
    "no sign of experts": ("architecture", {}, "dense"),
    "an original": ("derivation", {}, "original"),
    "an adapter": ("derivation", {"relation": "adapter"}, "adapter"),
    "a gate": ("gated", {"gated": "auto"}, "automatic"),
    "no word of a gate": ("gated", {}, "unknown"),
    "the Hub's lowest creation date": ("creation_year", {"created_at": datetime(2021, 3, 2, tzinfo=UTC)}, "2022"),
    "no creation date": ("creation_year", {"created_at": None}, "unknown"),
    "a data set under a permissive licence": (
        "openness",
        {"names_training_data": True, "licence": "permissive"},
        "with_training_data_and_permissive_licence",
    ),
    "a data set": ("openness", {"names_training_data": True}, "with_training_data"),
    "a permissive licence alone": ("openness", {"licence": "permissive"}, "weights_only"),
    "an intermediary": ("intermediary", {"intermediary": "quantizer"}, "quantizer"),
    "no intermediary": ("intermediary", {}, "no"),
}


@pytest.mark.parametrize(("dimension", "model", "member"), READINGS.values(), ids=READINGS)
def test_a_model_is_counted_as(dimension, model, member):
    [declared] = [one for one in DIMENSIONS if one.name == dimension]
    found = shares_by(month_of(model).models, [declared]).filter(population="all", within="all")
    assert found["member"].to_list() == [member]
    assert member in declared.members


@pytest.mark.parametrize(("band", "fewest"), SIZE_BANDS.items())
def test_a_band_begins_at_its_bound_and_ends_below_the_next(band, fewest):
    names = list(SIZE_BANDS)
    sizes = month_of({"parameters": max(fewest, 1)}, *([{"parameters": fewest - 1}] if fewest else []))
    [declared] = [one for one in DIMENSIONS if one.name == "size_band"]
    found = shares_by(sizes.models, [declared]).filter(population="all")["member"]
    assert set(found) == {band, *([names[names.index(band) - 1]] if fewest else [])}
    assert fewest == (0 if band == "below_1B" else int(band.split("B")[0]) * 10**9)


@settings(max_examples=20)
@given(WORLDS)
def test_shares_sum_to_one_in_every_dimension_population_and_country(world):
    shares = shares_by(month_of(*world, owners=ROOTS).models, DIMENSIONS)
    assert shares["dimension"].n_unique() == len(DIMENSIONS)
    for _, group in shares.group_by(*GROUP, "within"):
        assert group["downloads"].sum() == group["denominator"][0]
        assert group["share"].sum() == pytest.approx(1 if group["denominator"][0] else 0)


@settings(max_examples=20)
@given(WORLDS)
def test_the_countries_of_a_licence_add_up_to_the_licence_to_the_last_digit(world):
    licences = shares_by(month_of(*world).models, DIMENSIONS).filter(dimension="licence")
    keys = ["population", "member"]
    parts = licences.filter(pl.col("within") != "all").group_by(keys).agg(pl.col("downloads").sum())
    both = licences.filter(within="all").join(parts, on=keys, suffix="_summed")
    assert both["downloads"].to_list() == both["downloads_summed"].to_list()


def sized(downloads, parameters, **more):
    return {"downloads": Decimal(downloads), "parameters": parameters} | more


def test_means_and_medians_weigh_each_model_by_its_downloads():
    models = month_of(sized("0.9", 10**9), sized("0.1", 11 * 10**9, country="US"), sized(1, None)).models
    sizes = sizes_of(models).filter(population="all")
    whole = sizes.row(by_predicate=pl.col("within") == "all", named=True)
    assert (whole["mean_parameters"], whole["median_parameters"]) == (2 * 10**9, 10**9)
    assert whole["coverage"] == 0.5
    assert sizes.row(by_predicate=pl.col("within") == "US", named=True)["median_parameters"] == 11 * 10**9


def concentrated(amounts):
    models = [{"downloads": Decimal(amount)} for amount in amounts]
    return concentration_of_models(month_of(*models).models).row(by_predicate=pl.col("population") == "all", named=True)


def test_equal_models_are_not_concentrated_and_a_single_one_is():
    equal, single, nothing = concentrated([1] * 20), concentrated([5]), concentrated([0, 0])
    assert (equal["hhi"], equal["gini"], equal["top_10_share"]) == pytest.approx((0.05, 0.0, 0.5))
    assert equal["effective_number"] == pytest.approx(20)
    assert (single["hhi"], single["top_1_share"]) == (1, 1)
    assert (nothing["hhi"], nothing["gini"], nothing["effective_number"]) == (0, 0, 0)


@pytest.mark.parametrize(("counter", "hhi"), [(10**15, 1), (10**16, 0.01)])
def test_a_counter_beyond_what_can_be_is_squared_as_the_most_that_can(counter, hhi):
    assert concentrated([counter])["hhi"] == pytest.approx(hhi)


@settings(max_examples=40)
@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=30))
def test_gini_is_that_of_every_pair(amounts):
    total, count = sum(amounts), len(amounts)
    expected = sum(abs(a - b) for a in amounts for b in amounts) / (2 * count * total) if total else 0.0
    assert concentrated(amounts)["gini"] == pytest.approx(expected, abs=1e-9)


@settings(max_examples=30)
@given(st.dictionaries(st.sampled_from(COUNTRIES), st.integers(0, 10**9), min_size=1))
def test_concentration_of_members_counts_those_that_are_known(amounts):
    month = month_of(*({"country": country, "downloads": Decimal(amount)} for country, amount in amounts.items()))
    found = concentration_of_members(shares_in(month).lazy()).filter(pl.col("population") == "all").collect()
    known = [amount for member, amount in amounts.items() if member not in {"unmapped", "unaffiliated"}]
    for row in found.iter_rows(named=True):
        assert row["members"] == len(known)
        assert row["coverage"] == pytest.approx(sum(known) / sum(amounts.values()) if sum(amounts.values()) else 0)
        assert row["top_1_share"] == pytest.approx(max(known) / sum(known) if sum(known) else 0)


def test_releases_are_counted_by_organisation_and_day():
    days = days_of(month_of(on(3), on(3), on(9), on(4) | {"is_release": False}).models).collect()
    assert sorted(days.select("released_on", "new_repositories").rows()) == [
        (date(2025, 8, 3), 2),
        (date(2025, 8, 9), 1),
    ]


def test_cadence_is_release_days_the_days_between_them_and_variants():
    unmapped = {"organization": "unmapped", "country": "unmapped"}
    days = days_of(month_of(on(1), on(1), on(1), on(4), on(14), on(5) | unmapped).models)
    [cadence] = release_cadence(days, [AUGUST]).filter(pl.col("member") == "The CN").collect().to_dicts()
    assert (cadence["new_repositories"], cadence["release_days"]) == (5, 3)
    assert cadence["median_days_between"] == 6.5
    assert cadence["variants_per_release"] == pytest.approx(5 / 3)
    assert cadence["coverage"] == pytest.approx(5 / 6)
    assert not cadence["is_complete"]


def test_a_model_reaches_a_mark_in_whole_months_after_its_creation():
    known = {"downloads_all_time": 5_000, "parameters": 10**9}
    models = [on(20, month) | known for month in (8, 7, 6, 5, 2)]
    few, unsized = on(20, 7) | known | {"downloads_all_time": 999}, on(20, 7) | known | {"parameters": None}
    enough, a_year_ago = few | {"downloads_all_time": 1_000}, known | {"created_at": datetime(2024, 8, 31, tzinfo=UTC)}
    marks = marks_of(month_of(*models, few, unsized, enough, a_year_ago).models).collect()
    assert sorted(marks["months_after_creation"].to_list()) == [1, 1, 3, 6, 12]


def test_adoption_is_relative_to_the_median_of_the_ten_leaders_of_the_band():
    leaders = [on(20, 7) | {"downloads_all_time": 1_000 * number, "parameters": 10**9} for number in range(1, 13)]
    found = adoption(marks_of(month_of(*leaders).models)).sort("downloads_at_mark").collect()
    assert found["reference_downloads"].unique().to_list() == [7_500.0]
    assert found["reference_models"].unique().to_list() == [10]
    assert found["relative_adoption"][-1] == pytest.approx(12 / 7.5)
    assert found["rank"].to_list() == list(range(12, 0, -1))


PACKED = {"model_id": "packer/m", "namespace": "packer", "intermediary": "quantizer", "redistributed_as": "quantized"}


@settings(max_examples=20)
@given(st.integers(1, 12), st.integers(0, 5), st.integers(0, 90))
def test_an_intermediary_has_its_part_of_the_downloads_and_of_its_repositories(packed, own, others):
    own_models = [PACKED | {"redistributed_as": None} for _ in range(own)]
    month = month_of(*[PACKED] * packed, *own_models, {"downloads": Decimal(others)}, {"namespace": None})
    [row] = intermediaries_of(month.models).filter(population="all").to_dicts()
    assert (row["namespace"], row["intermediary"], row["repositories"]) == ("packer", "quantizer", packed + own)
    assert row["quantized"] == pytest.approx(packed / (packed + own))
    assert row["share"] == pytest.approx((packed + own) / (packed + own + others + 1))
    assert row["coverage"] == pytest.approx(1 - 1 / (packed + own + others + 1))


def test_an_intermediary_without_downloads_is_left_out():
    assert intermediaries_of(month_of(PACKED | {"downloads": Decimal(0)}, {}).models).is_empty()
