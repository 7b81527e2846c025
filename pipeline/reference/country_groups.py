"""Groups of countries with the days of membership, from the declared list `country_groups.csv`."""

from __future__ import annotations

from datetime import date
from importlib.resources import files

import polars as pl


def country_groups() -> pl.DataFrame:
    """Every membership: `group`, its `name`, its `kind`, `country`, `valid_from` and `valid_to`.

    `kind` is `union`, `region` or `income`. A missing day means since ever, or still.
    """
    return pl.read_csv(
        str(files("pipeline.reference") / "country_groups.csv"),
        schema_overrides={"valid_from": pl.Date, "valid_to": pl.Date},
        null_values=[""],
    )


def groups_on(day: date) -> pl.DataFrame:
    """The memberships that hold on a day: `group`, `name`, `kind`, `country`. A country may be in several groups."""
    begun = pl.col("valid_from").is_null() | (pl.col("valid_from") <= day)
    not_ended = pl.col("valid_to").is_null() | (pl.col("valid_to") > day)
    return country_groups().filter(begun & not_ended).select("group", "name", "kind", "country")
