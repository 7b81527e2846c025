"""`headline_country`, `headline_organization`, `headline_family`: one row per month and member, for who begins here.

The headline's definition is stated here and nowhere else: the trailing twelve months, models at most 365 days old, by
uploader. `headline_family` has that of derivatives: those created in the trailing twelve months, by their roots.
"""

from collections.abc import Callable
from dataclasses import replace

import polars as pl

from assets.columns import ATTRIBUTION, COUNTRY, IN_LONGER_PERIODS, MONTH, ORGANIZATION, number
from assets.expressions import first_case, ratio
from assets.published.organizations import COUNTRY_NAME, IS_COUNTRY, with_country_names
from assets.shares.family_shares import FAMILY_SHARES
from assets.shares.periods import CHANGES, in_trailing_periods, share_periods
from assets.shares.share_table import COLUMNS, with_shares
from pipeline.schema.declaration import DECIMAL, Column
from pipeline.schema.published import PublishedMonths, PublishedTable, published_table
from pipeline.schema.shares import TRAILING

DEFINITION = (
    "Downloads in the twelve months that end with `month`, of models that were at most 365 days old at each month's "
    "close, by the account that published them (population `new`, attribution `uploader`). In months before any model "
    "is known to be new the population is `all`: `population` says which."
)
DEFINITION_OF_FAMILIES = (
    "Derivatives created in the twelve months that end with `month`, each counted for the organisations whose models "
    "it goes back to, by weight, over any number of steps."
)
_STATED = {column.name: column for column in (*IN_LONGER_PERIODS, *COLUMNS, *CHANGES) if column is not MONTH} | {
    "period": replace(IN_LONGER_PERIODS[1], meaning="Always `trailing_12_months`: the twelve that end with `month`."),
    "attribution": replace(ATTRIBUTION, meaning="Always `uploader`: the account that published the repository."),
}
_SHARES = ("share", "share_low", "share_high", "rank", "coverage", *(column.name for column in CHANGES))
_WARNING = "Shares of a month add up to 1 over all members, those that are not known included; never over months."


def headline_by(member: str, shares: pl.LazyFrame) -> pl.LazyFrame:
    """The rows of a published share table that the headline's definition names, with the member under its name."""
    of_year = shares.filter(period=TRAILING, attribution="uploader")
    knows_new = (pl.col("population") == "new").any().over("month")
    chosen = of_year.filter(pl.col("population") == first_case(("new", knows_new), otherwise="all"))
    return with_country_names(chosen.rename({"member": member}))


def headline_families(families: pl.LazyFrame) -> pl.LazyFrame:
    """`headline_family` without names, from the rows of all months of `shares/family_shares` by organisation."""
    counted = families.select(
        "month",
        "country",
        member="family",
        downloads=pl.col("new_derivatives").cast(DECIMAL),
        models=0,
        basis=pl.lit("counted"),
        period=pl.lit("month"),
        months_in_period=pl.lit(1, pl.Int32),
        is_complete=True,
    )
    group = ["month", "period"]
    monthly = with_shares(counted.collect(), group).lazy()
    shares = share_periods(monthly, group).filter(pl.col("period") == TRAILING)
    months = families.select("month").unique().collect()["month"].to_list()
    downloads = (
        in_trailing_periods(families.select("month", "downloads", member="family"), months)
        .group_by("member", month="last")
        .agg(pl.col("downloads").sum())
    )
    return (
        shares.rename({"downloads": "new_derivatives", "denominator": "new_derivatives_in_all"})
        .join(downloads, on=["month", "member"], how="left")
        .with_columns(share_of_downloads=ratio(pl.col("downloads"), pl.col("downloads").sum().over("month")))
        .rename({"member": "organization"})
    )


def _entry(
    member: str, description: str, own: tuple[Column, ...], make: Callable[[PublishedMonths], pl.LazyFrame]
) -> PublishedTable:
    """The entry table of a member: what it is of, its own columns, names, and how sure the share is."""
    return published_table(
        f"headline_{member}",
        make,
        grain=f"month and {'organisation' if member != 'country' else 'country'}",
        description=description,
        columns=(
            replace(MONTH, meaning="The month with which the twelve months end (UTC), by its first day."),
            *own,
            *(_STATED[name] for name in ("period", "months_in_period", "is_complete", *_SHARES)),
        ),
        key=("month", "country" if member == "country" else "organization"),
        warnings=(_WARNING,),
        entry_of=f"{member}_shares",
    )


_OF_DOWNLOADS = ("population", "attribution", "downloads", "denominator", "models", "share_of_attributed", "basis")
_COUNTED = (COUNTRY_NAME, IS_COUNTRY, *(_STATED[name] for name in _OF_DOWNLOADS))
_ORGANIZATION = replace(ORGANIZATION, meaning="The organisation; `unmapped` and `unaffiliated` are members too.")
_SEAT = replace(COUNTRY, meaning=f"Where the organisation is, in the last month that it is in. {COUNTRY.meaning}")
HEADLINE_COUNTRY = _entry(
    "country",
    f"The headline: each country's share of downloads, month by month. {DEFINITION}",
    (COUNTRY, *_COUNTED),
    lambda months: headline_by("country", months.published("country_shares")),
)
HEADLINE_ORGANIZATION = _entry(
    "organization",
    f"The headline by organisation: each one's share of downloads, month by month. {DEFINITION}",
    (_ORGANIZATION, _SEAT, *_COUNTED),
    lambda months: headline_by("organization", months.published("organization_shares")),
)
HEADLINE_FAMILY = _entry(
    "family",
    f"Whose models others build on: each organisation's family of models, month by month. {DEFINITION_OF_FAMILIES}",
    (
        replace(_ORGANIZATION, meaning="The organisation behind the roots; `unmapped` and `unaffiliated` too."),
        _SEAT,
        COUNTRY_NAME,
        IS_COUNTRY,
        Column("new_derivatives", DECIMAL, "Derivatives created in the period, by their weights.", "repositories"),
        Column("new_derivatives_in_all", DECIMAL, "All derivatives created in the period.", "repositories"),
        Column("downloads", DECIMAL, "Downloads of roots and all their derivatives in the period.", "downloads"),
        number("share_of_downloads", "Part of all downloads in the period.", "fraction"),
    ),
    lambda months: with_country_names(headline_families(months.scan(FAMILY_SHARES).filter(level="root_organization"))),
)
