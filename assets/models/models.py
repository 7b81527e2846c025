"""`models/models`: one row per repository with all that the marts ask of it."""

from dataclasses import dataclass
from datetime import datetime

import dagster as dg
import polars as pl

from assets.attribution.first_party import first_party
from assets.attribution.model_attribution import MODEL_ATTRIBUTION
from assets.attribution.root_attribution import ROOT_ATTRIBUTION
from assets.columns import COUNTRY, MONTH, ORGANIZATION, RELATIONS
from assets.lineage.derivations import DERIVATIONS
from assets.lineage.model_lineage import MODEL_LINEAGE
from assets.listings.hub_snapshots import HUB_SNAPSHOTS
from assets.listings.model_downloads import MODEL_DOWNLOADS
from assets.listings.opening_counters import OPENING_COUNTERS
from assets.models import attributes, redistribution
from pipeline.checks.rules import all_found
from pipeline.months import opening_of
from pipeline.orchestration.partitions import month_of
from pipeline.orchestration.table_assets import inputs, table_asset
from pipeline.reference.attributes import REVIEWED_LISTS, AttributeWords, attribute_words
from pipeline.schema.declaration import TIMESTAMP, Column, Rule, Table, TableFrames

RELATION = pl.Enum(RELATIONS)
_MEASURED = (
    "hub_id",
    "model_id",
    "namespace",
    "created_at",
    "downloads",
    "basis",
    "is_new",
    "is_language_model",
    "is_flagged",
)
_ATTRIBUTED = ("kind", "method", "registry_row")
_PLACED = ("root_model_id", "is_derivative")
_LISTED = ("library_name", "gated", "downloads_all_time")


def parents_by(relation: str) -> str:
    """The column that counts the parents in that relation."""
    return f"{relation}_parents"


def _downloads_kept(frames: TableFrames) -> pl.LazyFrame:
    kept, measured = (
        frames.scan(table).select(pl.col("downloads").sum().alias(name))
        for table, name in (("models/models", "kept"), ("listings/model_downloads", "measured"))
    )
    return pl.concat([kept, measured], how="horizontal").filter(pl.col("kept") != pl.col("measured"))


MODELS = Table(
    group="models",
    name="models",
    reviewed_lists=REVIEWED_LISTS,
    grain="public model repository at the month's close",
    description=(
        "Everything that the marts ask of a repository: its downloads, the populations that it belongs to, its "
        "developer, what it derives from, and what it is."
    ),
    columns=(
        MONTH,
        *(MODEL_DOWNLOADS.column(name) for name in _MEASURED),
        ORGANIZATION,
        COUNTRY,
        *(MODEL_ATTRIBUTION.column(name) for name in _ATTRIBUTED),
        *(MODEL_LINEAGE.column(name) for name in _PLACED),
        Column("is_first_party", pl.Boolean, "A derivative of which all direct parents are its own developer's."),
        Column("relation", RELATION, "The relation to the first declared parent; absent for originals.", nullable=True),
        *(
            Column(parents_by(relation), pl.Int32, f"Direct parents by relation {relation}.", "repositories", minimum=0)
            for relation in RELATIONS
        ),
        Column(
            "is_release",
            pl.Boolean,
            "Created since the observation at the month's opening, or the month's first instant without one, and an "
            "original or a derivative of its own developer's models only.",
        ),
        redistribution.REDISTRIBUTED_AS,
        redistribution.INTERMEDIARY,
        *(HUB_SNAPSHOTS.column(name) for name in _LISTED),
        *attributes.COLUMNS,
    ),
    key=("hub_id",),
    warnings=("Attributes are what uploaders declare: nobody checks them.",),
    rules=(
        all_found(
            "snapshot_covered",
            "Every repository of the snapshot has exactly one row.",
            "listings/hub_snapshots.hub_id",
            among="models/models.hub_id",
        ),
        Rule("downloads_conserved", "The downloads are those of the month, to the last digit.", _downloads_kept),
    ),
)


@dataclass(frozen=True)
class Upstream:
    """The month's tables that its models are put together from, and when the month was opened."""

    downloads: pl.LazyFrame
    snapshot: pl.LazyFrame
    attribution: pl.LazyFrame
    root_attribution: pl.LazyFrame
    lineage: pl.LazyFrame
    derivations: pl.LazyFrame
    opened_at: datetime


def models_of(month: Upstream, words: AttributeWords) -> pl.DataFrame:
    """`models/models` of a month. All tables must be in the order of their keys, as the lake stores them."""
    rows = month.downloads.select("month", *_MEASURED).set_sorted("hub_id")
    for more in (
        month.attribution.select("hub_id", "organization", "country", *_ATTRIBUTED),
        month.lineage.select("hub_id", *_PLACED),
        month.snapshot.select("hub_id", *_LISTED),
    ):
        rows = rows.join(more.set_sorted("hub_id"), on="hub_id", how="left", maintain_order="left")
    described, derived = pl.collect_all(
        [attributes.model_attributes(month.snapshot, words), _derivatives(month)], engine="streaming"
    )
    created = pl.col("created_at") >= pl.lit(month.opened_at, TIMESTAMP)
    whole = (
        rows.collect(engine="streaming")
        .join(described, on="hub_id", how="left", maintain_order="left")
        .join(derived, on="hub_id", how="left", maintain_order="left")
        .with_columns(pl.col("^.*_parents$").fill_null(0), pl.col("is_first_party").fill_null(value=False))
        .with_columns(
            (created & (~pl.col("is_derivative") | pl.col("is_first_party"))).fill_null(value=False).alias("is_release")
        )
    )
    intermediaries = redistribution.intermediaries(whole.lazy()).collect()
    return whole.join(intermediaries, on="namespace", how="left", maintain_order="left").set_sorted("hub_id")


def _derivatives(month: Upstream) -> pl.LazyFrame:
    """By `hub_id`: the parents, counted by relation, the first one's `relation`, and what follows from all of them."""
    edges = month.derivations.select(
        pl.col("child_hub_id").alias("hub_id"),
        pl.col("child_model_id").alias("model_id"),
        "parent_model_id",
        pl.col("relation").cast(RELATION),
        "position",
    ).set_sorted("hub_id")
    counts = edges.group_by("hub_id").agg(
        (pl.col("relation") == relation).sum().cast(pl.Int32).alias(parents_by(relation)) for relation in RELATIONS
    )
    return (
        edges.filter(pl.col("position") == 0)
        .join(counts, on="hub_id")
        .join(first_party(month.derivations, month.attribution, month.root_attribution), on="hub_id")
        .with_columns(redistribution.redistributed_as().alias("redistributed_as"))
        .drop("model_id", "parent_model_id", "position")
    )


@table_asset(
    MODELS,
    ins=inputs(
        downloads=MODEL_DOWNLOADS,
        snapshot=HUB_SNAPSHOTS,
        opening=OPENING_COUNTERS,
        attribution=MODEL_ATTRIBUTION,
        root_attribution=ROOT_ATTRIBUTION,
        lineage=MODEL_LINEAGE,
        derivations=DERIVATIONS,
    ),
)
def models(  # noqa: PLR0917 - an asset's parameters are its inputs
    context: dg.AssetExecutionContext,
    downloads: pl.LazyFrame,
    snapshot: pl.LazyFrame,
    opening: pl.LazyFrame,
    attribution: pl.LazyFrame,
    root_attribution: pl.LazyFrame,
    lineage: pl.LazyFrame,
    derivations: pl.LazyFrame,
) -> pl.DataFrame:
    """One row per repository of the month."""
    opened_at = opening.select(pl.col("observed_at").max()).collect().item() or opening_of(month_of(context))
    month = Upstream(downloads, snapshot, attribution, root_attribution, lineage, derivations, opened_at)
    return models_of(month, attribute_words())
