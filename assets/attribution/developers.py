"""From a repository to its developer's organisation and country, and which derivatives developers make of their own.

The policy is `docs/methodology.md`, section "Who made it".
"""

from datetime import date

import polars as pl

from assets.attribution.organizations import current_rows
from assets.columns import COUNTRY, DEVELOPER_KINDS, ORGANIZATION, text
from assets.expressions import holds_in_month, namespace_of

UNMAPPED = "unmapped"
_STAND_FOR_MANY = ("unaffiliated", UNMAPPED)
"""Members that stand for many developers: two repositories of theirs are one developer's only in one namespace."""
METHODS = ("registry", "canonical_models", "account", UNMAPPED)
METHOD = text("method", "Rule that decided: `registry`, `canonical_models`, `account` or `unmapped`.", values=METHODS)
DEVELOPER = (
    ORGANIZATION,
    COUNTRY,
    text("kind", "Kind of developer; `unmapped` where the registry has no row.", values=(*DEVELOPER_KINDS, UNMAPPED)),
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
    valid = registry.with_columns(pl.lit(month).alias("month")).filter(holds_in_month())
    in_month = _known(valid, canonical_models, accounts)
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
        registry_row(pl.coalesce("namespace", "model_id")),
    ).unique("developer", keep="first", maintain_order=True)


def first_party(
    derivations: pl.LazyFrame, model_attribution: pl.LazyFrame, root_attribution: pl.LazyFrame
) -> pl.LazyFrame:
    """Whether all direct parents of each derivative are its own developer's: `hub_id`, `is_first_party`.

    Arguments are the tables of those names in one month. Two repositories have one developer if their organisation is
    the same; where it is not known of either, if their namespace is the same. A repository without a namespace is a
    namespace by itself.
    """
    owner = pl.coalesce("namespace", pl.col("^(model_id|root_model_id)$")).alias("owner")
    organizations = pl.concat(
        frame.filter(~pl.col("organization").is_in(_STAND_FOR_MANY)).select(owner, "organization").unique()
        for frame in (model_attribution, root_attribution)
    ).unique("owner")
    edges = derivations.select("child_hub_id", *(_owner(side) for side in ("child", "parent")))
    for side in ("child", "parent"):
        of_side = organizations.rename({"owner": side, "organization": f"{side}_organization"})
        edges = edges.join(of_side, on=side, how="left")
    own_organization = pl.col("child_organization") == pl.col("parent_organization")
    none_known = pl.all_horizontal(pl.col("child_organization", "parent_organization").is_null())
    is_own = own_organization.fill_null(none_known & (pl.col("child") == pl.col("parent")))
    return edges.group_by(pl.col("child_hub_id").alias("hub_id")).agg(is_own.all().alias("is_first_party"))


def _owner(side: str) -> pl.Expr:
    name = pl.col(f"{side}_model_id")
    return pl.coalesce(namespace_of(name), name).alias(side)


def registry_row(name: pl.Expr) -> pl.Expr:
    """How a row of the registry is named where it is applied: `Qwen since 2025-01-01`, `Qwen, no start date`."""
    since = pl.lit(" since ") + pl.col("valid_from").cast(pl.String)
    return pl.concat_str(name, since.fill_null(", no start date")).alias("registry_row")
