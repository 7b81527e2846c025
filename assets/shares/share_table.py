"""What every share table has: its columns, its populations, the rules that it must fulfil, the arithmetic of shares.

The method is `docs/methodology.md`, section "Shares".
"""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import TypeVar

import polars as pl

from assets.columns import ATTRIBUTION, BASIS, DIMENSION, IN_POPULATION, OF_WHOLE, count, downloads, fraction, text
from assets.expressions import ratio
from pipeline.schema.declaration import Column, Rule, Table, TableFrames, rule
from pipeline.schema.shares import POPULATIONS

Frame = TypeVar("Frame", pl.LazyFrame, pl.DataFrame)
NOT_KNOWN = ("unmapped", "unknown", "none")
"""Members that stand for what is not known or not declared, in whatever dimension."""
NOBODY = (*NOT_KNOWN, "unaffiliated")
"""Members that are no organisation and no country."""
WHOLE = "all"
FLAGS = ("is_new", "is_language_model", "is_flagged")
"""The columns of `models/models` that decide the populations of a repository."""

MEMBER = text("member", "The member of the dimension; those that stand for what is not known included.", pattern=r"\S")
COLUMNS = (
    *IN_POPULATION,
    ATTRIBUTION,
    DIMENSION,
    MEMBER,
    downloads("Numerator: the member's downloads in the period."),
    count("models", "Repositories behind the numerator, by origin also in part; of a period, in its last month."),
    *OF_WHOLE,
    fraction(
        "share_of_attributed",
        "`downloads` / (`denominator` without what is not known and without `unaffiliated`); absent for these.",
    ).optional(),
    fraction("share_low", "Share if none of the downloads of members not known were this one's.", maximum="share"),
    fraction("share_high", "Share if all of the downloads of members not known were this one's.", minimum="share"),
    Column("rank", pl.Int32, "Place by downloads among the members of a denominator, 1 for the most; ties by name."),
    fraction("coverage", "Part of the denominator whose member is known (not `unmapped`, `unknown` or `none`)."),
    BASIS,
)
GROUP = ("month", "period", "population", "attribution", "dimension")
"""What a denominator is stated for: shares sum to 1 within each combination."""


def share_table(
    dimension: str,
    description: str,
    *,
    member: Column = MEMBER,
    further: Sequence[Column] = (),
    rules: Sequence[Rule] = (),
) -> Table:
    """The table `shares/<dimension>_shares` of a dimension by uploader, and by origin where its rows have both."""
    path = f"shares/{dimension}_shares"
    columns = (member if column is MEMBER else column for column in COLUMNS)
    return Table(
        path,
        grain=f"population, attribution and {dimension}",
        description=description,
        columns=(*columns, *further),
        key=("period", "population", "attribution", "dimension", "member"),
        warnings=("Shares are not additive: add `downloads` and `denominator`, divide last.",),
        rules=(*share_rules(path), *rules),
    )


def share_rules(table: str, group: Sequence[str] = GROUP) -> tuple[Rule, Rule]:
    """What holds of every share table; `group` states a denominator."""

    @rule()
    def shares_sum_to_one(frames: TableFrames) -> pl.LazyFrame:
        """The shares of each stated denominator sum to 1."""
        sums = frames.scan(table).group_by(group).agg(pl.col("share").sum(), pl.col("denominator").first())
        return sums.filter(((pl.col("share") - 1).abs() > 1e-9) & (pl.col("denominator") > 0))

    @rule()
    def nothing_dropped(frames: TableFrames) -> pl.LazyFrame:
        """The denominator holds every download of the month."""
        measured = frames.scan("listings/model_downloads").select(pl.col("downloads").sum().alias("measured"))
        whole = {"population": "all"} | ({"within": WHOLE} if "within" in group else {})
        stated = frames.scan(table).filter(**whole).select("attribution", "dimension", "denominator").unique()
        return stated.join(measured, how="cross").filter(pl.col("denominator") != pl.col("measured"))

    return shares_sum_to_one, nothing_dropped


def by_population(
    rows: pl.LazyFrame, keys: Sequence[str] = (), amounts: Sequence[str] = ("downloads",)
) -> pl.DataFrame:
    """Sums of `amounts` and number of rows (`models`) by `population` and `keys`.

    Rows are added up once by their flags, and these sums to populations.
    """
    combinations = pl.LazyFrame(list(product([False, True], repeat=len(FLAGS))), schema=list(FLAGS), orient="row")
    memberships = pl.concat(
        combinations.filter(population.has_model()).with_columns(pl.lit(population.name).alias("population"))
        for population in POPULATIONS
    )
    by_flags = rows.group_by(*FLAGS, *keys).agg(pl.col(amounts).sum(), pl.len().cast(pl.Int64).alias("models"))
    in_populations = by_flags.join(memberships, on=FLAGS).group_by("population", *keys)
    return in_populations.agg(pl.col(*amounts, "models").sum()).collect(engine="streaming")


def member_shares(
    models: pl.LazyFrame, rows_by_attribution: Mapping[str, pl.LazyFrame], dimension: str
) -> pl.DataFrame:
    """The rows of a share table in a month, unsorted: of `downloads` by the column `dimension`, in each population.

    Rows have `FLAGS` beside these; month and basis are those of `models/models`.
    """
    totals = [
        by_population(rows, [dimension])
        .rename({dimension: "member"})
        .with_columns(pl.lit(attribution).alias("attribution"), pl.lit(dimension).alias("dimension"))
        for attribution, rows in rows_by_attribution.items()
    ]
    return with_shares(in_month(pl.concat(totals), models))


def in_month(totals: pl.DataFrame, models: pl.LazyFrame) -> pl.DataFrame:
    """The totals of a month as a period of that month alone; month and basis are those of its models."""
    stated = models.select("month", "basis").head(1).collect()
    return totals.join(stated, how="cross").with_columns(
        period=pl.lit("month"), months_in_period=pl.lit(1, pl.Int32), is_complete=True
    )


def with_shares(totals: pl.DataFrame, group: Sequence[str] = GROUP) -> pl.DataFrame:
    """Adds denominator, share, bounds, coverage and rank to the downloads of each group's members.

    Within a group the downloads of members not known (`NOT_KNOWN`) could all be, or none of them, any one member's:
    that gives the bounds. Where nothing was downloaded all shares are 0.
    """
    downloads, member = pl.col("downloads"), pl.col("member")

    def in_group(counts: pl.Expr) -> pl.Expr:
        return pl.when(counts).then(downloads).otherwise(0).sum().over(group)

    in_order = totals.sort(*group, "downloads", "member", descending=[*[False] * len(group), True, False])
    sums = in_order.with_columns(
        denominator=downloads.sum().over(group),
        unknown=in_group(member.is_in(NOT_KNOWN)),
        attributed=in_group(~member.is_in(NOBODY)),
        rank=pl.int_range(1, pl.len() + 1, dtype=pl.Int32).over(group),
    )
    return with_bounds(sums).drop("unknown", "attributed")


def with_bounds(sums: Frame) -> Frame:
    """Adds shares, their bounds and coverage to `downloads` of `denominator`, `unknown` and `attributed` downloads."""
    downloads, whole, unknown, share = map(pl.col, ("downloads", "denominator", "unknown", "share"))
    is_unknown, is_attributed = pl.col("member").is_in(NOT_KNOWN), ~pl.col("member").is_in(NOBODY)
    return sums.with_columns(share=ratio(downloads, whole)).with_columns(
        share_of_attributed=pl.when(is_attributed).then(ratio(downloads, pl.col("attributed"))),
        share_low=pl.when(is_unknown).then(0.0).otherwise(share),
        share_high=pl.when(is_unknown).then(share).otherwise(ratio(downloads + unknown, whole)),
        coverage=1.0 - ratio(unknown, whole),
    )
