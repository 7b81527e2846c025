"""Everything that is known to go wrong on the real Hub, planted in small numbers and written down.

Faults of existence and of counters are planted before the lineage, faults of what cards and tags say after it. What is
anchored or named in the targets stays sound, so that the calibration holds with the faults in place.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from synthetic_hub.cast import INTERNATIONAL, UNAFFILIATED, Accounts
from synthetic_hub.downloads import LEVEL_BREAKS, Faulty
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
    last_day_of,
    seconds,
)

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

_PLANTED_BY_NAME = {
    GIANT: "giant",
    BOT_BURST: "bot_burst",
    TEST_TRAFFIC: "test_traffic",
}

_MOVED_TO_COMMUNITY = ("google-bert", "google-t5", "FacebookAI", "openai-community", "distilbert")
"""Organisations to which the Hub moved its oldest repositories."""

_HUB_WIDE = ("weekday_effect", "counters_disagree")
"""What is wrong with every month, and with no repository in particular."""

_ROLLBACK_MONTH = MONTHS.index(date(2025, 5, 1))
_LONG = 180 * DAY
_UNRELEASED = 66 * DAY
"""From creation to release at the least; a month starts at most a month later."""
_NAME_CHANGE = datetime(2025, 3, 7, tzinfo=UTC)


@dataclass
class Pathologies:
    """Numbers of repositories by what is wrong with them; empty in a clean world."""

    faulty: Faulty
    rolled_back: Booleans
    """Their counters are lower in the middle of May 2025 than at its start, and recover by its end."""
    ineligible: Booleans
    """Repositories that come late or go early; they are never parents."""
    renamed: Integers
    """Repositories with a former name."""
    renamed_at: Integers
    without_namespace: Integers
    """Repositories that bear the `LEGACY_NAMES`, in their order."""
    hostile_names: Integers
    hostile_cards: Integers
    absurd_sizes: Integers
    null_sizes: Integers
    unparsable_bases: Integers
    self_references: Integers
    cycles: list[Integers]
    missing_parents: Integers
    """Children whose first parent is a repository that nobody can see."""
    repeated_edges: Integers
    untyped_edges: Integers
    card_only: Integers
    free_text: Integers
    log: list[dict[str, Any]] = field(default_factory=list)

    def frame(self, hub_ids: pl.Series, revisions: tuple[PlannedRevision, ...], shas: list[str]) -> pl.DataFrame:
        """Grain: fault x repository or revision. Columns `label, hub_id, revision, month, detail`."""
        rows: list[dict[str, Any]] = []
        groups = {
            "counter_always_null": np.flatnonzero(self.faulty.no_counter),
            "thirty_days_frozen": np.flatnonzero(self.faulty.frozen),
            "rolled_back_in_may_2025": np.flatnonzero(self.rolled_back),
            "renamed": self.renamed,
            "no_namespace": self.without_namespace,
            "hostile_name": self.hostile_names,
            "hostile_card": self.hostile_cards,
            "absurd_safetensors_total": self.absurd_sizes,
            "null_safetensors_total": self.null_sizes,
            "base_model_not_a_repository": self.unparsable_bases,
            "self_reference": self.self_references,
            "missing_parent": self.missing_parents,
            "repeated_edge": self.repeated_edges,
            "untyped_tags_only": self.untyped_edges,
            "card_only": self.card_only,
            "free_text_relation": self.free_text,
        }
        groups |= {f"cycle_of_{len(members)}_{number}": members for number, members in enumerate(self.cycles)}
        for label, members in groups.items():
            rows += [{"label": label, "hub_id": hub_ids[int(member)]} for member in members]
        by_month = {
            "counter_reset": self.faulty.resets,
            "level_broken": {LEVEL_BREAKS: self.faulty.broken},
            "created_before_release": self.faulty.unreleased,
        }
        for label, months in by_month.items():
            rows += [
                {"label": label, "hub_id": hub_ids[int(member)], "month": MONTHS[month]}
                for month, members in months.items()
                for member in members
            ]
        rows += [
            {"label": revision.pathology, "revision": sha, "detail": f"{revision.committed_at:%Y-%m-%dT%H:%M}Z"}
            for revision, sha in zip(revisions, shas, strict=True)
            if revision.pathology != "none"
        ]
        rows += [{**entry, "hub_id": hub_ids[entry["index"]]} if "index" in entry else entry for entry in self.log]
        schema = {
            "label": pl.String,
            "hub_id": pl.String,
            "revision": pl.String,
            "month": pl.Date,
            "detail": pl.String,
        }
        return pl.DataFrame([{name: row.get(name) for name in schema} for row in rows], schema=schema)


def none(repositories: Repositories) -> Pathologies:
    """A clean world's faults: none at all."""
    nobody = np.zeros(repositories.size, bool)
    empty = np.zeros(0, np.int64)
    return Pathologies(
        faulty=Faulty(no_counter=nobody, frozen=nobody, resets={}, broken=empty, unreleased={}),
        rolled_back=nobody,
        ineligible=nobody,
        renamed=empty,
        renamed_at=empty,
        without_namespace=empty,
        hostile_names=empty,
        hostile_cards=empty,
        absurd_sizes=empty,
        null_sizes=empty,
        unparsable_bases=empty,
        self_references=empty,
        cycles=[],
        missing_parents=empty,
        repeated_edges=empty,
        untyped_edges=empty,
        card_only=empty,
        free_text=empty,
    )


def spoil_counters(accounts: Accounts, repositories: Repositories, rng: np.random.Generator) -> Pathologies:
    """Deletions, late arrivals, renames and misbehaving counters; changes `public` and `deleted` in place."""
    size = repositories.size
    few = int(np.clip(size // 1000, 4, 400))
    sound = repositories.anchored.copy()
    sound[list(repositories.fixed.values())] = True
    draw = _Lots(np.flatnonzero(~sound), rng)
    found = none(repositories)
    deleted = draw.take(size // 70, repositories.created < seconds(END) - 60 * DAY)
    repositories.deleted[deleted] = _between(
        np.maximum(repositories.created[deleted], seconds(BOUNDARIES[0])) + 20 * DAY, seconds(END) - DAY, rng
    )
    late = draw.take(few * 2, repositories.created < seconds(END) - 80 * DAY)
    earliest = np.maximum(repositories.created[late] + 40 * DAY, seconds(BOUNDARIES[7]) + 2 * DAY)
    repositories.public[late] = _between(earliest, seconds(END) - DAY, rng)
    no_counter = draw.take(3, repositories.created < seconds(BOUNDARIES[0]))
    repositories.popularity[no_counter] = 0.0
    popular = repositories.popularity > np.quantile(repositories.popularity, 0.7)
    before = repositories.created < seconds(BOUNDARIES[5])
    resets = {month: draw.take(max(few // 2, 2), popular & before) for month in (7, 8, 10, 12, 13)}
    resets[_ROLLBACK_MONTH] = draw.take(size // 200, popular & before)
    frozen = draw.take(few, popular & before)
    broken = draw.take(max(few // 2, 4), popular & (repositories.created < seconds(BOUNDARIES[0]) - _LONG))
    unreleased = _unreleased(
        repositories, draw.take(max(few // 2, 4), popular & _between_boundaries(repositories, 7, 10))
    )
    mask = np.zeros(size, bool)
    found.faulty = Faulty(_marked(mask, no_counter), _marked(mask, frozen), resets, broken, unreleased)
    found.rolled_back = (rng.random(size) < 0.12) & ~sound
    found.ineligible = _marked(_marked(mask, deleted), late)
    found.renamed, found.renamed_at = _renames(accounts, repositories, draw, few, rng)
    found.without_namespace = _first_repositories(accounts, repositories.account, list(LEGACY_NAMES.values()))
    found.hostile_names = draw.take(len(HOSTILE_NAMES), repositories.relation == NO_RELATION)
    found.hostile_cards = draw.take(max(few, len(HOSTILE_TEXTS)), np.ones(size, bool))
    found.absurd_sizes, found.null_sizes = (draw.take(few, np.ones(size, bool)) for _ in range(2))
    found.log += [
        {"label": label, "index": repositories.fixed[name], "detail": name} for name, label in _PLANTED_BY_NAME.items()
    ]
    found.log += [{"label": label, "month": month} for label in _HUB_WIDE for month in MONTHS]
    found.log += _misleading_accounts(accounts, repositories, found.without_namespace)
    found.log += [{"label": "deleted", "index": int(index)} for index in deleted]
    found.log += [{"label": "late_arrival", "index": int(index)} for index in late]
    return found


def spoil_lineage(
    accounts: Accounts, repositories: Repositories, lineage: Lineage, found: Pathologies, rng: np.random.Generator
) -> None:
    """What cards and tags say wrongly. Children that have children of their own are left alone."""
    few = int(np.clip(repositories.size // 1000, 4, 400))
    childless = np.ones(repositories.size, bool)
    childless[lineage.parent] = False
    person = (repositories.account >= accounts.first_person) & (repositories.account < accounts.first_unknown)
    lonely = childless & person & (repositories.relation == NO_RELATION)
    untouched = ~found.ineligible & ~repositories.anchored
    untouched[found.hostile_names] = False
    roots = _Lots(np.flatnonzero(lonely & untouched), rng)
    found.self_references = roots.take(few, lonely)
    # Listed from the first month to the last under one name, so that a cycle is whole in each.
    lasting = lonely & (repositories.created < seconds(BOUNDARIES[0]))
    lasting[found.renamed] = False
    found.cycles = _cycles(repositories, roots, lasting, few)
    found.unparsable_bases = roots.take(max(few, len(NOT_REPOSITORIES)), lonely)
    parents = np.bincount(lineage.child, minlength=repositories.size)
    of_root = np.zeros(repositories.size, bool)
    is_root = repositories.relation[lineage.parent] == NO_RELATION
    of_cast = repositories.account[lineage.parent] < accounts.first_person
    of_root[lineage.child[is_root & of_cast]] = True
    single = childless & untouched & (parents == 1)
    derivatives = _Lots(np.flatnonzero(single), rng)
    found.missing_parents = derivatives.take(few, of_root & (repositories.relation != FINETUNE))
    found.repeated_edges = derivatives.take(few, single)
    before_last = repositories.created < seconds(BOUNDARIES[-2])
    found.untyped_edges = derivatives.take(few * 5, before_last)
    found.card_only = derivatives.take(few * 3, before_last & (repositories.created >= seconds(BOUNDARIES[2])))
    found.free_text = derivatives.take(few, repositories.relation != FINETUNE)
    nested = _distinct(lineage.child[parents[lineage.parent] > 0])
    mixed = _of_several_countries(accounts, repositories, lineage)
    found.log += [{"label": "nested_family", "index": int(index)} for index in nested[:few]]
    found.log += [{"label": "merge_of_several_countries", "index": int(index)} for index in mixed[:few]]


class _Lots:
    """Draws repositories without giving one to two faults."""

    def __init__(self, pool: Integers, rng: np.random.Generator) -> None:
        self.pool = rng.permutation(pool)

    def take(self, count: int, wanted: Booleans) -> Integers:
        """Up to so many of those still free that are wanted, in order of creation."""
        fitting = np.flatnonzero(wanted[self.pool])[:count]
        taken = self.pool[fitting]
        self.pool = np.delete(self.pool, fitting)
        return np.sort(taken)


def _renames(
    accounts: Accounts, repositories: Repositories, draw: _Lots, few: int, rng: np.random.Generator
) -> tuple[Integers, Integers]:
    """Repositories that change their own name: some of one organisation on one day, and some of anybody's."""
    of_cross_encoder = repositories.account == accounts.cast["namespace"].to_list().index("cross-encoder")
    some = np.flatnonzero(of_cross_encoder & (repositories.created < seconds(_NAME_CHANGE)))[:2]
    moving = np.flatnonzero(accounts.cast["renamed_on"].is_not_null().to_numpy())
    staying = ~np.isin(repositories.account, moving) & (repositories.relation == NO_RELATION)
    anyone = draw.take(few, (repositories.created < seconds(BOUNDARIES[3])) & staying)
    whens = _between(np.full(len(anyone), seconds(BOUNDARIES[4])), seconds(END) - DAY, rng)
    renamed = np.concatenate([some, anyone])
    return renamed, np.concatenate([np.full(len(some), seconds(_NAME_CHANGE)), whens])


def _unreleased(repositories: Repositories, members: Integers) -> dict[int, Integers]:
    """By number of the month that brings their first downloads: the first to begin long after their creation."""
    opened = np.array([seconds(boundary) for boundary in BOUNDARIES])
    first = np.searchsorted(opened, repositories.created[members] + _UNRELEASED)
    return {int(month): members[first == month] for month in np.unique(first)}


def _first_repositories(accounts: Accounts, account: npt.NDArray[np.int32], namespaces: list[str]) -> Integers:
    """The oldest repository of each namespace of the cast; `account` is each repository's."""
    known = accounts.cast["namespace"].to_list()
    return np.array([np.argmax(account == known.index(name)) for name in namespaces], np.int64)


def _misleading_accounts(
    accounts: Accounts, repositories: Repositories, without_namespace: Integers
) -> list[dict[str, Any]]:
    """Accounts that publish what others made, each logged with its oldest repository that bears its name."""
    account = repositories.account.copy()
    account[without_namespace] = -1
    reuploaders = accounts.cast.filter(pl.col("role") == "quantizer")["namespace"].to_list()
    return [
        {"label": label, "index": int(index), "detail": namespace}
        for label, namespaces in (("moved_to_community", list(_MOVED_TO_COMMUNITY)), ("reuploader", reuploaders))
        for index, namespace in zip(_first_repositories(accounts, account, namespaces), namespaces, strict=True)
    ]


def _of_several_countries(accounts: Accounts, repositories: Repositories, lineage: Lineage) -> Integers:
    """Children with parents from organisations of more than one country; a child's edges stand together."""
    by_account = [who.country for who in accounts.attributions(last_day_of(len(MONTHS) - 1))]
    countries, number = np.unique(by_account, return_inverse=True)
    somewhere = np.append(~np.isin(countries, (INTERNATIONAL, UNAFFILIATED))[number], False)
    account = np.minimum(repositories.account[lineage.parent], accounts.first_person)
    child, account = lineage.child[somewhere[account]], account[somewhere[account]]
    of_siblings = (child[1:] == child[:-1]) & (number[account[1:]] != number[account[:-1]])
    return _distinct(child[1:][of_siblings])


def _distinct(ordered: Integers) -> Integers:
    """The values once each, without the sorting that `numpy.unique` would do."""
    return ordered[np.diff(ordered, prepend=-1) > 0]


def _between_boundaries(repositories: Repositories, first: int, last: int) -> Booleans:
    times = repositories.created
    return np.asarray((times >= seconds(BOUNDARIES[first])) & (times < seconds(BOUNDARIES[last])))


def _cycles(repositories: Repositories, roots: _Lots, wanted: Booleans, few: int) -> list[Integers]:
    """Groups of two and three repositories of one person that name one another as their base."""
    pool = np.sort(roots.pool[wanted[roots.pool]])
    order = pool[np.argsort(repositories.account[pool], kind="stable")]
    account = repositories.account[order]
    cycles: list[Integers] = []
    place = 0
    while place + 3 <= len(order) and len(cycles) < few:
        length = 3 if len(cycles) % 2 else 2
        members = order[place : place + length]
        if len(members) == length and len(set(account[place : place + length])) == 1:
            cycles.append(np.sort(members))
            place += length
        else:
            place += 1
    if cycles:
        roots.pool = np.setdiff1d(np.sort(roots.pool), np.concatenate(cycles), assume_unique=True)
    return cycles


def _between(low: Integers, high: int, rng: np.random.Generator) -> Integers:
    return low + (rng.random(len(low)) * np.maximum(high - low, 0)).astype(np.int64)


def _marked(mask: Booleans, members: Integers) -> Booleans:
    marked = mask.copy()
    marked[members] = True
    return marked
