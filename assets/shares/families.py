"""What families and flows have in common: derivatives of a month, split over their roots."""

from __future__ import annotations

from functools import partial

import polars as pl

from assets.columns import RELATIONS
from assets.expressions import ratio
from assets.models.models import parents_by
from assets.shares.origin import by_root
from assets.shares.share_table import fraction
from pipeline.schema.declaration import Column, Rule
from pipeline.schema.figure import Figure, Shown

WEIGHT = pl.Decimal(38, 12)
COUNTS = (
    Column(
        "new_derivatives", pl.Float64, "Derivatives created in the month, by their weights.", "repositories", minimum=0
    ),
    Column(
        "derivatives",
        pl.Float64,
        "Derivatives listed at the month's close, by their weights.",
        "repositories",
        minimum=0,
    ),
    Column(
        "new_derivatives_in_all", pl.Int64, "Derivatives created in the month, whole: the denominator.", "repositories"
    ),
    fraction("share_of_new_derivatives", "Part of the month's new derivatives; 0 in a month without any."),
)
IS_NEW = (pl.col("created_at").dt.date().dt.month_start() == pl.col("month")).fill_null(value=False)
"""Created within the calendar month."""


def derivatives_by_root(models: pl.LazyFrame, weights: pl.LazyFrame, roots: pl.LazyFrame) -> pl.LazyFrame:
    """One row per derivative and root, with `weight` and `new` (the weight, where it was created in the month).

    `organization`, `country` and `downloads` are the root's, `derivative_country` the derivative's own; `<relation>` is
    the part of its parents that stand in that relation.
    """
    counts = {relation: pl.col(parents_by(relation)) for relation in RELATIONS}
    derivatives = models.filter("is_derivative").select(
        "hub_id",
        "downloads",
        pl.col("country").alias("derivative_country"),
        IS_NEW.alias("is_new"),
        *((count.cast(WEIGHT) / pl.sum_horizontal(*counts.values())).alias(name) for name, count in counts.items()),
    )
    weight = pl.col("weight").cast(WEIGHT)
    new = pl.when("is_new").then(weight).otherwise(0)
    return by_root(derivatives, weights, roots).with_columns(weight, new.alias("new"))


def with_denominator(sums: pl.LazyFrame, models: pl.LazyFrame) -> pl.LazyFrame:
    """Adds the month, its new derivatives as a whole, and the share of them."""
    in_all = (pl.col("is_derivative") & IS_NEW).sum().cast(pl.Int64).alias("new_derivatives_in_all")
    share = ratio(pl.col("new_derivatives"), pl.col("new_derivatives_in_all"))
    whole = models.select(pl.col("month").first(), in_all)
    return sums.join(whole, how="cross").with_columns(share.alias("share_of_new_derivatives"))


def derivatives_conserved(table: str, group: str, meaning: str) -> Rule:
    """In each group the new derivatives add up to the stated whole, to a millionth of it."""
    new, whole = pl.col("new_derivatives"), pl.col("new_derivatives_in_all")
    return Rule(
        "new_derivatives_conserved",
        meaning,
        lambda frames: (
            frames.scan(table)
            .group_by(group)
            .agg(new.sum(), whole.max())
            .filter((new - whole).abs() > 1e-6 * pl.max_horizontal(whole, 1))
        ),
    )


NEW_SHOWN = Shown("new", "new derivatives", "number")


NO_DERIVATIVES = "No values: no repository created in these months names a base model."


figure_of_derivatives = partial(
    Figure,
    attribution="origin: repositories that name a base model, by their roots; all uploaders",
    counts_downloads=False,
    if_empty=NO_DERIVATIVES,
)
