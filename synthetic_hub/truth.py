"""The planted truth, written beside the world: what a census of it must find, computed from what was planted.

Members that are not countries are members all the same: `international`, `unaffiliated` (a person's account) and
`unmapped` (an organisation no registry knows). Organisation and country are those of the name the account has at the
month's close, as they are valid then.

Origin: each model passes its downloads to its parents in equal parts, and they to theirs, until roots are reached.
Statements about oneself carry no origin; a model left without parents is its own root. The members of a cycle, none of
which has a parent outside it, have one root together: the member with the smallest name. A parent that nobody lists is
a root under the name it is given.

A derivative is new in the calendar month in which it was created.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from synthetic_hub import targets
from synthetic_hub.attributes import Edges, Identity
from synthetic_hub.cast import INDIVIDUAL, UNAFFILIATED, UNMAPPED, Accounts
from synthetic_hub.downloads import ABSENT, CASES, COUNTER_RESET, DISAPPEARED, Downloads, is_rolling
from synthetic_hub.identifiers import namespace_of
from synthetic_hub.pathologies import Pathologies
from synthetic_hub.population import RELATIONS, Repositories, new_at_close
from synthetic_hub.timeline import (
    BOUNDARIES,
    EXACT_WITHIN,
    MONTHS,
    Booleans,
    Floats,
    Integers,
    PlannedRevision,
    last_day_of,
    month_number,
    month_of,
)

TRAITS = ("licence", "modality", "size_band", "numeric_format", "architecture", "openness")
_GATES = {"false": "open", "auto": "automatic", "manual": "manual"}

DICTIONARY: dict[str, tuple[str, dict[str, str]]] = {
    "country_downloads": (
        "month x population x attribution x country",
        {
            "month": "first day of the month",
            "population": "all; new: at most 365 days old at the month's close; language: tasks in LANGUAGE_TASKS; "
            "all_unflagged, new_unflagged, language_unflagged: these without the test traffic's account and without "
            "the bot burst in its months",
            "attribution": "uploader: the publishing namespace; origin: the roots of the derivation graph",
            "country": "ISO 3166 code, or international, unaffiliated, unmapped",
            "downloads": "downloads in the month, measured as the month's basis allows",
        },
    ),
    "organization_downloads": (
        "month x population x attribution x organization",
        {
            "month": "first day of the month",
            "population": "as in country_downloads",
            "attribution": "as in country_downloads",
            "organization": "organisation, or unaffiliated, unmapped",
            "downloads": "downloads in the month",
        },
    ),
    "attribute_downloads": (
        "month x population x dimension x member",
        {
            "month": "first day of the month",
            "population": "as in country_downloads",
            "dimension": ", ".join(TRAITS) + ", creation_year, developer_kind or gated",
            "member": "what the repositories are, as their tags, files and names say; whether they are gated is told "
            "by the listing alone, and unknown in the months before the last, which are archived without it",
            "downloads": "downloads in the month",
        },
    ),
    "sizes": (
        "month x population",
        {
            "month": "first day of the month",
            "population": "as in country_downloads",
            "downloads_sized": "downloads of models whose files or name say how large they are",
            "parameters_downloaded": "sum of these downloads times parameters",
        },
    ),
    "releases": (
        "month x organization x day",
        {
            "month": "first day of the month",
            "organization": "organisation, persons and unmapped ones left out",
            "country": "its country",
            "released_on": "day on which repositories were created",
            "new_repositories": "repositories created since the month's opening observation and listed at its close "
            "that derive from nothing, or from the organisation's own only",
        },
    ),
    "model_months": (
        "month x repository seen at either end of the month",
        {
            "month": "first day of the month",
            "hub_id": "the Hub's immutable id",
            "model_id": "name at the month's closing observation",
            "downloads": "downloads in the month; 0 where the case leaves them out",
            "case": "measured, created, late_arrival, counter_reset, disappeared, no_counter",
            "basis": "all_time: growth of the cumulative counter; rolling_30d: the 30-day counter",
            "quality": "exact, scaled or estimated",
        },
    ),
    "months": (
        "month",
        {
            "month": "first day of the month",
            "basis": "as in model_months",
            "quality": "as in model_months",
            "opening_observed_at": "time of the usable revision nearest to the month's opening, UTC",
            "closing_observed_at": "time of the usable revision nearest to the month's close, UTC",
            "opening_commit": "commit of that revision",
            "closing_commit": "commit of that revision",
            "downloads": "downloads of all repositories",
            "lost_to_resets": "what fallen counters lost",
            **dict.fromkeys(CASES[1:], "repositories in this case"),
        },
    ),
    "models": (
        "repository that ever exists",
        {
            "hub_id": "the Hub's immutable id",
            "model_id": "name at the end",
            "namespace": "account at the end, or null where the name has none",
            "account_type": "person or organization, or null where the name has no namespace",
            "organization": "organisation at the end, or unaffiliated, unmapped",
            "country": "its country, or international, unaffiliated, unmapped",
            "created_at": "creation, UTC",
            "public_at": "when it became visible, UTC",
            "deleted_at": "when it was deleted, UTC, or null",
            "relation": "how it derives from its parents, or null",
            "pipeline_tag": "task, or null",
            "is_language": "whether it is in the population language",
        },
    ),
    "renames": (
        "repository x former name",
        {
            "hub_id": "the Hub's immutable id",
            "former_id": "name before",
            "model_id": "name after",
            "renamed_at": "when, UTC",
        },
    ),
    "edges": (
        "child x stated parent",
        {
            "child_hub_id": "the derivative",
            "child_model_id": "its name at the end",
            "parent_hub_id": "its parent, or null where nobody lists it",
            "parent_model_id": "the parent's name at the end",
            "named_as": "the parent as tags and card name it: its name when the child was made",
            "relation": "finetune, adapter, merge, quantized; unspecified: not stated; other: a free text",
            "relation_stated": "the relation as the tags state it, or null",
            "evidence": "typed, untyped, free_text: by tags; card: by the card alone",
            "carries_origin": "false for a statement about oneself or inside a cycle, which has a root of its own",
        },
    ),
    "roots": (
        "derivative x root",
        {
            "hub_id": "the derivative",
            "root_model_id": "a root it descends from, by its name at the end",
            "root_namespace": "the root's account at the end, or null where its name has none",
            "weight": "the part of the derivative's downloads that the root is the origin of; sums to 1 by derivative",
        },
    ),
    "families": (
        "month x root",
        {
            "month": "first day of the month",
            "root_model_id": "the root",
            "root_namespace": "its account, or null where its name has none",
            "new_derivatives": "derivatives created in the month and listed at its close, by weight",
            "derivatives": "derivatives listed at the month's close, by weight",
            **{f"derivatives_{name}": "of these, by relation" for name in (*RELATIONS, "unspecified", "other")},
            "downloads": "downloads of the root and of its derivatives in the month, by weight",
            "downloads_derivatives": "of these, of the derivatives",
            "downloads_quantized": "of these, of quantised derivatives",
        },
    ),
    "flows": (
        "month x base country x derivative country",
        {
            "month": "first day of the month",
            "base_country": "country of the root",
            "derivative_country": "country of the derivative's uploader",
            "new_derivatives": "derivatives created in the month and listed at its close, by weight",
            "new_finetunes": "of these, fine-tunes",
            "derivatives": "derivatives listed at the month's close, by weight",
            "downloads": "downloads of these derivatives in the month, by weight",
        },
    ),
    "pathologies": (
        "fault x repository or revision",
        {
            "label": "the kind of fault",
            "hub_id": "the repository, or null where it is the whole Hub's or a revision's",
            "revision": "the archive's commit, or null",
            "month": "the month it shows in or from, where it is one",
            "detail": "anything else",
        },
    ),
    "targets": (
        "published figure",
        {
            "name": "name of the figure",
            "published_value": "as published, percent",
            "planted_value": "as planted, percent",
            "source": "who published it",
            "how": "how it is planted, and where figures cannot hold together",
        },
    ),
}
"""Every truth table: its grain, and its columns with their meaning."""


@dataclass(frozen=True)
class Planted:
    """All that was planted, as the truth needs it."""

    accounts: Accounts
    repositories: Repositories
    identity: Identity
    static: pl.DataFrame
    traits: pl.DataFrame
    stated: Edges
    downloads: Downloads
    found: Pathologies
    observations: tuple[PlannedRevision, ...]
    revisions: tuple[PlannedRevision, ...]
    commits: dict[datetime, str]


def tables(planted: Planted) -> dict[str, Callable[[], pl.DataFrame]]:
    """Every truth table by name, each made when called."""
    roots = _Roots(planted)
    return {
        "country_downloads": lambda: _member_downloads(planted, roots, "country"),
        "organization_downloads": lambda: _member_downloads(planted, roots, "organization"),
        "attribute_downloads": lambda: _attribute_downloads(planted),
        "sizes": lambda: _sizes(planted),
        "releases": lambda: _releases(planted),
        "model_months": lambda: _model_months(planted),
        "months": lambda: _months(planted),
        "models": lambda: _models(planted),
        "renames": lambda: _renames(planted),
        "edges": lambda: _edges(planted),
        "roots": roots.frame,
        "families": lambda: _families(planted, roots),
        "flows": lambda: _flows(planted, roots),
        "pathologies": lambda: planted.found.frame(
            planted.identity.hub_id,
            planted.revisions,
            [planted.commits[revision.committed_at] for revision in planted.revisions],
        ),
        "targets": _targets,
    }


class _Roots:
    """Roots of every derivative with their weights. A root is a repository's number, or an unlisted name's beyond."""

    def __init__(self, planted: Planted) -> None:
        self.planted = planted
        size = planted.repositories.size
        said = planted.stated.frame.filter("origin").unique(["child", "parent_id"], maintain_order=True)
        unlisted = said.filter(pl.col("parent").is_null()).unique("parent_id", maintain_order=True)
        self.unlisted = unlisted["parent_id"]
        number = {name: size + place for place, name in enumerate(self.unlisted)}
        key = said["parent"].fill_null(said["parent_id"].replace_strict(number, default=None, return_dtype=pl.Int64))
        self.account = np.concatenate([planted.repositories.account, unlisted["parent_account"].to_numpy()])
        child, parent = said["child"].to_numpy(), key.to_numpy()
        weight = 1 / np.bincount(child, minlength=size)[child]
        from_parents = _propagated(child, parent, weight, len(self.account))
        around = _in_cycles(planted)
        self.child, self.root, self.weight = (np.concatenate(parts) for parts in zip(from_parents, around, strict=True))
        relation = planted.stated.frame.filter(pl.col("child") != pl.col("parent").fill_null(-1)).unique(
            "child", keep="first", maintain_order=True
        )
        self.relation = pl.Series([None], dtype=pl.String).extend_constant(None, size - 1)
        self.relation = self.relation.scatter(relation["child"].to_numpy(), relation["relation"])

    def names(self) -> tuple[pl.Series, pl.Series]:
        """Names and namespaces of all possible roots, by root."""
        identity = self.planted.identity
        names = pl.concat([identity.model_id, self.unlisted.alias(identity.model_id.name)])
        return names, names.to_frame("name").select(namespace_of(pl.col("name"))).to_series()

    def frame(self) -> pl.DataFrame:
        names, namespaces = self.names()
        return pl.DataFrame(
            {
                "hub_id": self.planted.identity.hub_id.gather(self.child),
                "root_model_id": names.gather(self.root),
                "root_namespace": namespaces.gather(self.root),
                "weight": self.weight,
            }
        )

    def origin(self, downloads: Floats, member_of_account: npt.NDArray[np.int16], members: int) -> Floats:
        """Downloads by the member of their origin."""
        size = self.planted.repositories.size
        own = np.ones(size, bool)
        own[self.child] = False
        direct = np.bincount(member_of_account[self.account[:size][own]], downloads[own], minlength=members)
        passed = downloads[self.child] * self.weight
        return np.asarray(direct + np.bincount(member_of_account[self.account[self.root]], passed, minlength=members))


def _propagated(child: Integers, parent: Integers, weight: Floats, size: int) -> tuple[Integers, Integers, Floats]:
    """Child, root and weight: level by level down from the roots."""
    level = np.zeros(size, np.int64)
    while True:
        deeper = level.copy()
        np.maximum.at(deeper, child, level[parent] + 1)
        if np.array_equal(deeper, level):
            break
        level = deeper
    edges = pl.DataFrame({"child": child, "parent": parent, "weight": weight, "level": level[child]})
    known = pl.DataFrame(schema={"parent": pl.Int64, "root": pl.Int64, "part": pl.Float64})
    for below in edges.sort("level", maintain_order=True).partition_by("level", as_dict=True).values():
        passed = below.join(known, on="parent", how="left", maintain_order="left").select(
            "child",
            pl.coalesce("root", "parent").alias("root"),
            (pl.col("weight") * pl.col("part").fill_null(1.0)).alias("part"),
        )
        reached = passed.group_by("child", "root", maintain_order=True).agg(pl.col("part").sum())
        known = pl.concat([known, reached.select(pl.col("child").alias("parent"), "root", "part")])
    known = known.sort("parent", maintain_order=True)
    return known["parent"].to_numpy(), known["root"].to_numpy(), known["part"].to_numpy()


def _in_cycles(planted: Planted) -> tuple[Integers, Integers, Floats]:
    """Child, root and weight of the members of planted cycles."""
    names = planted.identity.model_id
    cycles = planted.found.cycles
    heads = [min(members.tolist(), key=names.__getitem__) for members in cycles]
    child = np.concatenate([np.zeros(0, np.int64), *cycles])
    root = np.repeat(np.array(heads, np.int64), [len(members) for members in cycles])
    return child, root, np.ones(len(child))


def _members(planted: Planted, month: int, dimension: str) -> tuple[list[str], npt.NDArray[np.int16]]:
    """Members of country, organization or kind, and each account's place among them in a month."""
    if dimension == "country":
        return planted.downloads.countries, planted.downloads.country[month]
    accounts = planted.accounts
    person = INDIVIDUAL if dimension == "kind" else UNAFFILIATED
    of_cast = [getattr(who, dimension) for who in accounts.attributions(last_day_of(month))]
    names = sorted({*of_cast, person, UNMAPPED})
    table = np.full(accounts.first_unknown + accounts.unknown_organizations, names.index(UNMAPPED), np.int16)
    table[: accounts.first_person] = [names.index(name) for name in of_cast]
    table[accounts.first_person : accounts.first_unknown] = names.index(person)
    return names, table


def _populations(planted: Planted, month: int) -> dict[str, Booleans]:
    created = planted.repositories.created
    populations = {
        "all": np.ones(len(created), bool),
        "new": new_at_close(created, month, targets.NEW_MODEL_DAYS),
        "language": _is_language(planted),
    }
    flagged = _is_flagged(planted, month)
    return populations | {f"{name}_unflagged": included & ~flagged for name, included in populations.items()}


def _is_flagged(planted: Planted, month: int) -> Booleans:
    repositories = planted.repositories
    flagged: Booleans = repositories.account == repositories.account[repositories.fixed[targets.TEST_TRAFFIC]]
    if targets.FIXED_SHARES[targets.BOT_BURST][month] >= targets.BURST_PERCENT:
        flagged[repositories.fixed[targets.BOT_BURST]] = True
    return flagged


def _is_language(planted: Planted) -> Booleans:
    return np.asarray(
        planted.static["pipeline_tag"].is_in(list(targets.LANGUAGE_TASKS)).fill_null(value=False).to_numpy()
    )


def _member_downloads(planted: Planted, roots: _Roots, kind: str) -> pl.DataFrame:
    columns: dict[str, list[Any]] = {"month": [], "population": [], "attribution": [], kind: [], "downloads": []}
    for month, first_day in enumerate(MONTHS):
        names, member = _members(planted, month, kind)
        measured = planted.downloads.measured(month)
        uploader = member[planted.repositories.account]
        for population, included in _populations(planted, month).items():
            counted = np.where(included, measured, 0.0)
            by_uploader = np.bincount(uploader, counted, minlength=len(names))
            by_origin = roots.origin(counted, member, len(names))
            for attribution, sums in (("uploader", by_uploader), ("origin", by_origin)):
                columns["month"] += [first_day] * len(names)
                columns["population"] += [population] * len(names)
                columns["attribution"] += [attribution] * len(names)
                columns[kind] += names
                columns["downloads"] += sums.tolist()
    return pl.DataFrame(columns).filter(pl.col("downloads") > 0)


def _attribute_downloads(planted: Planted) -> pl.DataFrame:
    year = pl.from_epoch(pl.Series(planted.repositories.created), time_unit="s").dt.year().cast(pl.String)
    gate = planted.static["gated"].replace_strict(_GATES)
    traits = planted.traits.select(TRAITS).with_columns(year.alias("creation_year"))
    parts = []
    for month, first_day in enumerate(MONTHS):
        kinds, kind = _members(planted, month, "kind")
        of_month = traits.with_columns(
            pl.Series(kinds).gather(kind[planted.repositories.account]).alias("developer_kind"),
            (gate if first_day == MONTHS[-1] else pl.lit("unknown")).alias("gated"),
        )
        populations = _populations(planted, month)
        counted = of_month.with_columns(
            pl.Series(population, np.where(included, planted.downloads.measured(month), 0.0))
            for population, included in populations.items()
        )
        parts += [
            counted.group_by(pl.col(dimension).alias("member"))
            .agg(pl.col(*populations).sum())
            .unpivot(list(populations), index="member", variable_name="population", value_name="downloads")
            .with_columns(pl.lit(first_day).alias("month"), pl.lit(dimension).alias("dimension"))
            for dimension in of_month.columns
        ]
    return (
        pl.concat(parts)
        .filter(pl.col("downloads") > 0)
        .select("month", "population", "dimension", "member", "downloads")
        .sort("month", "population", "dimension", "member")
    )


def _sizes(planted: Planted) -> pl.DataFrame:
    parameters = planted.traits["parameters"].fill_null(0).to_numpy()
    rows = []
    for month, first_day in enumerate(MONTHS):
        sized = np.where(parameters > 0, planted.downloads.measured(month), 0.0)
        rows += [
            {
                "month": first_day,
                "population": population,
                "downloads_sized": float(sized[included].sum()),
                "parameters_downloaded": float((sized * parameters)[included].sum()),
            }
            for population, included in _populations(planted, month).items()
        ]
    return pl.DataFrame(rows)


def _releases(planted: Planted) -> pl.DataFrame:
    """Counted between observations, as the census sees it: what is made and hidden again between two is not seen."""
    repositories, observed = planted.repositories, planted.downloads.observed
    stated = planted.stated.frame.filter(pl.col("child") != pl.col("parent").fill_null(-1))
    child = stated["child"].to_numpy()
    parts = []
    for month, first_day in enumerate(MONTHS):
        names, organization = _members(planted, month, "organization")
        countries, country = _members(planted, month, "country")
        own = organization[repositories.account]
        strange = np.zeros(repositories.size, bool)
        strange[child[organization[stated["parent_account"].to_numpy()] != own[child]]] = True
        created = (repositories.created > observed[month]) & repositories.visible(int(observed[month + 1]))
        new = np.flatnonzero(created & ~strange)
        parts.append(
            pl.DataFrame(
                {
                    "month": [first_day] * len(new),
                    "organization": pl.Series(names).gather(own[new]),
                    "country": pl.Series(countries).gather(country[repositories.account[new]]),
                    "released_on": pl.from_epoch(pl.Series(repositories.created[new]), time_unit="s").dt.date(),
                }
            )
            .group_by("month", "organization", "country", "released_on")
            .agg(pl.len().cast(pl.Int64).alias("new_repositories"))
            .filter(~pl.col("organization").is_in([UNAFFILIATED, UNMAPPED]))
            .sort("organization", "released_on")
        )
    return pl.concat(parts)


def basis_and_quality(observations: tuple[PlannedRevision, ...], month: int) -> tuple[str, str]:
    """How a month is measured, and how well."""
    if is_rolling(month):
        return "rolling_30d", "estimated"
    offsets = [abs(observations[end].observed_at - BOUNDARIES[end]) for end in (month, month + 1)]
    return "all_time", "exact" if max(offsets) <= EXACT_WITHIN else "scaled"


def _model_months(planted: Planted) -> pl.DataFrame:
    identity = planted.identity
    parts = []
    for month, first_day in enumerate(MONTHS):
        seen = np.flatnonzero(planted.downloads.case[month] != ABSENT)
        basis, quality = basis_and_quality(planted.observations, month)
        renamed = identity.renamed_at[seen] <= planted.downloads.observed[month + 1]
        names = pl.DataFrame(
            {"now": identity.model_id.gather(seen), "before": identity.former_id.gather(seen), "renamed": renamed}
        ).select(pl.when("renamed").then("now").otherwise(pl.coalesce("before", "now")))
        parts.append(
            pl.DataFrame(
                {
                    "hub_id": identity.hub_id.gather(seen),
                    "model_id": names.to_series(),
                    "downloads": planted.downloads.measured(month)[seen],
                    "case": pl.Series(CASES).gather(planted.downloads.case[month][seen]),
                }
            ).select(
                pl.lit(first_day).alias("month"),
                "hub_id",
                "model_id",
                "downloads",
                "case",
                pl.lit(basis).alias("basis"),
                pl.lit(quality).alias("quality"),
            )
        )
    return pl.concat(parts)


def _months(planted: Planted) -> pl.DataFrame:
    rows = []
    for month, first_day in enumerate(MONTHS):
        basis, quality = basis_and_quality(planted.observations, month)
        opening, closing = planted.observations[month], planted.observations[month + 1]
        counts = np.bincount(planted.downloads.case[month], minlength=len(CASES))
        reset = planted.downloads.case[month] == COUNTER_RESET
        lost = (planted.downloads.all_time[month] - planted.downloads.all_time[month + 1])[reset].sum()
        rows.append(
            {
                "month": first_day,
                "basis": basis,
                "quality": quality,
                "opening_observed_at": opening.observed_at,
                "closing_observed_at": closing.observed_at,
                "opening_commit": planted.commits.get(opening.committed_at),
                "closing_commit": planted.commits.get(closing.committed_at),
                "downloads": float(planted.downloads.measured(month).sum()),
                "lost_to_resets": int(lost),
                **{case: int(counts[place]) for place, case in enumerate(CASES) if place},
            }
        )
    return pl.DataFrame(rows)


def _models(planted: Planted) -> pl.DataFrame:
    repositories, accounts = planted.repositories, planted.accounts
    organizations, organization = _members(planted, len(MONTHS) - 1, "organization")
    countries, country = _members(planted, len(MONTHS) - 1, "country")
    types = accounts.frame()["type"]
    deleted = np.where(repositories.deleted < planted.downloads.observed[-1] + 1, repositories.deleted, -1)
    relation = np.maximum(repositories.relation, -1).astype(np.int64)
    return pl.DataFrame(
        {
            "hub_id": planted.identity.hub_id,
            "model_id": planted.identity.model_id,
            "namespace": planted.identity.namespace,
            "account_type": pl.select(
                pl.when(planted.identity.namespace.is_not_null()).then(types.gather(repositories.account))
            ).to_series(),
            "organization": pl.Series(organizations).gather(organization[repositories.account]),
            "country": pl.Series(countries).gather(country[repositories.account]),
            "created_at": _times(repositories.created),
            "public_at": _times(np.maximum(repositories.created, repositories.public)),
            "deleted_at": _times(deleted).set(pl.Series(deleted < 0), None),
            "relation": pl.Series((*RELATIONS, None), dtype=pl.String).gather(
                np.where(relation < 0, len(RELATIONS), relation)
            ),
            "pipeline_tag": planted.static["pipeline_tag"],
            "is_language": _is_language(planted),
        }
    )


def _renames(planted: Planted) -> pl.DataFrame:
    renamed = np.flatnonzero(planted.identity.former_id.is_not_null().to_numpy())
    return pl.DataFrame(
        {
            "hub_id": planted.identity.hub_id.gather(renamed),
            "former_id": planted.identity.former_id.gather(renamed),
            "model_id": planted.identity.model_id.gather(renamed),
            "renamed_at": _times(planted.identity.renamed_at[renamed]),
        }
    )


def _edges(planted: Planted) -> pl.DataFrame:
    said = planted.stated.frame.unique(["child", "parent_id"], maintain_order=True)
    hub_id = planted.identity.hub_id
    return pl.DataFrame(
        {
            "child_hub_id": hub_id.gather(said["child"]),
            "child_model_id": planted.identity.model_id.gather(said["child"]),
            "parent_hub_id": hub_id.gather(said["parent"]),
            "parent_model_id": said["parent_id"],
            "named_as": said["named"],
            "relation": said["relation"],
            "relation_stated": said["relation_stated"],
            "evidence": said["evidence"],
            "carries_origin": said["origin"],
        }
    )


def _derivations(planted: Planted, roots: _Roots, month: int) -> pl.DataFrame:
    """Grain: listed derivative x root in a month, with its weight and what it counts."""
    case = planted.downloads.case[month][roots.child]
    listed = (case != ABSENT) & (case != DISAPPEARED)
    countries = planted.downloads.country[month]
    names = pl.Series(planted.downloads.countries)
    child, root = roots.child[listed], roots.root[listed]
    created_in_month = month_of(planted.repositories.created) == month_number(MONTHS[month])
    return pl.DataFrame(
        {
            "root": root,
            "weight": roots.weight[listed],
            "new": roots.weight[listed] * created_in_month[child],
            "relation": roots.relation.gather(child),
            "base_country": names.gather(countries[roots.account[root]]),
            "derivative_country": names.gather(countries[planted.repositories.account[child]]),
            "downloads": planted.downloads.measured(month)[child] * roots.weight[listed],
        }
    )


def _families(planted: Planted, roots: _Roots) -> pl.DataFrame:
    names, namespaces = roots.names()
    is_root = np.ones(len(roots.account), bool)
    is_root[roots.child] = False
    parts = []
    for month, first_day in enumerate(MONTHS):
        own = np.zeros(len(roots.account))
        own[: planted.repositories.size] = planted.downloads.measured(month)
        own[~is_root] = 0
        by_root = (
            _derivations(planted, roots, month)
            .group_by("root", maintain_order=True)
            .agg(
                pl.col("new").sum().alias("new_derivatives"),
                pl.col("weight").sum().alias("derivatives"),
                *[
                    pl.col("weight").filter(pl.col("relation") == name).sum().alias(f"derivatives_{name}")
                    for name in (*RELATIONS, "unspecified", "other")
                ],
                pl.col("downloads").sum().alias("downloads_derivatives"),
                pl.col("downloads").filter(pl.col("relation") == "quantized").sum().alias("downloads_quantized"),
            )
            .sort("root")
        )
        parts.append(
            by_root.select(
                pl.lit(first_day).alias("month"),
                names.gather(by_root["root"]).alias("root_model_id"),
                namespaces.gather(by_root["root"]).alias("root_namespace"),
                pl.exclude("root", "downloads_derivatives", "downloads_quantized"),
                (pl.Series(own).gather(by_root["root"]) + by_root["downloads_derivatives"]).alias("downloads"),
                "downloads_derivatives",
                "downloads_quantized",
            )
        )
    return pl.concat(parts)


def _flows(planted: Planted, roots: _Roots) -> pl.DataFrame:
    parts = [
        _derivations(planted, roots, month)
        .group_by("base_country", "derivative_country", maintain_order=True)
        .agg(
            pl.col("new").sum().alias("new_derivatives"),
            pl.col("new").filter(pl.col("relation") == "finetune").sum().alias("new_finetunes"),
            pl.col("weight").sum().alias("derivatives"),
            pl.col("downloads").sum(),
        )
        .sort("base_country", "derivative_country")
        .select(pl.lit(first_day).alias("month"), pl.all())
        for month, first_day in enumerate(MONTHS)
    ]
    return pl.concat(parts)


def _targets() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "name": [target.name for target in targets.TARGETS],
            "published_value": [target.published for target in targets.TARGETS],
            "planted_value": [target.planted for target in targets.TARGETS],
            "source": [target.source for target in targets.TARGETS],
            "how": [target.how for target in targets.TARGETS],
        }
    )


def _times(seconds: Integers) -> pl.Series:
    return pl.from_epoch(pl.Series(seconds), time_unit="s").cast(pl.Datetime("us", str(UTC)))
