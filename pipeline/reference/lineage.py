"""Reviewed words and names of the derivation graph."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import polars as pl


def relations() -> pl.LazyFrame:
    """The words that developers use for a relation, and the relation that each stands for."""
    return pl.read_csv(_file("relations"), infer_schema=False).lazy()


def renames() -> pl.LazyFrame:
    """Repositories and namespaces that go by another name today."""
    return pl.read_csv(_file("renames"), infer_schema=False).lazy()


def _file(name: str) -> Path:
    return Path(str(files("pipeline.reference"))) / f"{name}.csv"
