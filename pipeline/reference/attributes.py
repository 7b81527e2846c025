"""Reviewed words for what models are: licences, modalities, numeric formats, architectures, sizes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from pipeline.reference.lists import read_list


@dataclass(frozen=True)
class AttributeWords:
    """What the declared words stand for; words that are not listed are `custom` licences and `other` modalities."""

    licences: Mapping[str, str]
    """The Hub's identifier of a licence, and its class."""
    modalities: Mapping[str, str]
    """The Hub's task, and its modality."""
    numeric_formats: Mapping[str, str]
    """A tag, and the numeric format that it states."""
    expert_architectures: tuple[str, ...]
    """Tags of mixtures of experts."""
    sizes: Mapping[str, int]
    """Parameters of repositories whose files or names mislead."""


REVIEWED_LISTS = (
    "licences.csv",
    "modalities.csv",
    "numeric_formats.csv",
    "expert_architectures.csv",
    "model_sizes.csv",
)


@cache
def attribute_words() -> AttributeWords:
    """The reviewed lists of `pipeline/reference`."""
    pairs = {name: dict(read_list(name)[:, :2].iter_rows()) for name in REVIEWED_LISTS}
    return AttributeWords(
        licences=pairs["licences.csv"],
        modalities=pairs["modalities.csv"],
        numeric_formats=pairs["numeric_formats.csv"],
        expert_architectures=tuple(pairs["expert_architectures.csv"]),
        sizes={name: int(size) for name, size in pairs["model_sizes.csv"].items()},
    )
