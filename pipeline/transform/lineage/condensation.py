"""The derivation graph as arrays: cycles condensed, levels, depths, descendants.

Nodes are numbered 0..n-1 and an edge leads from a child to a parent. Every algorithm runs level by level over whole
arrays: its work is proportional to nodes and edges, nothing walks paths (real merges have 1e14 of them) and nothing
recurses.

Strong components: D. J. Pearce's variant of Tarjan's algorithm, as in `scipy.sparse.csgraph`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pipeline.transform.lineage.runs import (
    Fractions,
    Numbers,
    Positions,
    ascending,
    distinct,
    distinct_pairs,
    follow,
    offsets,
    ranges,
)


@dataclass(frozen=True)
class Condensation:
    """A graph of which every cycle is one node: the component's smallest member stands for it.

    `representative[node]` is the node that stands for `node`. Links lead from a representative to the representatives
    of its parents outside the component, sorted by child, each pair once; `first_link[r] : first_link[r + 1]` are
    those of `r`. `part[link]` is the fraction of the child's outside parents that the link leads to, so the parts of
    one child sum to 1.
    """

    representative: Numbers
    size: Numbers
    link_child: Numbers
    link_parent: Numbers
    part: Fractions
    first_link: Positions

    @property
    def nodes(self) -> int:
        """Number of nodes before condensing."""
        return len(self.representative)

    @cached_property
    def is_representative(self) -> NDArray[np.bool_]:
        """Whether a node stands for its component (for itself, mostly)."""
        return np.equal(self.representative, np.arange(self.nodes, dtype=np.int32))

    @cached_property
    def parent_count(self) -> Positions:
        """Number of different components among the parents of each representative."""
        return np.diff(self.first_link)

    @cached_property
    def levels(self) -> list[Numbers]:
        """Representatives by their longest distance from a root: the roots first, each level in ascending order."""
        by_parent = ascending(self.link_parent)
        first_child = offsets(self.link_parent, self.nodes)
        children = self.link_child[by_parent]
        waiting_for = self.parent_count.copy()
        level = np.flatnonzero(self.is_representative & (waiting_for == 0)).astype(np.int32)
        found: list[Numbers] = []
        while level.size:
            found.append(level)
            reached = children[ranges(first_child[level], first_child[level + 1])]
            np.subtract.at(waiting_for, reached, 1)
            level = distinct(reached[waiting_for[reached] == 0])
        return found

    @cached_property
    def depth_longest(self) -> Numbers:
        """Most links to a root, for representatives."""
        depth = np.zeros(self.nodes, dtype=np.int32)
        for number, level in enumerate(self.levels):
            depth[level] = number
        return depth

    @cached_property
    def depth_shortest(self) -> Numbers:
        """Fewest links to a root, for representatives."""
        depth = np.zeros(self.nodes, dtype=np.int32)
        for level in self.levels[1:]:
            links = ranges(self.first_link[level], self.first_link[level + 1])
            begins = np.cumsum(self.parent_count[level]) - self.parent_count[level]
            depth[level] = np.minimum.reduceat(depth[self.link_parent[links]], begins) + 1
        return depth

    @cached_property
    def fork(self) -> Numbers:
        """The nearest root or merge that a representative comes from by single parents; itself if it is one.

        Everything between a fork and the next forks below it has one parent and therefore the fork's roots.
        """
        has_one_parent = self.parent_count == 1
        above = np.arange(self.nodes, dtype=np.int32)
        above[has_one_parent] = self.link_parent[self.first_link[:-1][has_one_parent]]
        return follow(above)


def condense(nodes: int, child: Numbers, parent: Numbers) -> Condensation:
    """Condenses the strong components of a graph given by its edges, sorted by child; repeated edges count once."""
    from scipy.sparse import csr_array  # noqa: PLC0415 - slow to import, and whoever reads the definitions needs none
    from scipy.sparse.csgraph import connected_components  # noqa: PLC0415

    edges = csr_array((np.ones(len(child), dtype=np.int8), parent, offsets(child, nodes)), shape=(nodes, nodes))
    count, component = connected_components(edges, directed=True, connection="strong")
    smallest_member = np.empty(count, dtype=np.int32)
    smallest_member[component[::-1]] = np.arange(nodes - 1, -1, -1, dtype=np.int32)
    representative = smallest_member[component]
    size = np.bincount(representative, minlength=nodes).astype(np.int32)
    outside = representative[child] != representative[parent]
    heir, outside_parent = distinct_pairs(representative[child[outside]], parent[outside])[:2]
    link_child, link_parent, parents_there = distinct_pairs(heir, representative[outside_parent])
    parents_in_all = np.bincount(heir, minlength=nodes)
    return Condensation(
        representative=representative,
        size=size,
        link_child=link_child,
        link_parent=link_parent,
        part=parents_there / parents_in_all[link_child],
        first_link=offsets(link_child, nodes),
    )
