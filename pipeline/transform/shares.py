"""The core of every share table: who holds which part of the downloads, with denominators and bounds.

The method is `docs/methodology.md`, section "Shares".
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import polars as pl

from pipeline.tables.shares import GROUP_COLUMNS
from pipeline.transform.sums import totals_by

UNMAPPED = "unmapped"
NOT_ATTRIBUTED = (UNMAPPED, "unaffiliated")
POPULATION_FLAGS = {"all": None, "new": "is_new", "language": "is_language"}
"""The column of `model_downloads` that says whether a repository belongs to the population."""


def uploader_members(attribution: pl.LazyFrame) -> pl.LazyFrame:
    """Each repository wholly its uploader's: hub_id, organization, country, weight 1."""
    return attribution.select("hub_id", "organization", "country", pl.lit(1.0).alias("weight"))


def origin_members(attribution: pl.LazyFrame, weights: pl.LazyFrame, root_attribution: pl.LazyFrame) -> pl.LazyFrame:
    """Each derivative its roots' by weight, every other repository its uploader's.

    `weights` is `lineage/origin_weights`; `root_attribution` has `root_model_id`, `organization` and `country` of every
    root in it, listed or not.
    """
    derivatives = weights.join(root_attribution, on="root_model_id", how="left").select(
        "hub_id", "organization", "country", "weight"
    )
    originals = uploader_members(attribution).join(weights.select("hub_id"), on="hub_id", how="anti")
    return pl.concat([originals, derivatives])


def member_totals(downloads: pl.LazyFrame, members: pl.LazyFrame, dimension: str) -> pl.DataFrame:
    """Downloads and repositories of each member in each population.

    `downloads` is `listings/model_downloads`; `members` has `hub_id`, the column `dimension` and `weight`, which sums
    to 1 for each repository. Sums are made in the order of `hub_id`, so the same rows give the same bits.

    Returns:
        `population`, `member`, `downloads`, `models`; members without a repository in a population are left out.
    """
    flags = [flag for flag in POPULATION_FLAGS.values() if flag]
    rows = (
        members.select("hub_id", pl.col(dimension).alias("member"), "weight")
        .join(downloads.select("hub_id", "downloads", *flags), on="hub_id", how="inner")
        .sort("hub_id", "member", "weight")
        .select("member", (pl.col("downloads") * pl.col("weight")).alias("downloads"), *flags)
        .collect()
    )
    return pl.concat(
        totals_by(rows.filter(pl.col(flag)) if flag else rows, ["member"], ["downloads"]).select(
            pl.lit(population).alias("population"), "member", "downloads", "models"
        )
        for population, flag in POPULATION_FLAGS.items()
    )


def month_shares(
    downloads: pl.LazyFrame, members_by_attribution: Mapping[str, pl.LazyFrame], dimension: str, month: date
) -> pl.DataFrame:
    """The month's share table of one dimension, for every population and attribution."""
    totals = pl.concat(
        member_totals(downloads, members, dimension).with_columns(pl.lit(attribution).alias("attribution"))
        for attribution, members in members_by_attribution.items()
    )
    basis = downloads.select("basis").head(1).collect()
    return with_shares(
        totals.with_columns(
            pl.lit(month).alias("month"),
            pl.lit("month").alias("window"),
            pl.lit(1, pl.Int32).alias("months_in_window"),
            pl.lit(True).alias("is_complete"),  # noqa: FBT003
            pl.lit(dimension).alias("dimension"),
        ).join(basis, how="cross")
    )


def with_shares(totals: pl.DataFrame) -> pl.DataFrame:
    """Adds denominator, share, bounds, coverage and rank to the downloads of each group's members.

    Within a group (`GROUP_COLUMNS`) the unmapped downloads could all be, or none of them, any one member's: that gives
    the bounds. Where nothing was downloaded all shares are 0.
    """
    downloads = pl.col("downloads")
    denominator = pl.col("denominator")
    unmapped = pl.col("unmapped_downloads")
    is_unmapped = pl.col("member") == UNMAPPED
    is_attributed = ~pl.col("member").is_in(NOT_ATTRIBUTED)
    share = _ratio(downloads, denominator)
    in_order = totals.sort(*GROUP_COLUMNS, "member").with_columns(
        downloads.alias("denominator"),
        pl.when(is_unmapped).then(downloads).otherwise(0.0).alias("unmapped_downloads"),
        pl.when(is_attributed).then(downloads).otherwise(0.0).alias("attributed_downloads"),
    )
    parts = ("denominator", "unmapped_downloads", "attributed_downloads")
    sums = totals_by(in_order, GROUP_COLUMNS, parts).drop("models")
    return (
        in_order.drop(parts)
        .join(sums, on=GROUP_COLUMNS, how="left", maintain_order="left")
        .with_columns(
            share.alias("share"),
            pl.when(is_attributed).then(_ratio(downloads, pl.col("attributed_downloads"))).alias("share_of_attributed"),
            pl.when(is_unmapped).then(0.0).otherwise(share).alias("share_low"),
            pl.when(is_unmapped).then(share).otherwise(_ratio(downloads + unmapped, denominator)).alias("share_high"),
            (1.0 - _ratio(unmapped, denominator)).alias("coverage"),
            pl.struct(-downloads, "member").rank("ordinal").over(GROUP_COLUMNS).cast(pl.Int32).alias("rank"),
        )
        .drop("unmapped_downloads", "attributed_downloads")
    )


def _ratio(part: pl.Expr, whole: pl.Expr) -> pl.Expr:
    return pl.when(whole > 0).then(part / whole).otherwise(0.0)
