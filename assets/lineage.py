"""Group `lineage`: which model was made from which."""

import polars as pl
from pipeline.reference.lineage import relations, renames
from pipeline.transform.lineage.graph import place
from pipeline.transform.lineage.owners import owners

from pipeline.orchestration.table_assets import inputs, table_asset, table_assets
from pipeline.tables import attribution, listings
from pipeline.tables import lineage as tables
from pipeline.transform.lineage.parse import derive
from pipeline.transform.lineage.weights import WEIGHT_RULES


@table_assets(
    "derivations", tables.DERIVATIONS, tables.DERIVATION_ACCOUNTS, ins=inputs(snapshot=listings.HUB_SNAPSHOTS)
)
def derivations(snapshot: pl.LazyFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Edges from every place where developers declare them, and what became of each declaration."""
    derived = derive(snapshot, renames=renames(), relations=relations())
    return derived.derivations, derived.accounts


@table_asset(
    tables.MODEL_LINEAGE,
    ins=inputs(
        derivations=tables.DERIVATIONS, snapshot=listings.HUB_SNAPSHOTS, attributed=attribution.MODEL_ATTRIBUTION
    ),
)
def model_lineage(derivations: pl.LazyFrame, snapshot: pl.LazyFrame, attributed: pl.LazyFrame) -> pl.DataFrame:
    """Each repository's place in the derivation graph."""
    return place(derivations, snapshot, owners(attributed))


@table_asset(tables.ORIGIN_WEIGHTS, ins=inputs(derivations=tables.DERIVATIONS))
def origin_weights(derivations: pl.LazyFrame) -> pl.DataFrame:
    """How each derivative is split over the roots it descends from."""
    return WEIGHT_RULES["equal_parts"](derivations)
