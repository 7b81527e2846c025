"""What the Hub tells of a repository besides counters: tags, card, sizes, base models, in the archive's types.

Tags and cards name a parent as it was called when the child was made; `baseModels` follows renames, as the Hub's does.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from synthetic_hub.cast import Accounts
from synthetic_hub.lineage import Lineage
from synthetic_hub.naming import (
    FORMATS_OF_SUFFIXES,
    GGUF_SUFFIXES,
    NAMED_BILLIONS,
    SIZES_IN_BILLIONS,
    Names,
)
from synthetic_hub.pathologies import FREE_TEXT_RELATIONS, HOSTILE_TEXTS, NOT_REPOSITORIES, Pathologies
from synthetic_hub.population import (
    ADAPTER,
    MERGE,
    NEVER,
    NO_RELATION,
    QUANTIZED,
    RELATIONS,
    Repositories,
)
from synthetic_hub.timeline import Booleans

PARAMETER_TYPES = ("BF16", "F16", "F32", "I64", "U8")
BASE_MODELS_TYPE = pl.Struct({"relation": pl.String, "models": pl.List(pl.Struct({"_id": pl.String, "id": pl.String}))})
SAFETENSORS_TYPE = pl.Struct({"parameters": pl.Struct(dict.fromkeys(PARAMETER_TYPES, pl.Int64)), "total": pl.Int64})
SIBLINGS_TYPE = pl.List(pl.Struct({"rfilename": pl.String}))

_TASKS_OF_FAMILY = {
    "Flux": (("text-to-image", 0.9), ("image-to-image", 0.1)),
    "Stability": (("text-to-image", 0.8), ("image-to-video", 0.1), ("text-generation", 0.1)),
    "Google": (
        ("text-generation", 0.45), ("fill-mask", 0.25), ("text2text-generation", 0.15), ("image-text-to-text", 0.15),
    ),
    "Meta": (("fill-mask", 0.4), ("automatic-speech-recognition", 0.3), ("text-generation", 0.3)),
    "Other China": (
        ("text-generation", 0.5), ("sentence-similarity", 0.2), ("image-text-to-text", 0.2), ("text-to-video", 0.1),
    ),
    "Other": (
        ("text-generation", 0.25), ("text-classification", 0.15), ("automatic-speech-recognition", 0.1),
        ("image-classification", 0.1), ("sentence-similarity", 0.1), ("token-classification", 0.05),
        ("translation", 0.05), ("text-to-speech", 0.05), ("reinforcement-learning", 0.1), ("text-to-image", 0.05),
    ),
}  # fmt: skip
_LANGUAGE_MODEL_TASKS = (("text-generation", 0.85), ("image-text-to-text", 0.1), ("feature-extraction", 0.05))

_ARCHITECTURES = {
    "Qwen": ("qwen2", "Qwen2ForCausalLM"), "DeepSeek": ("deepseek_v3", "DeepseekV3ForCausalLM"),
    "Other China": ("chatglm", "ChatGLMModel"), "Llama": ("llama", "LlamaForCausalLM"),
    "Google": ("gemma2", "Gemma2ForCausalLM"), "Meta": ("roberta", "RobertaForMaskedLM"),
    "Mistral": ("mistral", "MistralForCausalLM"), "Microsoft": ("phi3", "Phi3ForCausalLM"),
    "Flux": (None, None), "Stability": (None, None), "Other": ("bert", "BertModel"),
}  # fmt: skip
_LICENSES = {
    "Qwen": "apache-2.0", "DeepSeek": "mit", "Other China": "apache-2.0", "Llama": "llama3.1", "Google": "gemma",
    "Meta": "mit", "Mistral": "apache-2.0", "Microsoft": "mit", "Flux": "other", "Stability": "openrail++",
    "Other": "apache-2.0",
}  # fmt: skip
_TAG_END = "\x1f"
"""Stands between tags while they are one text: no tag holds it."""

_LANGUAGES = ("en", "zh", "fr", "de", "ko", "ja", "multilingual", None)
_LANGUAGE_CHANCES = (0.42, 0.1, 0.02, 0.02, 0.02, 0.02, 0.05, 0.35)
_DATASETS = ("synthetic/dialogues", "synthetic/instructions", "synthetic/code", None)
_DATASET_CHANCES = (0.06, 0.08, 0.04, 0.82)


@dataclass(frozen=True)
class Identity:
    """Ids by repository: the Hub's immutable one, and the name it goes by at the end and went by before."""

    hub_id: pl.Series
    namespace: pl.Series
    """Null for legacy names."""
    model_id: pl.Series
    former_id: pl.Series
    renamed_at: npt.NDArray[np.int64]
    """When it took its present name: `NEVER` where it has always had it."""


def identify(
    accounts: Accounts, repositories: Repositories, names: Names, found: Pathologies, hub_id: pl.Series
) -> Identity:
    """Full ids, with former names of accounts and of repositories."""
    frame = accounts.frame()
    namespace = frame["namespace"].gather(repositories.account)
    former_namespace = frame["former_name"].gather(repositories.account)
    renamed_on = frame["renamed_on"].cast(pl.Datetime).dt.epoch("s").gather(repositories.account)
    renamed_at = renamed_on.fill_null(NEVER).to_numpy().copy()
    renamed_at[repositories.created >= renamed_at] = NEVER
    renamed_at[found.renamed] = np.minimum(renamed_at[found.renamed], found.renamed_at)
    table = pl.DataFrame(
        {
            "namespace": namespace,
            "former_namespace": former_namespace,
            "name": names.name,
            "former_name": names.former_name,
            "renamed": pl.Series(renamed_at < NEVER),
        }
    )
    table = table.with_columns(table["namespace"].scatter(found.without_namespace, None))
    table = table.with_columns(
        pl.concat_str("namespace", "name", separator="/", ignore_nulls=True).alias("model_id"),
        pl.when("renamed")
        .then(
            pl.concat_str(pl.coalesce("former_namespace", "namespace"), pl.lit("/"), pl.coalesce("former_name", "name"))
        )
        .alias("former_id"),
    )
    return Identity(hub_id, table["namespace"], table["model_id"], table["former_id"], renamed_at)


@dataclass(frozen=True)
class Edges:
    """What cards and tags say of parents, one row per statement.

    Columns: `child, parent` (numbers; parent null where nobody lists it), `parent_account`, `named` (the parent as the
    card names it), `parent_id` (its present name), `relation` (one of `RELATIONS`, `unspecified`, `other`),
    `relation_stated` (as the tags have it, or null), `evidence` (`typed`, `untyped`, `card`, `free_text`), `origin`
    (false for statements that carry no origin: of oneself, inside a cycle).
    """

    frame: pl.DataFrame


def edges(repositories: Repositories, lineage: Lineage, identity: Identity, found: Pathologies) -> Edges:
    """The planted lineage as it is stated, faults included."""
    child = np.concatenate([lineage.child, found.self_references, *found.cycles])
    around = [np.roll(members, -1) for members in found.cycles]
    parent = np.concatenate([lineage.parent, found.self_references, *around])
    origin = np.arange(len(child)) < len(lineage.child)
    relation = repositories.relation[child].astype(np.int64)
    relation[~origin] = 0
    named_formerly = (identity.renamed_at[parent] < NEVER) & (repositories.created[child] < identity.renamed_at[parent])
    missing = np.isin(child, found.missing_parents)
    frame = pl.DataFrame(
        {
            "child": child,
            "parent": parent,
            "relation": pl.Series(RELATIONS).gather(relation),
            "origin": origin,
            "parent_id": identity.model_id.gather(parent),
            "former_id": identity.former_id.gather(parent),
            "parent_account": repositories.account[parent],
            "named_formerly": named_formerly,
            "missing": missing,
            "free_text": pl.Series(FREE_TEXT_RELATIONS).gather(child % len(FREE_TEXT_RELATIONS)),
            "is_free_text": np.isin(child, found.free_text),
            "evidence": pl.Series(("typed", "untyped", "card", "free_text")).gather(
                np.select(
                    [np.isin(child, part) for part in (found.untyped_edges, found.card_only, found.free_text)],
                    [1, 2, 3],
                    default=0,
                )
            ),
        }
    )
    withdrawn = pl.concat_str("parent_id", pl.lit("-withdrawn"))
    frame = pl.concat([frame, frame.filter(pl.col("child").is_in(found.repeated_edges))])
    stated = frame.with_columns(
        pl.when("missing").then(withdrawn).otherwise("parent_id").alias("parent_id"),
        pl.when("missing").then(None).otherwise("parent").alias("parent"),
        pl.when("missing").then(withdrawn)
        .when("named_formerly").then("former_id")
        .otherwise("parent_id").alias("named"),
        pl.when(pl.col("evidence") == "free_text").then("free_text")
        .when(pl.col("evidence").is_in(["untyped", "card"])).then(None)
        .otherwise("relation").alias("relation_stated"),
        pl.when(pl.col("evidence") == "free_text").then(pl.lit("other"))
        .when(pl.col("evidence").is_in(["untyped", "card"])).then(pl.lit("unspecified"))
        .otherwise("relation").alias("relation"),
    )  # fmt: skip
    return Edges(
        stated.select(
            "child",
            "parent",
            "parent_account",
            "named",
            "parent_id",
            "relation",
            "relation_stated",
            "evidence",
            "origin",
        )
    )


@dataclass(frozen=True)
class Description:
    """What the Hub tells of each repository, and what a careful reader makes of it; one row per repository each.

    `static` is in the archive's types. `traits` has `licence`, `modality`, `size_band`, `numeric_format`,
    `architecture`, `openness` and `parameters` (null where neither files nor name say).
    """

    static: pl.DataFrame
    traits: pl.DataFrame


def describe(
    repositories: Repositories,
    lineage: Lineage,
    names: Names,
    *,
    identity: Identity,
    stated: Edges,
    found: Pathologies,
    rng: np.random.Generator,
) -> Description:
    """Everything static that the Hub tells of each repository."""
    size = repositories.size
    root, relation = names.primary_root, repositories.relation
    family = pl.Series(lineage.families).gather(lineage.family[root])
    task = _tasks(lineage, root, rng)
    untagged = rng.random(size) < np.where(relation == NO_RELATION, 0.2, 0.1)
    untagged[list(repositories.fixed.values())] = False
    is_gguf = (relation == QUANTIZED) & np.isin(names.suffix, GGUF_SUFFIXES)
    bare = (rng.random(size) < 0.25) & (relation == NO_RELATION)
    diffusion = np.isin(lineage.family[root], [lineage.families.index(name) for name in ("Flux", "Stability")])
    library = np.select(
        [is_gguf, relation == ADAPTER, diffusion, bare], ["gguf", "peft", "diffusers", ""], default="transformers"
    )
    parameters = np.array(SIZES_IN_BILLIONS)[names.size] * 1e9 * rng.uniform(0.98, 1.02, size)
    frame = pl.DataFrame(
        {
            "family": family,
            "pipeline_tag": pl.select(pl.when(pl.Series(~untagged)).then(task)).to_series(),
            "library_name": pl.Series(library).replace("", None),
            "license": pl.select(
                pl.when(pl.Series(rng.random(size) < 0.75)).then(family.replace_strict(_LICENSES))
            ).to_series(),
            "language": _drawn(_LANGUAGES, _LANGUAGE_CHANCES, size, rng),
            "dataset": _drawn(_DATASETS, _DATASET_CHANCES, size, rng),
            "model_type": family.replace_strict({name: kind for name, (kind, _) in _ARCHITECTURES.items()}),
            "architecture": family.replace_strict({name: cls for name, (_, cls) in _ARCHITECTURES.items()}),
            "arxiv": _papers(size, rng),
            "is_gguf": is_gguf,
            "has_safetensors": (rng.random(size) < 0.8) & ~is_gguf,
            "parameters": parameters.astype(np.int64),
            "is_merge": relation == MERGE,
            "hostile_tag": _hostile_tags(size, found),
        }
    ).with_columns(_base_model_columns(stated, identity, size))
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
        _safetensors(repositories, found).alias("safetensors"),
        _gguf().alias("gguf"),
        "baseModels",
        _gated(rng, size).alias("gated"),
    )
    static = static.with_columns(_spoilt_cards(static["cardData"], frame["base_card"], found))
    return Description(static, _traits(frame, names, repositories, found))


_LICENCE_CLASSES = {
    "apache-2.0": "permissive", "mit": "permissive", "llama3.1": "use_restricted", "gemma": "use_restricted",
    "openrail++": "use_restricted", "other": "custom",
}  # fmt: skip
_MODALITIES = {
    "image": ("text-to-image", "image-to-image", "image-classification"),
    "video_generation": ("image-to-video", "text-to-video"),
    "audio": ("automatic-speech-recognition", "text-to-speech"),
    "multimodal": ("image-text-to-text",),
    "other": ("reinforcement-learning",),
}
_MODALITY_OF_TASK = {task: modality for modality, tasks in _MODALITIES.items() for task in tasks}
_BANDS = (
    ("below_1B", 1e9), ("1B_to_5B", 5e9), ("5B_to_10B", 1e10), ("10B_to_50B", 5e10), ("50B_to_100B", 1e11),
)  # fmt: skip


def _traits(frame: pl.DataFrame, names: Names, repositories: Repositories, found: Pathologies) -> pl.DataFrame:
    size = repositories.size
    counted = frame["has_safetensors"].to_numpy() & ~_mask(size, found.absurd_sizes) & ~_mask(size, found.null_sizes)
    in_files = counted | frame["is_gguf"].to_numpy()
    named = pl.Series(np.round(np.array(NAMED_BILLIONS)[names.size] * 1e9).astype(np.int64))
    formats = pl.Series(FORMATS_OF_SUFFIXES).gather(names.suffix.astype(np.int64))
    band = pl.lit("unknown")
    for name, end in reversed(_BANDS):
        band = pl.when(pl.col("parameters") < end).then(pl.lit(name)).otherwise(band)
    licence = pl.col("license").replace_strict(_LICENCE_CLASSES)
    declares_data = pl.col("dataset").is_not_null()
    return (
        frame.with_columns(
            pl.when(pl.Series(in_files)).then("parameters").when(pl.Series(names.states_size)).then(named)
            .alias("parameters"),
            pl.Series("is_mlx", names.is_mlx),
            pl.Series("is_quantized", repositories.relation == QUANTIZED),
        )
        .select(
            licence.fill_null("none").alias("licence"),
            pl.when(pl.col("pipeline_tag").is_null()).then(pl.lit("unknown"))
            .otherwise(pl.col("pipeline_tag").replace_strict(_MODALITY_OF_TASK, default="text")).alias("modality"),
            band.alias("size_band"),
            pl.when("is_gguf").then(pl.lit("gguf")).when("is_mlx").then(pl.lit("mlx"))
            .when("is_quantized").then(formats).otherwise(pl.lit("full")).alias("numeric_format"),
            pl.when(pl.col("model_type") == "deepseek_v3").then(pl.lit("mixture_of_experts"))
            .otherwise(pl.lit("dense")).alias("architecture"),
            pl.when(declares_data & (licence == "permissive"))
            .then(pl.lit("with_training_data_and_permissive_licence"))
            .when(declares_data).then(pl.lit("with_training_data")).otherwise(pl.lit("weights_only"))
            .alias("openness"),
            "parameters",
        )
    )  # fmt: skip


def _drawn(
    values: tuple[str | None, ...], chances: tuple[float, ...], size: int, rng: np.random.Generator
) -> pl.Series:
    return pl.Series(values, dtype=pl.String).gather(rng.choice(len(values), size, p=chances))


def _tasks(lineage: Lineage, root: npt.NDArray[np.int64], rng: np.random.Generator) -> pl.Series:
    """The task of each repository: that of its primary root, drawn from the family's mix."""
    values = sorted({task for mix in (*_TASKS_OF_FAMILY.values(), _LANGUAGE_MODEL_TASKS) for task, _ in mix})
    chances = np.zeros((len(lineage.families), len(values)))
    for number, family in enumerate(lineage.families):
        for task, chance in _TASKS_OF_FAMILY.get(family, _LANGUAGE_MODEL_TASKS):
            chances[number, values.index(task)] = chance
    ends = np.cumsum(chances, axis=1)
    draw = rng.random(len(root))
    place = np.zeros(len(root), np.int64)
    for number in range(len(lineage.families)):
        of_family = lineage.family == number
        place[of_family] = np.searchsorted(ends[number], draw[of_family], side="right")
    return pl.Series(values).gather(np.minimum(place, len(values) - 1)[root])


def _papers(size: int, rng: np.random.Generator) -> pl.Series:
    number = pl.Series(rng.integers(10_000, 30_000, size))
    month = pl.Series(rng.integers(2301, 2312, size))
    has = pl.Series(rng.random(size) < 0.15)
    return pl.select(pl.when(has).then(pl.format("arxiv:{}.{}", month, number))).to_series()


def _base_model_columns(stated: Edges, identity: Identity, size: int) -> list[pl.Series]:
    """Per repository: base-model tags, the card's own base_model text, and the Hub's resolved `baseModels`."""
    said = stated.frame
    untyped = pl.concat_str(pl.lit("base_model:"), "named")
    typed = pl.concat_str(pl.lit("base_model:"), "relation_stated", pl.lit(":"), "named")
    tags = pl.concat_str(untyped, typed, separator=_TAG_END, ignore_nulls=True)
    tagged = said.filter(pl.col("evidence") != "card").select("child", tags.alias("base_tags"))
    cards = said.select("child", pl.concat_str(pl.lit('"'), "named", pl.lit('"')).alias("base_card"))
    several = pl.concat_str(pl.lit("["), pl.col("base_card").str.join(", "), pl.lit("]"))
    card = _by_child(cards, several, size)
    resolved = said.filter(pl.col("parent").is_not_null() & (pl.col("evidence") == "typed"))
    resolved = resolved.select(
        "child",
        "relation",
        pl.struct(identity.hub_id.gather(resolved["parent"]).alias("_id"), pl.col("parent_id").alias("id")).alias(
            "models"
        ),
    )
    models = _by_child(resolved.select("child", "models"), pl.col("models"), size, pl.concat_list("models"))
    relation = _by_child(resolved.select("child", "relation"), pl.col("relation").first(), size)
    base_models = pl.DataFrame([relation, models]).select(
        pl.when(pl.col("relation").is_not_null()).then(pl.struct("relation", "models")).alias("baseModels")
    )
    return [
        _by_child(tagged, pl.col("base_tags").str.join(_TAG_END), size),
        card.to_frame().select(pl.concat_str(pl.lit('"base_model": '), "base_card").alias("base_card")).to_series(),
        base_models.to_series(),
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


def _safetensors(repositories: Repositories, found: Pathologies) -> pl.Expr:
    size = repositories.size
    total = pl.when(pl.Series(_mask(size, found.absurd_sizes))).then(pl.lit(10**18 + 7)).otherwise("parameters")
    total = pl.when(~pl.Series(_mask(size, found.null_sizes))).then(total).cast(pl.Int64)
    nothing = pl.lit(None, dtype=pl.Int64)
    types = pl.struct(
        pl.col("parameters").cast(pl.Int64).alias("BF16"), *[nothing.alias(name) for name in PARAMETER_TYPES[1:]]
    )
    return pl.when("has_safetensors").then(pl.struct(types.alias("parameters"), total.alias("total")))


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


def _gated(rng: np.random.Generator, size: int) -> pl.Series:
    return pl.Series(("false", "auto", "manual")).gather(rng.choice(3, size, p=(0.985, 0.01, 0.005)))


def _spoilt_cards(cards: pl.Series, base_cards: pl.Series, found: Pathologies) -> pl.Series:
    """Cards with texts that must never be run, shown or believed, and base models that are no repositories."""
    spoilt: dict[int, str] = {}
    for number, index in enumerate(found.hostile_cards.tolist()):
        text = HOSTILE_TEXTS[number % len(HOSTILE_TEXTS)]
        base = base_cards[index]
        card = json.loads("{" + base + "}") if base else {}
        spoilt[index] = json.dumps({**card, "license": "other", "model_name": text, "tags": [text]}, ensure_ascii=False)
    for number, index in enumerate(found.unparsable_bases.tolist()):
        spoilt[index] = json.dumps({"license": "mit", "base_model": NOT_REPOSITORIES[number % len(NOT_REPOSITORIES)]})
    return cards.scatter(list(spoilt), list(spoilt.values())) if spoilt else cards


def _hostile_tags(size: int, found: Pathologies) -> pl.Series:
    tags = pl.Series("hostile_tag", [None], dtype=pl.String).extend_constant(None, size - 1)
    texts = [HOSTILE_TEXTS[number % len(HOSTILE_TEXTS)] for number in range(len(found.hostile_cards))]
    return tags.scatter(found.hostile_cards, texts) if texts else tags


def _mask(size: int, members: npt.NDArray[np.int64]) -> Booleans:
    mask = np.zeros(size, bool)
    mask[members] = True
    return mask
