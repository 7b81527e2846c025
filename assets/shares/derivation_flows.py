"""`shares/derivation_flows`: who builds on whom, country by country."""

from dataclasses import replace

import polars as pl

from assets.columns import COUNTRY, MONTH, downloads
from assets.shares.family_shares import (
    COUNTS,
    NEW_SHOWN,
    derivatives_by_root,
    derivatives_conserved,
    figure_of_derivatives,
    with_denominator,
)
from assets.shares.members import asset_by_origin
from pipeline.schema.declaration import Table
from pipeline.schema.figure import SHARE, Chart, Shown
from pipeline.schema.published import PublishedTable

DERIVATION_FLOWS = Table(
    "shares/derivation_flows",
    grain="country of the root and country of the derivative",
    description="Who builds on whom: derivatives by the country behind their roots and that of their own developer.",
    columns=(
        MONTH,
        replace(COUNTRY, name="base_country", meaning="Country (or other member) behind the root."),
        replace(COUNTRY, name="derivative_country", meaning="Country (or other member) of the derivative's developer."),
        *COUNTS,
        downloads("Downloads of the derivatives in the month."),
    ),
    key=("base_country", "derivative_country"),
    may_be_empty=True,
    rules=(
        derivatives_conserved("shares/derivation_flows", "month", "The flows add up to the month's new derivatives."),
    ),
)
PUBLISHED = PublishedTable(DERIVATION_FLOWS, lambda months: months.scan(DERIVATION_FLOWS))


def flows_of(models: pl.LazyFrame, weights: pl.LazyFrame, roots: pl.LazyFrame) -> pl.DataFrame:
    """`shares/derivation_flows` of a month, unsorted."""
    sums = (
        derivatives_by_root(models, weights, roots)
        .group_by(pl.col("country").alias("base_country"), "derivative_country")
        .agg(
            pl.col("new").sum().alias("new_derivatives"),
            pl.col("weight").sum().alias("derivatives"),
            pl.col("downloads").sum(),
        )
    )
    return with_denominator(sums, models).collect(engine="streaming")


derivation_flows = asset_by_origin(DERIVATION_FLOWS)(flows_of)

FLOWS_FIGURE = figure_of_derivatives(
    "flows",
    "Who builds on whom",
    "Of the period's new derivatives, the part that goes back to models of one country (down) and was published by "
    "another (across); the six largest of each side, all others together.",
    table="derivation_flows",
    place=60,
    sql="""
        with pairs as (
          select base_country as base, derivative_country as derived, sum(new_derivatives) as new
          from derivation_flows where list_contains($months, month) group by all having sum(new_derivatives) > 0
        ), named as (
          select case when base in (select base from pairs group by base order by sum(new) desc, base limit 6)
              then base else 'all others' end as base,
            case when derived in (select derived from pairs group by derived order by sum(new) desc, derived limit 6)
              then derived else 'all others' end as derived,
            new, sum(new) over () as denominator,
            1 - coalesce(sum(new) filter (base = 'unmapped' or derived = 'unmapped') over (), 0) / sum(new) over ()
              as coverage
          from pairs
        )
        select base, derived, sum(new) as new, sum(new) / any_value(denominator) as share,
          any_value(denominator) as denominator, any_value(coverage) as coverage
        from named group by base, derived
        order by base = 'all others', sum(sum(new)) over (partition by base) desc, base,
          derived = 'all others', sum(sum(new)) over (partition by derived) desc, derived
    """,
    columns=(
        Shown("base", "country of the base", "country"),
        Shown("derived", "country of the derivative", "country"),
        NEW_SHOWN,
        SHARE,
    ),
    chart=Chart("grid", "base", "share", group="derived", title="down: country of the base; across: of the derivative"),
    is_pictured=True,
    attribution="the base by origin, the derivative by uploader",
    coverage="of the declared derivatives with both ends mapped",
)
