"""Group `lineage`: which model was made from which."""

import polars as pl

from pipeline.orchestration.table_assets import inputs, table_asset, table_assets
from pipeline.reference.lineage import relations, renames
from pipeline.tables import attribution, listings
from pipeline.tables import lineage as tables
from pipeline.transform.attribution import owners
from pipeline.transform.lineage.graph import place
from pipeline.transform.lineage.nodes import read_graph
from pipeline.transform.lineage.parse import derive
from pipeline.transform.lineage.weights import origin_weights as weights_of


@table_assets(
    "derivations", tables.DERIVATIONS, tables.DERIVATION_ACCOUNTS, ins=inputs(snapshot=listings.HUB_SNAPSHOTS)
)
def derivations(snapshot: pl.LazyFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Edges from every place where developers declare them, and what became of each declaration."""
    derived = derive(snapshot, renames=renames(), relations=relations())
    return derived.derivations, derived.accounts


@table_asset(tables.ORIGIN_WEIGHTS, ins=inputs(derivations=tables.DERIVATIONS))
def origin_weights(derivations: pl.LazyFrame) -> pl.DataFrame:
    """How each derivative is split over the roots it descends from."""
    return weights_of(read_graph(derivations.collect()))


@table_asset(
    tables.MODEL_LINEAGE,
    ins=inputs(
        derivations=tables.DERIVATIONS,
        snapshot=listings.HUB_SNAPSHOTS,
        attributed=attribution.MODEL_ATTRIBUTION,
        roots=attribution.ROOT_ATTRIBUTION,
    ),
)
def model_lineage(
    derivations: pl.LazyFrame, snapshot: pl.LazyFrame, attributed: pl.LazyFrame, roots: pl.LazyFrame
) -> pl.DataFrame:
    """Each repository's place in the derivation graph."""
    return place(read_graph(derivations.collect()), snapshot, owners(attributed, roots))
