"""What the Hub tells of a repository besides counters: tags, card, sizes, base models, in the archive's types.

Tags and cards name a parent as it was called when the child was made; `baseModels` follows renames, as the Hub's does.
"""

from __future__ import annotations

import json

import numpy as np
import polars as pl

from synthetic_hub.edges import Identity
from synthetic_hub.lineage import Lineage
from synthetic_hub.naming import FORMATS_OF_SUFFIXES, GGUF_SUFFIXES, NAMED_BILLIONS, SIZES_IN_BILLIONS, Names
from synthetic_hub.pathologies import HOSTILE_TEXTS, NOT_REPOSITORIES, Pathologies
from synthetic_hub.population import ADAPTER, MERGE, NO_RELATION, QUANTIZED, Repositories
from synthetic_hub.targets import table
from synthetic_hub.timeline import Booleans, Integers

PARAMETER_TYPES = ("BF16", "F16", "F32", "I64", "U8")
SIBLINGS_TYPE = pl.List(pl.Struct({"rfilename": pl.String}))

_TAG_END = "\x1f"
"""Stands between tags while they are one text: no tag holds it."""

_LANGUAGES = ("en", "zh", "fr", "de", "ko", "ja", "multilingual", None)
_LANGUAGE_CHANCES = (0.42, 0.1, 0.02, 0.02, 0.02, 0.02, 0.05, 0.35)
_DATASETS = ("synthetic/dialogues", "synthetic/instructions", "synthetic/code", None)
_DATASET_CHANCES = (0.06, 0.08, 0.04, 0.82)


def describe(
    repositories: Repositories,
    lineage: Lineage,
    names: Names,
    *,
    identity: Identity,
    stated: pl.DataFrame,
    found: Pathologies,
    rng: np.random.Generator,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Everything static that the Hub tells of each repository, and what a careful reader makes of it.

    One row per repository each. The first is in the archive's types. The second has the `ATTRIBUTES`, and `parameters`
    (null where neither files nor name say).
    """
    size = repositories.size
    frame = _drawn_facts(repositories, lineage, names, rng).with_columns(
        *_base_model_columns(stated, identity, size), _hostile_tags(size, found)
    )
    static = frame.select(
        identity.hub_id.alias("_id"),
        identity.namespace.alias("author"),
        pl.from_epoch(pl.Series("createdAt", repositories.created), time_unit="s").cast(pl.Datetime("us")),
        pl.Series("likes", np.minimum(repositories.popularity * 3, 2e4).astype(np.int64)),
        "pipeline_tag",
        "library_name",
        _tags().alias("tags"),
        _card().alias("cardData"),
        _config().alias("config"),
        _siblings().alias("siblings"),
        _safetensors(size, found).alias("safetensors"),
        _gguf().alias("gguf"),
        "baseModels",
        pl.Series("gated", ("false", "auto", "manual")).gather(rng.choice(3, size, p=(0.985, 0.01, 0.005))),
    )
    static = static.with_columns(_broken_cards(static["cardData"], frame["base_card"], found))
    return static, _attributes(frame, names, repositories, found)


def _drawn_facts(repositories: Repositories, lineage: Lineage, names: Names, rng: np.random.Generator) -> pl.DataFrame:
    """What a repository is, by its root's family and by lot."""
    size, root, relation = repositories.size, names.primary_root, repositories.relation
    family, families = lineage.family[root], table("families")
    task = _tasks(lineage, root, rng)
    untagged = rng.random(size) < np.where(relation == NO_RELATION, 0.2, 0.1)
    untagged[list(repositories.fixed.values())] = False
    is_gguf = (relation == QUANTIZED) & np.isin(names.suffix, GGUF_SUFFIXES)
    bare = (rng.random(size) < 0.25) & (relation == NO_RELATION)
    diffusion = np.isin(family, [lineage.families.index(name) for name in ("Flux", "Stability")])
    library = np.select(
        [is_gguf, relation == ADAPTER, diffusion, bare], ["gguf", "peft", "diffusers", ""], default="transformers"
    )
    parameters = np.array(SIZES_IN_BILLIONS)[names.size] * 1e9 * rng.uniform(0.98, 1.02, size)
    licensed = rng.random(size) < 0.75
    return pl.DataFrame(
        {
            "pipeline_tag": _where(~untagged, task),
            "library_name": pl.Series(library).replace("", None),
            "license": _where(licensed, families["license"].gather(family)),
            "licence": _where(licensed, families["licence_class"].gather(family)).fill_null("none"),
            "language": _drawn(_LANGUAGES, _LANGUAGE_CHANCES, size, rng),
            "dataset": _drawn(_DATASETS, _DATASET_CHANCES, size, rng),
            "model_type": families["model_type"].gather(family),
            "architecture": families["architecture"].gather(family),
            "arxiv": _papers(size, rng),
            "is_gguf": is_gguf,
            "has_safetensors": (rng.random(size) < 0.8) & ~is_gguf,
            "parameters": parameters.astype(np.int64),
            "is_merge": relation == MERGE,
        }
    )


_BANDS = (
    ("below_1B", 1e9), ("1B_to_5B", 5e9), ("5B_to_10B", 1e10), ("10B_to_50B", 5e10), ("50B_to_100B", 1e11),
)  # fmt: skip


def _attributes(frame: pl.DataFrame, names: Names, repositories: Repositories, found: Pathologies) -> pl.DataFrame:
    broken = found.mask(repositories.size, "absurd_safetensors_total", "null_safetensors_total")
    in_files = (pl.col("has_safetensors") & ~pl.Series(broken)) | pl.col("is_gguf")
    named = pl.Series(np.round(np.array(NAMED_BILLIONS)[names.size] * 1e9).astype(np.int64))
    frame = frame.with_columns(
        parameters=pl.when(in_files).then("parameters").when(pl.Series(names.states_size)).then(named),
    )
    band = pl.lit("unknown")
    for name, end in reversed(_BANDS):
        band = pl.when(pl.col("parameters") < end).then(pl.lit(name)).otherwise(band)
    formats = pl.Series(FORMATS_OF_SUFFIXES).gather(names.suffix.astype(np.int64))
    has_data = pl.col("dataset").is_not_null()
    tasks = table("tasks")
    return frame.select(
        "licence",
        pl.col("pipeline_tag").replace_strict(tasks["task"], tasks["modality"]).fill_null("unknown").alias("modality"),
        band.alias("size_band"),
        pl.when("is_gguf").then(pl.lit("gguf")).when(pl.Series(names.is_mlx)).then(pl.lit("mlx"))
        .when(pl.Series(repositories.relation == QUANTIZED)).then(formats).otherwise(pl.lit("full"))
        .alias("numeric_format"),
        pl.when(pl.col("model_type") == "deepseek_v3").then(pl.lit("mixture_of_experts"))
        .otherwise(pl.lit("dense")).alias("architecture"),
        pl.when(has_data & (pl.col("licence") == "permissive"))
        .then(pl.lit("with_training_data_and_permissive_licence"))
        .when(has_data).then(pl.lit("with_training_data")).otherwise(pl.lit("weights_only")).alias("openness"),
        "parameters",
    )  # fmt: skip


def _where(condition: Booleans, values: pl.Series) -> pl.Series:
    """The values where the condition holds, null elsewhere."""
    return pl.select(pl.when(pl.Series(condition)).then(values)).to_series()


def _drawn(
    values: tuple[str | None, ...], chances: tuple[float, ...], size: int, rng: np.random.Generator
) -> pl.Series:
    return pl.Series(values, dtype=pl.String).gather(rng.choice(len(values), size, p=chances))


def _tasks(lineage: Lineage, root: Integers, rng: np.random.Generator) -> pl.Series:
    """The task of each repository: that of its primary root, drawn from the family's mix."""
    mixes = [[part.split("=") for part in mix.split()] for mix in table("families")["tasks"]]
    values = sorted({task for mix in mixes for task, _ in mix})
    chances = np.zeros((len(mixes), len(values)))
    for number, mix in enumerate(mixes):
        chances[number, [values.index(task) for task, _ in mix]] = [float(chance) for _, chance in mix]
    ends = np.cumsum(chances, axis=1)
    draw = rng.random(len(root))
    place = np.zeros(len(root), np.int64)
    for number in range(len(mixes)):
        of_family = lineage.family == number
        place[of_family] = np.searchsorted(ends[number], draw[of_family], side="right")
    return pl.Series(values).gather(np.minimum(place, len(values) - 1)[root])


def _papers(size: int, rng: np.random.Generator) -> pl.Series:
    number, month = pl.Series(rng.integers(10_000, 30_000, size)), pl.Series(rng.integers(2301, 2312, size))
    return _where(rng.random(size) < 0.15, pl.select(pl.format("arxiv:{}.{}", month, number)).to_series())


def _base_model_columns(stated: pl.DataFrame, identity: Identity, size: int) -> list[pl.Series]:
    """Per repository: base-model tags, the card's own base_model text, and the Hub's resolved `baseModels`."""
    untyped = pl.concat_str(pl.lit("base_model:"), "named")
    typed = pl.concat_str(pl.lit("base_model:"), "relation_stated", pl.lit(":"), "named")
    tags = pl.concat_str(untyped, typed, separator=_TAG_END, ignore_nulls=True)
    tagged = stated.filter(pl.col("evidence") != "card").select("child", tags.alias("base_tags"))
    cards = stated.select("child", pl.concat_str(pl.lit('"'), "named", pl.lit('"')).alias("base_card"))
    several = pl.concat_str(pl.lit("["), pl.col("base_card").str.join(", "), pl.lit("]"))
    card = _by_child(cards, several, size).to_frame()
    resolved = stated.filter(pl.col("parent").is_not_null() & (pl.col("evidence") == "typed"))
    hub_id = identity.hub_id.gather(resolved["parent"])
    linked = resolved.select("child", pl.struct(hub_id.alias("_id"), pl.col("parent_id").alias("id")).alias("models"))
    models = _by_child(linked, pl.col("models"), size, pl.concat_list("models"))
    relation = _by_child(resolved.select("child", "relation"), pl.col("relation").first(), size)
    base_models = pl.when(pl.col("relation").is_not_null()).then(pl.struct("relation", "models"))
    return [
        _by_child(tagged, pl.col("base_tags").str.join(_TAG_END), size),
        card.select(pl.concat_str(pl.lit('"base_model": '), "base_card").alias("base_card")).to_series(),
        pl.DataFrame([relation, models]).select(base_models.alias("baseModels")).to_series(),
    ]


def _by_child(stated: pl.DataFrame, of_several: pl.Expr, size: int, of_one: pl.Expr | None = None) -> pl.Series:
    """A column of statements by repository: null without any, as it is with one, and put together with several.

    Most children state one parent: putting together only the others' statements is several times faster.
    """
    column = stated.columns[1]
    child = stated["child"].to_numpy()
    count = np.bincount(child, minlength=size)
    alone = pl.Series(count[child] == 1)
    one = stated.filter(alone).select("child", (pl.col(column) if of_one is None else of_one).alias(column))
    several = stated.filter(~alone).group_by("child").agg(of_several.alias(column))
    grouped = pl.concat([one, several])
    place = np.full(size, grouped.height, np.int64)
    place[grouped["child"].to_numpy()] = np.arange(grouped.height)
    return grouped[column].extend_constant(None, 1).gather(place).alias(column)


def _tags() -> pl.Expr:
    """Tags in the order in which the Hub lists them: joined, then split, many times faster than lists of lists."""

    def flag(condition: pl.Expr, text: str) -> pl.Expr:
        return pl.when(condition).then(pl.lit(text))

    text = pl.concat_str(
        pl.when(pl.col("library_name") != "gguf").then("library_name"),
        flag(pl.col("has_safetensors"), "safetensors"),
        flag(pl.col("is_gguf"), "gguf"),
        "model_type",
        "pipeline_tag",
        flag(pl.col("is_merge"), f"merge{_TAG_END}mergekit"),
        "language",
        "arxiv",
        pl.concat_str(pl.lit("dataset:"), "dataset"),
        "base_tags",
        pl.concat_str(pl.lit("license:"), "license"),
        flag(pl.col("pipeline_tag") == "text-generation", "endpoints_compatible"),
        pl.lit("region:us"),
        "hostile_tag",
        separator=_TAG_END,
        ignore_nulls=True,
    )
    return text.str.split(_TAG_END)


def _card() -> pl.Expr:
    """The card's metadata as the archive has it: a JSON text, or null for a repository without a card."""

    def entry(key: str, column: str) -> pl.Expr:
        return pl.concat_str(pl.lit(f'"{key}": "'), column, pl.lit('"'))

    parts = pl.concat_str(
        entry("license", "license"),
        "base_card",
        entry("library_name", "library_name"),
        pl.concat_str(pl.lit('"language": ["'), "language", pl.lit('"]')),
        pl.concat_str(pl.lit('"datasets": ["'), "dataset", pl.lit('"]')),
        separator=", ",
        ignore_nulls=True,
    )
    return pl.when(parts != "").then(pl.concat_str(pl.lit("{"), parts, pl.lit("}")))


def _config() -> pl.Expr:
    return pl.when(~pl.col("is_gguf")).then(
        pl.concat_str(
            pl.lit('{"architectures": ["'), "architecture", pl.lit('"], "model_type": "'), "model_type", pl.lit('"}')
        )
    )


def _siblings() -> pl.Expr:
    """A short list of files for llama.cpp repositories; nothing for the others, as in most listings."""
    files = [{"rfilename": ".gitattributes"}, {"rfilename": "README.md"}, {"rfilename": "model-Q4_K_M.gguf"}]
    return pl.when(pl.col("is_gguf")).then(pl.lit(files, dtype=SIBLINGS_TYPE))


def _safetensors(size: int, found: Pathologies) -> pl.Expr:
    absurd, missing = (pl.Series(found.mask(size, f"{kind}_safetensors_total")) for kind in ("absurd", "null"))
    total = pl.when(absurd).then(pl.lit(10**18 + 7)).otherwise("parameters")
    nothing = pl.lit(None, dtype=pl.Int64)
    in_files = pl.when(~missing).then("parameters")
    types = pl.struct(in_files.alias("BF16"), *[nothing.alias(name) for name in PARAMETER_TYPES[1:]])
    return pl.when("has_safetensors").then(
        pl.struct(types.alias("parameters"), pl.when(~missing).then(total).cast(pl.Int64).alias("total"))
    )


def _gguf() -> pl.Expr:
    """llama.cpp metadata, a JSON text in the archive."""
    return pl.when("is_gguf").then(
        pl.concat_str(
            pl.lit('{"total": '),
            pl.col("parameters").cast(pl.String),
            pl.lit(', "architecture": "'),
            pl.col("model_type").fill_null("unknown"),
            pl.lit('", "context_length": 32768}'),
        )
    )


def _broken_cards(cards: pl.Series, base_cards: pl.Series, found: Pathologies) -> pl.Series:
    """Cards with texts that must never be run, shown or believed, and base models that are no repositories."""
    broken: dict[int, str] = {}
    for number, index in enumerate(found.of("hostile_card").tolist()):
        text = HOSTILE_TEXTS[number % len(HOSTILE_TEXTS)]
        card = json.loads("{" + (base_cards[index] or "") + "}")
        broken[index] = json.dumps({**card, "license": "other", "model_name": text, "tags": [text]}, ensure_ascii=False)
    for number, index in enumerate(found.of("base_model_not_a_repository").tolist()):
        broken[index] = json.dumps({"license": "mit", "base_model": NOT_REPOSITORIES[number % len(NOT_REPOSITORIES)]})
    return cards.scatter(list(broken), list(broken.values())) if broken else cards


def _hostile_tags(size: int, found: Pathologies) -> pl.Series:
    members = found.of("hostile_card")
    tags = pl.Series("hostile_tag", [None], dtype=pl.String).extend_constant(None, size - 1)
    texts = [HOSTILE_TEXTS[number % len(HOSTILE_TEXTS)] for number in range(len(members))]
    return tags.scatter(members, texts) if texts else tags
