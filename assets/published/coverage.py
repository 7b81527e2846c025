"""`coverage`: how the downloads of each month were measured, and to what they were attributed."""

import polars as pl

from assets.attribution.attribution_coverage import ATTRIBUTION_COVERAGE
from assets.attribution.model_attribution import UNMAPPED
from assets.columns import MONTH, text
from assets.expressions import ratio
from assets.listings.reconciliation import BOUNDARY_RECONCILIATION, DOWNLOAD_RECONCILIATION
from pipeline.schema.figure import IN_MONTH, Chart, Figure, Shown
from pipeline.schema.published import published_table


def coverage(reconciliation: pl.LazyFrame, boundaries: pl.LazyFrame, attribution: pl.LazyFrame) -> pl.LazyFrame:
    """The rows of `coverage` from both reconciliations of downloads and the coverage of attribution, of all months."""
    not_organizations = {"individual": "unaffiliated", UNMAPPED: UNMAPPED}
    came_to = pl.col("kind").replace_strict(not_organizations, default="organization", return_dtype=pl.String)
    aspects = {
        "measurement": (reconciliation, pl.col("flow_case")),
        "boundary": (boundaries, pl.col("boundary")),
        "attribution": (attribution, pl.col("method")),
        "attributed_to": (attribution, came_to),
    }
    sums = (
        rows.group_by("month", aspect=pl.lit(aspect), member=member).agg(pl.col("models", "downloads").sum())
        for aspect, (rows, member) in aspects.items()
    )
    total = pl.col("downloads").sum().over("month", "aspect")
    return pl.concat(sums).with_columns(share_of_downloads=ratio(pl.col("downloads"), total))


_MADE_FROM = (DOWNLOAD_RECONCILIATION, BOUNDARY_RECONCILIATION, ATTRIBUTION_COVERAGE)
COVERAGE = published_table(
    "coverage",
    lambda months: coverage(*map(months.scan, _MADE_FROM)),
    grain="month, aspect and member",
    description="How the downloads of every month were measured, and by which rule they were attributed.",
    columns=(
        MONTH,
        text(
            "aspect",
            "`measurement` (members: flow cases), `boundary` (members: how counters at the boundaries are known), "
            "`attribution` (members: methods) or `attributed_to` (members: `organization`, `unaffiliated`, "
            "`unmapped`).",
        ),
        text("member", "The case, by its aspect."),
        *map(ATTRIBUTION_COVERAGE.column, ("models", "downloads", "share_of_downloads")),
    ),
    key=("month", "aspect", "member"),
)

COVERAGE_FIGURE = Figure(
    "coverage",
    "Coverage",
    "How much of each month's downloads is attributed to an organisation, to persons, or to nobody that the registry "
    "knows; how they were measured: as the growth of a counter, or estimated from a 30-day counter; and how the "
    "counters at the month's boundaries are known.",
    table="coverage",
    place=130,
    sql="""
        with measured as (
          select month, member, share_of_downloads, coverage.downloads, coverage.models,
            dim_month.downloads as denominator, dim_month.coverage
          from coverage join dim_month using (month) where aspect = $aspect
        )
        select * from measured where denominator > 0
        order by month, list_position(
          ['organization', 'unaffiliated', 'unmapped', 'continued', 'estimated', 'created', 'late_arrival'], member
        ) nulls last, member
    """,
    columns=(
        IN_MONTH,
        Shown("member", "what", "member"),
        Shown("share_of_downloads", "share", "share"),
        Shown("downloads", "downloads", "count"),
        Shown("models", "models", "count"),
    ),
    chart=Chart("stack", "member", "share_of_downloads"),
    over="months",
    views={
        "Attributed to": {"attribution": "uploader", "aspect": "attributed_to"},
        "Measured as": {"attribution": "uploader", "aspect": "measurement"},
        "At boundaries": {"attribution": "uploader", "aspect": "boundary"},
    },
    choice="What of",
    population="all models",
    denominator="downloads",
    is_pictured=True,
)
