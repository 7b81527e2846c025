"""Putting a month's tables side by side, repository by repository.

The lake's tables stand in the order of `hub_id`: those that hold every repository need no looking up, and the others
are found in one walk along both.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl


def beside(models: pl.DataFrame, more: pl.DataFrame) -> pl.DataFrame:
    """The models with the columns of `more`, null where it lacks one, by `hub_id`, in the order of the models.

    `more` has at most one row per repository.
    """
    further = more.drop("hub_id")
    if not models["hub_id"].equals(more["hub_id"]):
        row = rows_of(models["hub_id"], more["hub_id"])
        there = row.is_not_null().to_numpy()
        place = np.full(models.height, -1)
        place[row.drop_nulls().to_numpy()] = np.flatnonzero(there)
        further = further.select(pl.all().gather(pl.Series(place).replace(-1, None)))
    # In one piece, or whatever is asked of the models would first bring all their columns into the same pieces.
    return models.hstack(further).rechunk()


def rows_of(hub_ids: pl.Series, wanted: pl.Series) -> pl.Series:
    """The row in which each wanted repository stands among `hub_ids`, null where it is not there."""
    sought = wanted.alias("hub_id").to_frame().lazy()
    listed = hub_ids.alias("hub_id").to_frame().lazy().with_row_index("row")
    if wanted.is_sorted() and hub_ids.is_sorted():
        sought, listed = sought.set_sorted("hub_id"), listed.set_sorted("hub_id")
    found = sought.join(listed, on="hub_id", how="left", maintain_order="left")
    return found.select("row").collect(engine="streaming").to_series()


def of_models(models: pl.DataFrame, table: pl.LazyFrame, columns: Sequence[str]) -> pl.DataFrame:
    """`hub_id` and the columns of some of a month's models, from a table with a row for every repository.

    `models` have `hub_id` and the `row` in which each stands in the month's tables, in that order. There nothing but
    these rows is read of the columns; where another repository stands, the models are looked up by `hub_id`.
    """
    wanted = table.select("hub_id", *columns)
    there = wanted.with_row_index("row").filter(pl.col("row").is_in(models["row"].implode())).drop("row").collect()
    if there["hub_id"].equals(models["hub_id"]):
        return there
    return wanted.join(models.lazy().select("hub_id"), on="hub_id", how="semi").collect()
