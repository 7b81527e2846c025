"""`attribution/root_attribution`: the developer of every root, listed or not."""

import dagster as dg
import polars as pl

from assets.attribution.developers import DEVELOPER, METHOD, attribute
from assets.attribution.organizations import ORGANIZATIONS
from assets.columns import MONTH, NAMESPACE
from assets.expressions import namespace_of
from assets.lineage.derivations import DERIVATIONS
from assets.lineage.origin_weights import ORIGIN_WEIGHTS
from assets.listings.hub_accounts import HUB_ACCOUNTS
from pipeline.orchestration.partitions import month_of
from pipeline.orchestration.resources import RegistryResource
from pipeline.orchestration.table_assets import inputs, table_asset
from pipeline.schema.declaration import Column, Table

ROOT_ATTRIBUTION = Table(
    group="attribution",
    name="root_attribution",
    grain="root of a derivation graph, listed or not",
    description=(
        "The developer of each root that some repository derives from. A root that is deleted or private still has a "
        "namespace, and so a developer."
    ),
    columns=(
        MONTH,
        Column("root_model_id", pl.String, "The root's name."),
        NAMESPACE.optional(),
        *DEVELOPER,
        METHOD,
    ),
    key=("root_model_id",),
    may_be_empty=True,
)


def all_roots(weights: pl.LazyFrame, derivations: pl.LazyFrame) -> pl.LazyFrame:
    """`model_id` and `namespace` of the roots in `lineage/origin_weights` and of every unlisted parent, each once.

    An unlisted parent is always a root, but a rule may pass it over.
    """
    unlisted = derivations.filter(~pl.col("parent_listed")).select(pl.col("parent_model_id").alias("model_id")).unique()
    weighted = weights.select(pl.col("root_model_id").alias("model_id"), "namespace").unique()
    return pl.concat([weighted, unlisted.with_columns(namespace_of(pl.col("model_id")).alias("namespace"))]).unique(
        "model_id"
    )


@table_asset(
    ROOT_ATTRIBUTION,
    ins=inputs(weights=ORIGIN_WEIGHTS, derivations=DERIVATIONS, accounts=HUB_ACCOUNTS),
    deps=[ORGANIZATIONS],
)
def root_attribution(
    context: dg.AssetExecutionContext,
    weights: pl.LazyFrame,
    derivations: pl.LazyFrame,
    accounts: pl.LazyFrame,
    registry: RegistryResource,
) -> pl.LazyFrame:
    """The developer of every root, listed or not."""
    read, month = registry.read(), month_of(context)
    context.add_output_metadata({"made_by": {"registry": read.digest}})
    return attribute(
        all_roots(weights, derivations).with_columns(pl.lit(month).alias("month")),
        month,
        registry=read.organizations.lazy(),
        canonical_models=read.canonical_models.lazy(),
        accounts=accounts,
    ).rename({"model_id": "root_model_id"})
