"""Where a publication goes beside its folder: an object store, and a dataset on the Hub.

In an object store there are versions as in the published folder, and one object that names the current one:

    published/
      versions/20250903T001501123456Z/   census.duckdb, parquet/, csv/, SHA256SUMS, ...
      current                            20250903T001501123456Z

Objects have no links to switch: readers read `current`, then that version, whose files never change. The name is put
last, so what it leads to is whole. A version's `SHA256SUMS` is the last of its objects to come and the first to go:
where it is, the others are.
"""

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import CensusError
from pipeline.lake.object_store import in_words, located, upload
from pipeline.publish.folder import VERSION, VERSIONS_KEPT, PublishedFolder
from pipeline.publish.verify import OF_THE_VERSION
from pipeline.report.figures import SITE

IN_A_VERSION = re.compile(rf"/versions/({VERSION})/(.+)")


@in_words
@dataclass(frozen=True)
class StoreCopy:
    """The copy at `url` (`s3://`, ... or a plain folder)."""

    url: str

    def take(self, folder: Path) -> str:
        """Copies the version that is current in the published folder and makes it current here; its name.

        A later version that another machine has put here meanwhile stays current.

        Raises:
            CensusError: nothing is published in the folder, or the store refuses; what was current stays.
        """
        made = PublishedFolder(folder).current_path()
        if made is None:
            raise CensusError(f"nothing is published in {folder}: publish first")
        version, place = made.name, located(self.url)
        names = {path.relative_to(made).as_posix() for path in made.rglob("*") if path.is_file()}
        for name in (*sorted(names - {OF_THE_VERSION}), OF_THE_VERSION):
            upload(made / name, place / "versions" / version / name)
        current = max(version, self.current() or "")
        if version == current:
            with tempfile.NamedTemporaryFile("w", prefix="census-") as named:
                named.write(version)
                named.flush()
                upload(Path(named.name), place / "current")
        # What is older than the versions that are kept goes, with what an ended process left of such.
        kept = [other for other in self.versions() if other != current][:VERSIONS_KEPT]
        for other, names in self._names().items() if len(kept) == VERSIONS_KEPT else ():
            if other < kept[-1] and other != current:
                removed = place / "versions" / other
                if OF_THE_VERSION in names:
                    removed.fs.rm_file((removed / OF_THE_VERSION).path)
                removed.fs.rm(removed.path, recursive=True)
        return version

    def current(self) -> str | None:
        """The name of the current version; None where nothing was copied yet."""
        pointer = located(self.url) / "current"
        return pointer.read_text().strip() if pointer.exists() else None

    def versions(self) -> list[str]:
        """The versions that are there, whole, the latest first."""
        return sorted((version for version, names in self._names().items() if OF_THE_VERSION in names), reverse=True)

    def _names(self) -> dict[str, set[str]]:
        """The objects that are there of each version, those included that are being copied or removed."""
        place = located(self.url)
        names: dict[str, set[str]] = {}
        for match in filter(None, map(IN_A_VERSION.search, place.fs.find(place.path))):
            names.setdefault(match[1], set()).add(match[2])
        return names


@contextmanager
def folder_for_the_hub(published: Path) -> Iterator[Path]:
    """A folder of links to what the Hub takes of the current version: Parquet files, their card, the pages in `site/`.

    Raises:
        CensusError: nothing is published.
    """
    current = PublishedFolder(published).current_path()
    if current is None:
        raise CensusError(f"nothing is published in {published}: run `census run` first")
    with tempfile.TemporaryDirectory(prefix="census-") as folder:
        shutil.copytree(current.resolve() / "parquet", folder, copy_function=os.symlink, dirs_exist_ok=True)
        shutil.copytree(current.resolve() / SITE, Path(folder) / SITE, copy_function=os.symlink)
        yield Path(folder)
