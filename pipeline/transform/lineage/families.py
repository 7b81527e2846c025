"""Families of models and flows between countries: derivatives and downloads, added up over roots by weight."""

from __future__ import annotations

import polars as pl

from pipeline.tables.columns import RELATIONS
from pipeline.tables.families import DERIVATION_FLOWS, FAMILY_SHARES
from pipeline.transform.sums import totals_by

_OF_DERIVATIVES = (
    "new_derivatives",
    *(f"new_{relation}" for relation in RELATIONS),
    "derivatives",
    "downloads_derivatives",
    "downloads_quantized",
)
_UNMAPPED = pl.lit("unmapped")


def family_shares(
    derivations: pl.LazyFrame,
    model_lineage: pl.LazyFrame,
    origin_weights: pl.LazyFrame,
    model_downloads: pl.LazyFrame,
    root_owners: pl.LazyFrame,
) -> pl.DataFrame:
    """The month's families by root repository and by root organisation: the table `shares/family_shares`, unsorted.

    Args:
        derivations: `lineage/derivations`, for the relations.
        model_lineage: `lineage/model_lineage`.
        origin_weights: `lineage/origin_weights`.
        model_downloads: `listings/model_downloads`.
        root_owners: columns `root_model_id`, `organization`, `country`, one row per root, listed or not; a root that
            is missing there is `unmapped`.

    All of one month. A derivative is new where it was created within that calendar month. Where its parents stand in
    different relations, it counts under each by its part of the parents.
    """
    derivatives = _derivatives(derivations, model_downloads).collect()
    new, downloads = pl.col("weight") * pl.col("is_new"), pl.col("weight") * pl.col("downloads")
    of_derivatives = totals_by(
        origin_weights.select("hub_id", "root_model_id", "weight")
        .join(derivatives.lazy(), on="hub_id")
        .with_columns(
            new.alias("new_derivatives"),
            *((new * pl.col(f"part_{relation}")).alias(f"new_{relation}") for relation in RELATIONS),
            pl.col("weight").alias("derivatives"),
            downloads.alias("downloads_derivatives"),
            (downloads * pl.col("part_quantized")).alias("downloads_quantized"),
        )
        .sort("root_model_id", "hub_id")
        .collect(),
        ["root_model_id"],
        _OF_DERIVATIVES,
    ).drop("models")
    of_roots = totals_by(
        model_lineage.filter(~pl.col("is_derivative"))
        .select("hub_id", "root_model_id")
        .join(model_downloads.select("hub_id", pl.col("downloads").alias("downloads_roots")), on="hub_id")
        .sort("root_model_id", "hub_id")
        .collect(),
        ["root_model_id"],
        ["downloads_roots"],
    ).drop("models")
    by_root = (
        of_derivatives.join(of_roots, on="root_model_id", how="full", coalesce=True)
        .with_columns(pl.col(*_OF_DERIVATIVES, "downloads_roots").fill_null(0.0))
        .with_columns((pl.col("downloads_roots") + pl.col("downloads_derivatives")).alias("downloads"))
        .join(root_owners.select("root_model_id", "organization", "country").collect(), on="root_model_id", how="left")
        .with_columns(pl.col("organization", "country").fill_null(_UNMAPPED))
    )
    families = by_root.filter(pl.col("derivatives") > 0).with_columns(
        pl.lit("root_model").alias("level"), pl.col("root_model_id").alias("family")
    )
    countries = by_root.group_by("organization").agg(pl.col("country").min())
    organizations = (
        totals_by(by_root.sort("root_model_id"), ["organization"], (*_OF_DERIVATIVES, "downloads"))
        .join(countries, on="organization")
        .with_columns(pl.lit("root_organization").alias("level"), pl.col("organization").alias("family"))
    )
    columns = FAMILY_SHARES.schema.names()
    both = pl.concat([families, organizations], how="diagonal")
    return _with_shares(both, derivatives, model_downloads).select(columns)


def derivation_flows(
    derivations: pl.LazyFrame,
    origin_weights: pl.LazyFrame,
    model_downloads: pl.LazyFrame,
    model_attribution: pl.LazyFrame,
    root_owners: pl.LazyFrame,
) -> pl.DataFrame:
    """Who builds on whom, country by country: the table `shares/derivation_flows`, unsorted.

    Frames as in `family_shares`; `model_attribution` is `attribution/model_attribution`, for the derivatives' country.
    """
    derivatives = _derivatives(derivations, model_downloads).collect()
    rows = (
        origin_weights.select("hub_id", "root_model_id", "weight")
        .join(derivatives.lazy().select("hub_id", "is_new", "downloads"), on="hub_id")
        .join(
            model_attribution.select("hub_id", pl.col("country").alias("derivative_country")), on="hub_id", how="left"
        )
        .join(
            root_owners.select("root_model_id", pl.col("country").alias("base_country")), on="root_model_id", how="left"
        )
        .with_columns(
            pl.col("base_country", "derivative_country").fill_null(_UNMAPPED),
            (pl.col("weight") * pl.col("is_new")).alias("new_derivatives"),
            pl.col("weight").alias("derivatives"),
            (pl.col("weight") * pl.col("downloads")).alias("downloads"),
        )
        .sort("hub_id", "root_model_id")
        .collect()
    )
    flows = totals_by(
        rows, ["base_country", "derivative_country"], ["new_derivatives", "derivatives", "downloads"]
    ).drop("models")
    return _with_shares(flows, derivatives, model_downloads).select(DERIVATION_FLOWS.schema.names())


def _derivatives(derivations: pl.LazyFrame, model_downloads: pl.LazyFrame) -> pl.LazyFrame:
    """One row per derivative: `is_new`, `downloads`, and `part_<relation>`, how its parents split by relation."""
    parts = [(pl.col("relation") == relation).mean().alias(f"part_{relation}") for relation in RELATIONS]
    created_in = pl.col("created_at").dt.date().dt.month_start()
    return (
        derivations.group_by(pl.col("child_hub_id").alias("hub_id"))
        .agg(parts)
        .join(
            model_downloads.select(
                "hub_id", "downloads", (created_in == pl.col("month")).fill_null(value=False).alias("is_new")
            ),
            on="hub_id",
        )
    )


def _with_shares(frame: pl.DataFrame, derivatives: pl.DataFrame, model_downloads: pl.LazyFrame) -> pl.DataFrame:
    month = model_downloads.select(pl.col("month").first()).collect().item()
    new = int(derivatives["is_new"].sum())
    share = pl.col("new_derivatives") / new if new else pl.lit(0.0)
    return frame.with_columns(
        pl.lit(month, pl.Date).alias("month"),
        pl.lit(new, pl.Int64).alias("new_derivatives_in_all"),
        share.alias("share_of_new_derivatives"),
    )
