"""`lineage/origin_weights`: how each derivative is split over the roots that it goes back to."""

import datetime as dt
from decimal import Decimal

import polars as pl

from assets.columns import HUB_ID, MONTH, NAMESPACE, text
from assets.expressions import namespace_of
from assets.lineage.graph import UNITS, Graph
from pipeline.schema.declaration import Column, Table, TableFrames, rule
from pipeline.settings import ORIGIN_RULES

ORIGIN_RULE = text(
    "origin_rule", "How derivatives are split: `equal_parts`, `first_parent` or `majority`.", values=ORIGIN_RULES
)


@rule()
def weights_sum_to_one(frames: TableFrames) -> pl.LazyFrame:
    """The weights of each derivative sum to 1, to the last digit."""
    sums = frames.scan("lineage/origin_weights").group_by("hub_id").agg(pl.col("weight").sum())
    return sums.filter(pl.col("weight") != 1)


ORIGIN_WEIGHTS = Table(
    "lineage/origin_weights",
    grain="derivative and root",
    description=(
        "How each derivative is split over the roots it descends from, by one rule for the whole month. Weights are "
        "cut to 12 digits, and the rest goes to the heaviest root, so that they sum to 1. Roots have no rows."
    ),
    columns=(
        MONTH,
        HUB_ID,
        text("root_model_id", "The root."),
        text("root_hub_id", "The root's `hub_id`; absent where it is not listed.", nullable=True),
        NAMESPACE.optional("The root's namespace."),
        Column("weight", pl.Decimal(18, 12), "The root's exact part.", "fraction", minimum=1e-12, maximum=1),
        ORIGIN_RULE,
    ),
    key=("hub_id", "root_model_id"),
    may_be_empty=True,
    rules=(weights_sum_to_one,),
)


def origin_weights(graph: Graph, rule: str, month: dt.date | None) -> pl.DataFrame:
    """Every derivative of the graph with its roots, by one of the rules in `graph.RULES`."""
    split = graph.split(rule)
    known = graph.repositories
    roots = split.select(pl.col("root").unique())
    named = roots.with_columns(known[roots["root"]]).with_columns(namespace=namespace_of(pl.col("model_id")))
    return split.join(named, on="root", how="left", maintain_order="left").select(
        known["hub_id"].gather(split["row"]),
        "namespace",
        month=pl.lit(month, pl.Date),
        root_model_id="model_id",
        root_hub_id="hub_id",
        weight=pl.col("units") * pl.lit(1 / Decimal(UNITS)),
        origin_rule=pl.lit(rule),
    )
