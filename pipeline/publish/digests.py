"""The digests of a publication, in the form that `sha256sum --check` reads.

`SHA256SUMS` lists the version's files; `lake.sha256`, one of them, the lake's files that it was made from.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

from pipeline.digest import digest_of
from pipeline.errors import CensusError, TemporaryError
from pipeline.lake.store import Lake
from pipeline.publish.manifest import MONTH_MANIFEST, manifest_rows
from pipeline.schema.catalogue import Catalogue
from pipeline.schema.declaration import Table

OF_THE_VERSION = "SHA256SUMS"
OF_THE_LAKE = "lake.sha256"
_LINE = re.compile(r"([0-9a-f]{64})  (\S[^\n]*)\n")


def write_digests(version: Path, of_the_lake: Mapping[str, str]) -> None:
    """Writes both lists into the version's folder, once everything else is in it; see `lake_digests`."""
    for name in (OF_THE_LAKE, OF_THE_VERSION):
        digests = of_the_lake if name == OF_THE_LAKE else file_digests(version)
        lines = (f"{digest}  {file}\n" for file, digest in sorted(digests.items()))
        (version / name).write_text("".join(lines), encoding="utf-8")


def read_digests(path: Path) -> dict[str, str]:
    """A list of digests, by the files' names.

    Raises:
        CensusError: it cannot be read, or has a line of another form.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CensusError(f"the digests {path} cannot be read ({type(error).__name__}): publish again") from error
    if not re.fullmatch(f"(?:{_LINE.pattern})*", text):
        raise CensusError(f"the digests {path} have a line that cannot be read: publish again")
    return {name: digest for digest, name in _LINE.findall(text)}


def file_digests(version: Path) -> dict[str, str]:
    """By path in the version: every file but the list itself."""
    files = (path for path in sorted(version.rglob("*")) if path.is_file() and path != version / OF_THE_VERSION)
    return {path.relative_to(version).as_posix(): digest_of(path) for path in files}


def lake_digests(lake: Lake, catalogue: Catalogue, months: Sequence[date]) -> dict[str, str]:
    """By path in the lake: tables without months, the months' manifests as they are now, and what these list."""
    digests = {
        _place(table.path): lake.digest(table)
        for table in catalogue.tables.values()
        if not table.monthly and lake.holds(table)
    }
    for month in months:
        digests[_place(MONTH_MANIFEST.path, month)] = lake.digest(MONTH_MANIFEST, month)
        listed = manifest_rows(lake, month).select("table", "sha256")
        digests |= {_place(table, month): digest for table, digest in listed.iter_rows()}
    return digests


def lake_files(lake: Lake, catalogue: Catalogue) -> dict[str, tuple[Table, date | None]]:
    """By path in the lake: tables without months, and the tables and manifests of all finished months."""
    files: list[tuple[Table, date | None]] = [(table, None) for table in catalogue.tables.values() if not table.monthly]
    for month in lake.months(MONTH_MANIFEST):
        files += [(table, month) for table in (*catalogue.monthly, MONTH_MANIFEST)]
    return {_place(table.path, month): (table, month) for table, month in files}


def file_states(lake: Lake, catalogue: Catalogue) -> dict[str, str | None]:
    """The state of each of `lake_files`, another once the file was written anew."""
    return {name: lake.state(*file) for name, file in lake_files(lake, catalogue).items()}


def require_unchanged(
    lake: Lake, catalogue: Catalogue, states: Mapping[str, str | None], digests: Mapping[str, str]
) -> None:
    """Holds the files that `digests` lists to them, where they are not in the state any more that they had before.

    Raises:
        TemporaryError: one was written anew with other bytes, or removed.
    """
    files = lake_files(lake, catalogue)
    for name, digest in digests.items():
        now = lake.state(*files[name]) if name in files else None
        if now is None or (now != states.get(name) and lake.digest(*files[name]) != digest):
            raise TemporaryError(
                f"{name} of the lake was replaced while it was published: wait until the run that replaces it ends and "
                "publish again"
            )


def _place(table: str, month: date | None = None) -> str:
    return f"{table}/{f'month={month.isoformat()}/' if month else ''}part-0.parquet"
