"""What keeps a publication from being made, or from taking the place of the one before: nothing changes unsaid."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from pipeline.databases import open_published
from pipeline.errors import CensusError
from pipeline.lake.store import Lake
from pipeline.months import in_words, run_again
from pipeline.publish.folder import PublishedFolder
from pipeline.publish.manifest import MONTH_MANIFEST, FinishedMonths, different, made_by, source_of
from pipeline.publish.warehouse import FILE_NAME
from pipeline.schema.catalogue import Catalogue
from pipeline.settings import CHANGED_HEADLINE, FEWER_MONTHS, MIXED_LISTS
from pipeline.synthetic import is_synthetic

NOTABLE = 0.005
"""Shares of the headline that move by more than half a percentage point are a change."""
ORIGIN_RULE = "origin_rule"
"""Under which name a month states by what rule its derivatives are split over their roots."""


def split_by_rule(lake: Lake, finished: FinishedMonths, rule: str) -> FinishedMonths:
    """Holds back the months whose derivatives are split by another rule: periods over different rules do not add up."""
    rules = {month: made_by(lake, month).get(ORIGIN_RULE, rule) for month in finished.publishable}
    others = {
        month: f"derivatives are split by {other}, and in this publication by {rule}: publish by {other}, or run again"
        for month, other in rules.items()
        if other != rule
    }
    return FinishedMonths([month for month in rules if month not in others], finished.held_back | others)


def require_same_world(lake: Lake, source: str, month: date | None = None) -> None:
    """Refuses a month of a synthetic source in a lake of real months, and the other way round.

    Raises:
        CensusError: months other than `month` are of the other kind.
    """
    others = [other for other in lake.months(MONTH_MANIFEST) if other != month]
    known = source_of(lake, others[-1]) if others else source
    if is_synthetic(known) != is_synthetic(source):
        kinds = ("synthetic", "real") if is_synthetic(known) else ("real", "synthetic")
        raise CensusError(
            f"the lake at {lake.url} holds {kinds[0]} months (source {known}), and source {source} is {kinds[1]}: they "
            f"never meet in one home, so give {kinds[1]} data its own: CENSUS_HOME=~/census-{kinds[1]} census run "
            f"--source {source}"
        )


def require_one_world(lake: Lake, months: Sequence[date]) -> None:
    """Refuses synthetic months beside real ones.

    Raises:
        CensusError: there are both.
    """
    sources = {month: source_of(lake, month) for month in months}
    synthetic = [month for month, source in sources.items() if is_synthetic(source)]
    if synthetic and len(synthetic) < len(months):
        raise CensusError(
            f"the lake holds {len(synthetic)} synthetic months ({synthetic[0]:%Y-%m} and on) and "
            f"{len(months) - len(synthetic)} real ones, which are never published together: start a home of its own "
            "for real data by setting CENSUS_HOME to another folder, and run the real months there"
        )


def require_made_alike(lake: Lake, catalogue: Catalogue, months: Sequence[date], allowed: Collection[str] = ()) -> None:
    """Refuses months that were made by different registries or other reviewed lists, and another registry than theirs.

    Raises:
        CensusError: they were.
    """
    if MIXED_LISTS in allowed:
        return
    latest = made_by(lake, months[-1])
    others = {month: different(made_by(lake, month), latest) for month in months}
    if differing := {month: names for month, names in others.items() if names}:
        names = ", ".join(sorted({name for found in differing.values() for name in found}))
        first, last = min(differing), max(differing)
        raise CensusError(
            f"{in_words(list(differing))} were made by another version of {names} than {months[-1]:%Y-%m}: "
            f"{run_again(first, last)} from the step that reads it "
            f"(`--from-step downloads`, `attribution`, `lineage` or `shares`){_allow(MIXED_LISTS)}"
        )
    for table in catalogue.tables.values():
        known = lake.provenance(table) if not table.monthly and lake.holds(table) else None
        if known and (lists := different(known.made_by, latest)):
            raise CensusError(
                f"{table.path} is of another version of {', '.join(lists)} than the months were made by: "
                f"{run_again(months[0], months[-1], 'attribution')}{_allow(MIXED_LISTS)}"
            )


def require_no_fewer_months(folder: PublishedFolder, finished: FinishedMonths, allowed: Collection[str] = ()) -> None:
    """Refuses a version without a month that the current one has.

    Raises:
        CensusError: one would be missing.
    """
    current = folder.current_path()
    if current is None or FEWER_MONTHS in allowed:
        return
    published = [month for (month,) in _rows(current, "select month from dim_month order by month")]
    if lost := [month for month in published if month not in finished.publishable]:
        known = {month: finished.held_back.get(month, "the lake has none of it") for month in lost}
        raise CensusError(
            f"{len(lost)} of {len(published)} published months would no longer be published "
            f"({'; '.join(FinishedMonths([], known).reasons())}){_allow(FEWER_MONTHS)}"
        )


def require_same_headline(folder: PublishedFolder, draft: Path, allowed: Collection[str] = ()) -> None:
    """Refuses a version that states the headline of the current one otherwise.

    Raises:
        CensusError: it does.
    """
    current = folder.current_path()
    if current is None or CHANGED_HEADLINE in allowed:
        return
    if changes := headline_changes(current, draft):
        raise CensusError(
            f"the published headline would change ({'; '.join(changes)}): look for the cause, for example with `census "
            f"registry review`{_allow(CHANGED_HEADLINE)}"
        )


def headline_changes(before: Path, after: Path) -> list[str]:
    """A sentence for each share of an earlier version's headline that a later one states otherwise.

    Nothing where the later one has another period under that month: it then holds more months, or fewer. Of two
    countries that changed places the first ones are told though their shares moved little.
    """
    was = _rows(before, f"{_HEADLINE} {_LATEST} {_IN_ORDER}")
    if not was:
        return []
    *period, leader, _ = was[0]
    now = _rows(after, f"{_HEADLINE} where month = ? and months_in_period = ? and population = ? {_IN_ORDER}", *period)
    if not now:
        return []
    shares = {name: share for *_, name, share in now}
    moved = [
        f"{name}: {shares.get(name, 0.0):.2%}, {share:.2%} in version {before.name}"
        for *_, name, share in was
        if abs(shares.get(name, 0.0) - share) > NOTABLE
    ]
    if (leads := now[0][-2]) != leader:
        moved.insert(0, f"{leads} leads {period[0]:%Y-%m}, {leader} did in version {before.name}")
    return moved


_HEADLINE = "select month, months_in_period, population, country_name, share from headline_country"
_LATEST = "where month = (select month from headline_country order by is_complete desc, month desc limit 1)"
_IN_ORDER = "order by share desc, country_name"


def _rows(version: Path, query: str, *asked: Any) -> list[tuple[Any, ...]]:
    """The rows of a version; none where its warehouse cannot be read, which a new version puts right."""
    try:
        with open_published(version / FILE_NAME) as connection:
            return connection.sql(query, params=list(asked)).fetchall()
    except duckdb.Error:
        return []


def _allow(what: str) -> str:
    return f"; if it is meant, `census publish --allow {what}`"
