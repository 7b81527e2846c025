"""`shares/organization_shares`: who holds which part of the downloads, organisation by organisation."""

import polars as pl

from assets.attribution.root_attribution import ROOT_ATTRIBUTION
from assets.lineage.origin_weights import ORIGIN_WEIGHTS
from assets.models.models import MODELS
from assets.shares.members import developer_rules, developers, member_shares
from assets.shares.share_table import share_table
from assets.shares.windows import CHANGES, OF_COUNTRY, OF_WINDOW, over_windows, share_windows
from pipeline.orchestration.table_assets import inputs, table_asset
from pipeline.schema.published import PublishedTable
from pipeline.tables.columns import COUNTRY

ORGANIZATION_SHARES = share_table(
    "organization",
    "Each organisation's part of the month's downloads, by uploader and by origin, for every population.",
    further=(COUNTRY,),
    rules=developer_rules("organization"),
)
PUBLISHED = PublishedTable(
    over_windows(ORGANIZATION_SHARES, CHANGES),
    lambda months: share_windows(months.scan(ORGANIZATION_SHARES)),
    {**OF_WINDOW, "country": OF_COUNTRY},
)


@table_asset(ORGANIZATION_SHARES, ins=inputs(models=MODELS, weights=ORIGIN_WEIGHTS, roots=ROOT_ATTRIBUTION))
def organization_shares(models: pl.LazyFrame, weights: pl.LazyFrame, roots: pl.LazyFrame) -> pl.DataFrame:
    """Each organisation's part of the downloads, by uploader and by origin, with its country."""
    return shares_of_organizations(models, weights, roots)


def shares_of_organizations(models: pl.LazyFrame, weights: pl.LazyFrame, roots: pl.LazyFrame) -> pl.DataFrame:
    """`shares/organization_shares` of a month, unsorted."""
    of_attribution = developers(models, weights, roots)
    seats = (
        pl.concat(rows.select("organization", "country").unique() for rows in of_attribution.values())
        .group_by(pl.col("organization").alias("member"))
        .agg(pl.col("country").min())
        .collect()
    )
    return member_shares(models, of_attribution, "organization").join(seats, on="member", how="left")
