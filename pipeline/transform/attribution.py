"""From a repository to its developer's organisation and country.

The policy is `docs/methodology.md`, section "Who made it".
"""

from __future__ import annotations

from datetime import date

import polars as pl

from pipeline.tables.attribution import UNMAPPED, unmapped_namespaces
from pipeline.transform.alignment import beside
from pipeline.transform.normalise import namespace_of
from pipeline.transform.sums import ratio, totals_by

DEVELOPER_COLUMNS = ("organization", "country", "kind")


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
    known = _known_developers(month, registry=registry, canonical_models=canonical_models, accounts=accounts)
    decided = known.collect_schema().names()
    return (
        models.with_columns(_developer("namespace", "model_id"))
        .join(known, on="developer", how="left")
        .with_columns(pl.col(name).fill_null(UNMAPPED) for name in decided if name not in {"developer", "registry_row"})
        .drop("developer")
    )


def _developer(namespace: str, model: str) -> pl.Expr:
    """One name for who is to be decided about: the namespace, or the model that has none (marked by a slash)."""
    nameless = pl.concat_str(pl.lit("/"), model)
    return pl.when(pl.col(namespace).is_null()).then(nameless).otherwise(namespace).alias("developer")


def _known_developers(
    month: date, *, registry: pl.LazyFrame, canonical_models: pl.LazyFrame, accounts: pl.LazyFrame
) -> pl.LazyFrame:
    """The same for each `developer` that any rule may know: some ten thousands, where models are millions."""
    without = pl.lit(None, pl.String)
    namespaces = pl.concat([registry.select("namespace"), accounts.select("namespace")]).unique()
    developers = pl.concat(
        [
            namespaces.select("namespace", without.alias("nameless_model")),
            canonical_models.select(without.alias("namespace"), pl.col("model_id").alias("nameless_model")),
        ]
    )
    in_month = _members(_valid_on(registry, month), "namespace", "")
    today = _members(current_rows(registry), "namespace", "_today").drop("kind_today", "registry_row_today")
    canonical = _members(canonical_models.with_columns(pl.lit(None).alias("valid_from")), "model_id", "_canonical")
    joined = (
        developers.join(in_month, on="namespace", how="left")
        .join(today, on="namespace", how="left")
        .join(canonical, left_on="nameless_model", right_on="model_id", how="left")
        .join(accounts.select("namespace", "account_type"), on="namespace", how="left")
    )
    return (
        joined.with_columns(
            _method("organization").alias("method"),
            _method("organization_today").alias("method_today"),
        )
        .with_columns(
            *(_decided(column, "", "method") for column in DEVELOPER_COLUMNS),
            *(_decided(column, "_today", "method_today") for column in ("organization", "country")),
            _by_method("method", "registry_row", "registry_row_canonical").alias("registry_row"),
        )
        .select(
            _developer("namespace", "nameless_model"),
            *DEVELOPER_COLUMNS,
            "organization_today",
            "country_today",
            "method",
            "registry_row",
        )
    )


def _valid_on(registry: pl.LazyFrame, day: date) -> pl.LazyFrame:
    begun = pl.col("valid_from").is_null() | (pl.col("valid_from") <= day)
    not_ended = pl.col("valid_to").is_null() | (pl.col("valid_to") > day)
    return registry.filter(begun & not_ended)


def current_rows(registry: pl.LazyFrame) -> pl.LazyFrame:
    """The latest row of each namespace."""
    return registry.sort("valid_from", nulls_last=False).unique("namespace", keep="last", maintain_order=True)


def _members(rows: pl.LazyFrame, key: str, suffix: str) -> pl.LazyFrame:
    """Registry rows as members of the published dimensions, columns marked by `suffix`."""
    is_person = pl.col("kind") == "individual"
    unaffiliated = pl.lit("unaffiliated")
    since = pl.col("valid_from").cast(pl.String).fill_null("ever")
    return rows.select(
        key,
        pl.when(is_person).then(unaffiliated).otherwise("organization").alias(f"organization{suffix}"),
        pl.when(is_person).then(unaffiliated).otherwise("country").alias(f"country{suffix}"),
        pl.col("kind").alias(f"kind{suffix}"),
        pl.concat_str(key, pl.lit(" since "), since).alias(f"registry_row{suffix}"),
    )


def _method(registry_organization: str) -> pl.Expr:
    return (
        pl.when(pl.col(registry_organization).is_not_null())
        .then(pl.lit("registry"))
        .when(pl.col("organization_canonical").is_not_null())
        .then(pl.lit("canonical_models"))
        .when(pl.col("account_type") == "person")
        .then(pl.lit("account"))
        .otherwise(pl.lit(UNMAPPED))
    )


def _by_method(method: str, registry_column: str, canonical_column: str) -> pl.Expr:
    return (
        pl.when(pl.col(method) == "registry")
        .then(registry_column)
        .when(pl.col(method) == "canonical_models")
        .then(canonical_column)
    )


def _decided(column: str, suffix: str, method: str) -> pl.Expr:
    person = "individual" if column == "kind" else "unaffiliated"
    return (
        pl.when(pl.col(method) == "account")
        .then(pl.lit(person))
        .when(pl.col(method) == "unmapped")
        .then(pl.lit(UNMAPPED))
        .otherwise(_by_method(method, f"{column}{suffix}", f"{column}_canonical"))
        .alias(f"{column}{suffix}")
    )


def attribution_coverage(downloads: pl.LazyFrame, attribution: pl.LazyFrame, month: date) -> pl.DataFrame:
    """`attribution/attribution_coverage`: models and downloads by the rule and kind of developer."""
    measured, attributed = pl.collect_all(
        [downloads.select("hub_id", "downloads"), attribution.select("hub_id", "method", "kind")]
    )
    rows = beside(measured, attributed).drop_nulls("method")
    return totals_by(rows, ["method", "kind"], ["downloads"]).with_columns(
        pl.lit(month).alias("month"),
        ratio(pl.col("downloads"), pl.col("downloads").sum()).alias("share_of_downloads"),
    )


def largest_unmapped(downloads: pl.LazyFrame, attribution: pl.LazyFrame, most: int) -> pl.DataFrame:
    """The most downloaded of the `unmapped` namespaces: `namespace`, `models`, `downloads`, `share_of_downloads`."""
    total = downloads.select(total=pl.col("downloads").sum())
    return (
        unmapped_namespaces(downloads, attribution)
        .join(total, how="cross")
        .with_columns(ratio(pl.col("downloads"), pl.col("total")).alias("share_of_downloads"))
        .drop("total")
        .sort("downloads", "namespace", descending=[True, False])
        .head(most)
        .collect()
    )


def attribute_roots(
    weights: pl.LazyFrame,
    derivations: pl.LazyFrame,
    month: date,
    *,
    registry: pl.LazyFrame,
    canonical_models: pl.LazyFrame,
    accounts: pl.LazyFrame,
) -> pl.LazyFrame:
    """`attribution/root_attribution`: the developer of each root and of each unlisted parent, by its name.

    Roots are those of `lineage/origin_weights`. Every unlisted parent is one of them, unless a rule passes it over.
    """
    unlisted = derivations.filter(~pl.col("parent_listed")).select("parent_model_id").unique()
    named = pl.col("parent_model_id").alias("model_id"), namespace_of(pl.col("parent_model_id")).alias("namespace")
    roots = pl.concat(
        [weights.select(pl.col("root_model_id").alias("model_id"), "namespace"), unlisted.select(named)]
    ).unique("model_id")
    attributed = attribute(roots, month, registry=registry, canonical_models=canonical_models, accounts=accounts)
    return attributed.rename({"model_id": "root_model_id"}).with_columns(pl.lit(month).alias("month"))
