"""Sums over every population in one pass.

A repository is of one of eight classes by whether it is new, of language, and flagged; a population is a set of
classes. So each group is added up once by class, and the classes are added to populations.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from pipeline.tables.shares import POPULATIONS

_FLAGS = ("is_new", "is_language_model", "is_flagged")
CLASSES = 2 ** len(_FLAGS)
POPULATION_CLASS = pl.sum_horizontal(pl.col(flag).cast(pl.UInt8) * 2**place for place, flag in enumerate(_FLAGS)).alias(
    "population_class"
)
"""The class of a repository, over the columns of `listings/model_downloads`."""


def _holds(flag: str) -> npt.NDArray[np.bool_]:
    return np.asarray(np.arange(CLASSES) >> _FLAGS.index(flag) & 1 == 1)


CLASSES_OF_POPULATION: dict[str, npt.NDArray[np.bool_]] = {
    population.name: (_holds(population.has) if population.has else np.full(CLASSES, fill_value=True))
    & (population.counts_flagged | ~_holds("is_flagged"))
    for population in POPULATIONS
}
"""Which classes belong to each population."""


def sums_by_population(
    groups: int, code: pl.Series, population_class: pl.Series, amounts: Sequence[pl.Series]
) -> dict[str, list[npt.NDArray[np.float64]]]:
    """Sums of each of the `amounts` by group in each population, `code` being the number of each row's group.

    Rows are added in the order in which they stand, so that the same rows give the same bits.
    """
    cell = population_class.to_numpy().astype(np.int64) * groups + code.to_numpy()
    by_class = [
        np.bincount(cell, amount.to_numpy(), minlength=CLASSES * groups).reshape(CLASSES, groups) for amount in amounts
    ]
    return {
        population: [sums[classes].sum(axis=0) for sums in by_class]
        for population, classes in CLASSES_OF_POPULATION.items()
    }


def totals_by_population(
    groups: pl.DataFrame, code: pl.Series, population_class: pl.Series, downloads: pl.Series
) -> pl.DataFrame:
    """Downloads and repositories of each group in each population.

    `code` is the place of each row's group in `groups`. Rows are added in the order in which they stand, so that the
    same rows give the same bits.

    Returns:
        The columns of `groups`, `population`, `downloads` and `models`; groups without a repository in a population
        are left out.
    """
    size = groups.height
    cell = population_class.to_numpy().astype(np.int64) * size + code.to_numpy()
    sums = np.bincount(cell, downloads.to_numpy(), minlength=CLASSES * size).reshape(CLASSES, size)
    counts = np.bincount(cell, minlength=CLASSES * size).reshape(CLASSES, size)
    return pl.concat(
        groups.with_columns(
            pl.lit(population).alias("population"),
            pl.Series("downloads", sums[classes].sum(axis=0)),
            pl.Series("models", counts[classes].sum(axis=0)),
        ).filter(pl.col("models") > 0)
        for population, classes in CLASSES_OF_POPULATION.items()
    )
