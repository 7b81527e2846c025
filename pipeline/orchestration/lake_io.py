"""Assets' inputs and outputs as files of the lake."""

from datetime import date
from typing import Any

import dagster as dg
import polars as pl
from dagster import InputContext, OutputContext

from pipeline.orchestration.resources import LakeResource
from pipeline.orchestration.shown import largest_rows, lowest_coverage, provenance
from pipeline.orchestration.table_assets import column_lineage
from pipeline.tables.catalog import TABLES_BY_PATH
from pipeline.tables.declaration import Table


class LakeIOManager(dg.ConfigurableIOManager):
    """Stores each asset's frame as its table's month and loads inputs lazily.

    What a frame must look like is the table's declaration; how it is stored whole or not at all is the lake's business.
    """

    lake: dg.ResourceDependency[LakeResource]

    def handle_output(self, context: OutputContext, obj: pl.LazyFrame | pl.DataFrame) -> None:
        """Stores the frame in place of what was there."""
        table = _table(context.asset_key)
        month = _month(table, context)
        stored = self.lake.write(table, month, obj)
        rows = self.lake.scan(table, month)
        shown = {
            "coverage": lowest_coverage(rows, table),
            "largest": largest_rows(rows, table),
            "dagster/column_lineage": column_lineage(table),
        }
        context.add_output_metadata(
            {
                "dagster/row_count": stored.rows,
                "dagster/size_bytes": stored.bytes,
                "path": dg.MetadataValue.path(stored.path),
                **(provenance(self.lake.store(), table, month) if month else {}),
                **{name: value for name, value in shown.items() if value is not None},
            }
        )

    def load_input(self, context: InputContext) -> pl.LazyFrame:
        """The upstream table's same month, lazily."""
        table = _table(context.asset_key)
        return self.lake.scan(table, _month(table, context))


def _table(asset_key: dg.AssetKey) -> Table:
    return TABLES_BY_PATH["/".join(asset_key.path)]


def _month(table: Table, context: Any) -> date | None:
    return date.fromisoformat(context.asset_partition_key) if table.monthly else None
