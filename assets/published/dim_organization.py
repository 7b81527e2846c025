"""`dim_organization`: the reviewed registry, as readers see it."""

import polars as pl

from assets.attribution.organizations import ORGANIZATIONS, current_rows
from assets.columns import (
    ACCOUNT_BASIS,
    COUNTRY,
    DEVELOPER_KIND,
    NAMESPACE,
    ORGANIZATION,
    ROW_BASIS,
    ULTIMATE_OWNER,
    ULTIMATE_OWNER_COUNTRY,
)
from pipeline.schema.declaration import Column, Table
from pipeline.schema.published import PublishedMonths, PublishedTable


def _organizations(months: PublishedMonths) -> pl.LazyFrame:
    return organizations(months.scan(ORGANIZATIONS))


def organizations(registry: pl.LazyFrame) -> pl.LazyFrame:
    """The registry with a mark on the rows that still hold, and each namespace's organisation and country today."""
    today = current_rows(registry).select(
        "namespace",
        pl.col("organization").alias("organization_today"),
        pl.col("country").alias("country_today"),
    )
    return registry.with_columns(pl.col("valid_to").is_null().alias("is_current")).join(
        today, on="namespace", how="left"
    )


DIM_ORGANIZATION = PublishedTable(
    Table(
        group="published",
        name="dim_organization",
        grain="namespace and period of validity",
        description="The reviewed registry that the months were made with: organisation and country of each namespace.",
        columns=(
            NAMESPACE,
            ORGANIZATION,
            COUNTRY.optional(),
            DEVELOPER_KIND,
            Column("valid_from", pl.Date, "First day on which the row holds; empty: no start date.", nullable=True),
            Column("valid_to", pl.Date, "First day on which it no longer holds; empty means current.", nullable=True),
            Column("is_current", pl.Boolean, "Whether the row still holds."),
            Column("organization_today", pl.String, "The organisation by the namespace's latest row."),
            Column("country_today", pl.String, "The country by the namespace's latest row.", nullable=True),
            ULTIMATE_OWNER,
            ULTIMATE_OWNER_COUNTRY,
            Column(
                "evidence",
                pl.String,
                "The address that supports the row if it is `read`, else one where it can be checked.",
            ),
            ROW_BASIS,
            ACCOUNT_BASIS,
        ),
        key=("namespace", "valid_from"),
        monthly=False,
    ),
    _organizations,
    references={"country": ("dim_country", "country")},
)
