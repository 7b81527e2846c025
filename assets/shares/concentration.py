"""`shares/concentration`: how concentrated downloads are over models, organisations and countries."""

from dataclasses import replace
from itertools import pairwise

import polars as pl

from assets.columns import ATTRIBUTION, BASIS, DIMENSION, IN_POPULATION, count, downloads, fraction, number
from assets.expressions import ratio
from assets.models.models import MODELS
from assets.shares.country_shares import COUNTRY_SHARES
from assets.shares.organization_shares import ORGANIZATION_SHARES
from assets.shares.periods import over_periods
from assets.shares.share_table import FLAGS, GROUP, NOBODY, in_month
from pipeline.orchestration.table_assets import table_asset
from pipeline.schema.declaration import DECIMAL, Column, Table
from pipeline.schema.figure import IN_MONTH, Chart, Figure, Shown
from pipeline.schema.published import PublishedTable
from pipeline.schema.shares import POPULATIONS

TOP = (1, 10, 100, 1000)
MOST_DOWNLOADS = 10**15
"""A counter that says more lies; the square of what it says would be beyond a decimal."""


def _index(name: str, meaning: str) -> Column:
    return number(name, meaning, "index", minimum=0, maximum=1.000000001)


def _top(count: int) -> str:
    return f"top_{count}_share"


CONCENTRATION = Table(
    "shares/concentration",
    grain="population, attribution and dimension",
    description=(
        "How concentrated downloads are. Members that are no organisation or country are left out of both sums; "
        "`coverage` says what part that leaves. `international` counts as one country."
    ),
    columns=(
        *IN_POPULATION,
        ATTRIBUTION,
        replace(DIMENSION, meaning="`model`, `organization` or `country`."),
        count("members", "Members, those without downloads included.", "members"),
        downloads("Downloads of these members.", "denominator"),
        _index("hhi", "Herfindahl-Hirschman index: sum of squared shares, from 1/members to 1."),
        number("effective_number", "Reciprocal of `hhi`: as many equal members would be as concentrated.", "members"),
        _index("gini", "Gini coefficient over the members, 0 where all are equal."),
        *(
            fraction(_top(count), f"Share of the {count:,} most downloaded.", maximum=_top(more))
            for count, more in pairwise(TOP)
        ),
        fraction(_top(TOP[-1]), f"Share of the {TOP[-1]:,} most downloaded."),
        fraction("coverage", "Part of the population's downloads that these members have."),
        BASIS,
    ),
    key=("period", "population", "attribution", "dimension"),
    warnings=(
        "Over models there are months only: longer periods would need every model of every month.",
        "A Gini over models counts the many that nobody downloads, so it is near 1 whoever leads.",
    ),
)


def _over_members(models: pl.LazyFrame, *shares: pl.LazyFrame) -> pl.LazyFrame:
    """The rows over countries and organisations, beside those over models."""
    return pl.concat([models, *map(concentration_of_members, shares)], how="diagonal_relaxed")


PUBLISHED = PublishedTable(
    over_periods(CONCENTRATION),
    lambda months: _over_members(
        months.scan(CONCENTRATION).filter(dimension="model"),
        months.published("country_shares"),
        months.published("organization_shares"),
    ),
)


@table_asset(CONCENTRATION, models=MODELS, countries=COUNTRY_SHARES, organizations=ORGANIZATION_SHARES)
def concentration(models: pl.LazyFrame, countries: pl.LazyFrame, organizations: pl.LazyFrame) -> pl.LazyFrame:
    """Concentration of the month over models, organisations and countries."""
    return _over_members(concentration_of_models(models).lazy(), countries, organizations)


def concentration_of_models(models: pl.LazyFrame) -> pl.DataFrame:
    """The rows over models, from `models/models`."""
    rising, amounts = models.select("downloads", *FLAGS).sort("downloads").collect(), _amounts(pl.col("downloads"))
    found = pl.concat(
        rising.filter(population.has_model()).select(pl.lit(population.name).alias("population"), *amounts)
        for population in POPULATIONS
    )
    stated = _indices(found).with_columns(dimension=pl.lit("model"), attribution=pl.lit("uploader"), coverage=1.0)
    return in_month(stated, models)


def concentration_of_members(shares: pl.LazyFrame) -> pl.LazyFrame:
    """Rows from a table of shares by country or organisation, of whatever periods."""
    attributed = pl.col("downloads").filter(~pl.col("member").is_in(NOBODY))
    facts = (
        shares.sort("downloads")
        .group_by(*GROUP, "months_in_period", "is_complete", "basis")
        .agg(*_amounts(attributed), population_downloads=pl.col("denominator").first())
        .collect()
    )
    part = ratio(pl.col("denominator"), pl.col("population_downloads"))
    return _indices(facts).with_columns(coverage=part).drop("population_downloads").lazy()


def _amounts(rising: pl.Expr) -> list[pl.Expr]:
    """Exact sums over amounts that rise: of the amounts, their squares, their places, and the largest."""
    # The Gini coefficient weighs each amount by its place: from 1 - members to members - 1.
    place = 2 * pl.int_range(rising.len()) - rising.len() + 1
    possible = rising.clip(upper_bound=pl.lit(MOST_DOWNLOADS, DECIMAL))
    return [
        rising.len().cast(pl.Int64).alias("members"),
        rising.sum().alias("denominator"),
        (possible * possible).sum().alias("squares"),
        (rising * place).sum().alias("places"),
        *(rising.tail(count).sum().alias(_top(count)) for count in TOP),
    ]


def _indices(sums: pl.DataFrame) -> pl.DataFrame:
    """`hhi`, `effective_number`, `gini` and top shares; all are 0 where there is nothing to share."""
    total = pl.col("denominator")
    # Squares are rounded to six places, which is much of one where next to nothing was downloaded.
    hhi = ratio(pl.col("squares"), total.cast(pl.Float64) ** 2).clip(upper_bound=1.0)
    return sums.with_columns(
        *(ratio(pl.col(_top(count)), total).alias(_top(count)) for count in TOP),
        hhi=hhi,
        effective_number=ratio(pl.lit(1.0), hhi),
        gini=ratio(pl.col("places"), total * pl.col("members")),
    ).drop("squares", "places")


CONCENTRATION_FIGURE = Figure(
    "concentration",
    "Concentration",
    "How unevenly each month's downloads fall on models, organisations and countries: the part of the ten largest, and "
    "the Gini coefficient (0: all alike; 1: one has everything). Organisations and countries are those that are known.",
    table="concentration",
    place=110,
    sql="""
        select month, dimension, members, top_1_share, top_10_share, gini, hhi, effective_number, denominator, coverage,
          case $measure when 'gini' then gini else top_10_share end as drawn
        from concentration where $of_months
        order by month, list_position(['model', 'organization', 'country'], dimension)
    """,
    columns=(
        IN_MONTH,
        Shown("dimension", "over", "text"),
        Shown("members", "members", "count"),
        Shown("top_1_share", "largest", "share"),
        Shown("top_10_share", "ten largest", "share"),
        Shown("gini", "Gini", "index"),
        Shown("hhi", "Herfindahl", "index"),
        Shown("effective_number", "effective number", "number"),
    ),
    chart=Chart("lines", "dimension", "drawn", number="index"),
    over="months",
    views={
        "Ten largest": {"attribution": "uploader", "measure": "top_10_share"},
        "Gini": {"attribution": "uploader", "measure": "gini"},
    },
    choice="Measure",
    denominator="downloads of known organisations or countries; over models: all downloads",
    coverage="of downloads attributed (over models: all)",
)
