"""`attribution/model_attribution` and `attribution/root_attribution`: the developers of repositories and of roots."""

import dagster as dg
import polars as pl

from assets.attribution.developers import DEVELOPER, METHOD, attribute
from assets.attribution.organizations import ORGANIZATIONS
from assets.columns import COUNTRY_PATTERN, HUB_ID, MODEL_ID, MONTH, NAMESPACE
from assets.expressions import namespace_of
from assets.lineage.derivations import DERIVATIONS
from assets.lineage.origin_weights import ORIGIN_WEIGHTS
from assets.listings.hub_accounts import HUB_ACCOUNTS
from assets.listings.hub_snapshots import HUB_SNAPSHOTS
from pipeline.checks.rules import all_found
from pipeline.orchestration.partitions import month_of
from pipeline.orchestration.resources import RegistryResource
from pipeline.orchestration.table_assets import inputs, table_asset
from pipeline.schema.declaration import Column, Table

MODEL_ATTRIBUTION = Table(
    "attribution/model_attribution",
    grain="public model repository at the month's close",
    description=(
        "The developer of each repository by its uploader: the registry's row for namespace and month; else the list "
        "of models without a namespace; else a person's account is `unaffiliated`; everything else is `unmapped`."
    ),
    columns=(
        MONTH,
        HUB_ID,
        MODEL_ID,
        NAMESPACE.optional(),
        *DEVELOPER,
        Column("organization_today", pl.String, "The organisation by the registry's latest row."),
        Column("country_today", pl.String, "The country by the registry's latest row.", pattern=COUNTRY_PATTERN),
        METHOD,
        Column("registry_row", pl.String, "The row applied: namespace (or model) and `valid_from`.", nullable=True),
    ),
    key=("hub_id",),
    rules=(
        all_found(
            "every_model_attributed_once",
            "Every repository of the snapshot has exactly one attribution.",
            "listings/hub_snapshots.hub_id",
            among="attribution/model_attribution.hub_id",
        ),
    ),
)
ROOT_ATTRIBUTION = Table(
    "attribution/root_attribution",
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


@table_asset(MODEL_ATTRIBUTION, ins=inputs(snapshot=HUB_SNAPSHOTS, accounts=HUB_ACCOUNTS), deps=[ORGANIZATIONS])
def model_attribution(
    context: dg.AssetExecutionContext, snapshot: pl.LazyFrame, accounts: pl.LazyFrame, registry: RegistryResource
) -> pl.LazyFrame:
    """The developer of every repository, by its uploader."""
    return _attributed(context, snapshot.select("hub_id", "model_id", "namespace"), accounts, registry)


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
    roots = _attributed(context, all_roots(weights, derivations), accounts, registry)
    return roots.rename({"model_id": "root_model_id"})


def _attributed(
    context: dg.AssetExecutionContext, models: pl.LazyFrame, accounts: pl.LazyFrame, registry: RegistryResource
) -> pl.LazyFrame:
    read, month = registry.read(), month_of(context)
    context.add_output_metadata({"made_by": {"registry": read.digest}})
    return attribute(
        models.with_columns(pl.lit(month).alias("month")),
        month,
        registry=read.organizations.lazy(),
        canonical_models=read.canonical_models.lazy(),
        accounts=accounts,
    )
