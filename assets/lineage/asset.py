"""The one step that makes the tables of the group `lineage`."""

import dagster as dg
import polars as pl

from assets.lineage.derivations import DERIVATION_RECONCILIATION, DERIVATIONS, derive
from assets.lineage.graph import graph_of
from assets.lineage.model_lineage import MODEL_LINEAGE, model_lineage
from assets.lineage.origin_weights import ORIGIN_WEIGHTS, origin_weights
from assets.listings.hub_snapshots import HUB_SNAPSHOTS
from pipeline.orchestration.display_metadata import metadata_table
from pipeline.orchestration.partitions import month_of
from pipeline.orchestration.resources import OriginRuleResource
from pipeline.orchestration.table_assets import inputs, table_assets
from pipeline.publish.manifest import ORIGIN_RULE
from pipeline.reference.lists import relations, renames


# One step for all: the snapshot's tags, most of its bytes, are read once, and the graph is numbered and condensed once.
@table_assets(
    "lineage",
    {
        DERIVATIONS: [HUB_SNAPSHOTS],
        DERIVATION_RECONCILIATION: [HUB_SNAPSHOTS],
        MODEL_LINEAGE: [DERIVATIONS, HUB_SNAPSHOTS],
        ORIGIN_WEIGHTS: [DERIVATIONS],
    },
    ins=inputs(snapshot=HUB_SNAPSHOTS),
)
def lineage(
    context: dg.AssetExecutionContext, snapshot: pl.LazyFrame, origin_rule: OriginRuleResource
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Declarations as edges, what became of each, every repository's place among them, and its weights over roots."""
    rule = origin_rule.choice()
    month = month_of(context)
    derived = derive(snapshot, renames=renames(), relations=relations())
    graph = graph_of(derived.edges, derived.repositories)
    outcomes = derived.reconciliation.sort("evidence", "outcome").select("evidence", "outcome", "references")
    references = metadata_table(outcomes)
    context.add_output_metadata({"references": references}, output_name=DERIVATION_RECONCILIATION.name)
    weights = origin_weights(graph, rule, month)
    if not weights.is_empty():  # without derivatives a month is the same by every rule
        context.add_output_metadata({"made_by": {ORIGIN_RULE: rule}}, output_name=ORIGIN_WEIGHTS.name)
    return derived.derivations, derived.reconciliation, model_lineage(graph, month), weights
