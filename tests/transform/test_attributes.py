"""What the downloaded models are: how words are read, and shares by dimension."""

from datetime import UTC, date, datetime

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.reference.attributes import attribute_words
from pipeline.tables.attributes import ATTRIBUTE_GROUP_COLUMNS, DIMENSIONS
from pipeline.tables.attributes import TABLES as ATTRIBUTE_TABLES
from pipeline.transform.adoption import adoption, adoption_marks
from pipeline.transform.attributes import attribute_shares
from pipeline.transform.concentration import concentration, concentration_of_members, concentration_of_models
from pipeline.transform.intermediaries import find_intermediaries, intermediaries, with_intermediaries
from pipeline.transform.releases import release_cadence, release_days
from pipeline.transform.sizes import model_sizes
from pipeline.transform.traits import counted_models

MONTH = date(2025, 8, 1)
SNAPSHOT = {
    "hub_id": pl.String,
    "model_id": pl.String,
    "downloads_all_time": pl.Int64,
    "gated": pl.String,
    "license": pl.String,
    "pipeline_tag": pl.String,
    "library_name": pl.String,
    "safetensors_parameters": pl.Int64,
    "gguf_parameters": pl.Int64,
    "tags": pl.List(pl.String),
}
DOWNLOADS = {
    "month": pl.Date,
    "hub_id": pl.String,
    "downloads": pl.Float64,
    "basis": pl.String,
    "is_new": pl.Boolean,
    "is_language_model": pl.Boolean,
    "is_flagged": pl.Boolean,
    "created_at": pl.Datetime("us", "UTC"),
}
ATTRIBUTION = dict.fromkeys(("hub_id", "namespace", "organization", "country", "kind"), pl.String)
DERIVATIONS = {
    "child_hub_id": pl.String,
    "relation": pl.String,
    "parent_model_id": pl.String,
    "position": pl.Int32,
}
LINEAGE = {"hub_id": pl.String, "is_derivative": pl.Boolean, "is_first_party": pl.Boolean}
USUAL = {
    "month": MONTH,
    "downloads": 1.0,
    "basis": "all_time_delta",
    "is_new": True,
    "is_language_model": True,
    "is_flagged": False,
    "created_at": datetime(2025, 8, 5, tzinfo=UTC),
    "organization": "Alibaba",
    "country": "CN",
    "kind": "company",
    "position": 0,
    "is_first_party": False,
}


def frames(*models):
    """The month's tables of these models, each a dictionary of what is not usual; all are the same organisation's."""
    rows = []
    for number, model in enumerate(models):
        name = model.get("model_id", f"Qwen/model-{number}")
        own = {"hub_id": f"{number:04d}", "model_id": name, "namespace": name.split("/")[0]}
        rows.append(USUAL | own | {"is_derivative": "relation" in model} | model)
    derived = [row | {"child_hub_id": row["hub_id"]} for row in rows if "relation" in row]
    made = {
        "snapshot": (rows, SNAPSHOT),
        "downloads": (rows, DOWNLOADS),
        "attribution": (rows, ATTRIBUTION),
        "derivations": (derived, DERIVATIONS),
        "lineage": (rows, LINEAGE),
    }
    return {
        name: pl.LazyFrame([{key: row.get(key) for key in schema} for row in rows], schema=schema)
        for name, (rows, schema) in made.items()
    }


def counted(*models):
    tables = frames(*models)
    lineage = tables.pop("lineage")
    found = counted_models(**tables, words=attribute_words())
    return with_intermediaries(found, find_intermediaries(found, lineage))


def member_of(dimension, **model):
    [declared] = [one for one in DIMENSIONS if one.name == dimension]
    return declared.members[counted(model).select(declared.code).item()]


READINGS = {
    "a licence by the reviewed map": ("licence", {"license": "Apache-2.0"}, "permissive"),
    "a licence that nobody reviewed": ("licence", {"license": "my-own-terms"}, "custom"),
    "no licence": ("licence", {}, "none"),
    "a community licence": ("licence", {"license": "llama3.1"}, "use_restricted"),
    "a task": ("modality", {"pipeline_tag": "text-to-speech"}, "audio"),
    "video generation": ("modality", {"pipeline_tag": "image-to-video"}, "video_generation"),
    "a task that nobody reviewed": ("modality", {"pipeline_tag": "smell-to-text"}, "other"),
    "no task": ("modality", {}, "unknown"),
    "safetensors before the name": (
        "size_band",
        {"model_id": "a/b-7B", "safetensors_parameters": 3_000_000_000},
        "1B_to_5B",
    ),
    "GGUF before the name": ("size_band", {"model_id": "a/b-7B", "gguf_parameters": 72_000_000_000}, "50B_to_100B"),
    "the name": ("size_band", {"model_id": "a/b-0.5B-chat"}, "below_1B"),
    "the name in millions": ("size_band", {"model_id": "a/pythia-410m"}, "below_1B"),
    "experts in the name": ("size_band", {"model_id": "a/b-8x22B-v0.1"}, "100B_to_250B"),
    "all parameters, not the active ones": ("size_band", {"model_id": "a/b-30B-A3B"}, "10B_to_50B"),
    "an absurd size": ("size_band", {"model_id": "a/b-7B", "safetensors_parameters": 10**18}, "5B_to_10B"),
    "a size that was corrected": (
        "size_band",
        {"model_id": "openai/gpt-oss-120b", "safetensors_parameters": 63_000_000_000},
        "100B_to_250B",
    ),
    "no size at all": ("size_band", {"model_id": "a/gpt2"}, "unknown"),
    "GGUF by its header": ("numeric_format", {"gguf_parameters": 1}, "gguf"),
    "GGUF that is quantised to 4 bits": ("numeric_format", {"model_id": "a/b-4bit-GGUF"}, "gguf"),
    "a tag of 4 bits": ("numeric_format", {"tags": ["4-bit"]}, "4_bit_and_below"),
    "a name of 8 bits": ("numeric_format", {"model_id": "a/b-FP8"}, "8_bit"),
    "a word that only ends like a format": ("numeric_format", {"model_id": "a/point4-qlora"}, "full"),
    "MLX": ("numeric_format", {"model_id": "a/b-4bit-mlx"}, "mlx"),
    "quantised, nobody says how": (
        "numeric_format",
        {"relation": "quantized", "parent_model_id": "x/y"},
        "quantized_otherwise",
    ),
    "experts by tag": ("architecture", {"tags": ["deepseek_v3"]}, "mixture_of_experts"),
    "experts by name": ("architecture", {"model_id": "a/b-30B-A3B"}, "mixture_of_experts"),
    "no sign of experts": ("architecture", {"model_id": "a/moebius-7B"}, "dense"),
    "an original": ("derivation", {}, "original"),
    "an adapter": ("derivation", {"relation": "adapter", "parent_model_id": "x/y"}, "adapter"),
    "a gate": ("gated", {"gated": "auto"}, "automatic"),
    "no word of a gate": ("gated", {}, "unknown"),
    "the Hub's lowest creation date": ("creation_year", {"created_at": datetime(2022, 3, 2, tzinfo=UTC)}, "2022"),
    "no creation date": ("creation_year", {"created_at": None}, "unknown"),
    "a data set under a permissive licence": (
        "openness",
        {"tags": ["dataset:a/b"], "license": "mit"},
        "with_training_data_and_permissive_licence",
    ),
    "a data set": ("openness", {"tags": ["dataset:a/b"]}, "with_training_data"),
    "a permissive licence alone": ("openness", {"license": "mit"}, "weights_only"),
}


@pytest.mark.parametrize(("dimension", "model", "member"), READINGS.values(), ids=READINGS)
def test_what_a_repository_says_is_read_as(dimension, model, member):
    assert member_of(dimension, **model) == member


def test_every_reviewed_word_stands_for_a_declared_member():
    words = attribute_words()
    members = {dimension.name: set(dimension.members) for dimension in DIMENSIONS}
    assert set(words.licences.values()) <= members["licence"]
    assert set(words.modalities.values()) <= members["modality"]
    assert set(words.numeric_formats.values()) <= members["numeric_format"]
    assert all(size > 0 for size in words.sizes.values())


some_models = st.lists(
    st.fixed_dictionaries(
        {
            "downloads": st.integers(0, 10**9).map(float),
            "country": st.sampled_from(["CN", "US", "unmapped"]),
            "license": st.sampled_from(["mit", "gemma", None]),
            "pipeline_tag": st.sampled_from(["text-generation", None]),
            "safetensors_parameters": st.sampled_from([10**8, 7 * 10**9, None]),
            "is_new": st.booleans(),
            "is_flagged": st.booleans(),
        }
    ),
    min_size=1,
    max_size=15,
)


@settings(deadline=None, max_examples=25)
@given(some_models)
def test_shares_sum_to_one_in_every_dimension_population_and_country(models):
    shares = attribute_shares(counted(*models))
    sums = shares.group_by(ATTRIBUTE_GROUP_COLUMNS).agg(pl.col("share").sum(), pl.col("denominator").first())
    assert sums["dimension"].n_unique() == len(DIMENSIONS)
    for row in sums.iter_rows(named=True):
        assert row["share"] == pytest.approx(1 if row["denominator"] else 0)


@settings(deadline=None, max_examples=25)
@given(some_models)
def test_the_countries_of_a_licence_add_up_to_the_licence(models):
    licences = attribute_shares(counted(*models)).filter(pl.col("dimension") == "licence")
    whole = licences.filter(pl.col("within") == "all")
    parts = licences.filter(pl.col("within") != "all").group_by("population", "member").agg(pl.col("downloads").sum())
    for total, summed in (
        whole.join(parts, on=["population", "member"], suffix="_summed")
        .select("downloads", "downloads_summed")
        .iter_rows()
    ):
        assert summed == pytest.approx(total)


@settings(deadline=None, max_examples=25)
@given(some_models)
def test_a_model_without_downloads_changes_no_attribute_share(models):
    def shares_of(models):
        return {
            row[:3]: row[3]
            for row in attribute_shares(counted(*models))
            .filter(pl.col("downloads") > 0)
            .select("population", "dimension", pl.concat_str("within", "member", separator="/"), "share")
            .iter_rows()
        }

    assert shares_of([*models, {"downloads": 0.0, "license": "gpl-3.0"}]) == shares_of(models)


def test_means_and_medians_weigh_each_model_by_its_downloads():
    sizes = model_sizes(
        counted(
            {"downloads": 90.0, "safetensors_parameters": 10**9},
            {"downloads": 10.0, "safetensors_parameters": 11 * 10**9, "country": "US"},
            {"downloads": 100.0, "model_id": "a/gpt2"},
        )
    ).filter(pl.col("population") == "all")
    whole = sizes.row(by_predicate=pl.col("within") == "all", named=True)
    assert whole["mean_parameters"] == 2 * 10**9
    assert whole["median_parameters"] == 10**9
    assert whole["coverage"] == 0.5
    assert sizes.row(by_predicate=pl.col("within") == "US", named=True)["median_parameters"] == 11 * 10**9


def test_equal_members_are_not_concentrated_and_a_single_one_is():
    equal, single = concentration(pl.Series([1.0] * 20).to_numpy()), concentration(pl.Series([5.0]).to_numpy())
    assert (equal["hhi"], equal["gini"], equal["top_10_share"]) == pytest.approx((0.05, 0.0, 0.5))
    assert equal["effective_number"] == pytest.approx(20)
    assert (single["hhi"], single["top_1_share"]) == (1, 1)
    assert concentration(pl.Series([0.0, 0.0]).to_numpy())["hhi"] == 0


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(0, 10**6).map(float), min_size=1, max_size=40))
def test_gini_is_that_of_every_pair(amounts):
    ordered = sorted(amounts)
    total, count = sum(ordered), len(ordered)
    expected = sum(abs(a - b) for a in ordered for b in ordered) / (2 * count * total) if total else 0.0
    assert concentration(pl.Series(ordered).to_numpy())["gini"] == pytest.approx(expected, abs=1e-9)


def test_concentration_leaves_out_who_is_not_known_and_says_so():
    shares = pl.DataFrame(
        {
            "month": [MONTH] * 3,
            "window": ["month"] * 3,
            "population": ["all"] * 3,
            "attribution": ["uploader"] * 3,
            "dimension": ["country"] * 3,
            "months_in_window": [1] * 3,
            "is_complete": [True] * 3,
            "basis": ["all_time_delta"] * 3,
            "member": ["CN", "unaffiliated", "unmapped"],
            "downloads": [60.0, 30.0, 10.0],
            "denominator": [100.0] * 3,
        }
    )
    [row] = concentration_of_members(shares).iter_rows(named=True)
    assert (row["members"], row["hhi"], row["coverage"]) == (1, 1.0, 0.6)


def test_concentration_of_models_is_of_each_population():
    downloads = frames({"downloads": 9.0, "is_new": False}, {"downloads": 1.0})["downloads"]
    found = {row["population"]: row for row in concentration_of_models(downloads).iter_rows(named=True)}
    assert found["all"]["top_1_share"] == 0.9
    assert found["new"]["members"] == 1


def quantised(count, downloads=1.0, own=False):
    return [
        {
            "model_id": f"packer/m{number}-GGUF",
            "relation": "quantized",
            "parent_model_id": f"maker/m{number}",
            "is_first_party": own,
            "downloads": downloads,
        }
        for number in range(count)
    ]


def intermediaries_of(*models):
    tables = frames(*models)
    lineage = tables.pop("lineage")
    found = counted_models(**tables, words=attribute_words())
    return intermediaries(found, find_intermediaries(found, lineage)).filter(pl.col("population") == "all")


def test_a_namespace_that_mostly_quantises_others_models_is_an_intermediary():
    [row] = intermediaries_of(*quantised(10), {"downloads": 90.0}).iter_rows(named=True)
    assert (row["namespace"], row["intermediary"], row["share"]) == ("packer", "quantizer", 0.1)


def test_who_quantises_his_own_models_or_few_is_no_intermediary():
    assert intermediaries_of(*quantised(10, own=True)).is_empty()
    assert intermediaries_of(*quantised(9)).is_empty()


def test_a_re_upload_bears_its_parents_name():
    models = [
        {"model_id": f"mirror/M{number}", "relation": "finetune", "parent_model_id": f"maker/m{number}"}
        for number in range(10)
    ]
    assert intermediaries_of(*models)["intermediary"].to_list() == ["re_uploader"]


def test_dimensions_and_their_members_are_named_once():
    assert len({dimension.name for dimension in DIMENSIONS}) == len(DIMENSIONS)
    for dimension in DIMENSIONS:
        assert len(set(dimension.members)) == len(dimension.members)
        assert f"`{dimension.name}`" in ATTRIBUTE_TABLES[0].description


def releases_of(*models, opened_at=None):
    tables = frames(*models)
    lineage = tables.pop("lineage")
    opening = pl.LazyFrame({"observed_at": [opened_at]}, schema={"observed_at": pl.Datetime("us", "UTC")})
    return release_days(counted_models(**tables, words=attribute_words()), lineage, opening)


def on(day, month=8):
    return {"created_at": datetime(2025, month, day, 12, tzinfo=UTC)}


def test_a_release_day_counts_first_party_repositories_only():
    days = releases_of(
        on(3),
        on(3) | {"relation": "finetune", "parent_model_id": "Qwen/base", "is_first_party": True},
        on(3) | {"relation": "quantized", "parent_model_id": "meta/base"},
        on(9),
    )
    assert sorted(days.select("released_on", "new_repositories").rows()) == [
        (date(2025, 8, 3), 2),
        (date(2025, 8, 9), 1),
    ]


def test_a_month_of_releases_runs_between_its_observations():
    days = releases_of(on(28, month=7), on(30, month=7), on(2), opened_at=datetime(2025, 7, 29, 12, tzinfo=UTC))
    assert sorted(days["released_on"].to_list()) == [date(2025, 7, 30), date(2025, 8, 2)]
    assert releases_of(on(30, month=7), on(2))["released_on"].to_list() == [date(2025, 8, 2)]


def test_cadence_is_release_days_the_days_between_them_and_variants():
    days = releases_of(on(1), on(1), on(1), on(4), on(14), on(5) | {"organization": "unmapped", "country": "unmapped"})
    cadence = release_cadence(days, [MONTH]).filter(pl.col("member") == "Alibaba").row(0, named=True)
    assert (cadence["new_repositories"], cadence["release_days"]) == (5, 3)
    assert cadence["median_days_between"] == 6.5
    assert cadence["variants_per_release"] == pytest.approx(5 / 3)
    assert cadence["coverage"] == pytest.approx(5 / 6)
    assert not cadence["is_complete"]


def test_a_model_reaches_a_mark_in_whole_months_after_its_creation():
    marks = adoption_marks(
        counted(
            *(
                on(20, month) | {"downloads_all_time": 5_000, "safetensors_parameters": 10**9}
                for month in (8, 7, 6, 5, 2)
            ),
            on(20, 7) | {"downloads_all_time": 999, "safetensors_parameters": 10**9},
            on(20, 7) | {"downloads_all_time": 5_000, "model_id": "a/gpt2"},
        )
    )
    assert sorted(marks["months_after_creation"].to_list()) == [1, 3, 6]


def test_adoption_is_relative_to_the_median_of_the_ten_leaders_of_the_band():
    leaders = [
        on(20, 7) | {"downloads_all_time": 1_000 * number, "safetensors_parameters": 10**9} for number in range(1, 13)
    ]
    found = adoption(adoption_marks(counted(*leaders))).sort("downloads_at_mark")
    assert found["reference_downloads"].unique().to_list() == [7_500.0]
    assert found["reference_models"].unique().to_list() == [10]
    assert found["relative_adoption"][-1] == pytest.approx(12 / 7.5)
    assert found["rank"].to_list() == list(range(12, 0, -1))


described_models = st.lists(
    st.builds(
        lambda model, size, day, total, parent: model | on(day) | {"downloads_all_time": total} | size | parent,
        st.sampled_from([{"country": "CN"}, {"country": "US", "organization": "Meta"}, {"country": "unmapped"}]),
        st.sampled_from([{}, {"safetensors_parameters": 10**9}, {"gguf_parameters": 7 * 10**9}]),
        st.integers(1, 28),
        st.integers(0, 10_000),
        st.sampled_from([{}, {"relation": "finetune", "parent_model_id": "x/y"}]),
    ),
    min_size=1,
    max_size=12,
)


@given(described_models, st.lists(st.integers(0, 1000), min_size=12, max_size=12))
@settings(max_examples=15)
def test_mean_and_median_sizes_lie_between_the_smallest_and_the_largest_and_countries_add_up(models, downloads):
    sizes = model_sizes(
        counted(*(model | {"downloads": float(n)} for model, n in zip(models, downloads, strict=False)))
    )
    known = sizes.drop_nulls("median_parameters")
    assert known["median_parameters"].is_between(10**9, 7 * 10**9).all()
    assert known["mean_parameters"].drop_nans().is_between(10**9 * (1 - 1e-9), 7 * 10**9 * (1 + 1e-9)).all()
    by_country = sizes.filter(pl.col("within") != "all").group_by("population").agg(pl.col("downloads").sum())
    whole = sizes.filter(pl.col("within") == "all").select("population", pl.col("downloads").alias("whole"))
    differences = by_country.join(whole, on="population").select((pl.col("downloads") - pl.col("whole")).abs().max())
    assert differences.item() < 1


@given(described_models)
@settings(max_examples=15)
def test_every_original_of_a_month_is_released_on_one_day_of_one_organisation(models):
    days = releases_of(*models, opened_at=datetime(2025, 7, 31, tzinfo=UTC))
    assert days["new_repositories"].sum() == sum("relation" not in model for model in models)
    assert days.select("organization", "released_on").is_unique().all()


@given(described_models)
@settings(max_examples=15)
def test_adoption_ranks_each_band_from_one_and_has_its_reference_in_it(models):
    marks = adoption_marks(counted(*(model | on(20, 7) for model in models)))
    if marks.is_empty():
        return
    for _, band in adoption(marks).group_by("size_band", "months_after_creation"):
        assert sorted(band["rank"].to_list())[0] == 1
        assert (band["relative_adoption"] >= 0).all()
        reference = band["reference_downloads"][0]
        assert band["downloads_at_mark"].min() <= reference <= band["downloads_at_mark"].max()


@given(st.integers(0, 15), st.integers(0, 10))
@settings(max_examples=15)
def test_an_intermediary_needs_ten_models_and_most_of_them_others(of_others, own):
    models = [*quantised(of_others), *({"model_id": f"packer/own-{number}"} for number in range(own))]
    found = intermediaries_of(*models) if models else pl.DataFrame()
    assert (found.height == 1) == (of_others + own >= 10 and of_others > own)
