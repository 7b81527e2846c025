"""`shares/organization_shares`: who holds which part of the downloads, organisation by organisation."""

from dataclasses import replace

import polars as pl

from assets.columns import COUNTRY
from assets.shares.members import asset_by_origin, developer_pages, developer_rules, developers
from assets.shares.periods import published_shares
from assets.shares.share_table import MEMBER, member_shares, share_table
from pipeline.schema.figure import AMOUNTS, BOTH_ATTRIBUTIONS, BOUNDED_SHARE, NO_ORIGIN, SHARE, Chart, Figure, Shown

ORGANIZATION_SHARES = share_table(
    "organization",
    "Each organisation's part of the month's downloads, by uploader and by origin, for every population.",
    member=replace(MEMBER, refers_to="dim_organization"),
    further=(COUNTRY,),
    rules=developer_rules("organization"),
)
PUBLISHED = published_shares(ORGANIZATION_SHARES)


def shares_of_organizations(models: pl.LazyFrame, weights: pl.LazyFrame, roots: pl.LazyFrame) -> pl.DataFrame:
    """`shares/organization_shares` of a month, unsorted."""
    of_attribution = developers(models, weights, roots)
    named = pl.concat(rows.select("organization", "country").unique() for rows in of_attribution.values())
    seats = named.group_by(member="organization").agg(pl.col("country").min())
    return member_shares(models, of_attribution, "organization").join(seats.collect(), on="member", how="left")


organization_shares = asset_by_origin(ORGANIZATION_SHARES)(shares_of_organizations)

_OF_ORGANIZATION = Shown("member", "organisation", "text")
_IN_COUNTRY = Shown("country", "country", "country")

ORGANIZATIONS_FIGURE = Figure(
    "organisations",
    "Organisations with most downloads",
    "Of all downloads of the population in the period, the part of each organisation. Persons and organisations that "
    "are not in the registry are in the denominator and not in the list.",
    table="organization_shares",
    place=30,
    sql="""
        select member, country, share, share_low, share_high, downloads, models, denominator, coverage,
          case when list_contains($leading, country) then country else 'other' end as colour
        from organization_shares
        where $of_period and member not in ('unaffiliated', 'unmapped') and downloads > 0
        order by downloads desc, member limit 12
    """,
    columns=(_OF_ORGANIZATION, _IN_COUNTRY, *BOUNDED_SHARE),
    chart=Chart("bars", "member", "share", group="colour"),
    views=BOTH_ATTRIBUTIONS,
    if_empty=NO_ORIGIN,
)

ORGANIZATIONS_WITHIN_FIGURE = Figure(
    "organisations-within",
    "Organisations within the leading countries",
    "Of the downloads of each leading country, the part of its largest organisations.",
    table="organization_shares",
    place=35,
    sql="""
        with whole as (
          select member as country, downloads as denominator, coverage from country_shares
          where $of_period and list_contains($leading, member)
        ), within as (
          select country, member, organization_shares.downloads, models, whole.coverage, whole.denominator,
            row_number() over (partition by country order by downloads desc, member) as place
          from organization_shares join whole using (country) where $of_period
        )
        select country, member, downloads / denominator as share, downloads, models, denominator, coverage
        from within where place <= 10 and denominator > 0 order by denominator desc, country, place
    """,
    columns=(_IN_COUNTRY, _OF_ORGANIZATION, SHARE, *AMOUNTS),
    chart=Chart("bars", "member", "share", group="country"),
    denominator="downloads of a country",
    coverage="of all downloads attributed",
    is_printed=True,
)

ORGANIZATION_PAGES = developer_pages(
    "organization",
    "organisation",
    "organisations",
    published="by",
    place=2,
    members="""
        select member, country, share, share_low, share_high, downloads from organization_shares
        where $of_period and member not in ('unaffiliated', 'unmapped') and share >= 0.001
        order by downloads desc, member
    """,
    columns=(_OF_ORGANIZATION, _IN_COUNTRY),
    figure=Figure(
        "models",
        "Its models with most downloads",
        "Of the organisation's downloads of the population in the period, the part of each model; models outside "
        "the 99.9 % that are published one by one are in the denominator alone.",
        table="model_month",
        place=3,
        sql="""
            with of_models as (
              select hub_id, sum(case $population when 'new' then downloads_new else downloads end) as downloads
              from model_month where organization = $member and list_contains($months, month) group by hub_id
            ), whole as (
              select downloads as denominator from organization_shares where $of_period and member = $member
            )
            select model_id, of_models.downloads / denominator as share, of_models.downloads, denominator
            from of_models join dim_model using (hub_id) cross join whole
            where of_models.downloads > 0 and denominator > 0 order by downloads desc, model_id limit 10
        """,
        columns=(Shown("model_id", "model", "text"), SHARE, AMOUNTS[0]),
        denominator="downloads of the organisation",
        coverage="every model of the organisation",
    ),
)
