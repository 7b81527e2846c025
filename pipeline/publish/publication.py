"""One publication: every finished month, its periods and dimensions, as one version of the published folder.

Nothing that is published changes, shrinks or mixes what does not belong together unsaid.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from pipeline.databases import open_published
from pipeline.errors import CensusError
from pipeline.lake.store import Lake
from pipeline.months import in_words, run_again
from pipeline.publish.export import LakeMonths, write_csv
from pipeline.publish.folder import PublishedFolder
from pipeline.publish.manifest import ORIGIN_RULE, FinishedMonths, different, finished_months, made_by, source_of
from pipeline.publish.metadata import write_metadata
from pipeline.publish.verify import file_states, lake_digests, require_unchanged, write_digests
from pipeline.publish.warehouse import FILE_NAME, Connect, hold_to_the_lake, write_warehouse
from pipeline.schema.catalogue import Catalogue
from pipeline.schema.published import Edition
from pipeline.settings import CHANGED_HEADLINE, FEWER_MONTHS, MIXED_LISTS
from pipeline.synthetic import is_synthetic

if TYPE_CHECKING:
    from pipeline.report.pictures import Picture


@dataclass(frozen=True)
class Publication:
    """What was published, and which months were not, why, and what mends it."""

    version: str
    months: tuple[date, ...]
    held_back: list[str]
    rows: dict[str, int]
    pictures: list[Picture]


def publish(
    lake: Lake,
    catalogue: Catalogue,
    folder: Path,
    connect: Connect,
    edition: Edition,
    allowed: Collection[str] = (),
) -> Publication:
    """Publishes every finished month of the lake whose derivatives are split by one rule into `folder`.

    Warehouse, Parquet, CSV, metadata and report are one version, which replaces the one before at once, though it
    differs from it in what is `allowed` (of `settings.ALLOWANCES`).

    Raises:
        CensusError: no month is finished, the months do not belong together, the version would take away or change what
            is published, or what was written is not what the lake holds; what was published before stays.
        TemporaryError: a month was run meanwhile; what was published before stays.
    """
    from pipeline.report.site import write_pages  # noqa: PLC0415 - it draws: a second of imports, needed here alone

    published = PublishedFolder(folder)
    with published.new_version() as (version, draft):
        before, states = published.current_path(), file_states(lake, catalogue)
        finished = split_by_rule(lake, finished_months(lake, catalogue), edition.origin_rule)
        if not finished.publishable:
            reasons = "; ".join(finished.reasons()) or f"the lake at {lake.url} is empty: `census run`"
            raise CensusError(f"no month can be published ({reasons})")
        require_one_world(lake, finished.publishable)
        refuse(mixed_lists(lake, catalogue, finished.publishable), MIXED_LISTS, allowed)
        refuse(lost_months(before, finished), FEWER_MONTHS, allowed)
        made_from = lake_digests(lake, catalogue, finished.publishable)
        begun = replace(edition, version=version, published_at=datetime.now(UTC))
        months = LakeMonths(lake, catalogue, tuple(finished.publishable), begun, draft / "parquet")
        tables = [months.exported(name) for name in catalogue.published]
        warehouse = draft / FILE_NAME
        write_warehouse(warehouse, tables, connect)
        hold_to_the_lake(warehouse, months, connect)
        refuse(changed_headline(before, draft), CHANGED_HEADLINE, allowed)
        csv = write_csv(draft / "csv", tables)
        write_metadata(draft, months, tables, csv)
        pictures = write_pages(draft, catalogue, draft.parent)
        require_unchanged(lake, catalogue, states, made_from)
        write_digests(draft, made_from)
    rows = {exported.made.name: exported.rows for exported in tables}
    return Publication(version, months.months, finished.reasons(), rows, pictures)


def refuse(problems: Iterable[str], what: str, allowed: Collection[str]) -> None:
    """Refuses a publication with any of the problems, unless `what` they are about is allowed."""
    for problem in problems:
        if what not in allowed:
            raise CensusError(f"{problem}; if it is meant, `census publish --allow {what}`")


def split_by_rule(lake: Lake, finished: FinishedMonths, rule: str) -> FinishedMonths:
    """Holds back the months whose derivatives are split by another rule: periods over different rules do not add up."""
    rules = {month: made_by(lake, month).get(ORIGIN_RULE, rule) for month in finished.publishable}
    others = {
        month: f"derivatives are split by {other}, and in this publication by {rule}: publish by {other}, or run again"
        for month, other in rules.items()
        if other != rule
    }
    return FinishedMonths([month for month in rules if month not in others], finished.held_back | others)


def require_one_world(lake: Lake, months: Sequence[date]) -> None:
    """Refuses synthetic months beside real ones."""
    synthetic = [month for month in months if is_synthetic(source_of(lake, month))]
    if synthetic and len(synthetic) < len(months):
        raise CensusError(
            f"the lake holds {len(synthetic)} synthetic months ({synthetic[0]:%Y-%m} and on) and "
            f"{len(months) - len(synthetic)} real ones, which are never published together: start a home of its own "
            "for real data by setting CENSUS_HOME to another folder, and run the real months there"
        )


def mixed_lists(lake: Lake, catalogue: Catalogue, months: Sequence[date]) -> Iterator[str]:
    """Says which months were made by other registries or reviewed lists than the last, and whether a registry was."""
    latest = made_by(lake, months[-1])
    differing = {month: found for month in months if (found := different(made_by(lake, month), latest))}
    if differing:
        names = ", ".join(sorted(set(chain(*differing.values()))))
        yield (
            f"{in_words(list(differing))} were made by another version of {names} than {months[-1]:%Y-%m}: "
            f"{run_again(min(differing), max(differing))} from the step that reads it "
            "(`--from-step downloads`, `attribution`, `lineage` or `shares`)"
        )
    for table in catalogue.tables.values():
        known = lake.provenance(table) if not table.monthly and lake.holds(table) else None
        if known and (lists := different(known.made_by, latest)):
            yield (
                f"{table.path} is of another version of {', '.join(lists)} than the months were made by: "
                f"{run_again(months[0], months[-1], 'attribution')}"
            )


def lost_months(before: Path | None, finished: FinishedMonths) -> Iterator[str]:
    """Says which months of the version before would no longer be published, and why."""
    published = [month for (month,) in _rows(before, "select month from dim_month order by month")]
    if lost := [month for month in published if month not in finished.publishable]:
        known = {month: finished.held_back.get(month, "the lake has none of it") for month in lost}
        yield (
            f"{len(lost)} of {len(published)} published months would no longer be published "
            f"({'; '.join(FinishedMonths([], known).reasons())})"
        )


def changed_headline(before: Path | None, after: Path) -> Iterator[str]:
    """Says which shares of the headline of the version before a later one states otherwise, by half a percentage point.

    Nothing where the later one has another period under that month: it then holds more months, or fewer. Of two
    countries that changed places the first ones are told though their shares moved little.
    """
    asked = "select month, months_in_period, population, country_name, share from headline_country where"
    in_order = "order by share desc, country_name"
    last = "month = (select month from headline_country order by is_complete desc, month desc limit 1)"
    if before is None or not (was := _rows(before, f"{asked} {last} {in_order}")):
        return
    *period, leader, _ = was[0]
    now = _rows(after, f"{asked} month = ? and months_in_period = ? and population = ? {in_order}", *period)
    if not now:
        return
    shares = {name: share for *_, name, share in now}
    moved = [
        f"{name}: {shares.get(name, 0.0):.2%}, {share:.2%} in version {before.name}"
        for *_, name, share in was
        if abs(shares.get(name, 0.0) - share) > 0.005
    ]
    if (leads := now[0][-2]) != leader:
        moved.insert(0, f"{leads} leads {period[0]:%Y-%m}, {leader} did in version {before.name}")
    if moved:
        yield (
            f"the published headline would change ({'; '.join(moved)}): look for the cause, for example with "
            "`census registry review`"
        )


def _rows(version: Path | None, query: str, *asked: Any) -> list[tuple[Any, ...]]:
    """The rows of a version; none without one, or where its warehouse cannot be read: a new version puts that right."""
    if version is None:
        return []
    try:
        with open_published(version / FILE_NAME) as connection:
            return connection.sql(query, params=list(asked)).fetchall()
    except duckdb.Error:
        return []
