"""What families and flows have in common: derivatives of a month, split over their roots."""

from __future__ import annotations

from functools import partial

import polars as pl

from assets.columns import RELATIONS
from assets.expressions import ratio
from assets.models.models import parents_by
from assets.shares.origin import by_root
from pipeline.schema.declaration import Column, Rule
from pipeline.schema.figure import Figure, Shown

WEIGHT = pl.Decimal(38, 12)
_COUNTS = tuple(map(parents_by, RELATIONS))

NEW_DERIVATIVES = Column(
    "new_derivatives", pl.Float64, "Derivatives created within the month, by their weights.", "repositories", minimum=0
)
DERIVATIVES = Column(
    "derivatives", pl.Float64, "Derivatives listed at the month's close, by their weights.", "repositories", minimum=0
)
NEW_DERIVATIVES_IN_ALL = Column(
    "new_derivatives_in_all", pl.Int64, "Derivatives created within the month, whole: the denominator.", "repositories"
)
SHARE_OF_NEW = Column(
    "share_of_new_derivatives",
    pl.Float64,
    "Part of the month's new derivatives; 0 in a month without any.",
    "fraction",
    minimum=0,
    maximum=1.000000001,
)


def derivatives_by_root(models: pl.LazyFrame, weights: pl.LazyFrame, roots: pl.LazyFrame) -> pl.LazyFrame:
    """One row per derivative and root, with `weight` and `new` (the weight, where it was created in the month).

    `organization`, `country` and `downloads` are the root's, `derivative_country` the derivative's own; `<relation>` is
    the part of its parents that stand in that relation. Created within the calendar month means new.
    """
    counted = pl.sum_horizontal(_COUNTS)
    derivatives = models.filter("is_derivative").select(
        "hub_id",
        "downloads",
        pl.col("country").alias("derivative_country"),
        _is_new().alias("is_new"),
        *((pl.col(count).cast(WEIGHT) / counted).alias(name) for name, count in zip(RELATIONS, _COUNTS, strict=True)),
    )
    weight = pl.col("weight").cast(WEIGHT)
    return by_root(derivatives, weights, roots).with_columns(
        weight, pl.when("is_new").then(weight).otherwise(0).alias("new")
    )


def with_denominator(sums: pl.LazyFrame, models: pl.LazyFrame) -> pl.LazyFrame:
    """Adds the month, its new derivatives as a whole, and the share of them."""
    whole = models.select(
        pl.col("month").first(),
        (pl.col("is_derivative") & _is_new()).sum().cast(pl.Int64).alias("new_derivatives_in_all"),
    )
    share = ratio(pl.col("new_derivatives"), pl.col("new_derivatives_in_all"))
    return sums.join(whole, how="cross").with_columns(share.alias("share_of_new_derivatives"))


def _is_new() -> pl.Expr:
    created_in = pl.col("created_at").dt.date().dt.month_start()
    return (created_in == pl.col("month")).fill_null(value=False)


def derivatives_conserved(table: str, group: list[str], meaning: str) -> Rule:
    """In each group the new derivatives add up to the stated whole, to a millionth of it."""
    whole = pl.col("new_derivatives_in_all")
    return Rule(
        "new_derivatives_conserved",
        meaning,
        lambda frames: (
            frames.scan(table)
            .group_by(group)
            .agg(pl.col("new_derivatives").sum(), whole.max())
            .filter((pl.col("new_derivatives") - whole).abs() > 1e-6 * pl.max_horizontal(whole, 1))
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
