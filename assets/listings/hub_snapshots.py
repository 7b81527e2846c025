"""`listings/hub_snapshots`: one observation of every public model repository."""

from datetime import UTC, date, datetime

import dagster as dg
import polars as pl

from assets.columns import CREATED_AT, DOWNLOADS_ALL_TIME, MODEL, MONTH, NAMESPACE, OBSERVED_AT, PROVENANCE, count, text
from assets.expressions import namespace_of
from pipeline.checks.rules import all_found, mostly, mostly_known, mostly_unique, none_where
from pipeline.orchestration.partitions import month_of
from pipeline.orchestration.resources import SnapshotSourceResource
from pipeline.orchestration.table_assets import table_asset
from pipeline.schema.declaration import Column, Rule, Table, TableFrames, rule
from pipeline.sources.snapshots import BASE_MODELS, Snapshot

COUNTERS_COMPLETE_SINCE = datetime(2025, 2, 27, tzinfo=UTC)
"""Before, archives wrote 0 for cumulative counters that were not public yet."""

IDENTIFIED_BY = text("identified_by", "What `hub_id` holds: an id, or a `name` without one.", values=("hub_id", "name"))

BASE_MODEL_TAG = "base_model:"
"""How a tag begins that names a base model."""
LINEAGE_TAGS = (BASE_MODEL_TAG, "distil", "knowledge-distil", "model-distil")
"""How tags begin that name a base model or speak of distillation."""

OBSERVATIONS = (
    CREATED_AT.optional(),
    count("downloads_30d", "Downloads in the 30 days before the observation.", "downloads", nullable=True, minimum=0),
    DOWNLOADS_ALL_TIME.optional("All downloads of the repository so far; absent before 2025-02-26 in archives."),
    count("likes", "Likes at the observation.", "likes", nullable=True),
    text("pipeline_tag", "The task that the Hub shows for the model.", nullable=True),
    text("library_name", "The library that the Hub names for the model.", nullable=True),
    text("gated", "Whether access must be requested: `false`, `auto` or `manual`.", nullable=True),
    text("license", "The licence that tags or card declare.", nullable=True),
    count("safetensors_parameters", "By the files; overstates packed or doubled weights.", "parameters", nullable=True),
    count("gguf_parameters", "Parameters stated by the GGUF header.", "parameters", nullable=True),
    Column("tags", pl.List(pl.String), "All tags, as the Hub lists them.", nullable=True),
    text("base_model_relation", "The relation that `baseModels` or, failing that, the card states.", nullable=True),
    Column("base_models", BASE_MODELS, "The parents that the Hub's `baseModels` states.", nullable=True),
    Column("card_base_models", pl.List(pl.String), "`base_model` as the model card declares it.", nullable=True),
    Column("unreadable", pl.List(pl.String), "What cannot be read, as `field: value`, shortened.", nullable=True),
)
"""What a snapshot source reports of one repository beside its id and name, before any interpretation."""


@rule(severity="warning")
def created_before_observed(frames: TableFrames) -> pl.LazyFrame:
    """No repository was created after it was observed."""
    late = frames.scan("listings/hub_snapshots").filter(pl.col("created_at") > pl.col("observed_at"))
    return late.select("hub_id", "model_id", "created_at", "observed_at")


@rule(severity="warning", quoted=("example", "values"))
def values_readable(frames: TableFrames) -> pl.LazyFrame:
    """No field holds a value that cannot be read."""
    unreadable = pl.col("unreadable").list.explode(keep_nulls=False, empty_as_null=False)
    values = frames.scan("listings/hub_snapshots").select(unreadable)
    by_field = values.group_by(pl.col("unreadable").str.extract("^([^:]*): ", 1).alias("field"))
    return by_field.agg(pl.len().alias("values"), pl.col("unreadable").min().alias("example")).sort("field")


HUB_SNAPSHOTS = Table(
    "listings/hub_snapshots",
    grain="public model repository at the month's close",
    description="The usable observation nearest to the month's close. A month is whole or absent, of one source.",
    columns=(
        MONTH,
        *MODEL,
        IDENTIFIED_BY,
        NAMESPACE.optional(),
        *OBSERVATIONS,
        Column("lineage_tags", pl.List(pl.String), "`tags` on base models or distillation, one in ten.", nullable=True),
        OBSERVED_AT,
        *PROVENANCE,
    ),
    key=("hub_id",),
    warnings=(
        "Anyone can write cards, tags and names: treat them as untrusted input.",
        "`downloads_30d` of several months must not be added up; use `listings/model_downloads`.",
    ),
    rules=(
        created_before_observed,
        values_readable,
        mostly_unique("listings/hub_snapshots", "model_id"),
        none_where("listings/hub_snapshots", "likes_not_negative", "No likes below 0.", pl.col("likes") < 0, "warning"),
    ),
    measures=(
        mostly(
            "listings/hub_snapshots",
            "names_mostly_well_formed",
            "Share of repositories named `namespace/name`, or, the oldest ones, `name`.",
            pl.col("model_id").str.contains(r"^[^/\s]+(/[^/\s]+)?$"),
            0.999,
        ),
        # A source without counters cannot measure the month.
        mostly_known("listings/hub_snapshots", "downloads_30d", 0.95),
        # The age of a model decides whether it counts as new.
        mostly_known("listings/hub_snapshots", "created_at", 0.95),
    ),
)


def covers_snapshot(table: str, name: str = "snapshot_covered") -> Rule:
    """Every repository of the snapshot has exactly one row of the table (`group/name`)."""
    meaning = "Every repository of the snapshot has exactly one row."
    return all_found(name, meaning, "listings/hub_snapshots.hub_id", among=f"{table}.hub_id")


def snapshot_rows(snapshot: Snapshot, month: date) -> pl.LazyFrame:
    """A source's snapshot as `listings/hub_snapshots` of the month that it closes, in the order of `hub_id`.

    A repository listed twice is kept once, with the larger counters. A repository without an id is identified by its
    name. A cumulative counter of 0 beside recent downloads is a missing one if it was observed before
    `COUNTERS_COMPLETE_SINCE`.
    """
    too_early = pl.lit(snapshot.observed_at < COUNTERS_COMPLETE_SINCE)
    missing_counter = (pl.col("downloads_all_time") == 0) & (pl.col("downloads_30d") > 0) & too_early
    named = snapshot.rows.with_columns(
        hub_id=pl.coalesce("hub_id", "model_id"),
        identified_by=pl.when(pl.col("hub_id").is_null()).then(pl.lit("name")).otherwise(pl.lit("hub_id")),
        namespace=namespace_of(pl.col("model_id")),
        downloads_all_time=pl.when(~missing_counter.fill_null(value=False)).then("downloads_all_time"),
    )
    return _once_in_order(named).with_columns(
        lineage_tags(),
        month=pl.lit(month),
        observed_at=pl.lit(snapshot.observed_at),
        source=pl.lit(snapshot.source),
        source_revision=pl.lit(snapshot.source_revision),
    )


def _once_in_order(named: pl.LazyFrame) -> pl.LazyFrame:
    """One row per `hub_id`, sorted by it.

    Sources list repositories by the age of their ids, so that the rows are in order but for those shown again. That is
    found out from the few columns that it takes: to sort all of them costs more memory than to read them.
    """
    hub_ids = named.select("hub_id").collect().to_series()
    if hub_ids.is_sorted() and not (hub_ids == hub_ids.shift()).any():
        return named.set_sorted("hub_id")
    placed = named.with_row_index("place")
    keys = placed.select("place", "hub_id", "downloads_all_time", "downloads_30d", "model_id").collect()
    repeated = keys.filter(pl.col("hub_id").is_duplicated()).sort(
        "hub_id", "downloads_all_time", "downloads_30d", "model_id", nulls_last=False, maintain_order=True
    )
    superseded = repeated.filter(pl.col("hub_id").eq_missing(pl.col("hub_id").shift(-1)))["place"]
    is_kept = ~pl.col("place").is_in(superseded.implode())
    once = placed.filter(is_kept).drop("place")
    return once.set_sorted("hub_id") if keys.filter(is_kept)["hub_id"].is_sorted() else once.sort("hub_id")


def lineage_tags() -> pl.Expr:
    """The column `lineage_tags` from `tags`, in their order."""
    of_use = pl.element().str.contains(rf"^(?:{'|'.join(LINEAGE_TAGS)})")
    return pl.col("tags").list.eval(pl.element().filter(of_use)).alias("lineage_tags")


@table_asset(HUB_SNAPSHOTS, reads_network=True)
def hub_snapshots(context: dg.AssetExecutionContext, snapshot_source: SnapshotSourceResource) -> pl.LazyFrame:
    """The usable observation nearest to the month's close."""
    month = month_of(context)
    snapshot = snapshot_source.open(context.log.info).closing_snapshot(month)
    context.add_output_metadata(
        {
            "source": snapshot.source,
            "source_revision": snapshot.source_revision,
            "observed_at": dg.MetadataValue.timestamp(snapshot.observed_at),
            **snapshot.notes,
        }
    )
    return snapshot_rows(snapshot, month)
