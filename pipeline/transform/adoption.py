"""Adoption of models relative to the leaders of their size band."""

from __future__ import annotations

import polars as pl

from pipeline.tables.attributes import SIZE_BAND
from pipeline.tables.measures import ADOPTION, ADOPTION_MARKS, FEWEST_DOWNLOADS_AT_MARK, MARKS, REFERENCE_MODELS
from pipeline.transform.windows import windows_over

_GROUP = ("size_band", "months_after_creation")
_REFERENCE_WINDOW = "trailing_12_months"


def adoption_marks(models: pl.DataFrame) -> pl.DataFrame:
    """`shares/adoption_marks` of a month: models that reach a mark at its close, with their cumulative downloads.

    `models` are those of `transform.traits.counted_models`.
    """
    created, month = pl.col("created_at").dt, pl.col("month").dt
    age = (month.year() - created.year()).cast(pl.Int32) * 12 + month.month() - created.month()
    return (
        models.lazy()
        .with_columns(
            age.alias("months_after_creation"),
            SIZE_BAND.cast(pl.String).alias("size_band"),
            pl.col("downloads_all_time").alias("downloads_at_mark"),
        )
        .filter(
            pl.col("months_after_creation").is_in(MARKS),
            pl.col("downloads_at_mark") >= FEWEST_DOWNLOADS_AT_MARK,
            pl.col("parameters").is_not_null(),
        )
        .select(ADOPTION_MARKS.schema.names())
        .cast({"country": pl.String})
        .collect()
    )


def adoption(marks: pl.DataFrame) -> pl.DataFrame:
    """`published/adoption` from `shares/adoption_marks` of all months."""
    months = marks["month"].unique().sort().to_list()
    found = [
        _relative_to_leaders(marks.filter(pl.col("month").is_in(window.held)))
        .filter(pl.col("month") == window.last)
        .with_columns(window.facts())
        for window in windows_over(months)
        if window.name == _REFERENCE_WINDOW
    ]
    return pl.concat(found).select(ADOPTION.schema.names()) if found else ADOPTION.schema.to_frame()


def _relative_to_leaders(marks: pl.DataFrame) -> pl.DataFrame:
    downloads = pl.col("downloads_at_mark")
    leaders = marks.group_by(_GROUP).agg(
        downloads.top_k(REFERENCE_MODELS).median().alias("reference_downloads"),
        pl.len().clip(0, REFERENCE_MODELS).cast(pl.Int32).alias("reference_models"),
    )
    return marks.join(leaders, on=_GROUP, how="left").with_columns(
        (downloads / pl.col("reference_downloads")).alias("relative_adoption"),
        downloads.rank("min", descending=True).over(_GROUP).cast(pl.Int32).alias("rank"),
    )
