"""Holding the registry against what is downloaded, and against other maps."""

from collections.abc import Iterable, Mapping
from datetime import date, timedelta

import polars as pl

from assets.attribution.model_attribution import MODEL_ATTRIBUTION, UNMAPPED, attribute, registry_row
from assets.attribution.organizations import current_rows
from assets.expressions import first_case, ratio
from assets.listings.hub_accounts import HUB_ACCOUNTS
from assets.listings.model_downloads import MODEL_DOWNLOADS
from pipeline.lake.store import Lake
from pipeline.reference.other_map import CountryMap
from pipeline.schema.shares import Population

YEAR = timedelta(days=365)
HELD_BY_THE_LARGEST = 0.95
WITHOUT_A_ROW = ("not in the registry", UNMAPPED)
"""How namespaces stand of which nothing is known, in a listing and in a month."""


def listing_standing(listing: pl.LazyFrame, registry: pl.LazyFrame) -> pl.LazyFrame:
    """What each namespace of a listing rests on: the `basis` of its registry row, or that it has none.

    `listing` has `column` (which of the listing's figures), `namespace` and `downloads`; it gains `standing`.
    """
    rows = current_rows(registry).select("namespace", standing="basis")
    return listing.join(rows, on="namespace", how="left").with_columns(pl.col("standing").fill_null(WITHOUT_A_ROW[0]))


def month_standing(
    downloads: pl.LazyFrame, attribution: pl.LazyFrame, registry: pl.LazyFrame, month: date
) -> pl.LazyFrame:
    """The same of a month of the lake: the basis of the row that was applied, else the rule that decided.

    A row that was applied and has been removed or re-dated since counts as `registry row changed since`.
    """
    rows = registry.select(registry_row(pl.col("namespace")), "basis")
    basis = pl.when(pl.col("method") == "registry").then(pl.col("basis").fill_null("registry row changed since"))
    return (
        _by_developer(downloads, attribution)
        .join(rows, on="registry_row", how="left")
        .select(
            "downloads",
            column=pl.lit(f"{month:%Y-%m}"),
            namespace=pl.coalesce("namespace", "model_id"),
            standing=basis.otherwise("method"),
        )
    )


def ranked(standing: pl.LazyFrame) -> pl.DataFrame:
    """The namespaces that were downloaded, figure by figure, the largest first.

    They gain `share`, of the figure's downloads, and `is_large`: whether they are of the largest, which hold 95 %.
    """
    downloads = pl.col("downloads").cast(pl.Float64)
    total = downloads.sum().over("column")
    larger = (downloads.cum_sum() - downloads).over("column")
    return (
        standing.filter(pl.col("downloads") > 0)
        .sort("column", "downloads", "namespace", descending=[False, True, False])
        .with_columns(share=ratio(downloads, total), is_large=larger < HELD_BY_THE_LARGEST * total)
        .collect()
    )


def compare_maps(registry: pl.LazyFrame, other: CountryMap) -> pl.DataFrame:
    """Namespace by namespace, what the registry's latest row says and what another map says.

    Returns:
        `namespace`, `ours`, `theirs` and `result`: `agreement` (also with a group that holds our country),
        `disagreement`, `not_stated` (the other map names none), `only_here`, `only_there`.
    """
    ours, named = (
        current_rows(rows).select("namespace", pl.col("country").fill_null("unaffiliated").alias(whose))
        for rows, whose in ((registry, "ours"), (other.rows.lazy(), "theirs"))
    )
    left_open = pl.LazyFrame({"namespace": other.open, "theirs": None}, schema=named.collect_schema())
    in_group = other.groups.lazy().select(theirs="group", ours="country", is_in_group=pl.lit(value=True))
    agrees = (pl.col("ours") == pl.col("theirs")) | pl.col("is_in_group").fill_null(value=False)
    result = first_case(
        ("only_there", pl.col("ours").is_null()),
        ("not_stated", pl.col("namespace").is_in(other.open)),
        ("only_here", pl.col("theirs").is_null()),
        ("agreement", agrees),
        otherwise="disagreement",
    )
    return (
        ours.join(pl.concat([named, left_open]), on="namespace", how="full", coalesce=True)
        .join(in_group, on=["theirs", "ours"], how="left")
        .select("namespace", "ours", "theirs", result.alias("result"))
        .sort("result", "namespace")
        .collect()
    )


def shares_under_both_maps(
    other: CountryMap, lake: Lake, months: Iterable[date], population: Population
) -> pl.DataFrame:
    """`member` with its downloads and share in the months under our map (`ours`, `our_share`) and the other."""
    tables = MODEL_DOWNLOADS, MODEL_ATTRIBUTION, HUB_ACCOUNTS
    monthly = []
    for month in months:
        downloads, attribution, accounts = (lake.scan(table, month) for table in tables)
        monthly.append(
            downloads_under_both_maps(downloads.filter(population.has_model()), attribution, accounts, other, month)
        )
    sums = pl.concat(monthly).pivot("map", index="member", values="downloads", aggregate_function="sum").fill_null(0)
    ours, theirs = pl.col("ours"), pl.col("theirs")
    return sums.with_columns(our_share=ratio(ours, ours.sum()), their_share=ratio(theirs, theirs.sum()))


def downloads_under_both_maps(
    downloads: pl.LazyFrame, attribution: pl.LazyFrame, accounts: pl.LazyFrame, other: CountryMap, month: date
) -> pl.DataFrame:
    """A month's downloads by uploader's country, as attributed (`ours`) and by another map (`theirs`).

    The other map takes the registry's place and nothing else changes: models without a namespace and persons' accounts
    are decided as before, what the map does not name is `unmapped`. A map without periods holds for every month. Our
    countries are put into the groups of the other map, unless it also names them by themselves.
    """
    by_developer = _by_developer(downloads, attribution).collect().lazy()
    theirs = attribute(
        by_developer.select("namespace", "model_id", "downloads"),
        month,
        registry=other.rows.lazy(),
        canonical_models=other.canonical_models.lazy(),
        accounts=accounts,
    )
    grouped = other.groups.lazy().join(other.rows.lazy(), on="country", how="anti")
    groups = grouped.unique("country", keep="first", maintain_order=True)
    return pl.concat(
        frame.join(groups, on="country", how="left").select(
            pl.lit(name).alias("map"), pl.coalesce("group", "country").alias("member"), "downloads"
        )
        for name, frame in (("ours", by_developer), ("theirs", theirs))
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


def due_for_review(files: Mapping[str, pl.DataFrame], day: date) -> pl.DataFrame:
    """What of the registry's files someone should look at again: `reason`, `subject` and `detail`, by reason.

    Reasons: a seat or an account that was read more than a year before `day`; a purchase that was announced and not
    closed; a seat that is disputed.
    """

    def due(file: str, reason: str, is_due: pl.Expr, subject: str, detail: pl.Expr) -> pl.DataFrame:
        where = pl.format("{}, {}.csv, line {}", detail, pl.lit(file), "line")
        return files[file].filter(is_due).select(pl.lit(reason).alias("reason"), subject=subject, detail=where)

    is_old = pl.col("checked_on") < day - YEAR
    read = pl.format("checked on {}", "checked_on")
    is_announced = pl.col("closed_on").is_null() & pl.col("announced_on").is_not_null() & pl.col("ended_on").is_null()
    bought = pl.format("by {} on {}", "owner_id", "announced_on")
    is_disputed = pl.col("disputed_country").is_not_null() & pl.col("valid_to").is_null()
    who = pl.col("disputed_by").fill_null("(not said)")
    claimed = pl.format("{} here, {} by {}", "country", "disputed_country", who)
    return pl.concat(
        [
            due("seats", "read more than a year ago", is_old, "organization_id", read),
            due("accounts", "read more than a year ago", is_old, "namespace", read),
            due("owners", "announced and not closed", is_announced, "organization_id", bought),
            due("seats", "disputed", is_disputed, "organization_id", claimed),
        ]
    )
