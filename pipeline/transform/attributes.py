"""Shares by what the models are: every declared dimension over one pass of codes and whole-number groups."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from pipeline.tables.attributes import ATTRIBUTE_GROUP_COLUMNS, DIMENSIONS, Dimension
from pipeline.transform.populations import POPULATION_CLASS, totals_by_population
from pipeline.transform.shares import in_month, with_shares
from pipeline.transform.sums import coded

WHOLE = "all"


def attribute_shares(models: pl.DataFrame, dimensions: Sequence[Dimension] = DIMENSIONS) -> pl.DataFrame:
    """`shares/attribute_shares` of a month, unsorted.

    `models` are those of `transform.traits.counted_models`, with the column `intermediary` of
    `transform.intermediaries`.
    """
    month, basis = models.row(0, named=True)["month"], models.row(0, named=True)["basis"]
    whole = pl.Series([WHOLE])
    places = {WHOLE: (whole, pl.zeros(models.height, pl.UInt32, eager=True))}
    for name in {name for dimension in dimensions for name in dimension.within}:
        places[name] = coded(models[name])
    population_class = models.select(POPULATION_CLASS).to_series()
    totals = []
    for dimension in dimensions:
        code = models.select(dimension.code).to_series()
        for within, place in (places[name] for name in (WHOLE, *dimension.within)):
            groups = pl.DataFrame({"within": within}).join(
                pl.DataFrame({"member": dimension.members}), how="cross", maintain_order="left_right"
            )
            cell = place.cast(pl.UInt32) * len(dimension.members) + code
            counted = totals_by_population(groups, cell, population_class, models["downloads"])
            totals.append(counted.with_columns(pl.lit(dimension.name).alias("dimension")))
    return with_shares(
        in_month(pl.concat(totals).with_columns(pl.lit("uploader").alias("attribution")), month, basis),
        ATTRIBUTE_GROUP_COLUMNS,
    )
