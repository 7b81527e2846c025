"""What is told of a repository in one row: its developer, what it derives from, and what it is."""

from datetime import UTC, datetime
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.models.attributes import LICENCES, MODALITIES, NUMERIC_FORMATS
from pipeline.reference.lists import attribute_words
from tests.assets.models.scenario import models, on

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
        "parameters",
        {"model_id": "a/b-7B", "safetensors_parameters": 3_000_000_000},
        3_000_000_000,
    ),
    "GGUF before the name": ("parameters", {"model_id": "a/b-7B", "gguf_parameters": 72_000_000_000}, 72_000_000_000),
    "the name": ("parameters", {"model_id": "a/b-0.5B-chat"}, 500_000_000),
    "the name in millions": ("parameters", {"model_id": "a/pythia-410m"}, 410_000_000),
    "the name in trillions": ("parameters", {"model_id": "a/kimi-1T"}, 10**12),
    "experts in the name": ("parameters", {"model_id": "a/b-8x22B-v0.1"}, 176_000_000_000),
    "all parameters, not the active ones": ("parameters", {"model_id": "a/b-30B-A3B"}, 30_000_000_000),
    "the largest size": ("parameters", {"model_id": "a/b", "gguf_parameters": 10**13}, 10**13),
    "a size just beyond": ("parameters", {"model_id": "a/b", "gguf_parameters": 10**13 + 1}, None),
    "the smallest size": ("parameters", {"model_id": "a/b", "gguf_parameters": 1}, 1),
    "a size of nothing": ("parameters", {"model_id": "a/b-7B", "safetensors_parameters": 0}, 7_000_000_000),
    "an absurd size": ("parameters", {"model_id": "a/b-7B", "safetensors_parameters": 10**18}, 7_000_000_000),
    "an absurd size in the name": ("parameters", {"model_id": "a/b-9999T"}, None),
    "a size that was corrected": (
        "parameters",
        {"model_id": "openai/gpt-oss-120b", "safetensors_parameters": 63_000_000_000},
        116_800_000_000,
    ),
    "no size at all": ("parameters", {"model_id": "a/gpt2"}, None),
    "the size of a namespace": ("parameters", {"model_id": "team-7b/gpt2"}, None),
    "GGUF by its header": ("numeric_format", {"gguf_parameters": 1}, "gguf"),
    "GGUF by its library": ("numeric_format", {"library_name": "gguf"}, "gguf"),
    "GGUF that is quantised to 4 bits": ("numeric_format", {"model_id": "a/b-4bit-GGUF"}, "gguf"),
    "a tag of 4 bits": ("numeric_format", {"tags": ["4-bit"]}, "4_bit_and_below"),
    "a name of 8 bits": ("numeric_format", {"model_id": "a/b-FP8"}, "8_bit"),
    "a word that only ends like a format": ("numeric_format", {"model_id": "a/point4-qlora"}, None),
    "a namespace like a format": ("numeric_format", {"model_id": "gguf/point"}, None),
    "MLX": ("numeric_format", {"model_id": "a/b-4bit-mlx"}, "mlx"),
    "experts by tag": ("is_mixture_of_experts", {"tags": ["deepseek_v3"]}, True),
    "experts by name": ("is_mixture_of_experts", {"model_id": "a/b-30B-A3B"}, True),
    "no sign of experts": ("is_mixture_of_experts", {"model_id": "a/moebius-7B"}, False),
    "a data set beside which nothing hints at experts": (
        "is_mixture_of_experts",
        {"tags": ["dataset:a/b"]},
        False,
    ),
    "a data set": ("names_training_data", {"tags": ["en", "dataset:a/b"]}, True),
    "no data set": ("names_training_data", {"tags": ["en"]}, False),
    "no tags": ("names_training_data", {}, False),
}


@pytest.mark.parametrize(("column", "repository", "value"), READINGS.values(), ids=READINGS)
def test_what_a_repository_says_is_read_as(column, repository, value):
    assert models(repository)[column].to_list() == [value]


def test_every_reviewed_word_stands_for_a_declared_member():
    words = attribute_words()
    assert set(words.licences.values()) <= set(LICENCES)
    assert set(words.modalities.values()) <= set(MODALITIES)
    assert set(words.numeric_formats.values()) <= set(NUMERIC_FORMATS)
    assert all(size > 0 for size in words.sizes.values())


def test_parents_are_counted_by_relation_and_the_first_one_names_the_relation():
    merged, original = models(
        {"parents": {"meta/base": "merge", "Qwen/base": "merge", "x/adapter": "adapter"}}, {}
    ).to_dicts()
    assert merged["relation"] == "merge"
    assert (merged["merge_parents"], merged["adapter_parents"], merged["quantized_parents"]) == (2, 1, 0)
    assert original["relation"] is None
    assert original["merge_parents"] == 0


TUNE = {"model_id": "Qwen/tune", "parents": {"Qwen/base": "finetune"}}
OTHERS_TUNE = {"parents": {"meta/base": "finetune"}}


def test_a_release_is_an_original_or_a_derivative_of_ones_own_created_in_the_month():
    base = on(1, month=5) | {"model_id": "Qwen/base"}
    made = models(base, on(3) | TUNE, on(3) | OTHERS_TUNE, on(9), on(9) | {"created_at": None})
    assert made["is_release"].to_list() == [False, True, False, True, False]
    assert made["is_first_party"].to_list() == [False, True, False, False, False]


def test_releases_of_a_month_begin_with_the_observation_that_opened_it():
    opened_at = datetime(2025, 7, 29, 12, tzinfo=UTC)
    made = models(on(28, month=7), {"created_at": opened_at}, on(30, month=7), on(2), opened_at=opened_at)
    assert made["is_release"].to_list() == [False, True, True, True]


def quantised(count, **more):
    return [
        {"model_id": f"packer/m{number}-GGUF", "parents": {f"maker/m{number}": "quantized"}} | more
        for number in range(count)
    ]


def test_who_quantises_his_own_models_is_no_intermediary():
    own = [{"model_id": f"packer/m{number}"} for number in range(10)]
    of_own = [
        {"model_id": f"packer/m{number}-GGUF", "parents": {f"packer/m{number}": "quantized"}} for number in range(20)
    ]
    assert models(*own, *of_own)["intermediary"].null_count() == 30


def test_a_re_upload_bears_its_parents_name_and_a_fine_tune_is_ones_own():
    re_uploads = [{"model_id": f"mirror/M{n}", "parents": {f"maker/m{n}": "finetune"}} for n in range(10)]
    tunes = [{"model_id": f"tuner/t{n}", "parents": {f"maker/m{n}": "finetune"}} for n in range(10)]
    made = models(*re_uploads, *tunes)
    assert made.filter(namespace="mirror")["intermediary"].unique().to_list() == ["re_uploader"]
    assert made.filter(namespace="tuner")["redistributed_as"].null_count() == 10


def test_an_intermediary_of_which_exactly_half_is_of_one_kind_is_mixed():
    re_uploaded = {"model_id": "packer/m10", "parents": {"maker/m10": "finetune"}}
    own = [{"model_id": f"packer/own-{number}"} for number in range(5)]
    kinds = models(*quantised(6), re_uploaded, *own).filter(namespace="packer")["intermediary"]
    assert kinds.unique().to_list() == ["mixed"]


@given(st.integers(0, 15), st.integers(0, 10))
@settings(max_examples=15)
def test_an_intermediary_needs_ten_models_and_most_of_them_others(of_others, own):
    repositories = [*quantised(of_others), *({"model_id": f"packer/own-{number}"} for number in range(own)), {}]
    found = models(*repositories)["intermediary"].drop_nulls()
    is_one = of_others + own >= 10 and of_others > own
    assert found.to_list() == ["quantizer"] * (of_others + own) * is_one


REPOSITORIES = st.lists(
    st.fixed_dictionaries(
        {
            "model_id": st.sampled_from(["Qwen/a-7B", "Qwen/b-GGUF", "meta/c", "bare", "x/y-8x7B-mlx"]),
            "downloads": st.integers(0, 10**15).map(lambda millionths: Decimal(millionths) / 10**6),
            "parents": st.dictionaries(
                st.sampled_from(["Qwen/a-7B", "gone/away"]), st.sampled_from(["merge", "finetune", "unknown"])
            ),
            "tags": st.none() | st.lists(st.sampled_from(["dataset:a", "4-bit", "gguf", "mixtral"])),
        }
    ),
    min_size=1,
    max_size=12,
    unique_by=lambda repository: repository["model_id"],
)


@given(REPOSITORIES)
@settings(max_examples=30)
def test_every_repository_has_one_row_with_its_own_downloads(repositories):
    made = models(*repositories)
    assert made["downloads"].to_list() == [repository["downloads"] for repository in repositories]
    assert made["model_id"].to_list() == [repository["model_id"] for repository in repositories]
    parents = [len(repository["parents"]) for repository in repositories]
    assert made.select(pl.sum_horizontal(pl.col("^.*_parents$"))).to_series().to_list() == parents
    assert made["relation"].is_null().to_list() == [not count for count in parents]
