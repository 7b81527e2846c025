"""The place of every repository in the derivation graph: depth, root, family, descendants."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.tables.columns import RELATIONS
from pipeline.tables.lineage import MODEL_LINEAGE
from pipeline.transform.alignment import beside
from pipeline.transform.lineage.descendants import descendants
from pipeline.transform.lineage.matching import are_equal, find
from pipeline.transform.lineage.nodes import DerivationGraph
from pipeline.transform.lineage.weights import RootWeights
from pipeline.transform.together import together

_STAND_FOR_MANY = ("unaffiliated", "unmapped")
"""Members that stand for many developers: two repositories of theirs are one developer's only in one namespace."""


@dataclass(frozen=True)
class Developers:
    """Whose the repositories of a month are.

    `listed` has `hub_id` and `organization` of listed ones, `unlisted` has `root_model_id` and `organization` of
    parents that are not listed. Where either has no row, or only a member that stands for many (`unaffiliated`,
    `unmapped`), namespaces are compared instead.
    """

    listed: pl.LazyFrame
    unlisted: pl.LazyFrame


def place(graph: DerivationGraph, weights: RootWeights, listing: pl.DataFrame, developers: Developers) -> pl.DataFrame:
    """Places every repository of the listing in the graph: the table `lineage/model_lineage`, unsorted.

    Args:
        graph: the derivations of the same month.
        weights: those of `equal_parts`, whatever rule downloads are split by: the primary root is the one with the
            largest weight, of equal ones (to 12 digits) the smallest `model_id`.
        listing: the repositories in the order of `graph.node_of_row`, as in `parse.Derived`.
        developers: of children and parents.
    """
    organizations = _organizations(graph, listing["hub_id"], developers)
    nodes = pl.concat([_placed_nodes(graph, weights, organizations), _NO_PART], rechunk=True)
    placed = listing.hstack(nodes[graph.node_of_row]).with_row_index("row")
    both = [listing.select("model_id", "hub_id"), graph.repositories.select("model_id", "hub_id")]
    row_of_root = placed.select(pl.coalesce(pl.col("root") + listing.height, "row")).to_series()
    roots = pl.concat(both, rechunk=True)[row_of_root].rename({"model_id": "root_model_id", "hub_id": "root_hub_id"})
    return placed.hstack(roots).select(MODEL_LINEAGE.schema.names())


_NO_PART = pl.DataFrame(
    {
        "depth_shortest": 0,
        "depth_longest": 0,
        "root": None,
        "root_organization": None,
        "roots": 1,
        **{f"children_{relation}": 0 for relation in RELATIONS},
        "descendants": 0,
        "is_derivative": False,
        "is_in_cycle": False,
        "is_orphan": False,
        "is_multi_root": False,
        "is_first_party": False,
    },
    schema_overrides=MODEL_LINEAGE.schema | {"root": pl.Int32},
)
"""What has no part in any derivation is its own root (`root` is absent); everything else about it is zero."""


def _placed_nodes(graph: DerivationGraph, weights: RootWeights, organizations: pl.Series) -> pl.DataFrame:
    """What the graph says about each of its nodes, one row per node; `root` is a node too."""
    condensed = graph.condensation
    representative = condensed.representative
    weights_row = weights.row[representative]
    root = weights.heaviest()[weights_row]
    roots = weights.roots[weights_row].astype(np.int32)
    listed_parents = np.bincount(graph.child[graph.is_listed[graph.parent]], minlength=graph.nodes)
    descending, has_stranger_parent = together(
        lambda: descendants(condensed), lambda: _has_stranger_parent(graph, organizations)
    )
    return pl.DataFrame(
        {
            "depth_shortest": condensed.depth_shortest[representative],
            "depth_longest": condensed.depth_longest[representative],
            "root": root,
            "root_organization": organizations.gather(root),
            "roots": roots,
            **{
                f"children_{relation}": np.bincount(graph.parent[graph.relation == code], minlength=graph.nodes).astype(
                    np.int32
                )
                for code, relation in enumerate(RELATIONS)
            },
            "descendants": descending,
            "is_derivative": graph.is_derivative,
            "is_in_cycle": condensed.size[representative] > 1,
            "is_orphan": graph.is_derivative & (listed_parents == 0),
            "is_multi_root": roots > 1,
            "is_first_party": graph.is_derivative & ~has_stranger_parent,
        }
    )


def _organizations(graph: DerivationGraph, hub_ids: pl.Series, developers: Developers) -> pl.Series:
    """The organisation of each node, null where it is not known; `hub_ids` are those of the listing's rows."""
    listed = beside(hub_ids.to_frame(), developers.listed.select("hub_id", "organization").collect())["organization"]
    unlisted = developers.unlisted.select("root_model_id", "organization").collect()
    row = np.full(graph.nodes + 1, len(listed), dtype=np.int64)
    row[graph.node_of_row] = np.arange(len(listed))
    gone = np.flatnonzero(~graph.is_listed)
    place_of_gone = find(graph.repositories["model_id"].gather(gone), unlisted["root_model_id"])
    row[gone] = len(listed) + place_of_gone.fill_null(unlisted.height).to_numpy()
    both = pl.concat([listed, unlisted["organization"], pl.Series([None], dtype=pl.String)], rechunk=True)
    return both.gather(row[:-1])


def _has_stranger_parent(graph: DerivationGraph, organizations: pl.Series) -> NDArray[np.bool_]:
    """Whether a node has a parent that is not its own developer's."""
    # A repository without a namespace is a namespace by itself.
    namespaces = graph.namespaces.zip_with(graph.namespaces.is_not_null(), graph.repositories["model_id"])
    known = organizations.set(organizations.is_in(_STAND_FOR_MANY), None)
    is_known = known.is_not_null().to_numpy()
    known_ends = is_known[graph.child].astype(np.int8) + is_known[graph.parent]
    is_own = np.zeros(len(graph.child), dtype=bool)
    for ends, developers in ((2, known), (0, namespaces)):
        compared = np.flatnonzero(known_ends == ends)
        is_own[compared] = are_equal(developers, graph.child[compared], graph.parent[compared])
    return np.greater(np.bincount(graph.child[~is_own], minlength=graph.nodes), 0)
