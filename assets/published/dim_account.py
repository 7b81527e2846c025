"""`dim_account`: the reviewed registry of accounts, as readers see it."""

from dataclasses import replace

import polars as pl

from assets.attribution.organizations import ORGANIZATIONS, current_rows
from assets.columns import (
    ACCOUNT_BASIS,
    ANNOUNCED_OWNER_COUNTRY,
    COUNTRY,
    DEVELOPER_KIND,
    LEGAL_COUNTRY,
    NAMESPACE,
    ORGANIZATION,
    ROW_BASIS,
    ULTIMATE_OWNER,
    ULTIMATE_OWNER_COUNTRY,
)
from assets.shares.periods import OF_COUNTRY, OF_ORGANIZATION
from pipeline.schema.declaration import Column, Table
from pipeline.schema.published import PublishedMonths, PublishedTable


def _accounts(months: PublishedMonths) -> pl.LazyFrame:
    return accounts(months.scan(ORGANIZATIONS))


def accounts(registry: pl.LazyFrame) -> pl.LazyFrame:
    """The registry with a mark on the rows that still hold, and each namespace's organisation and country today."""
    today = current_rows(registry).select(
        "namespace",
        pl.col("organization").alias("organization_today"),
        pl.col("country").alias("country_today"),
    )
    return registry.with_columns(pl.col("valid_to").is_null().alias("is_current")).join(
        today, on="namespace", how="left"
    )


DIM_ACCOUNT = PublishedTable(
    Table(
        group="published",
        name="dim_account",
        grain="account and stretch of time in which nothing about it changed",
        description=(
            "The reviewed registry that the months were made with: whose each account is, and where that organisation "
            "is. One row of each account is current."
        ),
        columns=(
            replace(NAMESPACE, meaning="The account on the Hub."),
            replace(ORGANIZATION, meaning="The organisation whose account it is."),
            COUNTRY.optional(),
            DEVELOPER_KIND,
            Column("valid_from", pl.Date, "First day on which the row holds; empty: no start date.", nullable=True),
            Column("valid_to", pl.Date, "First day on which it no longer holds; empty means current.", nullable=True),
            Column("is_current", pl.Boolean, "Whether the row still holds."),
            Column("organization_today", pl.String, "The organisation by the namespace's latest row."),
            Column("country_today", pl.String, "The country by the namespace's latest row.", nullable=True),
            ULTIMATE_OWNER,
            ULTIMATE_OWNER_COUNTRY,
            ANNOUNCED_OWNER_COUNTRY,
            LEGAL_COUNTRY,
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
        warnings=(
            "An account that changed hands, or whose organisation moved, has several rows: join `where is_current`, or "
            "by the day between `valid_from` and `valid_to`.",
        ),
    ),
    _accounts,
    references={
        "organization": OF_ORGANIZATION,
        "organization_today": OF_ORGANIZATION,
        "country": OF_COUNTRY,
        "country_today": OF_COUNTRY,
        "ultimate_owner_country": OF_COUNTRY,
        "announced_owner_country": OF_COUNTRY,
        "legal_country": OF_COUNTRY,
    },
)
