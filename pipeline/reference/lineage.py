"""Reviewed words and names of the derivation graph."""

from __future__ import annotations

from importlib.resources import files

import polars as pl


def relations() -> pl.LazyFrame:
    """The words that developers use for a relation, and the relation that each stands for."""
    return _read("relations.csv")


def renames() -> pl.LazyFrame:
    """Repositories and namespaces that go by another name today."""
    return _read("renames.csv")


def _read(name: str) -> pl.LazyFrame:
    return pl.read_csv(files("pipeline.reference").joinpath(name).read_bytes(), infer_schema=False).lazy()
