"""`shares/country_shares`: who holds which part of the downloads, country by country."""

from dataclasses import replace

import polars as pl

from assets.columns import COUNTRY_PATTERN
from assets.shares.members import asset_by_origin, developer_pages, developer_rules, developers
from assets.shares.periods import published_shares
from assets.shares.share_table import MEMBER, member_shares, share_table
from pipeline.schema.figure import BOTH_ATTRIBUTIONS, BOUNDED_SHARE, IN_MONTH, NO_ORIGIN, Chart, Figure, Shown

COUNTRY_SHARES = share_table(
    "country",
    "Each country's part of the month's downloads, by uploader and by origin, for every population.",
    member=replace(MEMBER, pattern=COUNTRY_PATTERN, refers_to="dim_country"),
    rules=developer_rules("country"),
)
PUBLISHED = published_shares(COUNTRY_SHARES)


@asset_by_origin(COUNTRY_SHARES)
def country_shares(models: pl.LazyFrame, weights: pl.LazyFrame, roots: pl.LazyFrame) -> pl.DataFrame:
    """Each country's part of the downloads, by uploader and by origin."""
    return member_shares(models, developers(models, weights, roots), "country")


_OF_COUNTRY = Shown("member", "country", "country")
_MONTHS_OF_LARGEST = """
    with monthly as (select * from country_shares where $of_months and length(member) = 2), largest as (
      select member, sum(downloads) as total from monthly group by member having total > 0
      order by total desc, member limit {limit}
    )
    select month, member, share, share_low, share_high, downloads, denominator, coverage
    from monthly join largest using (member) order by month, total desc, member
"""

COUNTRIES_FIGURE = Figure(
    "countries",
    "Share of model downloads by country",
    "Of all downloads of the population in the period, the part whose repository was published by an account of the "
    "country. The line shows the most it could be, if all unmapped downloads were this country's.",
    table="country_shares",
    place=10,
    sql="""
        with placed as (
          select *, length(member) = 2 as is_country,
            row_number() over (partition by length(member) = 2 order by downloads desc, member) as place,
            count(*) over (partition by length(member) = 2) - 8 as others
          from country_shares where $of_period
        )
        select member, share, share_low, share_high, downloads, models, denominator, coverage,
          case when not is_country or place <= 8 then member when others = 1 then '1 other country'
            else others || ' other countries' end as shown
        from placed order by is_country desc, downloads desc, member
    """,
    columns=(_OF_COUNTRY, *BOUNDED_SHARE),
    chart=Chart("bars", "shown", "share", high="share_high"),
    coverage="of the denominator attributed",
    is_printed=True,
    is_pictured=True,
)

MAP_FIGURE = Figure(
    "map",
    "Countries on the map",
    "Of all downloads of the population in the period, the part whose repository was published by an account of the "
    "country. Countries that are too small to be drawn, such as Singapore, are in the table.",
    table="country_shares",
    place=12,
    sql="""
        select member, member as code, share, share_low, share_high, downloads, denominator, coverage
        from country_shares where $of_period and length(member) = 2 and downloads > 0 order by downloads desc, member
    """,
    columns=(_OF_COUNTRY, Shown("code", "code", "code"), *BOUNDED_SHARE[:4]),
    chart=Chart("map", "member", "share", high="share_high", group="code"),
    coverage="of the denominator attributed",
)

COUNTRIES_OVER_TIME_FIGURE = Figure(
    "countries-over-time",
    "Countries, month by month",
    "Each month's downloads of the population by country, for the countries with most of them. The band shows the most "
    "it could be, if all unmapped downloads were this country's. By origin, a derivative counts for the makers of the "
    "models it derives from.",
    table="country_shares",
    place=20,
    sql=_MONTHS_OF_LARGEST.format(limit=6),
    columns=(IN_MONTH, _OF_COUNTRY, *BOUNDED_SHARE[:4], Shown("denominator", "of downloads", "count")),
    chart=Chart("lines", "member", "share", high="share_high"),
    over="months",
    views=BOTH_ATTRIBUTIONS,
    if_empty=NO_ORIGIN,
    is_pictured=True,
)

LEADING_COUNTRIES_FIGURE = Figure(
    "leading-countries",
    "The leading countries",
    "Each month's downloads of the population by country, for the countries with most of them, as measured: "
    "downloads of organisations that are not in the registry are in the denominator and in no line.",
    table="country_shares",
    place=15,
    sql=_MONTHS_OF_LARGEST.format(limit=8),
    columns=(IN_MONTH, _OF_COUNTRY, *BOUNDED_SHARE[:3]),
    chart=Chart("together", "member", "share", marks_crossing=True, chosen=4),
    over="months",
    views=BOTH_ATTRIBUTIONS,
    if_empty=NO_ORIGIN,
)

COUNTRY_PAGES = developer_pages(
    "country",
    "country",
    "countries",
    published="from",
    place=1,
    members="""
        select member, share, share_low, share_high, downloads from country_shares
        where $of_period and length(member) = 2 and share >= 0.001 order by downloads desc, member
    """,
    columns=(_OF_COUNTRY,),
    figure=Figure(
        "organisations",
        "Its organisations",
        "Of all downloads of the population in the period, the part of each of the country's organisations.",
        table="organization_shares",
        place=3,
        sql="""
            select member, share, share_low, share_high, downloads, models, denominator, coverage
            from organization_shares where $of_period and country = $member and downloads > 0
            order by downloads desc, member limit 12
        """,
        columns=(Shown("member", "organisation", "text"), *BOUNDED_SHARE),
        chart=Chart("bars", "member", "share"),
    ),
)
