"""`dim_organization`, `dim_country` and `dim_account`: whom the published tables name, and the reviewed registry."""

from dataclasses import replace

import polars as pl

from assets.attribution.organizations import ORGANIZATIONS, current_rows
from assets.columns import COUNTRY, DEVELOPER_KIND, MEMBERS_NOT_COUNTRIES, NAMESPACE, ORGANIZATION, boolean, count, text
from pipeline.publish.sql import references_of
from pipeline.reference.countries import country_name
from pipeline.schema.published import PublishedMonths, published_table


def _named(months: PublishedMonths, target: str, column: str) -> pl.LazyFrame:
    """Every value that refers to the column of the target in any published table, once."""
    published = months.catalogue.published
    found = (
        months.published(name)
        .filter(**({"dimension": reference.dimension} if reference.dimension else {}))
        .select(pl.col(reference.column).alias(column))
        for name, made in published.items()
        for reference in references_of(made, published)
        if reference.target.name == target
    )
    return pl.concat(found).drop_nulls().unique()


def organizations(named: pl.LazyFrame, registry: pl.LazyFrame) -> pl.LazyFrame:
    """One row for each organisation that is named: where it is today, or was last, by the registry."""
    is_current = pl.col("valid_to").is_null()
    in_order = registry.sort(is_current, "valid_from", "namespace", nulls_last=False)
    latest = in_order.group_by("organization").agg(
        pl.col("country", "kind", "ultimate_owner", "ultimate_owner_country").last(),
        accounts=is_current.sum().cast(pl.Int64),
    )
    nobody = pl.col("organization").is_in(MEMBERS_NOT_COUNTRIES)
    return named.join(latest, on="organization", how="left").with_columns(
        pl.col("accounts").fill_null(0),
        country=pl.when(nobody).then("organization").otherwise("country"),
        is_organization=~nobody & pl.col("kind").ne_missing(pl.lit("individual")),
    )


DIM_ORGANIZATION = published_table(
    "dim_organization",
    lambda months: organizations(_named(months, "dim_organization", "organization"), months.scan(ORGANIZATIONS)),
    grain="organisation",
    description="Every organisation that a table names, as of today; its accounts and past are in `dim_account`.",
    columns=(
        text("organization", "The organisation, by the name that every table has."),
        COUNTRY.optional(f"Where it is today, or was last. {COUNTRY.meaning}"),
        DEVELOPER_KIND.optional(),
        count("accounts", "Accounts on the Hub that are its own today.", "accounts"),
        *map(ORGANIZATIONS.column, ("ultimate_owner", "ultimate_owner_country")),
        boolean("is_organization", "False for persons, `unmapped`, `unaffiliated` and `international`."),
    ),
    key=("organization",),
)

COUNTRY_NAME = text("country_name", "The country's usual English name, or that of a member that is none.")
IS_COUNTRY = boolean("is_country", "False for `international`, `unaffiliated` and `unmapped`.")


def with_country_names(rows: pl.LazyFrame) -> pl.LazyFrame:
    """The rows with `COUNTRY_NAME` and `IS_COUNTRY` of their `country`."""
    country = pl.col("country")
    return rows.with_columns(
        country_name=country.map_elements(country_name, pl.String), is_country=~country.is_in(MEMBERS_NOT_COUNTRIES)
    )


DIM_COUNTRY = published_table(
    "dim_country",
    lambda months: with_country_names(_named(months, "dim_country", "country")),
    grain="country, or member that is none",
    description="Every country that a table names; members that are not countries are rows too.",
    columns=(COUNTRY, COUNTRY_NAME, IS_COUNTRY),
    key=("country",),
    label="country_name",
)


def accounts(registry: pl.LazyFrame) -> pl.LazyFrame:
    """The registry with a mark on the rows that still hold, and each namespace's organisation and country today."""
    today = current_rows(registry).select("namespace", organization_today="organization", country_today="country")
    return registry.with_columns(is_current=pl.col("valid_to").is_null()).join(today, on="namespace", how="left")


DIM_ACCOUNT = published_table(
    "dim_account",
    lambda months: accounts(months.scan(ORGANIZATIONS)),
    grain="account and stretch of time in which nothing about it changed",
    description="The reviewed registry that the months were made with; one row of each account is current.",
    columns=(
        replace(NAMESPACE, meaning="The account on the Hub."),
        replace(ORGANIZATION, meaning="The organisation whose account it is."),
        COUNTRY.optional(),
        *map(ORGANIZATIONS.column, ("kind", "valid_from", "valid_to")),
        boolean("is_current", "Whether the row still holds."),
        replace(ORGANIZATION, name="organization_today", meaning="The organisation by the latest row."),
        replace(COUNTRY.optional("The country by the latest row."), name="country_today"),
        *map(ORGANIZATIONS.column, ("ultimate_owner", "ultimate_owner_country", "announced_owner_country")),
        *map(ORGANIZATIONS.column, ("legal_country", "evidence", "basis", "account_basis")),
    ),
    key=("namespace", "valid_from"),
    warnings=(
        "An account that changed hands, or whose organisation moved, has several rows: join `where is_current`, or "
        "by the day between `valid_from` and `valid_to`.",
    ),
)
