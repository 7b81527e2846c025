"""What countries, and the members that stand beside them, are called, and which countries form groups."""

import polars as pl
import pycountry

from pipeline.reference.lists import read_list

MEMBER_NAMES = {
    "international": "International (no single base)",
    "unaffiliated": "Unaffiliated (persons' accounts)",
    "unmapped": "Unmapped (organisations not in the registry)",
}


def country_name(code: str) -> str:
    """The usual English name of a member of the dimension `country`, the code itself where it has none."""
    if code in MEMBER_NAMES:
        return MEMBER_NAMES[code]
    country = pycountry.countries.get(alpha_2=code)
    return code if country is None else str(getattr(country, "common_name", country.name))


def country_groups() -> pl.DataFrame:
    """Every membership: `group`, its `name`, its `kind`, `country`, `valid_from` and `valid_to`.

    `kind` is `union`, `region` or `income`. A missing day means no start date, or current.
    """
    return read_list("country_groups.csv").with_columns(pl.col("valid_from", "valid_to").str.to_date())
