"""The one step that makes the tables of the group `lineage`."""

import dagster as dg
import polars as pl

from assets.lineage.derivations import derive
from assets.lineage.graph import graph_of
from assets.lineage.model_lineage import model_lineage
from assets.lineage.origin_weights import origin_weights
from pipeline.orchestration.partitions import month_of
from pipeline.orchestration.resources import OriginRuleResource
from pipeline.orchestration.shown import shown
from pipeline.orchestration.table_assets import inputs, table_assets
from pipeline.reference.lineage import relations, renames
from pipeline.tables import lineage as tables
from pipeline.tables import listings


# One step for all: the snapshot's tags, most of its bytes, are read once, and the graph is numbered and condensed once.
@table_assets(
    "lineage",
    {
        tables.DERIVATIONS: [listings.HUB_SNAPSHOTS],
        tables.DERIVATION_RECONCILIATION: [listings.HUB_SNAPSHOTS],
        tables.MODEL_LINEAGE: [tables.DERIVATIONS, listings.HUB_SNAPSHOTS],
        tables.ORIGIN_WEIGHTS: [tables.DERIVATIONS],
    },
    ins=inputs(snapshot=listings.HUB_SNAPSHOTS),
)
def lineage(
    context: dg.AssetExecutionContext, snapshot: pl.LazyFrame, origin_rule: OriginRuleResource
) -> tuple[pl.DataFrame, pl.DataFrame, pl.LazyFrame, pl.DataFrame]:
    """Declarations as edges, what became of each, every repository's place among them, and its weights over roots."""
    rule = origin_rule.choice()
    derived = derive(snapshot, renames=renames(), relations=relations())
    graph = graph_of(derived.derivations)
    outcomes = derived.reconciliation.sort("evidence", "outcome").select("evidence", "outcome", "references")
    context.add_output_metadata({"references": shown(outcomes)}, output_name=tables.DERIVATION_RECONCILIATION.name)
    context.add_output_metadata({"origin_rule": rule}, output_name=tables.ORIGIN_WEIGHTS.name)
    weights = origin_weights(graph, rule, month_of(context))
    return derived.derivations, derived.reconciliation, model_lineage(graph, snapshot), weights
