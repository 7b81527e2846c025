"""Group `lineage`: which model was made from which."""

import dagster as dg
import polars as pl

from pipeline.orchestration.partitions import month_of
from pipeline.orchestration.resources import OriginRuleResource, RegistryResource
from pipeline.orchestration.shown import shown
from pipeline.orchestration.table_assets import inputs, table_assets
from pipeline.reference.lineage import relations, renames
from pipeline.tables import attribution, listings
from pipeline.tables import lineage as tables
from pipeline.transform.attribution import attribute_roots
from pipeline.transform.lineage.graph import Developers, place
from pipeline.transform.lineage.parse import derive
from pipeline.transform.lineage.weights import RULES, equal_parts
from pipeline.transform.lineage.weights import origin_weights as weights_of
from pipeline.transform.together import together


# One step for all: the snapshot's tags, most of its bytes, are read once, and the graph is numbered and condensed once.
@table_assets(
    "lineage",
    {
        tables.DERIVATIONS: [listings.HUB_SNAPSHOTS],
        tables.DERIVATION_ACCOUNTS: [listings.HUB_SNAPSHOTS],
        tables.MODEL_LINEAGE: [
            tables.DERIVATIONS,
            listings.HUB_SNAPSHOTS,
            listings.HUB_ACCOUNTS,
            attribution.MODEL_ATTRIBUTION,
            attribution.ORGANIZATIONS,
        ],
        tables.ORIGIN_WEIGHTS: [tables.DERIVATIONS],
    },
    ins=inputs(
        snapshot=listings.HUB_SNAPSHOTS, accounts=listings.HUB_ACCOUNTS, attributed=attribution.MODEL_ATTRIBUTION
    ),
    deps=[attribution.ORGANIZATIONS],
)
def lineage(
    context: dg.AssetExecutionContext,
    snapshot: pl.LazyFrame,
    accounts: pl.LazyFrame,
    attributed: pl.LazyFrame,
    registry: RegistryResource,
    origin_rule: OriginRuleResource,
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Declarations as edges and accounts, each repository's place among them, and its weights over roots."""
    rule = origin_rule.choice()
    derived = derive(snapshot, renames=renames(), relations=relations())
    read = registry.read()
    unlisted_roots = attribute_roots(
        derived.graph.unlisted_roots().lazy(),
        month_of(context),
        registry=read.organizations.lazy(),
        canonical_models=read.canonical_models.lazy(),
        accounts=accounts,
    )
    equal, unlisted = together(lambda: equal_parts(derived.graph), unlisted_roots.collect)
    placed = place(derived.graph, equal, derived.listing, Developers(attributed, unlisted.lazy()))
    weights = equal if rule == "equal_parts" else RULES[rule](derived.graph)
    outcomes = derived.accounts.sort("evidence", "outcome").select("evidence", "outcome", "references")
    context.add_output_metadata({"references": shown(outcomes)}, output_name=tables.DERIVATION_ACCOUNTS.name)
    context.add_output_metadata({"origin_rule": rule}, output_name=tables.ORIGIN_WEIGHTS.name)
    return derived.derivations, derived.accounts, placed, weights_of(derived.graph, weights, rule)
