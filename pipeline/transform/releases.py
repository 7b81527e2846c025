"""How often developers release: days of release in a month, and their cadence over twelve."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import polars as pl

from pipeline.months import opening_of
from pipeline.schema.declaration import TIMESTAMP
from pipeline.tables.measures import RELEASE_CADENCE
from pipeline.tables.shares import NOT_KNOWN
from pipeline.transform.windows import windows_over

_CADENCE_WINDOW = "trailing_12_months"
_NOBODY = (*NOT_KNOWN, "unaffiliated")


def release_days(models: pl.DataFrame, model_lineage: pl.LazyFrame, opening: pl.LazyFrame) -> pl.DataFrame:
    """`shares/release_days` of a month: first-party repositories created in it, by organisation and day.

    `models` are those of `transform.traits.counted_models`, `model_lineage` is `lineage/model_lineage`. The month runs
    between its observations, so that none is counted in two months or lost between them: from that of
    `listings/opening_counters`, or from the calendar month's first instant where there is none.
    """
    opened_at = opening.select(pl.col("observed_at").max()).collect().item()
    since = pl.lit(opened_at or opening_of(models["month"][0]), TIMESTAMP)
    created = models.lazy().filter(pl.col("created_at") >= since)
    first_party = ~pl.col("is_derivative") | pl.col("is_first_party")
    return (
        created.join(model_lineage.select("hub_id", "is_derivative", "is_first_party"), on="hub_id", how="left")
        .filter(first_party)
        .group_by("month", "organization", pl.col("created_at").dt.date().alias("released_on"))
        .agg(pl.col("country").min().cast(pl.String), pl.len().cast(pl.Int64).alias("new_repositories"))
        .collect()
    )


def release_cadence(days: pl.DataFrame, months: Sequence[date]) -> pl.DataFrame:
    """`published/release_cadence` by organisation and by country; `days` are `shares/release_days` of the months."""
    found = []
    for window in windows_over(months):
        if window.name == _CADENCE_WINDOW:
            inside = days.filter(pl.col("month").is_in(window.held))
            known = inside.filter(~pl.col("country").is_in(_NOBODY))
            whole, part = (int(rows["new_repositories"].sum()) for rows in (inside, known))
            found += [
                _cadence(known, dimension).with_columns(
                    *window.facts(),
                    pl.lit(dimension).alias("dimension"),
                    pl.lit(whole, pl.Int64).alias("new_repositories_in_all"),
                    pl.lit(part / whole if whole else 0.0).alias("coverage"),
                )
                for dimension in ("organization", "country")
            ]
    return pl.concat(found).select(RELEASE_CADENCE.schema.names())


def _cadence(days: pl.DataFrame, dimension: str) -> pl.DataFrame:
    between = pl.col("released_on").diff().dt.total_days().median()
    return (
        days.group_by(pl.col(dimension).alias("member"), "released_on")
        .agg(pl.col("new_repositories").sum())
        .sort("member", "released_on")
        .group_by("member", maintain_order=True)
        .agg(
            pl.col("new_repositories").sum(),
            pl.len().cast(pl.Int64).alias("release_days"),
            between.alias("median_days_between"),
        )
        .with_columns((pl.col("new_repositories") / pl.col("release_days")).alias("variants_per_release"))
    )
