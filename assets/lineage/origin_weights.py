"""`lineage/origin_weights`: how each derivative is split over the roots that it descends from."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import polars as pl

from assets.lineage.graph import UNITS, Graph
from pipeline.tables.lineage import ORIGIN_WEIGHTS
from pipeline.transform.normalise import namespace_of


def origin_weights(graph: Graph, rule: str, month: dt.date | None) -> pl.DataFrame:
    """Every derivative of the graph with its roots, by one of the rules in `graph.RULES`."""
    nodes = graph.nodes.with_columns(namespace_of(pl.col("model_id")).alias("namespace"))
    split = graph.split(rule)
    root = nodes[split["root"]]
    return split.select(
        pl.lit(month, pl.Date).alias("month"),
        nodes["hub_id"].gather(split["node"]),
        root["model_id"].alias("root_model_id"),
        root["hub_id"].alias("root_hub_id"),
        root["namespace"],
        (pl.col("units") * pl.lit(1 / Decimal(UNITS))).alias("weight"),
        pl.lit(rule).alias("origin_rule"),
    ).select(ORIGIN_WEIGHTS.schema.names())
