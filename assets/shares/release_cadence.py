"""`shares/release_days` and `release_cadence`: how often developers release."""

from collections.abc import Sequence
from datetime import date

import polars as pl

from assets.columns import IN_LONGER_PERIODS, MONTH, UPLOADER, count, fraction, number, text
from assets.expressions import ratio
from assets.models.models import MODELS
from assets.shares.periods import in_trailing_periods
from assets.shares.share_table import NOBODY
from pipeline.orchestration.table_assets import table_asset
from pipeline.schema.declaration import Column, Table
from pipeline.schema.figure import Chart, Figure, Shown
from pipeline.schema.published import published_table

_NEW = count("new_repositories", "First-party repositories created.", minimum=1)
RELEASE_DAYS = Table(
    "shares/release_days",
    grain="organisation and day of release",
    description=(
        "On which days each developer created first-party repositories, those that derive from nothing or from the "
        "same organisation's models only, between the observations at the month's opening and close."
    ),
    columns=(
        MONTH,
        *UPLOADER,
        Column("released_on", pl.Date, "The day (UTC) on which the repositories were created."),
        _NEW,
    ),
    key=("organization", "released_on"),
    may_be_empty=True,
    warnings=("The day of creation precedes the release where a repository was kept private at first.",),
)


def release_cadence(days: pl.LazyFrame, months: Sequence[date]) -> pl.LazyFrame:
    """`release_cadence` by organisation and by country; `days` are `shares/release_days` of the months."""
    period = ["period", "last", "months_in_period", "is_complete", "dimension", "member"]
    inside = in_trailing_periods(days, months)
    new, is_known = pl.col("new_repositories"), ~pl.col("country").is_in(NOBODY)
    wholes = inside.group_by("last").agg(new_repositories_in_all=new.sum(), known=new.filter(is_known).sum())
    members = pl.concat(
        inside.filter(is_known).with_columns(dimension=pl.lit(dimension), member=dimension)
        for dimension in ("organization", "country")
    )
    return (
        members.group_by(*period, "released_on")
        .agg(new.sum())
        .sort("released_on")
        .group_by(period)
        .agg(
            new.sum(),
            release_days=pl.len().cast(pl.Int64),
            median_days_between=pl.col("released_on").diff().dt.total_days().median(),
        )
        .join(wholes, on="last")
        .with_columns(
            variants_per_release=ratio(new, pl.col("release_days")),
            coverage=ratio(pl.col("known"), pl.col("new_repositories_in_all")),
        )
        .rename({"last": "month"})
    )


PUBLISHED = published_table(
    "release_cadence",
    lambda months: release_cadence(months.scan(RELEASE_DAYS), months.months),
    grain="month, period, and organisation or country",
    description=(
        "How often developers release: first-party repositories created in the twelve months that end with "
        "`month`, the days on which they were created, and the days between those. One day's repositories are "
        "variants of one release."
    ),
    columns=(
        *IN_LONGER_PERIODS,
        text("dimension", "`organization` or `country`."),
        text(
            "member",
            "The organisation or the country; persons and unmapped ones are left out.",
            refers_to={"country": "dim_country", "organization": "dim_organization"},
        ),
        _NEW,
        count("release_days", "Days on which at least one repository was created.", "days"),
        number("median_days_between", "Median from one release day to the next.", "days", nullable=True),
        number("variants_per_release", "`new_repositories` / `release_days`.", "repositories"),
        count("new_repositories_in_all", "First-party repositories that anybody created: `coverage` is of these."),
        fraction("coverage", "Part of `new_repositories_in_all` that known organisations created."),
    ),
    key=("month", "period", "dimension", "member"),
    warnings=RELEASE_DAYS.warnings,
)


def days_of(models: pl.LazyFrame) -> pl.LazyFrame:
    """The month's releases by organisation and day, from `models/models`."""
    return (
        models.filter("is_release")
        .group_by("month", "organization", released_on=pl.col("created_at").dt.date())
        .agg(pl.col("country").min(), new_repositories=pl.len().cast(pl.Int64))
    )


release_days = table_asset(RELEASE_DAYS, models=MODELS)(days_of)

CADENCE_FIGURE = Figure(
    "cadence",
    "Release cadence",
    "Who released on most days: days with a release, the median of the days between them, and how many repositories a "
    "release has.",
    table="release_cadence",
    place=120,
    sql="""
        with ranked as (
          select *, row_number() over (
            partition by dimension order by release_days desc, new_repositories desc, member
          ) as place
          from release_cadence where month = $month and period = $period
        )
        select dimension, coalesce(country_name, member) as member, release_days, median_days_between,
          variants_per_release, new_repositories, new_repositories_in_all as denominator, coverage
        from ranked left join dim_country on dimension = 'country' and country = member
        where place <= case dimension when 'country' then 2 else 12 end
        order by dimension, place
    """,
    columns=(
        Shown("dimension", "over", "text"),
        Shown("member", "name", "text"),
        Shown("release_days", "days with a release", "count"),
        Shown("median_days_between", "days between", "number"),
        Shown("variants_per_release", "repositories a release", "number"),
        Shown("new_repositories", "repositories", "count"),
    ),
    chart=Chart("bars", "member", "release_days", number="count", group="dimension"),
    population="repositories created in the period that derive from nothing or from the same organisation's models",
    denominator="such repositories of all uploaders",
    coverage="of them by known organisations",
    counts_downloads=False,
    if_empty="No values: no known organisation created a repository in these months.",
    is_printed=True,
)
