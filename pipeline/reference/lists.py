"""The reviewed lists: facts that a person edits, as files beside this one."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

import polars as pl

from pipeline.digest import digest_of

FOLDER = Path(str(files("pipeline.reference")))
WORD_LISTS = ("licences.csv", "modalities.csv", "numeric_formats.csv", "expert_architectures.csv", "model_sizes.csv")
"""What `attribute_words` reads."""


@dataclass(frozen=True)
class AttributeWords:
    """What the declared words stand for; words that are not listed are `custom` licences and `other` modalities.

    `licences` maps the Hub's identifier of a licence to its class, `modalities` the Hub's task to its modality,
    `numeric_formats` a tag to the format that it states. `expert_architectures` are tags of mixtures of experts,
    `sizes` the parameters of repositories whose files or names mislead.
    """

    licences: Mapping[str, str]
    modalities: Mapping[str, str]
    numeric_formats: Mapping[str, str]
    expert_architectures: tuple[str, ...]
    sizes: Mapping[str, int]


def read_list(name: str) -> pl.DataFrame:
    """A list by the name of its file, every value as it is written; what is empty is absent."""
    return pl.read_csv(FOLDER / name, infer_schema=False, null_values=[""])


def list_digests(*names: str) -> dict[str, str]:
    """The digest of each list, by the name of its file: it goes with whatever is made by the list."""
    return {name: digest_of(FOLDER / name) for name in names}


def relations() -> pl.LazyFrame:
    """The words that developers use for a relation, and the relation that each stands for."""
    return read_list("relations.csv").lazy()


def renames() -> pl.LazyFrame:
    """Repositories and namespaces that go by another name today."""
    return read_list("renames.csv").lazy()


def language_tasks() -> list[str]:
    """The Hub's tasks of text and vision-language models: the population `language_models`."""
    return read_list("language_tasks.csv")["task"].to_list()


@cache
def attribute_words() -> AttributeWords:
    """Words for what models are: licences, modalities, numeric formats, architectures, sizes."""
    licences, modalities, formats, architectures, sizes = (
        dict(read_list(name)[:, :2].iter_rows()) for name in WORD_LISTS
    )
    return AttributeWords(
        licences, modalities, formats, tuple(architectures), {name: int(size) for name, size in sizes.items()}
    )
