"""Assets' inputs and outputs as files of the lake."""

import time
from datetime import UTC, date, datetime
from typing import Any

import dagster as dg
import polars as pl
from dagster import InputContext, OutputContext

from pipeline import synthetic
from pipeline.lake.provenance import MADE_BY, OBSERVATION, Provenance
from pipeline.lake.store import Lake
from pipeline.orchestration.display_metadata import shown_of_month
from pipeline.orchestration.partitions import mark_sample
from pipeline.orchestration.resources import LakeResource
from pipeline.orchestration.table_assets import in_plain_words
from pipeline.publish.manifest import require_same_world
from pipeline.reference.lists import list_digests
from pipeline.schema.catalogue import Catalogue
from pipeline.schema.declaration import Table
from pipeline.wording import counted


class LakeIOManager(dg.IOManager):
    """Stores each asset's frame as its table's month, with what it was made from, and loads inputs lazily.

    What a frame must look like is the table's declaration; how it is stored whole or not at all is the lake's business.
    """

    def __init__(self, lake: LakeResource, catalogue: Catalogue) -> None:
        self._lake = lake
        self._catalogue = catalogue
        self._loaded: dict[tuple[str, str], str] = {}
        """By step and table, the digest of each input as it was when the step was given it."""

    @in_plain_words
    def handle_output(self, context: OutputContext, obj: pl.LazyFrame | pl.DataFrame) -> None:
        """Stores the frame in place of what was there.

        Raises:
            Failure: a file that the frame was made from was replaced meanwhile, or the month is synthetic in a lake of
                real ones, or the other way round.
        """
        table, lake = self._table(context.asset_key), self._lake.store()
        month = _month(table, context)
        provenance = self._provenance(context, lake, month)
        if provenance.source is not None:
            require_same_world(lake, provenance.source, month)
        begun = time.monotonic()
        stored = lake.write(table, month, obj, provenance)
        if provenance.source == synthetic.SOURCE:
            mark_sample(lake.url)
        seconds = time.monotonic() - begun
        named = f"{table.path} of {month:%Y-%m}" if month else table.path
        context.log.info(f"{named}: {counted(stored.rows, 'row')}, {stored.bytes:,} bytes, written in {seconds:.1f} s")
        context.add_output_metadata(
            {
                "dagster/row_count": stored.rows,
                "dagster/size_bytes": stored.bytes,
                "path": dg.MetadataValue.path(stored.path),
                "made_from": dg.MetadataValue.json(dict(provenance.inputs)),
                **shown_of_month(lake, self._catalogue, table, month),
            }
        )

    @in_plain_words
    def load_input(self, context: InputContext) -> pl.LazyFrame:
        """The upstream table's same month, lazily."""
        table, lake = self._table(context.asset_key), self._lake.store()
        month = _month(table, context)
        frame = lake.scan(table, month)
        self._loaded[context.step_context.step.key, table.path] = lake.digest_while_unchanged(table, month)
        return frame

    def _provenance(self, context: OutputContext, lake: Lake, month: date | None) -> Provenance:
        upstream = [self._table(dependency.asset_key) for dependency in context.asset_spec.deps]
        inputs = {}
        for table in upstream:
            if not (table.monthly and month and lake.holds(table, month)):
                continue
            digest = lake.digest_while_unchanged(table, month)
            if self._loaded.get((context.step_context.step.key, table.path), digest) != digest:
                raise dg.Failure(
                    f"{table.path} of {month:%Y-%m} was replaced while {context.asset_key.to_user_string()} was made "
                    "from it, by another run of the same month: wait until that has ended and run the month again",
                    allow_retries=False,
                )
            inputs[table.path] = digest
        behind = [lake.provenance(self._catalogue[path], month) for path in sorted(inputs)]
        stated = context.output_metadata
        said: dict[str, Any] = {name: stated[name].value for name in (*OBSERVATION, MADE_BY) if name in stated}
        if "observed_at" in said:
            said["observed_at"] = datetime.fromtimestamp(said["observed_at"], UTC).isoformat()
        said[MADE_BY] = list_digests(*self._table(context.asset_key).reviewed_lists) | said.get(MADE_BY, {})
        return Provenance(inputs, **said).after(filter(None, behind))

    def _table(self, asset_key: dg.AssetKey) -> Table:
        return self._catalogue["/".join(asset_key.path)]


def _month(table: Table, context: Any) -> date | None:
    return date.fromisoformat(context.asset_partition_key) if table.monthly else None


def lake_io_manager(catalogue: Catalogue) -> dg.IOManagerDefinition:
    """The IO manager of assets that hold the catalogue's tables, in the lake of the resource `lake`."""
    return dg.IOManagerDefinition(
        lambda context: LakeIOManager(context.resources.lake, catalogue), required_resource_keys={"lake"}
    )
