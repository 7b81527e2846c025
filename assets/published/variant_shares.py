"""`variant_shares`: the countries' shares under other maps, every organisation placed by another of its facts."""

from dataclasses import replace

import polars as pl

from assets.attribution.organizations import ORGANIZATIONS
from assets.columns import text
from assets.expressions import holds_in_month
from assets.shares.country_shares import COUNTRY_SHARES
from assets.shares.organization_shares import ORGANIZATION_SHARES
from assets.shares.periods import over_periods, sums_over_periods
from assets.shares.share_table import GROUP, with_shares
from pipeline.reference.other_map import VARIANTS
from pipeline.schema.figure import AMOUNTS, SHARE, Chart, Figure, Shown
from pipeline.schema.published import PublishedTable

MAP = text(
    "map_name",
    "By what organisations are placed. "
    + "; ".join(f"`{name}`: {meaning}" for name, (meaning, _) in VARIANTS.items())
    + ".",
    values=tuple(VARIANTS),
)


def variant_shares(organization_shares: pl.LazyFrame, registry: pl.LazyFrame) -> pl.LazyFrame:
    """The shares over every period, from the months of `shares/organization_shares`.

    `registry` is `attribution/organizations`: the rows that hold on a month's first day place its organisations. Who is
    not in it stays where the month has placed them.
    """
    keys = [*GROUP[2:], "map_name", "member"]
    rows = organization_shares.select("month", "basis", *GROUP[2:4], "member", "country", "downloads").collect()
    valid = registry.join(rows.lazy().select("month").unique(), how="cross").filter(holds_in_month())
    placed = pl.concat(
        valid.group_by("month", member="organization").agg(map_name=pl.lit(name), placed=country.min())
        for name, (_, country) in VARIANTS.items()
    )
    monthly = (
        rows.lazy()
        .join(pl.LazyFrame({"map_name": list(VARIANTS)}), how="cross")
        .join(placed, on=["month", "map_name", "member"], how="left")
        .with_columns(member=pl.coalesce("placed", "country"), dimension=pl.lit("country"))
        .group_by("month", "basis", *keys)
        .agg(pl.col("downloads").sum())
    )
    sums = sums_over_periods(monthly, keys, [pl.col("downloads").sum()]).collect()
    return with_shares(sums, (*GROUP, "map_name")).lazy()


VARIANT_SHARES = PublishedTable(
    replace(
        over_periods(COUNTRY_SHARES),
        path="published/variant_shares",
        grain="month, period, population, attribution, map and country",
        description="Each country's part of the downloads under other maps; `head_office` is `country_shares` again.",
        columns=(*(column for column in over_periods(COUNTRY_SHARES).columns if column.name != "models"), MAP),
        key=("month", "period", "population", "attribution", "map_name", "dimension", "member"),
    ),
    lambda months: variant_shares(months.scan(ORGANIZATION_SHARES), months.scan(ORGANIZATIONS)),
)

VARIANTS_FIGURE = Figure(
    "maps",
    "Countries under other maps",
    "Of all downloads of the population in the period, the part of each of the leading countries, if organisations "
    "are placed by another of their facts: by their owner, by their owner with purchases that are only announced, by "
    "their register, or with Hong Kong and Macao in China.",
    table="variant_shares",
    place=15,
    sql="""
        select member, map_name, share, downloads, denominator, coverage
        from variant_shares
        where $of_period and member in (
          select member from variant_shares where $of_period and length(member) = 2 and map_name = 'head_office'
          order by downloads desc, member limit 6
        )
        order by max(downloads) over (partition by member) desc, member, map_name
    """,
    columns=(Shown("member", "country", "country"), Shown("map_name", "map", "member"), SHARE, AMOUNTS[0]),
    chart=Chart("bars", "member", "share", group="map_name"),
)
