"""From a repository to its developer's organisation and country.

The policy is `docs/methodology.md`, section "Who made it".
"""

from __future__ import annotations

from datetime import date

import polars as pl

from assets.attribution.organizations import current_rows
from assets.columns import COUNTRY, DEVELOPER_KINDS, ORGANIZATION
from pipeline.schema.declaration import Column

UNMAPPED = "unmapped"
METHODS = ("registry", "canonical_models", "account", UNMAPPED)
METHOD = Column(
    "method",
    pl.String,
    "The rule that decided: `registry`, `canonical_models`, `account` (the Hub says it is a person's), or `unmapped`.",
    values=METHODS,
)
DEVELOPER = (
    ORGANIZATION,
    COUNTRY,
    Column(
        "kind",
        pl.String,
        "Kind of developer in the registry's words; `unmapped` where it has no row.",
        values=(*DEVELOPER_KINDS, UNMAPPED),
    ),
)
"""The columns that say who a developer is."""


def attribute(
    models: pl.LazyFrame,
    month: date,
    *,
    registry: pl.LazyFrame,
    canonical_models: pl.LazyFrame,
    accounts: pl.LazyFrame,
) -> pl.LazyFrame:
    """The developer of each model in a month.

    `models` has `model_id` and `namespace` (null for names without one) and keeps its other columns. In this order: the
    registry's row that is valid on the month's first day; the list of models without a namespace; a person's account is
    `unaffiliated`; everything else is `unmapped`. A registry row of kind `individual` is `unaffiliated` too: no country
    is assigned to persons.

    Returns:
        `models` with `organization`, `country`, `kind`, `organization_today`, `country_today`, `method` and
        `registry_row`.
    """
    in_month = _known(_valid_on(registry, month), canonical_models, accounts)
    today = _known(current_rows(registry), canonical_models, accounts).select(
        "developer", pl.col("organization", "country").name.suffix("_today")
    )
    known = in_month.join(today, on="developer", how="full", coalesce=True)
    decided = known.collect_schema().names()
    # One name for who is to be decided about: the namespace, or the model that has none (marked by a slash).
    developer = pl.coalesce("namespace", pl.concat_str(pl.lit("/"), "model_id")).alias("developer")
    return (
        models.with_columns(developer)
        .join(known, on="developer", how="left")
        .with_columns(pl.col(name).fill_null(UNMAPPED) for name in decided if name not in {"developer", "registry_row"})
        .drop("developer")
    )


def _known(registry: pl.LazyFrame, canonical_models: pl.LazyFrame, accounts: pl.LazyFrame) -> pl.LazyFrame:
    """What the rules say of each developer that any of them knows: some ten thousands, where models are millions."""
    by_registry = registry.with_columns(pl.col("namespace").alias("developer"), pl.lit("registry").alias("method"))
    by_name = canonical_models.with_columns(
        pl.concat_str(pl.lit("/"), "model_id").alias("developer"), pl.lit("canonical_models").alias("method")
    )
    persons = accounts.filter(pl.col("account_type") == "person").select(
        pl.col("namespace").alias("developer"), pl.lit("account").alias("method"), pl.lit("individual").alias("kind")
    )
    is_person = pl.col("kind") == "individual"
    since = pl.col("valid_from").cast(pl.String).fill_null("ever")
    stated = pl.concat([by_registry, by_name, persons], how="diagonal")
    # Whoever is in the registry is what it says, whatever the Hub says of the account.
    return stated.select(
        "developer",
        *(
            pl.when(is_person).then(pl.lit("unaffiliated")).otherwise(name).alias(name)
            for name in ("organization", "country")
        ),
        "kind",
        "method",
        pl.concat_str(pl.coalesce("namespace", "model_id"), pl.lit(" since "), since).alias("registry_row"),
    ).unique("developer", keep="first", maintain_order=True)


def _valid_on(registry: pl.LazyFrame, day: date) -> pl.LazyFrame:
    begun = pl.col("valid_from").is_null() | (pl.col("valid_from") <= day)
    not_ended = pl.col("valid_to").is_null() | (pl.col("valid_to") > day)
    return registry.filter(begun & not_ended)
