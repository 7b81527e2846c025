"""`published/month_manifest`: what a finished month consists of."""

from collections.abc import Sequence

import dagster as dg
import polars as pl

from pipeline.orchestration.partitions import month_of
from pipeline.orchestration.resources import LakeResource
from pipeline.orchestration.table_assets import CatalogueAssets, table_asset
from pipeline.publish.manifest import MONTH_MANIFEST, manifest_of
from pipeline.schema.catalogue import Catalogue


def _of_every_table(catalogue: Catalogue) -> Sequence[dg.AssetsDefinition]:
    @table_asset(MONTH_MANIFEST, deps=catalogue.monthly)
    def month_manifest(context: dg.AssetExecutionContext, lake: LakeResource) -> pl.DataFrame:
        """Digests of every table of the month, once all blocking checks have passed."""
        return manifest_of(lake.store(), catalogue, month_of(context))

    return [month_manifest]


OF_EVERY_TABLE = CatalogueAssets(_of_every_table)
