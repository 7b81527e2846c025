"""Downloads by origin: each derivative's split over its roots, to the last digit."""

from __future__ import annotations

import polars as pl

from assets.attribution.root_attribution import ROOT_ATTRIBUTION
from assets.lineage.origin_weights import ORIGIN_WEIGHTS
from assets.models.models import MODELS
from pipeline.orchestration.table_assets import inputs
from pipeline.schema.declaration import DECIMAL

BY_ORIGIN = inputs(models=MODELS, weights=ORIGIN_WEIGHTS, roots=ROOT_ATTRIBUTION)
"""What a mart by origin is made from."""


def by_root(models: pl.LazyFrame, weights: pl.LazyFrame, roots: pl.LazyFrame) -> pl.LazyFrame:
    """One row per derivative and root: `downloads` are the root's part, `organization` and `country` the root's.

    `models` have `hub_id`, `downloads` and what else is wanted of the derivative. Parts are cut to six places and the
    rest is the heaviest root's (of equals the first by name), so that they sum to the derivative's downloads.
    """
    split = (
        weights.select("hub_id", "root_model_id", "root_hub_id", "weight")
        .join(models, on="hub_id", how="inner", maintain_order="left")
        .join(roots.select("root_model_id", "organization", "country"), on="root_model_id", how="left")
        .with_columns(pl.col("organization", "country").fill_null("unmapped"))
    )
    return pl.concat([split.filter(pl.col("weight") == 1), _divided(split.filter(pl.col("weight") != 1))])


def _divided(split: pl.LazyFrame) -> pl.LazyFrame:
    in_order = split.sort("hub_id", "weight", "root_model_id", descending=[False, True, False])
    part = (pl.col("downloads") * pl.col("weight")).truncate(DECIMAL.scale).cast(DECIMAL)
    rest = pl.col("downloads") - part.sum().over("hub_id")
    is_heaviest = pl.col("hub_id").ne_missing(pl.col("hub_id").shift())
    return in_order.with_columns(part + pl.when(is_heaviest).then(rest).otherwise(0))
