"""`shares/adoption_marks` and `adoption`: how fast models are taken up, relative to the leaders of their size band."""

import polars as pl

from assets.columns import CREATED_AT, IN_LONGER_PERIODS, MODEL, MONTH, UPLOADER, count, number, text
from assets.models.models import MODELS
from assets.shares.attribute_shares import SIZE_BAND, SIZE_BANDS
from assets.shares.periods import in_trailing_periods
from pipeline.orchestration.table_assets import table_asset
from pipeline.schema.declaration import Column, Table
from pipeline.schema.published import published_table

MARKS = (1, 3, 6, 12)
FEWEST_DOWNLOADS_AT_MARK = 1_000
REFERENCE_MODELS = 10
_GROUP = ("last", "size_band", "months_after_creation")

_OF_MODEL = (
    *MODEL,
    *UPLOADER,
    CREATED_AT,
    text("size_band", "Parameters, as in `attribute_shares`; unknown ones are left out.", values=tuple(SIZE_BANDS)),
    Column("months_after_creation", pl.Int32, "Whole calendar months since that of creation.", "months", values=MARKS),
    count("downloads_at_mark", "Cumulative downloads by then.", "downloads", minimum=FEWEST_DOWNLOADS_AT_MARK),
)
ADOPTION_MARKS = Table(
    "shares/adoption_marks",
    grain="repository that reached a mark in the month",
    description=(
        "How often models were downloaded 1, 3, 6 and 12 months after their month of creation, by the cumulative "
        f"counter: models of known size with at least {FEWEST_DOWNLOADS_AT_MARK:,} downloads by then. Empty where the "
        "source has no cumulative counter (before March 2025)."
    ),
    columns=(MONTH, *_OF_MODEL),
    key=("hub_id",),
    may_be_empty=True,
)


def adoption(marks: pl.LazyFrame) -> pl.LazyFrame:
    """`adoption` from `shares/adoption_marks` of all months."""
    inside = in_trailing_periods(marks, marks.select("month").unique().collect()["month"].to_list())
    downloads = pl.col("downloads_at_mark")
    leaders = inside.group_by(_GROUP).agg(
        reference_downloads=downloads.top_k(REFERENCE_MODELS).median(),
        reference_models=pl.len().clip(0, REFERENCE_MODELS).cast(pl.Int32),
    )
    return (
        inside.with_columns(rank=downloads.rank("min", descending=True).over(_GROUP).cast(pl.Int32))
        .filter(pl.col("month") == pl.col("last"))
        .join(leaders, on=_GROUP)
        .with_columns(relative_adoption=downloads / pl.col("reference_downloads"))
    )


PUBLISHED = published_table(
    "adoption",
    lambda months: adoption(months.scan(ADOPTION_MARKS)),
    grain="month and repository that reached a mark in it",
    description=(
        "Adoption relative to the leaders of the size band: a model's cumulative downloads 1, 3, 6 and 12 months "
        f"after its month of creation, over the median of the {REFERENCE_MODELS} most downloaded that reached the "
        "same mark in the same band within the twelve months that end with `month`. After the relative adoption "
        "metric of the ATOM project (arXiv 2604.07190), by months instead of days and over all models instead of a "
        f"chosen list. Models with fewer than {FEWEST_DOWNLOADS_AT_MARK:,} downloads at the mark are left out."
    ),
    columns=(
        *IN_LONGER_PERIODS,
        *_OF_MODEL,
        number("reference_downloads", "Median of the reference models' downloads.", "downloads"),
        Column("reference_models", pl.Int32, f"Models behind it, at most {REFERENCE_MODELS}.", "repositories"),
        number("relative_adoption", "`downloads_at_mark` / `reference_downloads`.", "ratio"),
        Column("rank", pl.Int32, "Place within the band and mark over the period, 1 for the most; ties share it."),
    ),
    key=("month", "hub_id"),
    warnings=("A period of fewer months has a lower reference, and so higher ratios: compare complete ones.",),
)


def marks_of(models: pl.LazyFrame) -> pl.LazyFrame:
    """The models that reach a mark at the month's close, from `models/models`."""
    created, month = pl.col("created_at").dt, pl.col("month").dt
    age = (month.year() - created.year()).cast(pl.Int32) * 12 + month.month() - created.month()
    reached = pl.col("downloads_all_time")
    return models.with_columns(months_after_creation=age, size_band=SIZE_BAND, downloads_at_mark=reached).filter(
        age.is_in(MARKS), reached >= FEWEST_DOWNLOADS_AT_MARK, pl.col("parameters").is_not_null()
    )


adoption_marks = table_asset(ADOPTION_MARKS, models=MODELS)(marks_of)
