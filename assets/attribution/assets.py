"""Group `attribution`: who stands behind a namespace, and in which country."""

import dagster as dg
import polars as pl

from pipeline.orchestration.partitions import month_of
from pipeline.orchestration.pictures import coverage_over_time
from pipeline.orchestration.resources import LakeResource, RegistryResource
from pipeline.orchestration.shown import shown, source_of
from pipeline.orchestration.table_assets import inputs, table_asset
from pipeline.tables import attribution as tables
from pipeline.tables import lineage, listings
from pipeline.transform import attribution

LARGEST_SHOWN = 10


@table_asset(tables.ORGANIZATIONS)
def organizations(context: dg.AssetExecutionContext, registry: RegistryResource) -> pl.DataFrame:
    """The reviewed registry as the census reads it."""
    read = registry.read()
    context.add_output_metadata({"made_by": {"registry": read.digest}})
    return read.organizations


@table_asset(
    tables.MODEL_ATTRIBUTION,
    ins=inputs(snapshot=listings.HUB_SNAPSHOTS, accounts=listings.HUB_ACCOUNTS),
    deps=[tables.ORGANIZATIONS],
)
def model_attribution(
    context: dg.AssetExecutionContext, snapshot: pl.LazyFrame, accounts: pl.LazyFrame, registry: RegistryResource
) -> pl.LazyFrame:
    """The developer of every repository, by its uploader."""
    read = registry.read()
    context.add_output_metadata({"made_by": {"registry": read.digest}})
    return attribution.attribute(
        snapshot.select("month", "hub_id", "model_id", "namespace"),
        month_of(context),
        registry=read.organizations.lazy(),
        canonical_models=read.canonical_models.lazy(),
        accounts=accounts,
    )


@table_asset(
    tables.ATTRIBUTION_COVERAGE,
    ins=inputs(downloads=listings.MODEL_DOWNLOADS, attributed=tables.MODEL_ATTRIBUTION),
)
def attribution_coverage(
    context: dg.AssetExecutionContext, downloads: pl.LazyFrame, attributed: pl.LazyFrame, lake: LakeResource
) -> pl.DataFrame:
    """How much of the month rests on which rule."""
    month = month_of(context)
    coverage = attribution.attribution_coverage(downloads, attributed, month)
    unmapped = attribution.largest_unmapped(downloads, attributed, LARGEST_SHOWN)
    source = source_of(lake.store(), listings.MODEL_DOWNLOADS, month)
    pictures = coverage_over_time(coverage, tables.ATTRIBUTION_COVERAGE, lake.store(), month, source)
    context.add_output_metadata({"largest_unmapped_namespaces": shown(unmapped), **pictures})
    return coverage


@table_asset(
    tables.ROOT_ATTRIBUTION,
    ins=inputs(weights=lineage.ORIGIN_WEIGHTS, derivations=lineage.DERIVATIONS, accounts=listings.HUB_ACCOUNTS),
    deps=[tables.ORGANIZATIONS],
)
def root_attribution(
    context: dg.AssetExecutionContext,
    weights: pl.LazyFrame,
    derivations: pl.LazyFrame,
    accounts: pl.LazyFrame,
    registry: RegistryResource,
) -> pl.LazyFrame:
    """The developer of every root, listed or not."""
    read = registry.read()
    context.add_output_metadata({"made_by": {"registry": read.digest}})
    return attribution.attribute_roots(
        weights,
        derivations,
        month_of(context),
        registry=read.organizations.lazy(),
        canonical_models=read.canonical_models.lazy(),
        accounts=accounts,
    )
