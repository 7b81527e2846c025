"""Everything that is known to go wrong on the real Hub, planted in small numbers and written down.

What is wrong with existence and counters is planted before the lineage, what cards and tags say wrongly after it. What
is anchored or named in the targets stays sound, so that the calibration holds all the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from synthetic_hub.accounts import INTERNATIONAL, UNAFFILIATED, Accounts
from synthetic_hub.lineage import Lineage
from synthetic_hub.population import FINETUNE, NO_RELATION, Repositories
from synthetic_hub.targets import BOT_BURST, GIANT, TEST_TRAFFIC
from synthetic_hub.timeline import (
    BOUNDARIES,
    DAY,
    END,
    MONTHS,
    Booleans,
    Integers,
    PlannedRevision,
    at,
    last_day_of,
    seconds,
)

LEVEL_BREAKS = MONTHS.index(date(2025, 6, 1))

FREE_TEXT_RELATIONS = ("distillation", "pruned", "layer-swap", "upscaled", "abliteration", "unlearned")

NOT_REPOSITORIES = (
    "./checkpoints/last",
    "/home/user/models/base",
    "https://example.org/models/base.safetensors",
    "C:\\models\\base",
    "my local model (see README)",
)

HOSTILE_TEXTS = (
    "'; DROP TABLE models; --",
    "<script>alert('synthetic')</script>",
    "\u202eleft to right\u202c",
    "\U0001f917\U0001f525\u200b zero width",
    'quotes " and \\ backslashes',
    '=HYPERLINK("https://example.org")',
    "line\nbreak\tand tab",
    "x" * 5000,
)

HOSTILE_NAMES = (
    "null", "NaN", "1e5", "True", "__proto__", "drop-table-models", "-.-", "0", "a" * 90, "select.from.models",
)  # fmt: skip

LEGACY_NAMES = {"bert-base-uncased": "google-bert", "gpt2": "openai-community", "camembert-base": "almanach"}
"""Names without a namespace, and the account of the same organisation whose first repository is given each."""

_MOVED_TO_COMMUNITY = ("google-bert", "google-t5", "FacebookAI", "openai-community", "distilbert")
"""Organisations to which the Hub moved its oldest repositories."""

_HUB_WIDE = ("weekday_effect", "counters_disagree")
"""What is wrong with every month, and with no repository in particular."""

_ROLLBACK_MONTH = MONTHS.index(date(2025, 5, 1))
_LONG = 180 * DAY
_UNRELEASED = 66 * DAY
"""From creation to release at the least; a month starts at most a month later."""
_NAME_CHANGE = at(2025, 3, 7)
_NOBODY = np.zeros(0, np.int64)


@dataclass
class Pathologies:
    """Numbers of repositories by what is wrong with them; empty in a clean world.

    `by_month` has those that show in one month: label, number of the month, repositories. `renamed_at` goes with the
    repositories `renamed`. `log` has what has a detail besides.
    """

    members: dict[str, Integers] = field(default_factory=dict)
    by_month: dict[str, dict[int, Integers]] = field(default_factory=dict)
    renamed_at: Integers = field(default_factory=_NOBODY.copy)
    log: list[dict[str, Any]] = field(default_factory=list)

    def of(self, label: str) -> Integers:
        """The repositories with this label."""
        return self.members.get(label, _NOBODY)

    def mask(self, size: int, *labels: str) -> Booleans:
        """Which of so many repositories have one of these labels."""
        mask = np.zeros(size, bool)
        for label in labels:
            mask[self.of(label)] = True
        return mask

    @property
    def cycles(self) -> list[Integers]:
        """Groups of repositories that name one another as their base, each in order of creation."""
        return [members for label, members in self.members.items() if label.startswith("cycle_of_")]

    def frame(self, hub_ids: pl.Series, revisions: tuple[PlannedRevision, ...], commits: list[str]) -> pl.DataFrame:
        """Grain: what is wrong x repository or revision. Columns `label, hub_id, revision, month, detail`."""
        rows: list[dict[str, Any]] = [
            {"label": label, "index": member} for label, members in self.members.items() for member in members.tolist()
        ]
        rows += [
            {"label": label, "index": member, "month": MONTHS[month]}
            for label, months in self.by_month.items()
            for month, members in months.items()
            for member in members.tolist()
        ]
        rows += [
            {"label": revision.pathology, "revision": commit, "detail": f"{revision.committed_at:%Y-%m-%dT%H:%M}Z"}
            for revision, commit in zip(revisions, commits, strict=True)
            if revision.pathology != "none"
        ]
        schema = {"label": pl.String, "index": pl.Int64, "revision": pl.String, "month": pl.Date, "detail": pl.String}
        table = pl.DataFrame([*rows, *self.log], schema=schema)
        hub_id = hub_ids.gather(table["index"]).alias("hub_id")
        return table.select("label", hub_id, "revision", "month", "detail")


def plant_in_repositories(accounts: Accounts, repositories: Repositories, rng: np.random.Generator) -> Pathologies:
    """Deletions, late arrivals, renames and misbehaving counters; changes `public` and `deleted` in place."""
    size, created = repositories.size, repositories.created
    few = int(np.clip(size // 1000, 4, 400))
    anyone = np.ones(size, bool)
    sound = repositories.anchored.copy()
    sound[list(repositories.fixed.values())] = True
    pool = _Pool(np.flatnonzero(~sound), rng)
    deleted = pool.take(size // 70, created < seconds(END) - 60 * DAY)
    repositories.deleted[deleted] = _between(
        np.maximum(created[deleted], seconds(BOUNDARIES[0])) + 20 * DAY, seconds(END) - DAY, rng
    )
    late = pool.take(few * 2, created < seconds(END) - 80 * DAY)
    earliest = np.maximum(created[late] + 40 * DAY, seconds(BOUNDARIES[7]) + 2 * DAY)
    repositories.public[late] = _between(earliest, seconds(END) - DAY, rng)
    no_counter = pool.take(3, created < seconds(BOUNDARIES[0]))
    repositories.popularity[no_counter] = 0.0
    popular = repositories.popularity > np.quantile(repositories.popularity, 0.7)
    before = created < seconds(BOUNDARIES[5])
    resets = {month: pool.take(max(few // 2, 2), popular & before) for month in (7, 8, 10, 12, 13)}
    resets[_ROLLBACK_MONTH] = pool.take(size // 200, popular & before)
    frozen = pool.take(few, popular & before)
    broken = pool.take(max(few // 2, 4), popular & (created < seconds(BOUNDARIES[0]) - _LONG))
    recent = (created >= seconds(BOUNDARIES[7])) & (created < seconds(BOUNDARIES[10]))
    unreleased = _by_first_month(repositories, pool.take(max(few // 2, 4), popular & recent))
    rolled_back = np.flatnonzero((rng.random(size) < 0.12) & ~sound)
    renamed, renamed_at = _renames(accounts, repositories, pool, few, rng)
    members = {
        "counter_always_null": no_counter,
        "thirty_days_frozen": frozen,
        "rolled_back_in_may_2025": rolled_back,
        "renamed": renamed,
        "no_namespace": _first_repositories(accounts, repositories.account, list(LEGACY_NAMES.values())),
        "hostile_name": pool.take(len(HOSTILE_NAMES), repositories.relation == NO_RELATION),
        "hostile_card": pool.take(max(few, len(HOSTILE_TEXTS)), anyone),
        "absurd_safetensors_total": pool.take(few, anyone),
        "null_safetensors_total": pool.take(few, anyone),
        "deleted": deleted,
        "late_arrival": late,
    }
    by_month = {
        "counter_reset": resets,
        "level_broken": {LEVEL_BREAKS: broken},
        "created_before_release": unreleased,
    }
    log = _log(accounts, repositories, members["no_namespace"])
    return Pathologies(members, by_month, renamed_at, log)


def plant_in_lineage(
    accounts: Accounts, repositories: Repositories, lineage: Lineage, found: Pathologies, rng: np.random.Generator
) -> None:
    """What cards and tags say wrongly, added to what was found. Children that have children are left alone."""
    size, created, relation = repositories.size, repositories.created, repositories.relation
    few = int(np.clip(size // 1000, 4, 400))
    childless = np.ones(size, bool)
    childless[lineage.parent] = False
    person = (repositories.account >= accounts.first_person) & (repositories.account < accounts.first_unknown)
    lonely = childless & person & (relation == NO_RELATION)
    untouched = ~found.mask(size, "deleted", "late_arrival", "hostile_name") & ~repositories.anchored
    roots = _Pool(np.flatnonzero(lonely & untouched), rng)
    found.members["self_reference"] = roots.take(few, lonely)
    # Listed from the first month to the last under one name, so that a cycle is whole in each.
    lasting = lonely & (created < seconds(BOUNDARIES[0])) & ~found.mask(size, "renamed")
    for number, members in enumerate(_cycles(repositories, roots, lasting, few)):
        found.members[f"cycle_of_{len(members)}_{number}"] = members
    found.members["base_model_not_a_repository"] = roots.take(max(few, len(NOT_REPOSITORIES)), lonely)
    parents = np.bincount(lineage.child, minlength=size)
    of_real_root = np.zeros(size, bool)
    is_real = repositories.account[lineage.parent] < accounts.first_person
    of_real_root[lineage.child[(relation[lineage.parent] == NO_RELATION) & is_real]] = True
    single = childless & untouched & (parents == 1)
    derivatives = _Pool(np.flatnonzero(single), rng)
    found.members["missing_parent"] = derivatives.take(few, of_real_root & (relation != FINETUNE))
    found.members["repeated_edge"] = derivatives.take(few, single)
    before_last = created < seconds(BOUNDARIES[-2])
    found.members["untyped_tags_only"] = derivatives.take(few * 5, before_last)
    found.members["card_only"] = derivatives.take(few * 3, before_last & (created >= seconds(BOUNDARIES[2])))
    found.members["free_text_relation"] = derivatives.take(few, relation != FINETUNE)
    found.members["nested_family"] = _distinct(lineage.child[parents[lineage.parent] > 0])[:few]
    found.members["merge_of_several_countries"] = _of_several_countries(accounts, repositories, lineage)[:few]


class _Pool:
    """Draws repositories without giving one to two pathologies."""

    def __init__(self, members: Integers, rng: np.random.Generator) -> None:
        self.members = rng.permutation(members)

    def take(self, count: int, wanted: Booleans) -> Integers:
        """Up to so many of those still free that are wanted, in order of creation."""
        fitting = np.flatnonzero(wanted[self.members])[:count]
        taken = self.members[fitting]
        self.members = np.delete(self.members, fitting)
        return np.sort(taken)


def _renames(
    accounts: Accounts, repositories: Repositories, pool: _Pool, few: int, rng: np.random.Generator
) -> tuple[Integers, Integers]:
    """Repositories that change their own name: some of one organisation on one day, and some of anybody's."""
    of_cross_encoder = repositories.account == accounts.number["cross-encoder"]
    some = np.flatnonzero(of_cross_encoder & (repositories.created < seconds(_NAME_CHANGE)))[:2]
    moving = np.flatnonzero(accounts.real["renamed_on"].is_not_null().to_numpy())
    staying = ~np.isin(repositories.account, moving) & (repositories.relation == NO_RELATION)
    anyone = pool.take(few, (repositories.created < seconds(BOUNDARIES[3])) & staying)
    whens = _between(np.full(len(anyone), seconds(BOUNDARIES[4])), seconds(END) - DAY, rng)
    renamed = np.concatenate([some, anyone])
    return renamed, np.concatenate([np.full(len(some), seconds(_NAME_CHANGE)), whens])


def _by_first_month(repositories: Repositories, unreleased: Integers) -> dict[int, Integers]:
    """By number of the month that brings their first downloads: the first to begin long after their creation."""
    opened = np.array([seconds(boundary) for boundary in BOUNDARIES])
    first = np.searchsorted(opened, repositories.created[unreleased] + _UNRELEASED)
    return {int(month): unreleased[first == month] for month in np.unique(first)}


def _first_repositories(accounts: Accounts, account: npt.NDArray[np.int32], namespaces: list[str]) -> Integers:
    """The oldest repository of each real namespace; `account` is each repository's."""
    return np.array([np.argmax(account == accounts.number[namespace]) for namespace in namespaces], np.int64)


def _log(accounts: Accounts, repositories: Repositories, without_namespace: Integers) -> list[dict[str, Any]]:
    """What is planted by name, what every month has, and the accounts that publish what others made.

    Each such account is logged with its oldest repository that has its name.
    """
    planted = {GIANT: "giant", BOT_BURST: "bot_burst", TEST_TRAFFIC: "test_traffic"}
    rows: list[dict[str, Any]] = [
        {"label": label, "index": repositories.fixed[name], "detail": name} for name, label in planted.items()
    ]
    rows += [{"label": label, "month": month} for label in _HUB_WIDE for month in MONTHS]
    account = repositories.account.copy()
    account[without_namespace] = -1
    reuploaders = accounts.real.filter(pl.col("role") == "quantizer")["namespace"].to_list()
    return rows + [
        {"label": label, "index": int(index), "detail": namespace}
        for label, namespaces in (("moved_to_community", list(_MOVED_TO_COMMUNITY)), ("reuploader", reuploaders))
        for index, namespace in zip(_first_repositories(accounts, account, namespaces), namespaces, strict=True)
    ]


def _of_several_countries(accounts: Accounts, repositories: Repositories, lineage: Lineage) -> Integers:
    """Children with parents from organisations of more than one country; a child's edges stand together."""
    attribution = accounts.attribution(last_day_of(len(MONTHS) - 1)).head(accounts.first_person)
    countries, number = np.unique(attribution["country"].to_list(), return_inverse=True)
    somewhere = np.append(~np.isin(countries, (INTERNATIONAL, UNAFFILIATED))[number], False)
    account = np.minimum(repositories.account[lineage.parent], accounts.first_person)
    child, account = lineage.child[somewhere[account]], account[somewhere[account]]
    of_siblings = (child[1:] == child[:-1]) & (number[account[1:]] != number[account[:-1]])
    return _distinct(child[1:][of_siblings])


def _distinct(ordered: Integers) -> Integers:
    """The values once each, without the sorting that `numpy.unique` would do."""
    return ordered[np.diff(ordered, prepend=-1) > 0]


def _cycles(repositories: Repositories, roots: _Pool, wanted: Booleans, few: int) -> list[Integers]:
    """Groups of two and three repositories of one person that name one another as their base."""
    pool = np.sort(roots.members[wanted[roots.members]])
    order = pool[np.argsort(repositories.account[pool], kind="stable")]
    account = repositories.account[order]
    cycles: list[Integers] = []
    place = 0
    while place + 3 <= len(order) and len(cycles) < few:
        length = 3 if len(cycles) % 2 else 2
        members = order[place : place + length]
        if len(set(account[place : place + length])) == 1:
            cycles.append(np.sort(members))
            place += length
        else:
            place += 1
    if cycles:
        roots.members = np.setdiff1d(np.sort(roots.members), np.concatenate(cycles), assume_unique=True)
    return cycles


def _between(low: Integers, high: int, rng: np.random.Generator) -> Integers:
    return low + (rng.random(len(low)) * np.maximum(high - low, 0)).astype(np.int64)
