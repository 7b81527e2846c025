"""The models behind almost all downloads of a month one by one, and all others as one row per country.

A month has millions of repositories and a few per cent of them have almost all downloads. Listing these keeps the facts
small enough for any tool; the remainder is what the share tables hold beyond them, so that the facts always add up to
the published figures.
"""

from __future__ import annotations

import polars as pl

from pipeline.schema.declaration import DECIMAL
from pipeline.tables.published import LISTED_SHARE, REMAINDER, downloads_column
from pipeline.tables.shares import POPULATION_NAMES, POPULATIONS, Population
from pipeline.transform.alignment import beside, of_models
from pipeline.transform.sums import totals_by

DOWNLOADS = [downloads_column(population) for population in POPULATION_NAMES]


def listed_models(downloads: pl.LazyFrame) -> pl.DataFrame:
    """The most downloaded models that together make up 99.9 % of the month; models of equal downloads stay together.

    `downloads` is `listings/model_downloads`. Returns `month`, `hub_id`, `model_id`, `namespace`, `created_at`, the
    downloads by population, and the `row` in which each stands in the month's tables.
    """
    amount = pl.col("downloads")
    beyond = (amount.cum_sum() - amount).cast(pl.Float64) >= LISTED_SHARE * amount.sum().cast(pl.Float64)
    least = downloads.select(amount.sort(descending=True)).filter(~beyond).select(least=amount.min())
    return (
        downloads.with_row_index("row")
        .join(least, how="cross", maintain_order="left")
        .filter((amount >= pl.col("least")) & (amount > 0))
        .select(
            "row",
            "month",
            "hub_id",
            "model_id",
            "namespace",
            "created_at",
            *(_in_population(population) for population in POPULATIONS),
        )
        .collect()
    )


def _in_population(population: Population) -> pl.Expr:
    belongs = pl.col(population.has) if population.has else pl.lit(value=True)
    if not population.counts_flagged:
        belongs &= ~pl.col("is_flagged")
    return pl.when(belongs).then(pl.col("downloads")).otherwise(0).alias(downloads_column(population.name))


def uploader_facts(listed: pl.DataFrame, attribution: pl.LazyFrame, lineage: pl.LazyFrame) -> pl.DataFrame:
    """`published/model_month` without the remainder: each listed model wholly its uploader's.

    `attribution` and `lineage` are `attribution/model_attribution` and `lineage/model_lineage`.
    """
    attributed = of_models(listed, attribution, ("organization", "country", "kind", "method", "registry_row"))
    placed = of_models(listed, lineage, ("root_model_id",)).rename({"root_model_id": "family"})
    return (
        beside(beside(listed, attributed), placed)
        .drop_nulls("organization")
        .with_columns(pl.lit(1, pl.Int64).alias("models"))
    )


def origin_facts(facts: pl.DataFrame, weights: pl.LazyFrame, roots: pl.LazyFrame) -> pl.DataFrame:
    """`published/model_origin_month` without the remainder: each listed model its roots' by weight.

    `facts` is what `uploader_facts` gave; `weights` and `roots` are `lineage/origin_weights` and
    `attribution/root_attribution`.
    """
    owners = roots.select("root_model_id", "organization", "country", "method")
    split = (
        weights.select("hub_id", "root_model_id", pl.col("weight").cast(pl.Float64))
        .filter(pl.col("hub_id").is_in(facts["hub_id"].implode()))
        .join(
            facts.lazy().select("month", "hub_id", "models", *DOWNLOADS),
            on="hub_id",
            how="inner",
            maintain_order="left",
        )
        .join(owners, on="root_model_id", how="left", maintain_order="left")
        .with_columns((pl.col(DOWNLOADS).cast(pl.Float64) * pl.col("weight")).cast(DECIMAL))
        .rename({"root_model_id": "family"})
        .collect()
    )
    whole = facts.join(split, on="hub_id", how="anti", maintain_order="left").with_columns(
        pl.lit(1.0).alias("weight"), pl.col("model_id").alias("family")
    )
    return pl.concat([whole.select(split.columns), split])


def with_remainder(facts: pl.DataFrame, country_shares: pl.DataFrame) -> pl.DataFrame:
    """The facts with one row per country for all models that are not among them.

    `country_shares` are the month's rows of `shares/country_shares` of one attribution, which hold every model.
    """
    in_population = {
        downloads_column(name): pl.col("downloads").filter(pl.col("population") == name).sum()
        for name in POPULATION_NAMES
    }
    whole = country_shares.group_by("month", pl.col("member").alias("country")).agg(
        pl.col("models").filter(pl.col("population") == "all").sum(),
        *(amount.alias(column) for column, amount in in_population.items()),
    )
    models = facts.group_by("country").agg(pl.col("hub_id").n_unique().alias("models"))
    listed = totals_by(facts, ["country"], DOWNLOADS).drop("models").join(models, on="country")
    beyond = [
        (pl.col(column) - pl.col(f"{column}_listed").fill_null(0)).clip(0).alias(column)
        for column in ("models", *DOWNLOADS)
    ]
    rest = (
        whole.join(listed.cast({"models": pl.Int64}), on="country", how="left", suffix="_listed")
        .select("month", "country", pl.lit(REMAINDER).alias("hub_id"), *beyond)
        .filter(pl.col("models") > 0)
    )
    if "weight" in facts.columns:
        rest = rest.with_columns(pl.lit(REMAINDER).alias("family"))
    return pl.concat([facts, rest], how="diagonal")


def described_models(models: pl.DataFrame, snapshot: pl.LazyFrame) -> pl.DataFrame:
    """`published/dim_model` for some of the listed models, without the months' reach.

    `snapshot` is `listings/hub_snapshots` of the month.
    """
    traits = of_models(models, snapshot, ("pipeline_tag", "library_name", "license"))
    return traits.join(models.select("hub_id", "model_id", "namespace", "created_at"), on="hub_id", how="inner")
