"""Reviewed words for what models are: licences, modalities, numeric formats, architectures, sizes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import polars as pl


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
    return AttributeWords(
        licences=_pairs("licences.csv", "licence", "class"),
        modalities=_pairs("modalities.csv", "task", "modality"),
        numeric_formats=_pairs("numeric_formats.csv", "tag", "format"),
        expert_architectures=tuple(_read("expert_architectures.csv")["tag"]),
        sizes={name: int(size) for name, size in _pairs("model_sizes.csv", "repository", "parameters").items()},
    )


def _pairs(name: str, key: str, value: str) -> dict[str, str]:
    return dict(_read(name).select(key, value).iter_rows())


def _read(name: str) -> pl.DataFrame:
    return pl.read_csv(files("pipeline.reference").joinpath(name).read_bytes(), infer_schema=False)
