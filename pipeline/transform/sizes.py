"""How large the downloaded models are."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl

from pipeline.tables.measures import MODEL_SIZES
from pipeline.transform.populations import CLASSES_OF_POPULATION, POPULATION_CLASS, sums_by_population
from pipeline.transform.shares import in_month
from pipeline.transform.sums import coded, totals_by
from pipeline.transform.windows import basis_of, windows_over

_SUMS = ("downloads", "denominator", "parameters_downloaded")
_KEYS = ("population", "within")
WHOLE = "all"


def model_sizes(models: pl.DataFrame) -> pl.DataFrame:
    """`shares/model_sizes` of a month, in all and by country, from `transform.traits.counted_models`.

    The median is the smallest size at which half of the downloads of models of known size are reached.
    """
    month, basis = models.row(0, named=True)["month"], models.row(0, named=True)["basis"]
    countries, country = coded(models["country"])
    rows = models.select(
        "downloads", POPULATION_CLASS, "parameters", country.alias("country"), pl.lit(0, pl.UInt32).alias("whole")
    )
    sized = rows.filter(pl.col("parameters").is_not_null())
    sized = sized.with_columns((pl.col("downloads") * pl.col("parameters")).alias("parameters_downloaded"))
    by_size = sized.filter(pl.col("downloads") > 0).sort("parameters", maintain_order=True)
    found = [
        _sizes(names, *(frame.with_columns(pl.col(column).alias("group")) for frame in (rows, sized, by_size)))
        for column, names in (("whole", pl.Series([WHOLE])), ("country", countries))
    ]
    return in_month(with_means(pl.concat(found)), month, basis)


def _sizes(names: pl.Series, rows: pl.DataFrame, sized: pl.DataFrame, by_size: pl.DataFrame) -> pl.DataFrame:
    """Sums and medians of each group in each population; `group` is the place of each row's group in `names`.

    `sized` are those rows of known size, `by_size` those of them with downloads, the smallest models first.
    """
    groups = len(names)
    whole = sums_by_population(groups, rows["group"], rows["population_class"], [rows["downloads"]])
    amounts = [sized["downloads"], sized["parameters_downloaded"]]
    known = sums_by_population(groups, sized["group"], sized["population_class"], amounts)
    # Of 16 bits, for these are sorted digit by digit.
    by_group = by_size[np.argsort(by_size["group"].to_numpy().astype(np.uint16), kind="stable")]
    medians = {
        population: _medians(by_group.filter(belongs[by_group["population_class"].to_numpy()]), len(names))
        for population, belongs in CLASSES_OF_POPULATION.items()
    }
    return pl.concat(
        pl.DataFrame(
            {
                "within": names,
                "population": [population] * len(names),
                "downloads": whole[population][0],
                "denominator": known[population][0],
                "parameters_downloaded": known[population][1],
                "median_parameters": median,
            }
        )
        for population, median in medians.items()
    )


def _medians(rows: pl.DataFrame, groups: int) -> pl.Series:
    """The size at which half of each group's downloads are reached; rows stand by group, and by size within it."""
    group, downloads = rows["group"].to_numpy(), rows["downloads"].to_numpy()
    total = np.bincount(group, downloads, minlength=groups)
    running = np.cumsum(downloads)
    before = np.concatenate([[0.0], running])[np.searchsorted(group, np.arange(groups))]
    reached = pl.Series(np.searchsorted(running, before + total / 2))
    there = pl.Series(total > 0)
    return rows["parameters"].cast(pl.Float64).gather(reached.zip_with(there, pl.Series([None])))


def with_means(sums: pl.DataFrame) -> pl.DataFrame:
    """Adds `mean_parameters` and `coverage` to the sums."""
    known, downloads = pl.col("denominator"), pl.col("downloads")
    return sums.with_columns(
        pl.when(known > 0).then(pl.col("parameters_downloaded") / known).alias("mean_parameters"),
        pl.when(downloads > 0).then((known / downloads).clip(0, 1)).otherwise(0.0).alias("coverage"),
    )


def size_windows(monthly: pl.DataFrame) -> pl.DataFrame:
    """`shares/model_sizes` over every window; longer ones have no median."""
    monthly = monthly.with_columns(pl.col("downloads", "denominator").cast(pl.Float64))
    bases: dict[date, str] = dict(monthly.select("month", "basis").unique().iter_rows())
    months = sorted(bases)
    windows = []
    for window in windows_over(months):
        inside = monthly.filter(pl.col("month").is_in(window.held))
        if window.name == "month":
            windows.append(inside)
            continue
        sums = totals_by(inside.sort(*_KEYS, "month"), _KEYS, _SUMS)
        windows.append(
            with_means(sums)
            .with_columns(
                *window.facts(),
                pl.lit(basis_of(window, bases)).alias("basis"),
                pl.lit(None, pl.Float64).alias("median_parameters"),
            )
            .select(monthly.columns)
        )
    return pl.concat(windows).select(MODEL_SIZES.schema.names())
