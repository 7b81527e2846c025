"""Holds what is on disk to what was written down of it: the lake to its manifests, what is published to its digests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from pipeline.errors import CensusError
from pipeline.lake.store import Lake
from pipeline.months import run_again
from pipeline.publish.digests import OF_THE_LAKE, OF_THE_VERSION, file_digests, lake_files, read_digests
from pipeline.publish.folder import PublishedFolder
from pipeline.publish.manifest import MONTH_MANIFEST, defects, misfits, months_held
from pipeline.schema.catalogue import Catalogue
from pipeline.wording import counted

PUBLISH_AGAIN = "publish again, or `census restore` another version"


@dataclass(frozen=True)
class Finding:
    """One thing that does not match, where it is, and the remedy."""

    where: str
    problem: str

    def __str__(self) -> str:
        return f"{self.where}: {self.problem}"


@dataclass
class Verification:
    """What was looked at, and what does not match."""

    months: list[date] = field(default_factory=list)
    versions: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """For machines."""
        return asdict(self) | {"months": [f"{month:%Y-%m}" for month in self.months]}

    def as_text(self) -> str:
        """A line for each finding, and one for the whole."""
        looked_at = (
            f"{counted(len(self.months), 'month')} of the lake and {counted(len(self.versions), 'published version')}"
        )
        if not self.findings:
            return f"{looked_at}: every file is as it was when it was finished or published"
        wrong = counted(len(self.findings), "thing does", "things do")
        return "\n".join([*map(str, self.findings), f"{looked_at}: {wrong} not match"])


def verify(lake: Lake, catalogue: Catalogue, folder: Path) -> Verification:
    """Re-computes the digest of every file of the lake's months and of every kept version.

    A month's tables are held to its manifest and to what each says it was made from, the current version to the lake
    that it was made from.
    """
    months = months_held(lake, catalogue)
    published = PublishedFolder(folder)
    of_months = {month: list(_of_the_month(lake, catalogue, month)) for month in months}
    for month, those in misfits(lake, catalogue, [month for month in months if not of_months[month]]).items():
        of_months[month] = [f"{misfit}: {run_again(month)}" for misfit in those]
    found = Verification(months, published.versions())
    found.findings += [Finding(f"{month:%Y-%m}", problem) for month in months for problem in of_months[month]]
    for version in found.versions:
        found.findings += _of_a_kept_version(published, version)
    current = published.current()
    if current is not None:
        found.findings += _of_the_pointers(folder, current)
        found.findings += _of_its_lake(folder / "versions" / current, lake, catalogue)
    return found


def _of_the_month(lake: Lake, catalogue: Catalogue, month: date) -> Iterator[str]:
    changed = set()
    for defect in defects(lake, catalogue, month):
        changed.add(defect.table)
        yield f"{defect}: {run_again(month)}"
    for table in catalogue.monthly:
        if table.path not in changed and lake.provenance(table, month) is None:
            yield f"{table.path} does not say what it was made from: {run_again(month)}"


def _of_a_kept_version(published: PublishedFolder, version: str) -> list[Finding]:
    """What does not match in it; nothing where a publisher removes it meanwhile, as the oldest."""
    try:
        found = list(_of_the_version(published.path / "versions" / version))
    except FileNotFoundError:
        if version in published.versions():
            raise
        return []
    return found if version in published.versions() else []


def _of_the_version(version: Path) -> Iterator[Finding]:
    try:
        listed = read_digests(version / OF_THE_VERSION)
    except CensusError as error:
        yield Finding(version.name, str(error))
        return
    found = file_digests(version)
    for name in sorted(listed.keys() | found.keys()):
        if name not in found:
            yield Finding(version.name, f"{name} is missing: {PUBLISH_AGAIN}")
        elif name not in listed:
            yield Finding(version.name, f"{name} was not published with it: remove it")
        elif listed[name] != found[name]:
            yield Finding(version.name, f"{name} has changed since it was published: {PUBLISH_AGAIN}")


def _of_the_pointers(folder: Path, current: str) -> Iterator[Finding]:
    for path in sorted((folder / "versions" / current).iterdir()):
        pointer = folder / path.name
        if not pointer.is_symlink() or pointer.readlink() != Path("current") / path.name:
            yield Finding(current, f"{pointer} does not lead to the current version: `census restore {current}`")


def _of_its_lake(version: Path, lake: Lake, catalogue: Catalogue) -> Iterator[Finding]:
    """Holds manifests, and tables without months, to the version's list: the other tables are held to the manifests."""
    try:
        listed = read_digests(version / OF_THE_LAKE)
    except CensusError as error:
        yield Finding(version.name, str(error))
        return
    files = lake_files(lake, catalogue)
    for name in sorted(listed):
        if "/month=" in name and not name.startswith(f"{MONTH_MANIFEST.path}/"):
            continue
        if name not in files or not lake.holds(*files[name]) or lake.digest(*files[name]) != listed[name]:
            yield Finding(version.name, f"was made from another {name} than the lake holds: publish again")
