"""`country_group_shares`: the shares of unions, regions and income groups of countries."""

import polars as pl

from assets.columns import ATTRIBUTION, DIMENSION, IN_LONGER_PERIODS, OF_WHOLE, POPULATION, downloads, fraction, text
from assets.expressions import holds_in_month
from assets.shares.country_shares import COUNTRY_SHARES
from assets.shares.periods import over_periods, sums_over_periods
from assets.shares.share_table import NOBODY, NOT_KNOWN, with_bounds
from pipeline.reference.countries import country_groups
from pipeline.schema.figure import BOUNDED_SHARE, Chart, Figure, Shown
from pipeline.schema.published import published_table


def country_group_shares(country_shares: pl.LazyFrame, groups: pl.LazyFrame) -> pl.LazyFrame:
    """The groups' shares over every period: who is a member on a month's first day counts in the month."""
    keys = ["month", "basis", "population", "attribution"]
    rows = country_shares.select(*keys, "member", "downloads").collect().lazy()
    amount, member = pl.col("downloads"), pl.col("member")
    whole = rows.group_by(keys).agg(
        denominator=amount.sum(),
        unknown=amount.filter(member.is_in(NOT_KNOWN)).sum(),
        attributed=amount.filter(~member.is_in(NOBODY)).sum(),
    )
    inside = rows.join(groups, left_on="member", right_on="country").filter(holds_in_month())
    monthly = (
        whole.join(groups.select("group", "name", "kind").unique(), how="cross")
        .join(inside.group_by(*keys, "group").agg(amount.sum()), on=[*keys, "group"], how="left")
        .with_columns(amount.fill_null(0))
        .rename({"group": "member", "name": "group_name"})
    )
    amounts = pl.col("downloads", "denominator", "unknown", "attributed").sum()
    sums = sums_over_periods(monthly, [*keys[2:], "member", "group_name", "kind"], [amounts])
    return with_bounds(sums).with_columns(dimension=pl.lit("country_group"))


COUNTRY_GROUP_SHARES = published_table(
    "country_group_shares",
    lambda months: country_group_shares(months.scan(COUNTRY_SHARES), country_groups().lazy()),
    grain="month, period, population, attribution and group of countries",
    description="The share of downloads of unions, regions and income groups of countries.",
    columns=(
        *IN_LONGER_PERIODS,
        POPULATION,
        ATTRIBUTION,
        DIMENSION,
        text("member", "The group: `eu`, `africa`, `high_income` and so on."),
        text("group_name", "The group's name."),
        text("kind", "`union`, `region` or `income`.", values=("union", "region", "income")),
        downloads("Numerator: the downloads of the countries that are members in the month."),
        *OF_WHOLE,
        fraction("share_of_attributed", "`downloads` / (`denominator` without `unmapped` and `unaffiliated`)."),
        fraction("share_low", "Share if none of the unmapped downloads were the group's.", maximum="share"),
        fraction("share_high", "Share if all of the unmapped downloads were the group's.", minimum="share"),
        fraction("coverage", "Part of the denominator that is not `unmapped`."),
        over_periods(COUNTRY_SHARES).column("basis"),
    ),
    key=("month", "period", "population", "attribution", "dimension", "member"),
    warnings=(
        "Groups overlap: a country may be in several, and the shares of all groups do not sum to 1.",
        "Shares are not additive: add `downloads` and `denominator`, divide last.",
    ),
)

COUNTRY_GROUPS_FIGURE = Figure(
    "country-groups",
    "Groups of countries",
    "Of all downloads of the population in the period, the part of the members of each group. Groups overlap: their "
    "shares do not add up to the whole.",
    table="country_group_shares",
    place=16,
    sql="""
        select group_name, kind, share, share_low, share_high, downloads, denominator, coverage
        from country_group_shares where $of_period order by kind, downloads desc, group_name
    """,
    columns=(Shown("group_name", "group", "text"), Shown("kind", "kind", "text"), *BOUNDED_SHARE[:4]),
    chart=Chart("bars", "group_name", "share", high="share_high"),
)
