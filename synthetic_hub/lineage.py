"""Who derives from whom. Parents are older than their children, so the planted graph has no cycles of its own.

Each month's new derivatives are divided among root families by quota; then each one takes a
parent inside its family: a root, a fine-tune or a merge.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from synthetic_hub.accounts import Accounts
from synthetic_hub.population import ADAPTER, FINETUNE, MERGE, NO_RELATION, QUANTIZED, RELATIONS, Repositories
from synthetic_hub.targets import family_quotas, table
from synthetic_hub.timeline import Booleans, Floats, Integers, month_of

_PARENT_MIX = {
    FINETUNE: (0.65, 0.35, 0.0),
    ADAPTER: (0.85, 0.15, 0.0),
    MERGE: (0.3, 0.5, 0.2),
    QUANTIZED: (0.35, 0.5, 0.15),
}
"""By relation: the chances that the parent is a root, a fine-tune or a merge. A fine-tune has no merge above it, so it
has one root only."""

_EXTRA_PARENTS = (1, 1, 1, 2, 2, 3)
_SINGAPORE_TURNS_TO_QWEN = (2025 - 1970) * 12


@dataclass(frozen=True)
class Lineage:
    """Edges by number of child and parent, in the order in which the child names its parents."""

    family: npt.NDArray[np.int16]
    """By repository: the family of its primary root, or of itself."""
    families: tuple[str, ...]
    child: Integers
    parent: Integers


def plant_lineage(
    accounts: Accounts, repositories: Repositories, eligible: Booleans, rng: np.random.Generator
) -> Lineage:
    """Chooses families and parents. Derivatives for which their family has nothing older become roots themselves.

    Only `eligible` repositories become parents. `repositories.relation` is corrected in place.
    """
    names, family = _families(accounts, repositories, rng)
    pools = _Pools(repositories, family, len(names), eligible)
    child = np.flatnonzero(repositories.relation != NO_RELATION)
    primary = pools.parents(child, repositories.relation[child], family[child], rng)
    repositories.relation[child[primary < 0]] = NO_RELATION
    child, primary = child[primary >= 0], primary[primary >= 0]
    merges = child[repositories.relation[child] == MERGE]
    again = np.repeat(merges, rng.choice(_EXTRA_PARENTS, len(merges)))
    _, quotas = family_quotas(month_of(repositories.created[again]).astype(float))
    drawn = (rng.random(len(again))[:, None] > np.cumsum(quotas, axis=1)[:, :-1]).sum(axis=1)
    extra = pools.parents(again, np.full(len(again), MERGE, np.int8), drawn.astype(np.int16), rng)
    again, extra = again[extra >= 0], extra[extra >= 0]
    children = np.concatenate([child, again])
    parents = np.concatenate([primary, extra])
    _, first = np.unique(children * repositories.size + parents, return_index=True)
    kept = np.sort(first)
    kept = kept[np.argsort(children[kept], kind="stable")]
    return Lineage(family, tuple(names), children[kept], parents[kept])


def _families(
    accounts: Accounts, repositories: Repositories, rng: np.random.Generator
) -> tuple[list[str], npt.NDArray[np.int16]]:
    """The names of all families, and that of each repository, by place. AI Singapore turns to Qwen in 2025."""
    names, _ = family_quotas(np.zeros(1))
    of_account = np.full(accounts.first_unknown + accounts.unknown_organizations, names.index("Other"), np.int16)
    of_account[: accounts.first_person] = [names.index(name) for name in accounts.real["family"]]
    family = of_account[repositories.account]
    months = month_of(repositories.created)
    singapore = (repositories.account == accounts.number["aisingapore"]) & (months >= _SINGAPORE_TURNS_TO_QWEN)
    repositories.relation[singapore & (repositories.relation == NO_RELATION)] = FINETUNE
    family[singapore] = names.index("Qwen")
    derives = repositories.relation != NO_RELATION
    makes = np.append((accounts.real["role"] == "maker").to_numpy(), False)
    own = makes[np.minimum(repositories.account, accounts.first_person)]
    own &= table("families")["builds_on_its_own"].to_numpy()[family]
    free = derives & ~own & ~singapore
    group = months.astype(np.int64) * len(RELATIONS) + repositories.relation
    for members in _groups(group, derives):
        _, quota = family_quotas(months[members[:1]].astype(float))
        _divide(family, members[~free[members]], members[free[members]], quota[0], rng)
    return names, family


def _divide(
    family: npt.NDArray[np.int16], settled: Integers, free: Integers, quota: Floats, rng: np.random.Generator
) -> None:
    """Gives the free derivatives of a month families so that all its derivatives together meet the quota."""
    if not len(free):
        return
    taken = np.bincount(family[settled], minlength=len(quota))
    wanted = np.maximum(quota * (len(settled) + len(free)) - taken, 0)
    ends = np.rint(np.cumsum(wanted / wanted.sum()) * len(free)).astype(np.int64)
    family[free] = rng.permutation(np.repeat(np.arange(len(quota), dtype=np.int16), np.diff(ends, prepend=0)))


class _Pools:
    """Possible parents by family and kind (root, fine-tune, merge), each in order of creation."""

    def __init__(
        self, repositories: Repositories, family: npt.NDArray[np.int16], families: int, eligible: Booleans
    ) -> None:
        relation = repositories.relation
        kinds = (relation == NO_RELATION, relation == FINETUNE, relation == MERGE)
        self.created = repositories.created
        self.families = families
        self.members = {
            (number, kind): np.flatnonzero((family == number) & is_kind & eligible)
            for number in range(families)
            for kind, is_kind in enumerate(kinds)
        }

    def parents(
        self,
        child: Integers,
        relation: npt.NDArray[np.int8],
        family: npt.NDArray[np.int16],
        rng: np.random.Generator,
    ) -> Integers:
        """A parent older than each child, from the family named; where the kind drawn has none a root, else -1."""
        mixes = np.cumsum([_PARENT_MIX[kind] for kind in range(len(RELATIONS))], axis=1)
        kind = (rng.random(len(child))[:, None] > mixes[relation, :-1]).sum(axis=1)
        position = rng.random(len(child))
        chosen = np.full(len(child), -1, np.int64)
        for number, pool_kind in self.members:
            asking = np.flatnonzero((family == number) & (kind == pool_kind))
            chosen[asking] = self._older((number, pool_kind), child[asking], position[asking])
        for number in range(self.families):
            asking = np.flatnonzero((family == number) & (chosen < 0))
            chosen[asking] = self._older((number, 0), child[asking], position[asking])
        return chosen

    def _older(self, key: tuple[int, int], child: Integers, position: Floats) -> Integers:
        """One member created before each child, at a relative position skewed to the recent ones."""
        pool = self.members[key]
        if not len(pool):
            return np.full(len(child), -1, np.int64)
        count = np.searchsorted(self.created[pool], self.created[child], side="left")
        drawn = np.minimum((count * position**0.7).astype(np.int64), len(pool) - 1)
        return np.where(count > 0, pool[drawn], -1)


def _groups(key: Integers, chosen: Booleans) -> list[Integers]:
    """The chosen members of each group, in order of the key."""
    members = np.flatnonzero(chosen)
    order = members[np.argsort(key[members], kind="stable")]
    ends = np.flatnonzero(np.diff(key[order])) + 1
    return [np.asarray(part) for part in np.split(order, ends)] if len(order) else []
