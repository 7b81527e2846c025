"""`models/models`: one row per repository with all that the marts ask of it."""

import polars as pl

from assets.attribution.model_attribution import MODEL_ATTRIBUTION, ROOT_ATTRIBUTION, UNMAPPED
from assets.columns import MONTH, RELATIONS, UPLOADER, boolean
from assets.expressions import first_case, namespace_of
from assets.lineage.derivations import DERIVATIONS
from assets.lineage.model_lineage import MODEL_LINEAGE
from assets.listings.hub_snapshots import HUB_SNAPSHOTS, covers_snapshot
from assets.listings.model_downloads import MODEL_DOWNLOADS
from assets.listings.opening_counters import OPENING_COUNTERS
from assets.models import attributes
from pipeline.orchestration.table_assets import table_asset
from pipeline.reference.lists import WORD_LISTS, attribute_words
from pipeline.schema.declaration import TIMESTAMP, Column, Table, TableFrames, rule

RELATION = pl.Enum(RELATIONS)
_MEASURED = (
    *("hub_id", "model_id", "namespace", "created_at", "downloads", "basis"),
    *("is_new", "is_language_model", "is_flagged", "boundary"),
)
_ATTRIBUTED = ("kind", "method", "registry_row")
_PLACED = ("root_model_id", "is_derivative")
_LISTED = ("library_name", "gated", "downloads_all_time")

_STAND_FOR_MANY = ("unaffiliated", UNMAPPED)
"""Members that stand for many developers: two repositories of theirs are one developer's only in one namespace."""

# Who mostly hands on others' models: re-uploaded, quantised or adapted.
FEWEST_REPOSITORIES = 10
MOSTLY = 0.5
_KINDS = {"re_uploader": "re_uploaded", "quantizer": "quantized", "adapter_publisher": "adapted"}
"""What a namespace is that mostly hands models on in one way; in several ways it is `mixed`."""

INTERMEDIARY_KINDS = (*_KINDS, "mixed")

REDISTRIBUTED_AS = Column(
    "redistributed_as", pl.Enum(tuple(_KINDS.values())), "How it hands on another developer's model.", nullable=True
)
INTERMEDIARY = Column(
    "intermediary", pl.Enum(INTERMEDIARY_KINDS), "What its namespace is, if it mostly hands on models.", nullable=True
)


def parents_by(relation: str) -> str:
    """The column that counts the parents in that relation."""
    return f"{relation}_parents"


@rule()
def downloads_conserved(frames: TableFrames) -> pl.LazyFrame:
    """The downloads are those of the month, to the last digit."""
    kept = frames.scan("models/models").select(kept=pl.col("downloads").sum())
    measured = frames.scan("listings/model_downloads").select(measured=pl.col("downloads").sum())
    return kept.join(measured, how="cross").filter(pl.col("kept") != pl.col("measured"))


MODELS = Table(
    "models/models",
    reviewed_lists=WORD_LISTS,
    grain="public model repository at the month's close",
    description="Everything that marts ask: downloads, populations, developer, what it derives from, and what it is.",
    columns=(
        MONTH,
        *(MODEL_DOWNLOADS.column(name) for name in _MEASURED),
        *UPLOADER,
        *(MODEL_ATTRIBUTION.column(name) for name in _ATTRIBUTED),
        *(MODEL_LINEAGE.column(name) for name in _PLACED),
        boolean("is_first_party", "A derivative whose direct parents are all its own developer's."),
        Column("relation", RELATION, "The relation to the first declared parent; absent for originals.", nullable=True),
        *(
            Column(parents_by(relation), pl.Int32, f"Direct parents by relation {relation}.", "repositories", minimum=0)
            for relation in RELATIONS
        ),
        boolean(
            "is_release",
            "Created since the observation at the month's opening, or the month's first instant without one, and an "
            "original or a derivative of its own developer's models only.",
        ),
        REDISTRIBUTED_AS,
        INTERMEDIARY,
        *(HUB_SNAPSHOTS.column(name) for name in _LISTED),
        *attributes.COLUMNS,
    ),
    key=("hub_id",),
    warnings=("Attributes are what uploaders declare: nobody checks them.",),
    rules=(covers_snapshot("models/models"), downloads_conserved),
)


def models_of(  # noqa: PLR0917 - an asset's parameters are its inputs
    downloads: pl.LazyFrame,
    snapshot: pl.LazyFrame,
    opening: pl.LazyFrame,
    attribution: pl.LazyFrame,
    root_attribution: pl.LazyFrame,
    lineage: pl.LazyFrame,
    derivations: pl.LazyFrame,
) -> pl.DataFrame:
    """One row per repository of the month. All tables must be in the order of their keys, as the lake stores them."""
    whole = downloads.select("month", *_MEASURED).collect()
    for more in (
        attribution.select("hub_id", "organization", "country", *_ATTRIBUTED).collect(),
        lineage.select("hub_id", *_PLACED).collect(),
        snapshot.select("hub_id", *_LISTED).collect(),
        attributes.model_attributes(snapshot, attribute_words()),
        _derivatives(derivations, first_party(derivations, attribution, root_attribution)),
    ):
        if whole["hub_id"].equals(more["hub_id"]):
            whole = whole.hstack(more.drop("hub_id"))
        else:
            whole = whole.join(more, on="hub_id", how="left", maintain_order="left")
    opened_at = opening.select(pl.col("observed_at").max()).collect().item()
    is_new = pl.col("created_at") >= (pl.col("month").cast(TIMESTAMP) if opened_at is None else opened_at)
    is_first_party = pl.col("is_first_party").fill_null(value=False)
    is_release = (is_new & (~pl.col("is_derivative") | is_first_party)).fill_null(value=False)
    whole = whole.with_columns(pl.col("^.*_parents$").fill_null(0), is_first_party, is_release=is_release)
    of_namespaces = intermediaries(whole.lazy()).collect()
    return whole.join(of_namespaces, on="namespace", how="left", maintain_order="left").set_sorted("hub_id")


def first_party(
    derivations: pl.LazyFrame, model_attribution: pl.LazyFrame, root_attribution: pl.LazyFrame
) -> pl.LazyFrame:
    """Whether all direct parents of each derivative are its own developer's: `hub_id`, `is_first_party`.

    Arguments are the tables of those names in one month. Two repositories have one developer if their organisation is
    the same; where it is not known of either, if their namespace is the same. A repository without a namespace is a
    namespace by itself.
    """
    owner = pl.coalesce("namespace", pl.col("^(model_id|root_model_id)$")).alias("owner")
    organizations = pl.concat(
        frame.filter(~pl.col("organization").is_in(_STAND_FOR_MANY)).select(owner, "organization").unique()
        for frame in (model_attribution, root_attribution)
    ).unique("owner")
    names = {side: pl.col(f"{side}_model_id") for side in ("child", "parent")}
    owners = {side: pl.coalesce(namespace_of(name), name) for side, name in names.items()}
    edges = derivations.select("child_hub_id", **owners)
    for side in owners:
        of_side = organizations.rename({"owner": side, "organization": f"{side}_organization"})
        edges = edges.join(of_side, on=side, how="left")
    own_organization = pl.col("child_organization") == pl.col("parent_organization")
    none_known = pl.all_horizontal(pl.col("child_organization", "parent_organization").is_null())
    is_own = own_organization.fill_null(none_known & (pl.col("child") == pl.col("parent")))
    return edges.group_by(pl.col("child_hub_id").alias("hub_id")).agg(is_own.all().alias("is_first_party"))


def _derivatives(derivations: pl.LazyFrame, is_first_party: pl.LazyFrame) -> pl.DataFrame:
    """By `hub_id`: whose parents they are, counted by relation, the first one's relation, how it is handed on."""
    relation = pl.col("relation").cast(RELATION)
    counts = derivations.group_by(pl.col("child_hub_id").alias("hub_id")).agg(
        (relation == name).sum().cast(pl.Int32).alias(parents_by(name)) for name in RELATIONS
    )
    child, parent = (
        pl.col(f"{one}_model_id").str.replace(r"^[^/]+/", "").str.to_lowercase() for one in ("child", "parent")
    )
    # A re-upload bears the parent's own name; full fine-tunes are models of their own.
    way = first_case(
        ("re_uploaded", child == parent),
        ("quantized", pl.col("relation") == "quantized"),
        ("adapted", pl.col("relation").is_in(["adapter", "merge"])),
    )
    first = derivations.filter(position=0).select(relation, "parent_model_id", "child_model_id", hub_id="child_hub_id")
    return (
        first.join(counts, on="hub_id")
        .join(is_first_party, on="hub_id")
        .with_columns(redistributed_as=pl.when(~pl.col("is_first_party")).then(way).cast(REDISTRIBUTED_AS.type))
        .drop("parent_model_id", "child_model_id")
        .collect(engine="streaming")
    )


def intermediaries(models: pl.LazyFrame) -> pl.LazyFrame:
    """Every namespace that is one, with what it is; `models` have `namespace` and `redistributed_as`."""
    enough = pl.col("repositories") * MOSTLY
    kind = first_case(*((name, pl.col(way) > enough) for name, way in _KINDS.items()), otherwise="mixed")
    ways = {way: (pl.col("redistributed_as") == way).sum() for way in _KINDS.values()}
    return (
        models.drop_nulls("namespace")
        .group_by("namespace")
        .agg(repositories=pl.len(), **ways)
        .filter(pl.col("repositories") >= FEWEST_REPOSITORIES, pl.sum_horizontal(*ways) > enough)
        .select("namespace", intermediary=kind.cast(INTERMEDIARY.type))
    )


models = table_asset(
    MODELS,
    downloads=MODEL_DOWNLOADS,
    snapshot=HUB_SNAPSHOTS,
    opening=OPENING_COUNTERS,
    attribution=MODEL_ATTRIBUTION,
    root_attribution=ROOT_ATTRIBUTION,
    lineage=MODEL_LINEAGE,
    derivations=DERIVATIONS,
)(models_of)
