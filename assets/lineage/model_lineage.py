"""`lineage/model_lineage`: the place of every repository in the derivation graph."""

from __future__ import annotations

import polars as pl

from assets.lineage.graph import Graph
from pipeline.tables.lineage import MODEL_LINEAGE


def model_lineage(graph: Graph, listing: pl.LazyFrame) -> pl.LazyFrame:
    """Places every repository of the listing in the graph; what has no part in a derivation is its own root.

    `listing` has `month`, `hub_id` and `model_id`.
    """
    places = graph.places()
    roots = graph.nodes[places["root"]]
    placed = places.drop("root").with_columns(
        graph.nodes["hub_id"], roots["model_id"].alias("root_model_id"), roots["hub_id"].alias("root_hub_id")
    )
    has_no_part = pl.col("roots").is_null()
    own = {"root_model_id": pl.col("model_id"), "root_hub_id": pl.col("hub_id"), "roots": pl.lit(1)}
    return (
        listing.select("month", "hub_id", "model_id")
        .join(placed.lazy().drop_nulls("hub_id"), on="hub_id", how="left")
        .with_columns(
            *(pl.when(has_no_part).then(value).otherwise(name).alias(name) for name, value in own.items()),
            pl.col("depth_shortest", "depth_longest").fill_null(0),
            pl.col("is_derivative", "is_in_cycle", "is_orphan").fill_null(value=False),
        )
        .select(MODEL_LINEAGE.schema.names())
    )
