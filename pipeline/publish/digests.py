"""The digests of a publication, in the form that `sha256sum --check` reads.

`SHA256SUMS` lists the version's files; `lake.sha256`, one of them, the lake's files that it was made from.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

from pipeline.digest import digest_of
from pipeline.errors import CensusError
from pipeline.lake.store import Lake
from pipeline.publish.manifest import MONTH_MANIFEST, manifest_rows
from pipeline.schema.catalogue import Catalogue
from pipeline.schema.declaration import Table

OF_THE_VERSION = "SHA256SUMS"
OF_THE_LAKE = "lake.sha256"
PLACE = re.compile(r"(?P<table>[a-z_]+/[a-z_]+)(?:/month=(?P<month>\d{4}-(?:0[1-9]|1[0-2])-01))?/part-0\.parquet")
LINE = re.compile(r"([0-9a-f]{64})  (\S[^\n]*)\n")


def write_digests(version: Path, of_the_lake: Mapping[str, str]) -> None:
    """Writes both lists into the version's folder, once everything else is in it; see `lake_digests`."""
    (version / OF_THE_LAKE).write_text(_lines(of_the_lake), encoding="utf-8")
    (version / OF_THE_VERSION).write_text(_lines(file_digests(version)), encoding="utf-8")


def table_and_month(name: str, catalogue: Catalogue) -> tuple[Table | None, date | None]:
    """The table and month of a path in the lake; no table where it is none."""
    match = PLACE.fullmatch(name)
    if match is None:
        return None, None
    table = catalogue.tables.get(match["table"])
    month = date.fromisoformat(match["month"]) if match["month"] else None
    return (table, month) if table is not None and table.monthly == (month is not None) else (None, None)


def place_in_lake(table: str, month: date | None = None) -> str:
    """The path in the lake of a table's month, or of a table without months, as `table_and_month` reads it."""
    return f"{table}/{f'month={month.isoformat()}/' if month else ''}part-0.parquet"


def lake_digests(lake: Lake, catalogue: Catalogue, months: Sequence[date]) -> dict[str, str]:
    """By path in the lake: tables without months, the months' manifests as they are now, and what these list."""
    digests = {
        place_in_lake(table.path): lake.digest(table)
        for table in catalogue.tables.values()
        if not table.monthly and lake.holds(table)
    }
    for month in months:
        digests[place_in_lake(MONTH_MANIFEST.path, month)] = lake.digest(MONTH_MANIFEST, month)
        listed = manifest_rows(lake, month).select("table", "sha256")
        digests |= {place_in_lake(table, month): digest for table, digest in listed.iter_rows()}
    return digests


def file_digests(version: Path) -> dict[str, str]:
    """By path in the version: every file but the list itself."""
    files = (path for path in sorted(version.rglob("*")) if path.is_file() and path != version / OF_THE_VERSION)
    return {path.relative_to(version).as_posix(): digest_of(path) for path in files}


def read_digests(path: Path) -> Mapping[str, str]:
    """What a list says, by path.

    Raises:
        CensusError: it is not there, or a line of it is none.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CensusError(f"the digests {path} cannot be read ({type(error).__name__}): publish again") from error
    lines = LINE.findall(text)
    if "".join(f"{digest}  {name}\n" for digest, name in lines) != text:
        raise CensusError(f"the digests {path} have a line that cannot be read: publish again")
    return {name: digest for digest, name in lines}


def _lines(digests: Mapping[str, str]) -> str:
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items()))
