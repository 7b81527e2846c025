"""Whose downloads are counted: the populations, and sums over all of them at once."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import polars as pl

from pipeline.schema.declaration import Column
from pipeline.schema.shares import POPULATION_NAMES, POPULATIONS, Population

FLAGS = ("is_new", "is_language_model", "is_flagged")
"""The columns of `models/models` that decide the populations of a repository."""

POPULATION = Column(
    "population",
    pl.String,
    "; ".join(f"`{population.name}`: {population.meaning}" for population in POPULATIONS) + ".",
    values=POPULATION_NAMES,
)


def belongs(population: Population) -> pl.Expr:
    """Whether a repository is of the population, over `FLAGS`."""
    holds = pl.col(population.has) if population.has else pl.lit(value=True)
    return holds if population.counts_flagged else holds & ~pl.col("is_flagged")


def _memberships() -> pl.LazyFrame:
    """Which combinations of `FLAGS` are of which `population`."""
    combinations = pl.LazyFrame(list(product([False, True], repeat=len(FLAGS))), schema=list(FLAGS), orient="row")
    return pl.concat(
        combinations.filter(belongs(population)).with_columns(pl.lit(population.name).alias("population"))
        for population in POPULATIONS
    )


def by_population(
    rows: pl.LazyFrame, keys: Sequence[str] = (), amounts: Sequence[str] = ("downloads",)
) -> pl.DataFrame:
    """Sums of `amounts` and number of rows (`models`) by `population` and `keys`.

    Rows are added up once by their flags, and these sums to populations.
    """
    by_flags = rows.group_by(*FLAGS, *keys).agg(pl.col(amounts).sum(), pl.len().cast(pl.Int64).alias("models"))
    return (
        by_flags.join(_memberships(), on=FLAGS)
        .group_by("population", *keys)
        .agg(pl.col(*amounts, "models").sum())
        .collect(engine="streaming")
    )
