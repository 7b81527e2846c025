"""Holds what a publication is made from to what it was at the beginning: no month run meanwhile is half in it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from pipeline.errors import TemporaryError
from pipeline.lake.store import Lake
from pipeline.publish.digests import place_in_lake, table_and_month
from pipeline.publish.manifest import MONTH_MANIFEST
from pipeline.schema.catalogue import Catalogue
from pipeline.schema.declaration import Table


def file_states(lake: Lake, catalogue: Catalogue) -> dict[str, str | None]:
    """By path in the lake: the state of each file of the finished months, of their manifests and of what has none."""
    places: list[tuple[Table, date | None]] = [
        (table, None) for table in catalogue.tables.values() if not table.monthly
    ]
    places += [
        (table, month) for month in lake.months(MONTH_MANIFEST) for table in (*catalogue.monthly, MONTH_MANIFEST)
    ]
    return {place_in_lake(table.path, month): lake.state(table, month) for table, month in places}


def require_unchanged(
    lake: Lake, catalogue: Catalogue, states: Mapping[str, str | None], digests: Mapping[str, str]
) -> None:
    """Holds the files that `digests` lists to them, where they are not in the state any more that they had before.

    Raises:
        TemporaryError: one was written anew with other bytes, or removed.
    """
    for name, digest in digests.items():
        table, month = table_and_month(name, catalogue)
        if table is None or _is_unchanged(lake, table, month, states.get(name), digest):
            continue
        raise TemporaryError(
            f"{name} of the lake was replaced while it was published: wait until the run that replaces it ends and "
            "publish again"
        )


def _is_unchanged(lake: Lake, table: Table, month: date | None, before: str | None, digest: str) -> bool:
    now = lake.state(table, month)
    return now is not None and (now == before or lake.digest(table, month) == digest)
