"""How concentrated downloads are: over models, organisations and countries."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from pipeline.tables.measures import TOP
from pipeline.tables.shares import GROUP_COLUMNS, NOT_KNOWN
from pipeline.transform.populations import CLASSES_OF_POPULATION, POPULATION_CLASS
from pipeline.transform.shares import in_month

_STATED = ("months_in_window", "is_complete", "basis")


def concentration(amounts: npt.NDArray[np.float64]) -> dict[str, float | int]:
    """Concentration of the amounts, which must be in rising order: `hhi`, `effective_number`, `gini`, top shares.

    The Herfindahl-Hirschman index is the sum of squared shares, the Gini coefficient that of the Lorenz curve over all
    amounts, those of nothing included. All are 0 where there is nothing to share.
    """
    count, total = len(amounts), float(amounts.sum())
    if total <= 0:
        nothing = dict.fromkeys(("denominator", "hhi", "effective_number", "gini", *map(_top, TOP)), 0.0)
        return {"members": count, **nothing}
    shares = amounts / total
    hhi = float((shares**2).sum())
    weights = np.arange(1 - count, count, 2, dtype=np.float64)
    return {
        "members": count,
        "denominator": total,
        "hhi": hhi,
        "effective_number": 1 / hhi,
        "gini": max(float(weights @ shares) / count, 0.0),
        **{_top(first): min(float(shares[-first:].sum()), 1.0) for first in TOP},
    }


def _top(count: int) -> str:
    return f"top_{count}_share"


def concentration_of_models(downloads: pl.LazyFrame) -> pl.DataFrame:
    """The rows of `shares/concentration` over models, from `listings/model_downloads`."""
    month, basis = downloads.select("month", "basis").head(1).collect().row(0)
    rows = downloads.select(pl.col("downloads").cast(pl.Float64), POPULATION_CLASS).collect()
    amounts, classes = rows["downloads"].to_numpy(), rows["population_class"].to_numpy()
    # To sort each population's numbers alone takes a fraction of sorting the rows once by them.
    found = [
        {"population": population, **concentration(np.sort(amounts[belongs[classes]])), "coverage": 1.0}
        for population, belongs in CLASSES_OF_POPULATION.items()
    ]
    stated = pl.DataFrame(found).with_columns(
        pl.lit("model").alias("dimension"), pl.lit("uploader").alias("attribution")
    )
    return in_month(stated, month, basis)


def concentration_of_members(shares: pl.DataFrame, group_columns: Sequence[str] = GROUP_COLUMNS) -> pl.DataFrame:
    """Rows of `shares/concentration` from a table of shares by country or organisation, of whatever windows."""
    attributed = ~pl.col("member").is_in(NOT_KNOWN) & (pl.col("member") != "unaffiliated")
    groups = shares.group_by(group_columns, maintain_order=True)
    facts = groups.agg(
        *[pl.col(name).first() for name in _STATED],
        pl.col("downloads").cast(pl.Float64).filter(attributed).sort().alias("amounts"),
        pl.col("denominator").cast(pl.Float64).first().alias("population_downloads"),
    )
    found = pl.DataFrame([concentration(amounts.to_numpy()) for amounts in facts["amounts"]])
    whole = pl.col("population_downloads")
    return (
        facts.hstack(found)
        .with_columns(
            pl.when(whole > 0).then((pl.col("denominator") / whole).clip(0, 1)).otherwise(0.0).alias("coverage")
        )
        .drop("amounts", "population_downloads")
    )
