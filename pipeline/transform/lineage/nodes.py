"""The derivation graph of a month, read from its edges: repositories become numbers."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.tables.columns import RELATIONS
from pipeline.transform.lineage.condensation import Condensation, Numbers, condense
from pipeline.transform.lineage.matching import number


@dataclass(frozen=True)
class DerivationGraph:
    """Every repository that has a part in a derivation, and the edges between them.

    `repositories` (`hub_id`, `model_id`) has one row per node; `hub_id` is absent for unlisted parents. Parents come
    first, in the order of their names: wherever one repository is chosen among several (a cycle's representative, the
    first of equal roots), these are parents, so the smallest number is the smallest `model_id`, and nothing depends on
    the order in which edges were read. The other arrays have one entry per edge, sorted by child and parent;
    `relation` counts in the order of `RELATIONS`.
    """

    month: dt.date | None
    repositories: pl.DataFrame
    child: Numbers
    parent: Numbers
    relation: NDArray[np.int8]
    position: Numbers

    @property
    def nodes(self) -> int:
        """Number of repositories with a part in a derivation."""
        return self.repositories.height

    @cached_property
    def condensation(self) -> Condensation:
        """The graph with every cycle condensed to one node."""
        return condense(self.nodes, self.child, self.parent)

    @cached_property
    def is_derivative(self) -> NDArray[np.bool_]:
        """Whether a node has a parent."""
        return np.bincount(self.child, minlength=self.nodes) > 0

    @cached_property
    def is_listed(self) -> NDArray[np.bool_]:
        """Whether a node is a repository of the snapshot."""
        return self.repositories["hub_id"].is_not_null().to_numpy()


def read_graph(derivations: pl.DataFrame) -> DerivationGraph:
    """The graph of `lineage/derivations` of one month."""
    edges = derivations.height
    names = pl.concat([derivations["child_model_id"], derivations["parent_model_id"]])
    hub_ids = pl.concat([derivations["child_hub_id"], derivations["parent_hub_id"]])
    is_unlisted = hub_ids.is_null()
    listed, first_listed = number(hub_ids.filter(~is_unlisted))
    unlisted, first_unlisted = number(names.filter(is_unlisted))
    end = np.empty(2 * edges, dtype=np.int32)
    end[~is_unlisted.to_numpy()] = listed
    end[is_unlisted.to_numpy()] = unlisted.to_numpy() + np.int32(len(first_listed))
    first = pl.concat([(~is_unlisted).arg_true().gather(first_listed), is_unlisted.arg_true().gather(first_unlisted)])
    repositories = pl.DataFrame({"hub_id": hub_ids, "model_id": names})[first]
    order = _parents_first(repositories, end[edges:])
    place = np.empty(len(first), dtype=np.int32)
    place[order] = np.arange(len(first), dtype=np.int32)
    child, parent = place[end[:edges]], place[end[edges:]]
    by_child = np.argsort(child.astype(np.int64) * len(first) + parent)
    relation = derivations["relation"].cast(pl.Enum(RELATIONS)).to_physical().to_numpy().astype(np.int8)
    months = derivations["month"].head(1).to_list()
    return DerivationGraph(
        month=months[0] if months else None,
        repositories=repositories[order],
        child=child[by_child],
        parent=parent[by_child],
        relation=relation[by_child],
        position=derivations["position"].to_numpy()[by_child],
    )


def _parents_first(repositories: pl.DataFrame, parents: Numbers) -> NDArray[np.int64]:
    """The repositories' rows in the order of their numbers: parents by name, then the others as they come."""
    is_parent = np.zeros(repositories.height, dtype=bool)
    is_parent[parents] = True
    by_name = repositories.with_row_index("row").filter(pl.Series(is_parent)).sort("model_id", "hub_id")["row"]
    return np.concatenate([by_name.to_numpy(), np.flatnonzero(~is_parent)])
