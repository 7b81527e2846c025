"""The place of every repository in the derivation graph: depth, root, family, descendants."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.tables.columns import RELATIONS
from pipeline.tables.lineage import MODEL_LINEAGE
from pipeline.transform.lineage.descendants import descendants
from pipeline.transform.lineage.matching import find
from pipeline.transform.lineage.nodes import DerivationGraph
from pipeline.transform.lineage.weights import equal_parts

_STAND_FOR_MANY = ("unaffiliated", "unmapped")
"""Members that stand for many developers: two repositories of theirs are one developer's only in one namespace."""


def place(graph: DerivationGraph, snapshots: pl.LazyFrame, owners: pl.LazyFrame) -> pl.DataFrame:
    """Places every repository of the snapshot in the graph: the table `lineage/model_lineage`, unsorted.

    Args:
        graph: the derivations of the same month.
        snapshots: rows of `listings/hub_snapshots` of the month.
        owners: columns `model_id` and `organization`, for children and parents, listed or not. Where it has no row, or
            only a member that stands for many (`unaffiliated`, `unmapped`), namespaces are compared instead.

    Roots and families follow `equal_parts` whatever rule the weights are computed by: the primary root is the one with
    the largest weight, of equal ones (to 12 digits) the smallest `model_id`.
    """
    listing = snapshots.select("month", "hub_id", "model_id", _derivation_hint()).collect(engine="streaming").rechunk()
    nodes = _placed_nodes(graph, owners)
    row = find(graph.repositories["hub_id"], listing["hub_id"])
    node = pl.repeat(None, listing.height, dtype=pl.UInt32, eager=True).scatter(
        row.drop_nulls(), row.is_not_null().arg_true()
    )
    has_no_part = node.is_null()
    # What has no part in any derivation is its own root; everything else about it is zero.
    return (
        listing.hstack(nodes.select(pl.all().gather(node)))
        .with_columns(
            pl.col("root_model_id").fill_null(pl.col("model_id")),
            pl.when(has_no_part).then("hub_id").otherwise("root_hub_id").alias("root_hub_id"),
            pl.col("roots").fill_null(1),
            pl.selectors.boolean().fill_null(value=False),
        )
        .with_columns(pl.selectors.integer().fill_null(0))
        .select(MODEL_LINEAGE.schema.names())
    )


def _placed_nodes(graph: DerivationGraph, owners: pl.LazyFrame) -> pl.DataFrame:
    """What the graph says about each of its nodes, one row per node."""
    condensed = graph.condensation
    representative = condensed.representative
    weights = equal_parts(graph)
    weights_row = weights.row[representative]
    root = weights.heaviest()[weights_row]
    roots = weights.roots[weights_row].astype(np.int32)
    listed_parents = np.bincount(graph.child[graph.is_listed[graph.parent]], minlength=graph.nodes)
    organizations = _organizations(graph, owners)
    return pl.DataFrame(
        {
            "depth_shortest": condensed.depth_shortest[representative],
            "depth_longest": condensed.depth_longest[representative],
            "root_model_id": graph.repositories["model_id"].gather(root),
            "root_hub_id": graph.repositories["hub_id"].gather(root),
            "root_organization": organizations.gather(root),
            "roots": roots,
            **{
                f"children_{relation}": np.bincount(graph.parent[graph.relation == code], minlength=graph.nodes).astype(
                    np.int32
                )
                for code, relation in enumerate(RELATIONS)
            },
            "descendants": descendants(condensed),
            "is_derivative": graph.is_derivative,
            "is_in_cycle": condensed.size[representative] > 1,
            "is_orphan": graph.is_derivative & (listed_parents == 0),
            "is_multi_root": roots > 1,
            "is_first_party": graph.is_derivative & ~_has_stranger_parent(graph, organizations),
        }
    )


def _organizations(graph: DerivationGraph, owners: pl.LazyFrame) -> pl.Series:
    """The organisation of each node, null where `owners` does not know it."""
    known = owners.select("model_id", "organization").collect()
    return known["organization"].gather(find(graph.repositories["model_id"], known["model_id"]))


def _has_stranger_parent(graph: DerivationGraph, organizations: pl.Series) -> NDArray[np.bool_]:
    """Whether a node has a parent that is not its own developer's."""
    # A repository without a namespace is a namespace by itself.
    namespaces = graph.repositories["model_id"].str.splitn("/", 2).struct.field("field_0")
    known = organizations.set(organizations.is_in(_STAND_FOR_MANY), None)
    same_namespace = namespaces.gather(graph.child) == namespaces.gather(graph.parent)
    same_organization = known.gather(graph.child).eq_missing(known.gather(graph.parent))
    both_unknown = ~(known.is_not_null().gather(graph.child) | known.is_not_null().gather(graph.parent))
    is_own = (same_organization & (~both_unknown | same_namespace)).to_numpy()
    return np.greater(np.bincount(graph.child[~is_own], minlength=graph.nodes), 0)


def _derivation_hint() -> pl.Expr:
    """`distilled` where the repository's own name or its tags say so."""
    tag = pl.element().str
    says_so = tag.starts_with("distil") | tag.starts_with("knowledge-distil") | tag.starts_with("model-distil")
    in_tags = pl.col("tags").list.agg(says_so.any())
    in_name = pl.col("model_id").str.contains(r"(?i)distil[^/]*$")
    return pl.when(in_name | in_tags.fill_null(value=False)).then(pl.lit("distilled")).alias("derivation_hint")
