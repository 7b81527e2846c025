"""The repositories of the world: whose they are, when they came and went, and how popular they are.

Repositories are numbered in order of creation; every array here has one entry per repository.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from synthetic_hub.accounts import Accounts
from synthetic_hub.targets import PLANTED_BY_NAME
from synthetic_hub.timeline import BOUNDARIES, DAY, END, FLOOR, Booleans, Floats, Integers, at, seconds

NEVER = seconds(at(2100, 1, 1))

RELATIONS = ("finetune", "adapter", "merge", "quantized")
FINETUNE, ADAPTER, MERGE, QUANTIZED = range(4)
NO_RELATION = -1

_GROWTH = (
    (at(2022, 3, 3), 0.03), (at(2023, 1, 1), 0.07), (at(2024, 1, 1), 0.23),
    (at(2024, 8, 1), 0.40), (at(2025, 3, 1), 0.67), (at(2025, 10, 1), 1.0),
)  # fmt: skip
"""Share of all repositories that exist by a time; the first 3 % carry the Hub's lowest creation date."""

_ANCHORS = (
    (at(2022, 9, 1), 150),
    (at(2023, 10, 20), 8),
    (at(2024, 9, 15), 8),
    (at(2025, 6, 1), 20),
)
"""Each real account publishes near each of these dates (give or take so many days), so that in every month it has an
old and a new model and its country is never without either."""

_REAL_SHARE, _UNKNOWN_SHARE = 0.12, 0.07
_DERIVATIVE_CHANCE = {"maker": 0.4, "canonical": 0.0, "quantizer": 0.97, "ci": 0.0, "person": 0.58, "unknown": 0.45}
_RELATION_MIX = {"quantizer": (0.02, 0.0, 0.0, 0.98), "maker": (0.7, 0.08, 0.02, 0.2), "other": (0.5, 0.28, 0.07, 0.15)}
_FIRST_DERIVATIVE = seconds(at(2023, 7, 1))


@dataclass
class Repositories:
    """Columns by repository, in order of creation. Times are seconds since 1970."""

    account: npt.NDArray[np.int32]
    created: Integers
    public: Integers
    """When the repository became visible: later than its creation for late arrivals."""
    deleted: Integers
    relation: npt.NDArray[np.int8]
    """How it derives from its parents, or `NO_RELATION`."""
    popularity: Floats
    anchored: Booleans
    """Kept free of faults: what the calibration rests on."""
    fixed: dict[str, int]
    """Repositories named in `PLANTED_BY_NAME`."""

    @property
    def size(self) -> int:
        """How many repositories ever exist."""
        return len(self.account)

    def visible(self, moment: int) -> Booleans:
        """Which repositories the public Hub lists at a time."""
        return (np.maximum(self.created, self.public) <= moment) & (self.deleted > moment)


def make_repositories(accounts: Accounts, models: int, rng: np.random.Generator) -> Repositories:
    """All repositories that ever exist, without lineage or downloads."""
    account, created, anchored = _publications(accounts, models, rng)
    fixed_accounts = [accounts.number[name.split("/")[0]] for name in PLANTED_BY_NAME]
    count = len(fixed_accounts)
    account = np.concatenate([np.array(fixed_accounts, np.int32), account])
    created = np.concatenate([np.full(count, seconds(FLOOR)), created])
    anchored = np.concatenate([np.ones(count, bool), anchored])
    order = np.argsort(created, kind="stable")
    account, created, anchored = account[order], created[order], anchored[order]
    fixed = {name: int(np.flatnonzero(order == place)[0]) for place, name in enumerate(PLANTED_BY_NAME)}
    relation = _relations(accounts, account, created, rng)
    relation[list(fixed.values())] = NO_RELATION
    return Repositories(
        account=account,
        created=created,
        public=created.copy(),
        deleted=np.full(len(account), NEVER),
        relation=relation,
        popularity=np.exp(2.3 * rng.standard_normal(len(account))),
        anchored=anchored,
        fixed=fixed,
    )


def _publications(
    accounts: Accounts, models: int, rng: np.random.Generator
) -> tuple[npt.NDArray[np.int32], Integers, Booleans]:
    """Account and creation time of every repository, and which of them are anchors."""
    real = accounts.real.height
    anchor_account = np.repeat(np.arange(real), len(_ANCHORS))
    middle = np.tile([seconds(when) for when, _ in _ANCHORS], real)
    spread = np.tile([days * DAY for _, days in _ANCHORS], real)
    anchor_time = middle + (rng.uniform(-1, 1, len(anchor_account)) * spread).astype(np.int64)
    free = max(models - len(anchor_account), 0)
    of_real = max(int(models * _REAL_SHARE) - len(anchor_account), 0)
    of_unknown = min(int(models * _UNKNOWN_SHARE), free - of_real)
    of_persons = free - of_real - of_unknown
    weights = accounts.real["models"].to_numpy().astype(float)
    chosen = [
        anchor_account,
        rng.choice(real, of_real, p=weights / weights.sum()),
        accounts.first_person + (accounts.persons * rng.random(of_persons) ** 2).astype(np.int64),
        accounts.first_unknown + (accounts.unknown_organizations * rng.random(of_unknown) ** 2).astype(np.int64),
    ]
    created = np.concatenate([anchor_time, _creation_times(free, rng)])
    anchored = np.arange(len(created)) < len(anchor_account)
    return np.concatenate(chosen).astype(np.int32), created, anchored


def _creation_times(count: int, rng: np.random.Generator) -> Integers:
    ends = [seconds(when) for when, _ in _GROWTH]
    shares = [share for _, share in _GROWTH]
    times = np.interp(rng.random(count), shares, ends).astype(np.int64)
    return np.clip(np.where(times <= ends[0], seconds(FLOOR), times), seconds(FLOOR), seconds(END) - 1)


def _relations(
    accounts: Accounts, account: npt.NDArray[np.int32], created: Integers, rng: np.random.Generator
) -> npt.NDArray[np.int8]:
    roles = [*accounts.real["role"], "person", "unknown"]
    role = account_group(accounts, account)
    chance = np.array([_DERIVATIVE_CHANCE[name] for name in roles])[role]
    mixes = np.array([_RELATION_MIX.get(name, _RELATION_MIX["other"]) for name in roles])
    draw = rng.random(len(account))
    relation = (draw[:, None] > np.cumsum(mixes, axis=1)[role, :-1]).sum(axis=1).astype(np.int8)
    derives = (rng.random(len(account)) < chance) & (created >= _FIRST_DERIVATIVE)
    return np.where(derives, relation, NO_RELATION).astype(np.int8)


def account_group(accounts: Accounts, account: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Real accounts one by one, all invented persons as the next, all unknown organisations as the last."""
    return np.minimum(account, accounts.first_person) + (account >= accounts.first_unknown)


def hub_ids(created: Integers, seed: int) -> pl.Series:
    """The Hub's immutable ids: 24 hexadecimal digits in order of creation, the first eight of them the time."""
    middle = f"{(seed * 2654435761) % 16**10:010x}"
    return pl.Series("_id", [f"{time:08x}{middle}{number:06x}" for number, time in enumerate(created.tolist())])


def new_at_close(created: Integers, month: int, days: int) -> Booleans:
    """Which repositories are at most so many days old at the close of the month with this number among `MONTHS`."""
    return seconds(BOUNDARIES[month + 1]) - created <= days * DAY
