"""One publication: every finished month, its periods and dimensions, as one version of the published folder."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import CensusError
from pipeline.lake.store import Lake
from pipeline.publish.export import LakeMonths, write_csv
from pipeline.publish.folder import PublishedFolder
from pipeline.publish.guards import (
    require_made_alike,
    require_no_fewer_months,
    require_one_world,
    require_same_headline,
    split_by_rule,
)
from pipeline.publish.manifest import finished_months
from pipeline.publish.metadata import write_metadata
from pipeline.publish.verify import file_states, lake_digests, require_unchanged, write_digests
from pipeline.publish.warehouse import FILE_NAME, Connect, hold_to_the_lake, write_warehouse
from pipeline.schema.catalogue import Catalogue
from pipeline.schema.published import Edition

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
    with published.new_version() as draft:
        states = file_states(lake, catalogue)
        finished = split_by_rule(lake, finished_months(lake, catalogue), edition.origin_rule)
        if not finished.publishable:
            reasons = "; ".join(finished.reasons()) or f"the lake at {lake.url} is empty: `census run`"
            raise CensusError(f"no month can be published ({reasons})")
        require_one_world(lake, finished.publishable)
        require_made_alike(lake, catalogue, finished.publishable, allowed)
        require_no_fewer_months(published, finished, allowed)
        made_from = lake_digests(lake, catalogue, finished.publishable)
        begun = replace(edition, version=draft.version, published_at=datetime.now(UTC))
        months = LakeMonths(lake, catalogue, tuple(finished.publishable), begun, draft.path / "parquet")
        tables = [months.exported(name) for name in catalogue.published]
        warehouse = draft.path / FILE_NAME
        write_warehouse(warehouse, tables, connect)
        hold_to_the_lake(warehouse, months, connect)
        require_same_headline(published, draft.path, allowed)
        csv = write_csv(draft.path / "csv", tables)
        write_metadata(draft.path, months, tables, csv)
        pictures = write_pages(draft.path, catalogue, draft.path.parent)
        require_unchanged(lake, catalogue, states, made_from)
        write_digests(draft.path, made_from)
    rows = {exported.made.name: exported.rows for exported in tables}
    return Publication(draft.version, months.months, finished.reasons(), rows, pictures)
