"""How a derivative is split over the roots that it descends from.

A rule of splitting maps the condensed graph to a weight for every pair of component and root. Rules are functions of
one shape, listed in `RULES` by the name that configuration uses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from pipeline.tables.lineage import ORIGIN_WEIGHTS
from pipeline.transform.lineage.condensation import Condensation
from pipeline.transform.lineage.nodes import DerivationGraph
from pipeline.transform.lineage.runs import Fractions, Numbers, Positions, ranges, run_starts

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_TIE_DIGITS = 12
"""Weights that agree to so many digits are equal; beyond, only the order of rounding tells them apart."""


@dataclass(frozen=True)
class RootWeights:
    """Weights by root for every component, stored once for all components that share them.

    `row[representative]` is the component's row; row `i` is `first[i] : first[i + 1]` of `root` (nodes, ascending
    within a row) and `weight`. A root's own row is itself with weight 1.
    """

    row: Numbers
    first: Positions
    root: Numbers
    weight: Fractions

    @property
    def roots(self) -> Positions:
        """Number of roots of each row."""
        return np.diff(self.first)

    def heaviest(self) -> Numbers:
        """The root with the largest weight of each row; of equals, the first in node order."""
        weight = np.round(self.weight, _TIE_DIGITS)
        largest = np.maximum.reduceat(weight, self.first[:-1]) if weight.size else weight
        owner = np.repeat(np.arange(len(self.roots)), self.roots)
        candidates = np.flatnonzero(weight == largest[owner])
        return self.root[candidates[run_starts(owner[candidates])]]


Rule = Callable[[DerivationGraph], RootWeights]


def equal_parts(graph: DerivationGraph) -> RootWeights:
    """A child gives each of its parents an equal part, and these hand it on; a cycle acts as one child.

    Only roots and merges (components with several parents) have rows of their own; the others share the row of the
    merge or root above them. Rows are computed level by level, each as the weighted sum of its parents' rows, which
    is one sparse product a level.
    """
    condensed = graph.condensation
    levels = condensed.levels
    roots = levels[0] if levels else np.empty(0, np.int32)
    merges = [level[condensed.parent_count[level] > 1] for level in levels[1:]]
    forks = np.concatenate([roots, *merges])
    row_of_fork = np.zeros(condensed.nodes, dtype=np.int32)
    row_of_fork[forks] = np.arange(len(forks), dtype=np.int32)
    row = row_of_fork[condensed.fork]
    rows = _GrowingRows(len(roots))
    for level in merges:
        if level.size:
            rows.append(_parts_of(condensed, level, row, rows.height) @ rows.matrix())
    return RootWeights(row=row, first=rows.first, root=roots[rows.column], weight=rows.value)


def first_parent(graph: DerivationGraph) -> RootWeights:
    """Everything goes to the parent that is declared first, as studies do that follow one parent only.

    Of a cycle's members, the smallest one with a parent outside the cycle decides.
    """
    condensed = graph.condensation
    representative = condensed.representative
    outside = np.flatnonzero(representative[graph.child] != representative[graph.parent])
    order = np.lexsort((graph.position[outside], graph.child[outside], representative[graph.child[outside]]))
    edges = outside[order]
    heir = representative[graph.child[edges]]
    decides = run_starts(heir)
    above = np.arange(condensed.nodes, dtype=np.int32)
    above[heir[decides]] = representative[graph.parent[edges[decides]]]
    for level in condensed.levels[1:]:
        above[level] = above[above[level]]
    return _whole(condensed, above)


def majority(graph: DerivationGraph) -> RootWeights:
    """Everything goes to the root with the largest weight under `equal_parts`; of equals, the smallest `model_id`."""
    weights = equal_parts(graph)
    return _whole(graph.condensation, weights.heaviest()[weights.row])


RULES: Mapping[str, Rule] = MappingProxyType(
    {"equal_parts": equal_parts, "first_parent": first_parent, "majority": majority}
)
"""The rules by the names that configuration uses; the census publishes `equal_parts`."""


def origin_weights(graph: DerivationGraph, weights: RootWeights, rule: str) -> pl.DataFrame:
    """Every derivative of the graph with its roots: the table `lineage/origin_weights`, unsorted.

    `weights` are what the rule of that name in `RULES` makes of the graph.

    The members of a cycle that has no parent outside are derivatives of their component: each has one row, which
    leads to the component's smallest `model_id` with weight 1, the member of that name included.
    """
    derivatives = np.flatnonzero(graph.is_derivative)
    rows = weights.row[graph.condensation.representative[derivatives]]
    entries = ranges(weights.first[rows], weights.first[rows + 1])
    repositories = graph.repositories
    root = weights.root[entries]
    return (
        pl.DataFrame(
            {
                "hub_id": repositories["hub_id"].gather(np.repeat(derivatives, weights.roots[rows])),
                "root_model_id": repositories["model_id"].gather(root),
                "root_hub_id": repositories["hub_id"].gather(root),
                "namespace": graph.namespaces.gather(root),
                "weight": weights.weight[entries],
            }
        )
        .with_columns(pl.lit(graph.month, pl.Date).alias("month"), pl.lit(rule).alias("origin_rule"))
        .select(ORIGIN_WEIGHTS.schema.names())
    )


class _GrowingRows:
    """Sparse rows that are appended to and multiplied by, in arrays that double when they are full."""

    def __init__(self, roots: int) -> None:
        self._roots = roots
        self._columns = np.arange(roots, dtype=np.int32)
        self._values = np.ones(roots)
        self._used = roots
        self._first = [np.arange(roots + 1, dtype=np.int64)]
        self.height = roots

    @property
    def column(self) -> Numbers:
        return self._columns[: self._used]

    @property
    def value(self) -> Fractions:
        return self._values[: self._used]

    @property
    def first(self) -> Positions:
        if len(self._first) > 1:
            self._first = [np.concatenate(self._first)]
        return self._first[0]

    def matrix(self) -> csr_array:
        return _rows(self.value, self.column, self.first, self._roots)

    def append(self, rows: csr_array) -> None:
        rows.sort_indices()
        needed = self._used + rows.nnz
        if needed > len(self._columns):
            room = max(needed, 2 * len(self._columns))
            self._columns = np.resize(self._columns, room)
            self._values = np.resize(self._values, room)
        self._columns[self._used : needed] = rows.indices
        self._values[self._used : needed] = rows.data
        self._first.append(rows.indptr[1:].astype(np.int64) + self._used)
        self._used = needed
        self.height += rows.shape[0]


def _parts_of(condensed: Condensation, level: Numbers, row: Numbers, height: int) -> csr_array:
    """How each component of the level is split over the rows of its parents."""
    links = ranges(condensed.first_link[level], condensed.first_link[level + 1])
    first = np.concatenate(([0], np.cumsum(condensed.parent_count[level])))
    return _rows(condensed.part[links], row[condensed.link_parent[links]], first, height)


def _rows(value: Fractions, column: Numbers, first: Positions, width: int) -> csr_array:
    """Sparse rows: row `i` has `value` in `column`, both at `first[i] : first[i + 1]`."""
    from scipy.sparse import csr_array  # noqa: PLC0415 - slow to import, and whoever reads the definitions needs none

    return csr_array((value, column, first), shape=(len(first) - 1, width))


def _whole(condensed: Condensation, root_of: Numbers) -> RootWeights:
    """Weights that give each component wholly to one root."""
    roots = condensed.levels[0] if condensed.levels else np.empty(0, np.int32)
    row_of_root = np.zeros(condensed.nodes, dtype=np.int32)
    row_of_root[roots] = np.arange(len(roots), dtype=np.int32)
    return RootWeights(
        row=row_of_root[root_of],
        first=np.arange(len(roots) + 1, dtype=np.int64),
        root=roots,
        weight=np.ones(len(roots)),
    )
