"""The derivation graph as arrays: cycles condensed, levels, depths, weights over roots.

An edge leads from a child to a parent. Every algorithm runs level by level over whole arrays: its work is proportional
to nodes and edges, nothing walks paths (real merges have 1e14 of them) and nothing recurses. No other module does
arithmetic with positions in arrays.

Strong components: D. J. Pearce's variant of Tarjan's algorithm, as in `scipy.sparse.csgraph`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Numbers = NDArray[np.int32]
Positions = NDArray[np.int64]

UNITS = 10**12
"""Weights are whole numbers of these parts of one."""
_GUARD = 10
"""Weights are rounded to one digit more than they keep: only the order of additions tells apart what agrees so far."""


@dataclass(frozen=True)
class Graph:
    """Every repository that has a part in a derivation, and the edges between them.

    `repositories` has `hub_id` (absent for unlisted parents, which stand last) and `model_id`; `row` has each node's
    row there. Parents come first, in the order of their names: wherever one repository is chosen among several (for a
    cycle, or among equal roots), these are parents, so the smallest number is the smallest `model_id`, and nothing
    depends on the order of the edges. `child`, `parent` and `position` have one entry per edge, sorted by child and
    parent.
    """

    repositories: pl.DataFrame
    row: Positions
    child: Numbers
    parent: Numbers
    position: Numbers

    @cached_property
    def is_derivative(self) -> NDArray[np.bool_]:
        """Whether a node has a parent."""
        return np.bincount(self.child, minlength=len(self.row)) > 0

    @cached_property
    def condensation(self) -> Condensation:
        """The graph with every cycle condensed to one component."""
        return _condense(len(self.row), self.child, self.parent)

    @cached_property
    def equal_parts(self) -> Weights:
        """A child gives each of its parents an equal part, and these hand it on; a cycle acts as one child.

        Only roots and merges (components with several parents) have rows of their own; the others share the row of
        their parent. Rows are computed level by level, each as the weighted sum of its parents' rows, which is one
        sparse product a level.
        """
        from scipy.sparse import csr_array, vstack  # noqa: PLC0415

        condensed = self.condensation
        links = condensed.links
        several = np.diff(links.indptr) > 1
        roots, *below = condensed.levels or [np.empty(0, np.int32)]
        row = np.zeros(len(condensed.representative), dtype=np.int64)
        row[roots] = np.arange(len(roots))
        whole = np.ones(len(roots)), condensed.representative[roots], np.arange(len(roots) + 1)
        rows = csr_array(whole, shape=(len(roots), len(self.row)))
        for level in below:
            alone, merges = level[~several[level]], level[several[level]]
            row[alone] = row[links.indices[links.indptr[alone]]]
            if merges.size:
                row[merges] = np.arange(rows.shape[0], rows.shape[0] + merges.size)
                parents = links[merges]
                parts = parents.data / np.repeat(parents.sum(axis=1), np.diff(parents.indptr))
                split = csr_array((parts, row[parents.indices], parents.indptr), shape=(merges.size, rows.shape[0]))
                rows = vstack([rows, split @ rows], format="csr")
        rows.sort_indices()
        units = np.maximum(np.rint(rows.data * (UNITS * _GUARD)).astype(np.int64) // _GUARD, 1)
        cut = Weights(row, csr_array((units, rows.indices, rows.indptr), shape=rows.shape))
        if units.size:
            cut.units.data[cut.heaviest] += UNITS - np.add.reduceat(units, rows.indptr[:-1])
        return cut

    def places(self) -> pl.DataFrame:
        """Where each node stands, one row per node: `row` is its row of the repositories, `root` its primary root's.

        The primary root is the one with the largest weight under `equal_parts`, of equals the first.
        """
        condensed, weights = self.condensation, self.equal_parts
        component = condensed.component
        row = weights.row[component]
        is_listed = self.row < self.repositories["hub_id"].count()
        listed_parents = np.bincount(self.child[is_listed[self.parent]], minlength=len(self.row))
        shortest, longest = condensed.depths
        return pl.DataFrame(
            {
                "row": self.row,
                "depth_shortest": shortest[component],
                "depth_longest": longest[component],
                "root": self.row[weights.units.indices[weights.heaviest[row]]],
                "roots": np.diff(weights.units.indptr)[row].astype(np.int32),
                "is_derivative": self.is_derivative,
                "is_in_cycle": condensed.size[component] > 1,
                "is_orphan": self.is_derivative & (listed_parents == 0),
            }
        )

    def split(self, rule: str) -> pl.DataFrame:
        """How the rule splits each derivative: `row`, `root` (of the repositories) and `units`, which sum to `UNITS`.

        The members of a cycle that has no parent outside belong wholly to its first member, that one included.
        """
        weights = RULES[rule](self)
        node = np.flatnonzero(self.is_derivative)
        parts = weights.units[weights.row[self.condensation.component[node]]]
        row = np.repeat(self.row[node], np.diff(parts.indptr))
        return pl.DataFrame({"row": row, "root": self.row[parts.indices], "units": parts.data})


@dataclass(frozen=True)
class Condensation:
    """A graph of which every cycle is one component, numbered in the order of their first members.

    `component[node]` is the component of a node, `representative[component]` its first member. `links` has a row per
    component: how many different outside parents it has in each other component.
    """

    component: Numbers
    representative: Numbers
    size: Numbers
    links: csr_array

    @cached_property
    def levels(self) -> list[Numbers]:
        """Components by their longest distance from a root: the roots first, each level in ascending order."""
        children = self.links.T.tocsr()
        waiting_for = np.diff(self.links.indptr)
        level = np.flatnonzero(waiting_for == 0)
        found: list[Numbers] = []
        while level.size:
            found.append(level.astype(np.int32))
            reached = children[level].indices
            np.subtract.at(waiting_for, reached, 1)
            free = np.sort(reached[waiting_for[reached] == 0])
            level = free[np.diff(free, prepend=-1) > 0]  # as `np.unique`, which hashes, at a fraction of its cost
        return found

    @cached_property
    def depths(self) -> tuple[Numbers, Numbers]:
        """Fewest and most links to a root."""
        shortest, longest = np.zeros((2, len(self.representative)), dtype=np.int32)
        for number, level in enumerate(self.levels[1:], start=1):
            parents = self.links[level]
            shortest[level] = np.minimum.reduceat(shortest[parents.indices], parents.indptr[:-1]) + 1
            longest[level] = number
        return shortest, longest


@dataclass(frozen=True)
class Weights:
    """Weights by root, stored once for all components that share them.

    `row[component]` is the component's row of `units`: whole numbers at the nodes that are its roots, in ascending
    order, which sum to `UNITS`. A root's own row is itself.
    """

    row: Positions
    units: csr_array

    @cached_property
    def heaviest(self) -> Positions:
        """The entry with the largest weight of each row; of equals, the first."""
        units, first = self.units.data, self.units.indptr
        owner = np.repeat(np.arange(len(first) - 1), np.diff(first))
        largest = np.maximum.reduceat(units, first[:-1]) if units.size else units
        candidates = np.flatnonzero(units == largest[owner])
        return candidates[np.unique(owner[candidates], return_index=True)[1]]


def graph_of(edges: pl.DataFrame, repositories: pl.DataFrame) -> Graph:
    """The graph of a month's edges: their `child` and `parent` are rows of the repositories."""
    child, parent = edges["child"].to_numpy(), edges["parent"].to_numpy()
    part = np.zeros(repositories.height, dtype=np.int8)
    part[child] = 1
    part[parent] = 2
    parents = np.flatnonzero(part == 2)
    by_name = repositories["model_id"].gather(parents).arg_sort().to_numpy()
    rows = np.concatenate([parents[by_name], np.flatnonzero(part == 1)])
    node = np.empty(repositories.height, dtype=np.int32)
    node[rows] = np.arange(len(rows), dtype=np.int32)
    child, parent = node[child], node[parent]
    in_order = np.argsort(child.astype(np.int64) * len(rows) + parent)
    position = edges["position"].to_numpy()[in_order]
    return Graph(repositories, rows, child[in_order], parent[in_order], position)


def first_parent(graph: Graph) -> Weights:
    """Everything goes to the parent that is declared first, as studies do that follow one parent only.

    Of a cycle's members, the smallest one with a parent outside the cycle decides.
    """
    component = graph.condensation.component[graph.child]
    is_outside = component != graph.condensation.component[graph.parent]
    outside = np.flatnonzero(is_outside)
    outside = outside[np.lexsort((graph.position[outside], graph.child[outside], component[outside]))]
    first = outside[np.unique(component[outside], return_index=True)[1]]
    kept = np.sort(np.concatenate([np.flatnonzero(~is_outside), first]))
    followed = replace(graph, child=graph.child[kept], parent=graph.parent[kept], position=graph.position[kept])
    return followed.equal_parts


def majority(graph: Graph) -> Weights:
    """Everything goes to the root with the largest weight under `equal_parts`; of equals, the smallest `model_id`."""
    weights = graph.equal_parts
    units = weights.units.copy()
    units.data[:] = 0
    units.data[weights.heaviest] = UNITS
    units.eliminate_zeros()
    return Weights(weights.row, units)


RULES: dict[str, Callable[[Graph], Weights]] = {
    "equal_parts": lambda graph: graph.equal_parts,
    "first_parent": first_parent,
    "majority": majority,
}
"""The rules by the names that configuration uses; the census publishes `equal_parts`."""


def _condense(nodes: int, child: Numbers, parent: Numbers) -> Condensation:
    """Condenses the strong components of a graph given by its edges."""
    from scipy.sparse import csr_array  # noqa: PLC0415 - slow to import, and whoever reads the definitions needs none
    from scipy.sparse.csgraph import connected_components  # noqa: PLC0415

    edges = csr_array((np.ones(len(child), np.int32), (child, parent)), shape=(nodes, nodes))
    count, label = connected_components(edges, directed=True, connection="strong")
    first = np.unique(label, return_index=True)[1].astype(np.int32)
    component = np.argsort(np.argsort(first)).astype(np.int32)[label]
    apart = component[child] != component[parent]
    pairs = component[child[apart]], parent[apart]
    outside = csr_array((np.ones(len(pairs[0]), np.int32), pairs), shape=(count, nodes))
    outside.sum_duplicates()
    parents = np.ones(outside.nnz, np.int32), component[outside.indices], outside.indptr
    links = csr_array(parents, shape=(count, count))
    links.sum_duplicates()
    return Condensation(component, np.sort(first), np.bincount(component, minlength=count).astype(np.int32), links)
