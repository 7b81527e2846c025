"""`lineage/model_lineage`: the place of every repository in the derivation graph, and the one step of the group."""

import datetime as dt

import dagster as dg
import polars as pl

from assets.columns import MODEL, MONTH, boolean, text
from assets.lineage.derivation_reconciliation import DERIVATION_RECONCILIATION
from assets.lineage.derivations import DERIVATIONS, derive
from assets.lineage.graph import Graph, graph_of
from assets.lineage.origin_weights import ORIGIN_RULE, ORIGIN_WEIGHTS, origin_weights
from assets.listings.hub_snapshots import HUB_SNAPSHOTS, covers_snapshot
from pipeline.checks.rules import rarely
from pipeline.orchestration.display_metadata import metadata_table
from pipeline.orchestration.partitions import month_of
from pipeline.orchestration.resources import OriginRuleResource
from pipeline.orchestration.table_assets import table_assets
from pipeline.reference.lists import relations, renames
from pipeline.schema.declaration import Column, Table, TableFrames, rule
from pipeline.settings import ORIGIN_RULES


@rule()
def roots_are_components_without_parents(frames: TableFrames) -> pl.LazyFrame:
    """The roots are the parents that derive from nothing and one member of each cycle without parents outside."""
    edges, placed = frames.scan("lineage/derivations"), frames.scan("lineage/model_lineage")
    underived = edges.join(edges, left_on="parent_hub_id", right_on="child_hub_id", how="anti")
    of_cycles = placed.filter(pl.col("is_in_cycle") & (pl.col("depth_longest") == 0)).select("root_model_id")
    roots = pl.concat([underived.select(root_model_id="parent_model_id"), of_cycles]).unique()
    weighted = frames.scan("lineage/origin_weights").select("root_model_id", "origin_rule").unique()
    is_by_all = weighted.select(pl.col("origin_rule").first()).filter(origin_rule=ORIGIN_RULES[0])
    # A rule may pass roots over, but that by which the census is published does not.
    no_root = weighted.join(roots, on="root_model_id", how="anti")
    not_weighted = roots.join(weighted, on="root_model_id", how="anti").join(is_by_all, how="cross")
    return pl.concat([no_root, not_weighted])


@rule()
def roots_have_no_parents(frames: TableFrames) -> pl.LazyFrame:
    """A primary root derives from nothing, unless it stands for a cycle."""
    placed = frames.scan("lineage/model_lineage")
    derived = placed.filter(pl.col("is_derivative") & ~pl.col("is_in_cycle")).select("hub_id")
    return derived.join(placed, left_on="hub_id", right_on="root_hub_id", how="semi")


@rule()
def derivatives_as_declared(frames: TableFrames) -> pl.LazyFrame:
    """A repository is a derivative exactly where it has a derivation."""
    derivatives = frames.scan("lineage/model_lineage").filter("is_derivative").select("hub_id")
    declared = frames.scan("lineage/derivations").select(hub_id="child_hub_id").unique()
    return pl.concat([derivatives.join(declared, "hub_id", "anti"), declared.join(derivatives, "hub_id", "anti")])


@rule()
def every_derivative_weighted(frames: TableFrames) -> pl.LazyFrame:
    """Every derivative has its weights."""
    derivatives = frames.scan("lineage/model_lineage").filter("is_derivative").select("hub_id")
    return derivatives.join(frames.scan("lineage/origin_weights"), on="hub_id", how="anti")


MODEL_LINEAGE = Table(
    "lineage/model_lineage",
    grain="public model repository at the month's close",
    description="Each repository's place in the derivation graph; a cycle is one place, by its smallest `model_id`.",
    columns=(
        MONTH,
        *MODEL,
        Column("depth_shortest", pl.Int32, "Fewest derivations to a root; 0 for a root.", "derivations", minimum=0),
        Column("depth_longest", pl.Int32, "Most to a root, cycles condensed.", "derivations", minimum="depth_shortest"),
        text("root_model_id", "The primary root, which names the family; itself for a root."),
        text("root_hub_id", "The primary root's `hub_id`; absent where it is not listed.", nullable=True),
        Column("roots", pl.Int32, "Number of roots.", "repositories", minimum=1),
        boolean("is_derivative", "Declares at least one parent."),
        boolean("is_in_cycle", "Derives from itself through others."),
        boolean("is_orphan", "Declares parents, none of which is listed."),
    ),
    key=("hub_id",),
    measures=(
        # Some hundreds of cycles among millions of repositories were seen (0.03 %). The sample has 0.25 %, and up to
        # 0.6 % in its first months, when it is small: one in a hundred would be none of these.
        rarely(
            "lineage/model_lineage",
            "cycle_share",
            "Share of repositories that derive from themselves through others.",
            pl.col("is_in_cycle"),
            0.01,
        ),
        # A twelfth of all names ever listed (256,812 beside 3.1 million) is gone; what others build on goes less often.
        # More orphans than that mean that the listing is not whole: they are 67 % in an extract of 1,036 rows.
        rarely(
            "lineage/model_lineage",
            "orphan_share",
            "Share of derivatives without a listed parent.",
            pl.col("is_orphan").filter(pl.col("is_derivative")),
            0.10,
        ),
    ),
    rules=(
        roots_have_no_parents,
        derivatives_as_declared,
        covers_snapshot("lineage/model_lineage", "every_model_placed"),
        roots_are_components_without_parents,
        every_derivative_weighted,
    ),
)


def model_lineage(graph: Graph, month: dt.date | None) -> pl.DataFrame:
    """Places every listed repository in the graph; what has no part in a derivation is its own root."""
    known = graph.repositories
    placed = graph.places().with_columns(pl.col("row", "root").cast(pl.UInt32))
    listed = known.drop_nulls("hub_id").with_row_index("row")
    places = listed.join(placed, on="row", how="left", maintain_order="left")
    root = known[places["root"].fill_null(places["row"])]
    return places.select(
        "hub_id",
        "model_id",
        pl.col("depth_shortest", "depth_longest").fill_null(0),
        pl.col("roots").fill_null(1),
        pl.col("is_derivative", "is_in_cycle", "is_orphan").fill_null(value=False),
        month=pl.lit(month, pl.Date),
        root_model_id=root["model_id"],
        root_hub_id=root["hub_id"],
    ).set_sorted("hub_id")


# One step for all: the snapshot's tags, most of its bytes, are read once, and the graph is numbered and condensed once.
@table_assets(
    "lineage",
    {
        DERIVATIONS: [HUB_SNAPSHOTS],
        DERIVATION_RECONCILIATION: [HUB_SNAPSHOTS],
        MODEL_LINEAGE: [DERIVATIONS, HUB_SNAPSHOTS],
        ORIGIN_WEIGHTS: [DERIVATIONS],
    },
    snapshot=HUB_SNAPSHOTS,
)
def lineage(
    context: dg.AssetExecutionContext, snapshot: pl.LazyFrame, origin_rule: OriginRuleResource
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Declarations as edges, what became of each, every repository's place among them, and its weights over roots."""
    chosen, month = origin_rule.choice(), month_of(context)
    derived = derive(snapshot, renames=renames(), relations=relations())
    graph = graph_of(derived.edges, derived.repositories)
    outcomes = derived.reconciliation.sort("evidence", "outcome").select("evidence", "outcome", "references")
    context.add_output_metadata({"references": metadata_table(outcomes)}, output_name=DERIVATION_RECONCILIATION.name)
    weights = origin_weights(graph, chosen, month)
    if not weights.is_empty():  # without derivatives a month is the same by every rule
        context.add_output_metadata({"made_by": {ORIGIN_RULE.name: chosen}}, output_name=ORIGIN_WEIGHTS.name)
    return derived.derivations, derived.reconciliation, model_lineage(graph, month), weights
