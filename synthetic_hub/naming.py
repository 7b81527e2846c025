"""Names of repositories: invented, in the styles the real ones have, and unique inside each account."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from synthetic_hub.accounts import Accounts
from synthetic_hub.lineage import Lineage
from synthetic_hub.pathologies import HOSTILE_NAMES, LEGACY_NAMES, Pathologies
from synthetic_hub.population import NO_RELATION, Repositories
from synthetic_hub.timeline import Booleans, Integers

_WORDS = [
    "Aster", "Basalt", "Cinder", "Drift", "Elm", "Fathom", "Glade", "Harbor", "Iris", "Jade", "Krill", "Larch", "Mesa",
    "Nimbus", "Onyx", "Pollen", "Quill", "Reef", "Sable", "Tundra", "Umber", "Vesper", "Willow", "Zephyr",
]  # fmt: skip
_TASKS = [
    "classifier", "embedder", "tagger", "summarizer", "translator", "lora-test", "demo", "backbone", "detector",
    "captioner",
]  # fmt: skip
_SIZES = ("0.5B", "1.5B", "3B", "7B", "8B", "14B", "32B", "72B")
SIZES_IN_BILLIONS = (0.49, 1.54, 3.09, 7.62, 8.03, 14.8, 32.8, 72.7)
NAMED_BILLIONS = (0.5, 1.5, 3.0, 7.0, 8.0, 14.0, 32.0, 72.0)
"""What the names say of these sizes."""
_SIZE_CHANCES = (0.1, 0.14, 0.14, 0.24, 0.18, 0.1, 0.06, 0.04)
_STYLES = ("", "-Instruct", "-Base", "-Chat")
_SUFFIXES = (
    ("-sft", "-Instruct", "-DPO", "-math", "-medical", "-roleplay", "-coder", "-summary"),
    ("-lora", "-qlora", "-adapter", "-lora-r16", "-peft", "-lora-chat", "-style-lora", "-dpo-lora"),
    ("-slerp", "-merge", "-dare-ties", "-stock", "-frankenmerge", "-mix", "-task-arithmetic", "-linear"),
    ("-GGUF", "-AWQ", "-GPTQ-Int4", "-4bit", "-i1-GGUF", "-FP8", "-GGUF", "-bnb-4bit"),
)
GGUF_SUFFIXES = (0, 4, 6)
"""Places of the suffixes above that stand for llama.cpp files."""
FORMATS_OF_SUFFIXES = ("gguf", *["4_bit_and_below"] * 3, "gguf", "8_bit", "gguf", "4_bit_and_below")
"""The numeric format that each suffix of a quantised model states."""


@dataclass(frozen=True)
class Names:
    """Names by repository, and what they were chosen from."""

    primary_root: Integers
    size: npt.NDArray[np.int8]
    """Place of the primary root's size in `SIZES_IN_BILLIONS`."""
    suffix: npt.NDArray[np.int8]
    """Place of a derivative's suffix among the eight of its relation."""
    states_size: Booleans
    """Whether the name says how large the model is."""
    is_mlx: Booleans
    """Whether the name says that the weights are in MLX's format."""
    name: pl.Series
    former_name: pl.Series
    """The repository's own name before it was renamed, else null; its account may have a former name besides."""


def name_repositories(
    accounts: Accounts, repositories: Repositories, lineage: Lineage, found: Pathologies, rng: np.random.Generator
) -> Names:
    """Names for every repository; derivatives have their primary root's in theirs."""
    size = repositories.size
    root = primary_roots(lineage, size)
    number = _number_in_account(repositories.account)
    sizes = rng.choice(len(_SIZES), size, p=_SIZE_CHANCES).astype(np.int8)[root]
    style = rng.choice(len(_STYLES), size, p=(0.45, 0.3, 0.15, 0.1))
    suffix = rng.integers(0, 8, size).astype(np.int8)
    is_real = repositories.account < accounts.first_person
    stem = accounts.real["stem"].gather(np.minimum(repositories.account, accounts.first_person - 1))
    word = pl.Series(_WORDS).gather((number + repositories.account) % len(_WORDS))
    frame = pl.DataFrame({"stem": stem, "word": word, "number": number, "is_real": is_real}).with_columns(
        pl.Series(_TASKS).gather(number % len(_TASKS)).alias("task"),
        pl.Series(_SIZES).gather(sizes).alias("size"),
        pl.Series(_STYLES).gather(style).alias("style"),
    )
    round_ = pl.col("number") // len(_WORDS) + 1
    repeated = pl.when(round_ > 1).then(round_.cast(pl.String)).otherwise(pl.lit(""))
    by_real = pl.concat_str("stem", pl.lit("-"), "word", repeated, pl.lit("-"), "size", "style")
    by_others = pl.concat_str(pl.col("word").str.to_lowercase(), pl.lit("-"), "task", pl.lit("-"), "number")
    given = _given(repositories, found)
    own = frame.select(pl.when("is_real").then(by_real).otherwise(by_others)).to_series()
    own = own.scatter(list(given), list(given.values()))
    suffixes = pl.Series([part for parts in _SUFFIXES for part in parts])
    ending = suffixes.gather(np.maximum(repositories.relation, 0).astype(np.int64) * 8 + suffix)
    derives = pl.Series(repositories.relation != NO_RELATION)
    name = pl.select(
        pl.when(derives).then(pl.concat_str(own.gather(root), ending, pl.lit("-"), pl.Series(number))).otherwise(own)
    ).to_series()
    renamed = found.of("renamed")
    former = pl.Series("former_name", [None], dtype=pl.String).extend_constant(None, size - 1)
    former = former.scatter(renamed, name.gather(renamed) + "-preview")
    says_size = is_real & ~np.isin(np.arange(size), list(given))
    is_mlx = says_size & (stem == "mlx").to_numpy()
    return Names(root, sizes, suffix, says_size[root], is_mlx[root], name, former)


def primary_roots(lineage: Lineage, size: int) -> Integers:
    """The root that each repository reaches by its first-named parent, and that one's, and so on."""
    above = np.arange(size)
    children, first = np.unique(lineage.child, return_index=True)
    above[children] = lineage.parent[first]
    while True:
        further = above[above]
        if np.array_equal(further, above):
            return above
        above = further


def _number_in_account(account: npt.NDArray[np.int32]) -> Integers:
    order = np.argsort(account, kind="stable")
    starts = np.flatnonzero(np.diff(account[order], prepend=-1))
    number = np.empty(len(account), np.int64)
    number[order] = np.arange(len(account)) - np.repeat(starts, np.diff(np.append(starts, len(account))))
    return number


def _given(repositories: Repositories, found: Pathologies) -> dict[int, str]:
    """Names that are set by hand: the targets', the hostile and the legacy ones."""
    given = {index: name.split("/")[1] for name, index in repositories.fixed.items()}
    given |= dict(zip(found.of("hostile_name").tolist(), HOSTILE_NAMES, strict=False))
    return given | dict(zip(found.of("no_namespace").tolist(), LEGACY_NAMES, strict=False))
