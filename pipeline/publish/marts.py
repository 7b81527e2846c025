"""The published tables from the lake's sealed months: frames in, frames out."""

from __future__ import annotations

import polars as pl
import pycountry

from pipeline.tables.attribution import UNMAPPED
from pipeline.tables.columns import MEMBERS_NOT_COUNTRIES
from pipeline.transform.attribution import current_rows
from pipeline.transform.sums import ratio, totals_by

SYNTHETIC_SOURCES = ("sample",)
MEMBER_NAMES = {
    "international": "International (no single base)",
    "unaffiliated": "Unaffiliated (persons' accounts)",
    "unmapped": "Unmapped (organisations not in the registry)",
}


def dim_month(accounts: pl.LazyFrame, attribution: pl.LazyFrame, origin_rule: str) -> pl.LazyFrame:
    """One row per month from `listings/month_accounts` and `attribution/attribution_coverage` of all months."""
    attributed = attribution.group_by("month").agg(
        (1 - pl.col("share_of_downloads").filter(pl.col("method") == "unmapped").sum()).alias("coverage")
    )
    return accounts.join(attributed, on="month", how="left").with_columns(
        pl.col("source").is_in(SYNTHETIC_SOURCES).alias("is_synthetic"), pl.lit(origin_rule).alias("origin_rule")
    )


def dim_country(countries: list[str]) -> pl.LazyFrame:
    """The names of the members that occur."""
    return pl.LazyFrame(
        {
            "country": countries,
            "country_name": [_country_name(code) for code in countries],
            "is_country": [code not in MEMBERS_NOT_COUNTRIES for code in countries],
        },
        schema={"country": pl.String, "country_name": pl.String, "is_country": pl.Boolean},
    )


def dim_organization(registry: pl.LazyFrame) -> pl.LazyFrame:
    """The registry with a mark on the rows that still hold, and each namespace's organisation and country today."""
    today = current_rows(registry).select(
        "namespace",
        pl.col("organization").alias("organization_today"),
        pl.col("country").alias("country_today"),
    )
    return registry.with_columns(pl.col("valid_to").is_null().alias("is_current")).join(
        today, on="namespace", how="left"
    )


def coverage(accounts: pl.LazyFrame, attribution: pl.LazyFrame) -> pl.DataFrame:
    """How each month was measured and attributed, in one long table.

    Sums are the same to the last bit wherever and in however many pieces the months are stored.
    """
    came_to = (
        pl.when(pl.col("method") == UNMAPPED)
        .then(pl.lit(UNMAPPED))
        .when(pl.col("kind") == "individual")
        .then(pl.lit("unaffiliated"))
        .otherwise(pl.lit("organization"))
    )
    aspects = {
        "measurement": accounts.select("month", pl.col("flow_case").alias("member"), "models", "downloads"),
        "attribution": _by_member(attribution, pl.col("method")),
        "attributed_to": _by_member(attribution, came_to),
    }
    rows = pl.concat(
        part.select("month", pl.lit(aspect).alias("aspect"), "member", "models", "downloads")
        for aspect, part in aspects.items()
    )
    counted = rows.sort("month", "aspect", "member").collect()
    totals = totals_by(counted, ["month", "aspect"], ["downloads"]).select("month", "aspect", total="downloads")
    return counted.join(totals, on=["month", "aspect"], how="left", maintain_order="left").select(
        *counted.columns,
        ratio(pl.col("downloads"), pl.col("total")).alias("share_of_downloads"),
    )


def _by_member(attribution: pl.LazyFrame, member: pl.Expr) -> pl.LazyFrame:
    rows = attribution.sort("month", "method", "kind").select(
        "month", member.alias("member"), "downloads", repositories="models"
    )
    totals = totals_by(rows.collect(), ["month", "member"], ["repositories", "downloads"])
    return totals.select("month", "member", "downloads", models="repositories").lazy()


def _country_name(code: str) -> str:
    if code in MEMBER_NAMES:
        return MEMBER_NAMES[code]
    country = pycountry.countries.get(alpha_2=code)
    return code if country is None else getattr(country, "common_name", country.name)
