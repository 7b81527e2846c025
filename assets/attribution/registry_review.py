"""Holding the registry against what is downloaded, and against other maps."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

import polars as pl

from assets.attribution.developers import UNMAPPED, attribute
from assets.attribution.organizations import current_rows
from assets.expressions import ratio

YEAR = timedelta(days=365)
HELD_BY_THE_LARGEST = 0.95
NOT_IN_THE_REGISTRY = "not in the registry"


def listing_standing(listing: pl.LazyFrame, registry: pl.LazyFrame) -> pl.LazyFrame:
    """What each namespace of a listing rests on: the `basis` of its registry row, or that it has none.

    `listing` has `column` (which of the listing's figures), `namespace` and `downloads`; it gains `standing`.
    """
    return listing.join(current_rows(registry).select("namespace", "basis"), on="namespace", how="left").select(
        "column", "namespace", "downloads", pl.col("basis").fill_null(NOT_IN_THE_REGISTRY).alias("standing")
    )


def month_standing(
    downloads: pl.LazyFrame, attribution: pl.LazyFrame, registry: pl.LazyFrame, month: date
) -> pl.LazyFrame:
    """The same of a month of the lake: the basis of the row that was applied, else the rule that decided.

    A row that was applied and has been removed or re-dated since counts as `registry row changed since`.
    """
    since = pl.col("valid_from").cast(pl.String).fill_null("ever")
    rows = registry.select(pl.concat_str("namespace", pl.lit(" since "), since).alias("registry_row"), "basis")
    return (
        _by_developer(downloads, attribution)
        .join(rows, on="registry_row", how="left")
        .select(
            pl.lit(f"{month:%Y-%m}").alias("column"),
            pl.coalesce("namespace", "model_id").alias("namespace"),
            "downloads",
            pl.when(pl.col("method") == "registry")
            .then(pl.col("basis").fill_null("registry row changed since"))
            .otherwise("method")
            .alias("standing"),
        )
    )


def coverage_by_standing(standing: pl.LazyFrame) -> pl.DataFrame:
    """For each figure of a listing: namespaces, downloads and share of the downloads by standing, largest first."""
    total = pl.col("downloads").sum().over("column")
    return (
        standing.group_by("column", "standing")
        .agg(pl.col("namespace").filter(pl.col("downloads") > 0).n_unique().alias("namespaces"), pl.sum("downloads"))
        .with_columns(ratio(pl.col("downloads"), total).alias("share"))
        .sort("column", "downloads", "standing", descending=[False, True, False])
        .collect()
    )


def largest_namespaces(standing: pl.LazyFrame) -> pl.DataFrame:
    """For each figure, of the namespaces that together hold 95 % of its downloads: how many, and how many `read`."""
    downloads = pl.col("downloads")
    before = (downloads.cum_sum() - downloads).over("column").cast(pl.Float64)
    return (
        standing.sort("column", "downloads", "namespace", descending=[False, True, False])
        .filter((before < HELD_BY_THE_LARGEST * downloads.sum().over("column")) & (downloads > 0))
        .group_by("column", maintain_order=True)
        .agg(pl.len().alias("namespaces"), (pl.col("standing") == "read").sum().alias("read"))
        .collect()
    )


def largest_without_a_row(standing: pl.LazyFrame, most: int) -> pl.DataFrame:
    """For each figure, the most downloaded namespaces that nothing is known of: downloads and share, largest first."""
    share = ratio(pl.col("downloads"), pl.col("downloads").sum().over("column"))
    return (
        standing.with_columns(share.alias("share"))
        .filter(pl.col("standing").is_in([NOT_IN_THE_REGISTRY, UNMAPPED]) & (pl.col("downloads") > 0))
        .sort("column", "downloads", "namespace", descending=[False, True, False])
        .group_by("column", maintain_order=True)
        .head(most)
        .select("column", "namespace", "downloads", "share")
        .collect()
    )


def compare_maps(registry: pl.LazyFrame, theirs: pl.LazyFrame, groups: pl.LazyFrame) -> pl.DataFrame:
    """Namespace by namespace, what the registry's latest row says and what another map says.

    Returns:
        `namespace`, `ours`, `theirs` and `result`: `agreement` (also with a group that holds our country),
        `disagreement`, `not_stated` (the other map names none), `only_here`, `only_there`.
    """
    ours = current_rows(registry).select("namespace", pl.col("country").fill_null("unaffiliated").alias("ours"))
    named = theirs.select("namespace", pl.col("country").alias("theirs"), pl.lit(value=True).alias("is_there"))
    in_group = groups.select(
        pl.col("group").alias("theirs"), pl.col("country").alias("ours"), pl.lit(value=True).alias("is_in_group")
    )
    agrees = (pl.col("ours") == pl.col("theirs")) | pl.col("is_in_group").fill_null(value=False)
    result = (
        pl.when(pl.col("is_there").is_null())
        .then(pl.lit("only_here"))
        .when(pl.col("ours").is_null())
        .then(pl.lit("only_there"))
        .when(pl.col("theirs").is_null())
        .then(pl.lit("not_stated"))
        .when(agrees)
        .then(pl.lit("agreement"))
        .otherwise(pl.lit("disagreement"))
    )
    return (
        ours.join(named, on="namespace", how="full", coalesce=True)
        .join(in_group, on=["theirs", "ours"], how="left")
        .select("namespace", "ours", "theirs", result.alias("result"))
        .sort("result", "namespace")
        .collect()
    )


def downloads_under_both_maps(
    downloads: pl.LazyFrame,
    attribution: pl.LazyFrame,
    accounts: pl.LazyFrame,
    theirs: pl.LazyFrame,
    canonical_models: pl.LazyFrame,
    month: date,
) -> pl.DataFrame:
    """A month's downloads by uploader's country, as attributed (`ours`) and by another map (`theirs`).

    The other map takes the registry's place and nothing else changes: models without a namespace and persons' accounts
    are decided as before, what the map does not name is `unmapped`. A map without periods holds for every month.
    """
    by_developer = _by_developer(downloads, attribution).collect().lazy()
    under_theirs = attribute(
        by_developer.select("namespace", "model_id", "downloads"),
        month,
        registry=_as_registry(theirs),
        canonical_models=canonical_models,
        accounts=accounts,
    )
    return pl.concat(
        frame.select(pl.lit(name).alias("map"), pl.col("country").alias("member"), "downloads")
        for name, frame in (("ours", by_developer), ("theirs", under_theirs))
    ).collect()


def _by_developer(downloads: pl.LazyFrame, attribution: pl.LazyFrame) -> pl.LazyFrame:
    """Downloads by namespace, and by model where there is none, with what they were attributed to."""
    canonical = pl.when(pl.col("namespace").is_null()).then("model_id").alias("model_id")
    return (
        attribution.select("hub_id", "namespace", canonical, "country", "method", "registry_row")
        .join(downloads.select("hub_id", "downloads"), on="hub_id")
        .group_by("namespace", "model_id", "country", "method", "registry_row")
        .agg(pl.col("downloads").sum())
    )


def _as_registry(theirs: pl.LazyFrame) -> pl.LazyFrame:
    if "valid_from" in theirs.collect_schema():
        return theirs
    return theirs.filter(pl.col("country").is_not_null()).select(
        "namespace",
        pl.col("namespace").alias("organization"),
        "country",
        pl.when(pl.col("country") == "unaffiliated")
        .then(pl.lit("individual"))
        .otherwise(pl.lit("company"))
        .alias("kind"),
        pl.lit(None, pl.Date).alias("valid_from"),
        pl.lit(None, pl.Date).alias("valid_to"),
    )


def in_the_groups_of(downloads: pl.DataFrame, theirs: pl.DataFrame, groups: pl.DataFrame) -> pl.DataFrame:
    """Members put into the groups of another map, so that both sides can be compared.

    A country that the other map also names by itself stays by itself. `downloads` has the column `member`.
    """
    named = theirs.select(pl.col("country")).unique()
    grouped = groups.join(named, on="country", how="anti").unique("country", keep="first", maintain_order=True)
    return (
        downloads.join(grouped, left_on="member", right_on="country", how="left")
        .with_columns(pl.coalesce("group", "member").alias("member"))
        .drop("group")
    )


def due_for_review(files: Mapping[str, pl.DataFrame], day: date) -> pl.DataFrame:
    """What of the registry's files someone should look at again: `reason`, `subject` and `detail`, by reason.

    Reasons: a seat or an account that was read more than a year before `day`; a purchase that was announced and not
    closed; a seat that is disputed.
    """
    old = pl.col("checked_on") < day - YEAR
    read_long_ago = [
        files[name]
        .filter(old)
        .select(
            pl.lit("read more than a year ago").alias("reason"),
            pl.col(subject).alias("subject"),
            pl.format("{} in {}.csv, line {}", "checked_on", pl.lit(name), "line").alias("detail"),
        )
        for name, subject in (("seats", "organization_id"), ("accounts", "namespace"))
    ]
    waiting = pl.col("closed_on").is_null() & pl.col("announced_on").is_not_null() & pl.col("ended_on").is_null()
    announced = (
        files["owners"]
        .filter(waiting)
        .select(
            pl.lit("announced and not closed").alias("reason"),
            pl.col("organization_id").alias("subject"),
            pl.format("by {} on {}, owners.csv, line {}", "owner_id", "announced_on", "line").alias("detail"),
        )
    )
    disputed = (
        files["seats"]
        .filter(pl.col("disputed_country").is_not_null() & pl.col("valid_to").is_null())
        .select(
            pl.lit("disputed").alias("reason"),
            pl.col("organization_id").alias("subject"),
            pl.format(
                "{} here, {} by {}, seats.csv, line {}",
                "country",
                "disputed_country",
                pl.col("disputed_by").fill_null("(not said)"),
                "line",
            ).alias("detail"),
        )
    )
    return pl.concat([*read_long_ago, announced, disputed])
