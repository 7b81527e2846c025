"""The reviewed lists: facts that a person edits, as files beside this one."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import polars as pl

from pipeline.digest import digest_of

FOLDER = Path(str(files("pipeline.reference")))


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
