"""`dim_organization` and `dim_country`: every organisation and country that a published table names, once."""

import polars as pl

from assets.attribution.organizations import ORGANIZATIONS
from assets.columns import COUNTRY, DEVELOPER_KIND, MEMBERS_NOT_COUNTRIES, ULTIMATE_OWNER, ULTIMATE_OWNER_COUNTRY
from assets.shares.periods import OF_COUNTRY, OF_ORGANIZATION
from pipeline.publish.sql import references_of
from pipeline.reference.countries import country_name
from pipeline.schema.declaration import Column, Table
from pipeline.schema.published import PublishedMonths, PublishedTable


def _named(months: PublishedMonths, target: str, column: str) -> pl.LazyFrame:
    """Every value that refers to the column of the target in any published table, once."""
    found = []
    for made in months.catalogue.published.values():
        for reference in references_of(made, months.catalogue.published):
            if reference.target.name == target:
                rows = months.published(made.name)
                if reference.dimension:
                    rows = rows.filter(pl.col("dimension") == reference.dimension)
                found.append(rows.select(pl.col(reference.column).alias(column)))
    return pl.concat(found).drop_nulls().unique()


def _organizations(months: PublishedMonths) -> pl.LazyFrame:
    return organizations(_named(months, *OF_ORGANIZATION), months.scan(ORGANIZATIONS))


def organizations(named: pl.LazyFrame, registry: pl.LazyFrame) -> pl.LazyFrame:
    """One row for each organisation that is named: where it is today, or was last, by the registry."""
    is_current = pl.col("valid_to").is_null()
    latest = (
        registry.sort(is_current, "valid_from", "namespace", nulls_last=False)
        .group_by("organization")
        .agg(
            pl.col("country", "kind", "ultimate_owner", "ultimate_owner_country").last(),
            is_current.sum().cast(pl.Int64).alias("accounts"),
        )
    )
    nobody = pl.col("organization").is_in(MEMBERS_NOT_COUNTRIES)
    return named.join(latest, on="organization", how="left").with_columns(
        pl.when(nobody).then("organization").otherwise("country").alias("country"),
        pl.col("accounts").fill_null(0),
        (~nobody & pl.col("kind").ne_missing(pl.lit("individual"))).alias("is_organization"),
    )


DIM_ORGANIZATION = PublishedTable(
    Table(
        group="published",
        name="dim_organization",
        grain="organisation",
        description=(
            "Every organisation that a table names, as the registry has it today; `unmapped` and `unaffiliated` are "
            "rows too. Its accounts, and where it was before, are in `dim_account`."
        ),
        columns=(
            Column("organization", pl.String, "The organisation, by the name that every table has."),
            COUNTRY.optional(f"Where it is today, or was last. {COUNTRY.meaning}"),
            DEVELOPER_KIND.optional(),
            Column("accounts", pl.Int64, "Accounts on the Hub that are its own today.", "accounts"),
            ULTIMATE_OWNER,
            ULTIMATE_OWNER_COUNTRY,
            Column("is_organization", pl.Boolean, "False for persons, `unmapped`, `unaffiliated` and `international`."),
        ),
        key=("organization",),
        monthly=False,
    ),
    _organizations,
    references={"country": OF_COUNTRY},
)


def _countries(months: PublishedMonths) -> pl.LazyFrame:
    occurring = _named(months, *OF_COUNTRY).sort("country").collect()["country"]
    return pl.LazyFrame(
        {
            "country": occurring,
            "country_name": [country_name(code) for code in occurring],
            "is_country": [code not in MEMBERS_NOT_COUNTRIES for code in occurring],
        },
        schema=DIM_COUNTRY.table.schema,
    )


DIM_COUNTRY = PublishedTable(
    Table(
        group="published",
        name="dim_country",
        grain="country, or member that is none",
        description="Every country that a table names; members that are not countries are rows too.",
        columns=(
            COUNTRY,
            Column("country_name", pl.String, "The country's usual English name."),
            Column("is_country", pl.Boolean, "False for `international`, `unaffiliated` and `unmapped`."),
        ),
        key=("country",),
        monthly=False,
    ),
    _countries,
    label="country_name",
)
