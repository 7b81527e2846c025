"""`dim_country`: the countries, and the members that are none, by name."""

import polars as pl

from assets.columns import COUNTRY, MEMBERS_NOT_COUNTRIES
from pipeline.reference.countries import country_name
from pipeline.schema.declaration import Column, Table
from pipeline.schema.published import PublishedMonths, PublishedTable


def _countries(months: PublishedMonths) -> pl.LazyFrame:
    """Every country, and member that is no country, that a published table names."""
    named = []
    for other in months.catalogue.published.values():
        for column, target in other.references.items():
            if target == ("dim_country", "country"):
                rows = months.published(other.name)
                if column == "member" and "dimension" in other.table.schema:
                    rows = rows.filter(pl.col("dimension") == "country")
                named.append(rows.select(pl.col(column).alias("country")))
    occurring = pl.concat(named).drop_nulls().unique().sort("country").collect()["country"]
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
        grain="member of the dimension country",
        description="The members of the dimension `country` by name, those that are not countries included.",
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
