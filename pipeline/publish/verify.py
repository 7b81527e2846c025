"""The digests of a publication, and what is on disk held to them and to the months' manifests.

Lists have the form that `sha256sum --check` reads: `SHA256SUMS` lists the version's files; `lake.sha256`, one of them,
the lake's files that it was made from.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from itertools import product
from pathlib import Path
from typing import Any

from pipeline.digest import digest_of
from pipeline.errors import CensusError, TemporaryError
from pipeline.lake.store import Lake
from pipeline.months import run_again
from pipeline.publish.folder import PublishedFolder
from pipeline.publish.manifest import MONTH_MANIFEST, defects, listed_digests, misfits, months_held
from pipeline.schema.catalogue import Catalogue
from pipeline.schema.declaration import Table
from pipeline.wording import counted

OF_THE_VERSION = "SHA256SUMS"
OF_THE_LAKE = "lake.sha256"
_LINE = re.compile(r"([0-9a-f]{64})  (\S[^\n]*)\n")
PUBLISH_AGAIN = "publish again, or `census restore` another version"


def write_digests(version: Path, of_the_lake: Mapping[str, str]) -> None:
    """Writes both lists into the version's folder, once everything else is in it; see `lake_digests`."""
    _write(version / OF_THE_LAKE, of_the_lake)
    _write(version / OF_THE_VERSION, file_digests(version))


def _write(path: Path, digests: Mapping[str, str]) -> None:
    path.write_text("".join(f"{digest}  {file}\n" for file, digest in sorted(digests.items())), encoding="utf-8")


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
    listed = {month: listed_digests(lake, month) for month in months}
    return {
        name: listed[month][table.path] if month and table != MONTH_MANIFEST else lake.digest(table, month)
        for name, (table, month) in lake_files(lake, catalogue).items()
        if (month in listed if month else lake.holds(table))
    }


def lake_files(lake: Lake, catalogue: Catalogue) -> dict[str, tuple[Table, date | None]]:
    """By path in the lake: tables without months, and the tables and manifests of all finished months."""
    files: list[tuple[Table, date | None]] = [(table, None) for table in catalogue.tables.values() if not table.monthly]
    files += product((*catalogue.monthly, MONTH_MANIFEST), lake.months(MONTH_MANIFEST))
    return {
        f"{table.path}/{f'month={month.isoformat()}/' if month else ''}part-0.parquet": (table, month)
        for table, month in files
    }


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
    now = file_states(lake, catalogue)
    files = lake_files(lake, catalogue)
    for name, digest in digests.items():
        if not now.get(name) or (now[name] != states.get(name) and lake.digest(*files[name]) != digest):
            raise TemporaryError(
                f"{name} of the lake was replaced while it was published: wait until the run that replaces it ends and "
                "publish again"
            )


@dataclass(frozen=True)
class Finding:
    """One thing that does not match, where it is, and the remedy."""

    where: str
    problem: str

    def __str__(self) -> str:
        return f"{self.where}: {self.problem}"


@dataclass(frozen=True)
class Verification:
    """What was looked at, and what does not match."""

    months: list[date]
    versions: list[str]
    findings: list[Finding]

    def as_dict(self) -> dict[str, Any]:
        """For machines."""
        return asdict(self) | {"months": [f"{month:%Y-%m}" for month in self.months]}

    def as_text(self) -> str:
        """A line for each finding, and one for the whole."""
        months, versions = counted(len(self.months), "month"), counted(len(self.versions), "published version")
        wrong = counted(len(self.findings), "thing does", "things do")
        result = f"{wrong} not match" if self.findings else "every file is as it was when it was finished or published"
        return "\n".join([*map(str, self.findings), f"{months} of the lake and {versions}: {result}"])


def verify(lake: Lake, catalogue: Catalogue, folder: Path) -> Verification:
    """Re-computes the digest of every file of the lake's months and of every kept version.

    A month's tables are held to its manifest and to what each says it was made from, the current version to the lake
    that it was made from.
    """
    published, months = PublishedFolder(folder), months_held(lake, catalogue)
    of_months = {month: [*_of_the_month(lake, catalogue, month)] for month in months}
    for month, those in misfits(lake, catalogue, [month for month in months if not of_months[month]]).items():
        of_months[month] = [f"{misfit}: {run_again(month)}" for misfit in those]
    findings = [Finding(f"{month:%Y-%m}", problem) for month, found in of_months.items() for problem in found]
    versions = published.versions()
    for version in versions:
        try:
            found = _found(version, _of_the_version(folder / "versions" / version))
        except FileNotFoundError:
            if version in published.versions():
                raise
        else:  # a publisher may have removed it meanwhile, as the oldest
            findings += found if version in published.versions() else []
    if current := published.current_path():
        findings += _found(current.name, _of_the_pointers(folder, current))
        findings += _found(current.name, _of_its_lake(current, lake, catalogue))
    return Verification(months, versions, findings)


def _found(where: str, problems: Iterator[str]) -> list[Finding]:
    found = []
    try:
        found += [Finding(where, problem) for problem in problems]
    except CensusError as error:
        found.append(Finding(where, str(error)))
    return found


def _of_the_month(lake: Lake, catalogue: Catalogue, month: date) -> Iterator[str]:
    changed = [*defects(lake, catalogue, month)]
    yield from (f"{defect}: {run_again(month)}" for defect in changed)
    for table in catalogue.monthly:
        if table.path not in {defect.table for defect in changed} and lake.provenance(table, month) is None:
            yield f"{table.path} does not say what it was made from: {run_again(month)}"


def _of_the_version(version: Path) -> Iterator[str]:
    listed, found = read_digests(version / OF_THE_VERSION), file_digests(version)
    for name in sorted(listed.keys() | found.keys()):
        if name not in found:
            yield f"{name} is missing: {PUBLISH_AGAIN}"
        elif name not in listed:
            yield f"{name} was not published with it: remove it"
        elif listed[name] != found[name]:
            yield f"{name} has changed since it was published: {PUBLISH_AGAIN}"


def _of_the_pointers(folder: Path, current: Path) -> Iterator[str]:
    for pointer in (folder / path.name for path in sorted(current.iterdir())):
        if not pointer.is_symlink() or pointer.readlink() != Path("current") / pointer.name:
            yield f"{pointer} does not lead to the current version: `census restore {current.name}`"


def _of_its_lake(version: Path, lake: Lake, catalogue: Catalogue) -> Iterator[str]:
    """Holds manifests, and tables without months, to the version's list: the other tables are held to the manifests."""
    files = lake_files(lake, catalogue)
    for name, digest in sorted(read_digests(version / OF_THE_LAKE).items()):
        if "/month=" in name and not name.startswith(f"{MONTH_MANIFEST.path}/"):
            continue
        if name not in files or not lake.holds(*files[name]) or lake.digest(*files[name]) != digest:
            yield f"was made from another {name} than the lake holds: publish again"
