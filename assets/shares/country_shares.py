"""`shares/country_shares`: who holds which part of the downloads, country by country."""

import polars as pl

from assets.attribution.root_attribution import ROOT_ATTRIBUTION
from assets.lineage.origin_weights import ORIGIN_WEIGHTS
from assets.models.models import MODELS
from assets.shares.members import developer_rules, developers, member_shares
from assets.shares.share_table import share_table
from assets.shares.windows import CHANGES, OF_COUNTRY, OF_WINDOW, over_windows, share_windows
from pipeline.orchestration.table_assets import inputs, table_asset
from pipeline.schema.published import PublishedTable
from pipeline.tables.columns import COUNTRY_PATTERN

COUNTRY_SHARES = share_table(
    "country",
    "Each country's part of the month's downloads, by uploader and by origin, for every population.",
    member_pattern=COUNTRY_PATTERN,
    rules=developer_rules("country"),
)
PUBLISHED = PublishedTable(
    over_windows(COUNTRY_SHARES, CHANGES),
    lambda months: share_windows(months.scan(COUNTRY_SHARES)),
    {**OF_WINDOW, "member": OF_COUNTRY},
)


@table_asset(COUNTRY_SHARES, ins=inputs(models=MODELS, weights=ORIGIN_WEIGHTS, roots=ROOT_ATTRIBUTION))
def country_shares(models: pl.LazyFrame, weights: pl.LazyFrame, roots: pl.LazyFrame) -> pl.DataFrame:
    """Each country's part of the downloads, by uploader and by origin."""
    return member_shares(models, developers(models, weights, roots), "country")
