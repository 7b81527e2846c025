"""A publication in an object store: versions as in the published folder, and one object that names the current one.

    published/
      versions/20250903T001501123456Z/   census.duckdb, parquet/, csv/, SHA256SUMS, ...
      current                            20250903T001501123456Z

Objects have no links to switch: readers read `current`, then that version, whose files never change. The name is put
last, so what it leads to is whole.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import CensusError
from pipeline.lake.object_store import in_words, located, upload
from pipeline.publish.folder import VERSIONS_KEPT, PublishedFolder

IN_A_VERSION = re.compile(r"/versions/(\d{8}T\d{12}Z)/")


@dataclass(frozen=True)
class StoreCopy:
    """The copy at `url` (`s3://`, ... or a plain folder)."""

    url: str

    @in_words
    def take(self, folder: Path) -> str:
        """Copies the version that is current in the published folder and makes it current here; its name.

        A later version that another machine has put here meanwhile stays current.

        Raises:
            CensusError: nothing is published in the folder, or the store refuses; what was current stays.
        """
        version = PublishedFolder(folder).current()
        if version is None:
            raise CensusError(f"nothing is published in {folder}: publish first")
        made = folder / "versions" / version
        for path in sorted(made.rglob("*")):
            if path.is_file():
                upload(path, located(self.url) / "versions" / version / path.relative_to(made).as_posix())
        if version > (self.current() or ""):
            (located(self.url) / "current").write_text(version)
        self._remove_oldest()
        return version

    @in_words
    def current(self) -> str | None:
        """The name of the current version; None where nothing was copied yet."""
        pointer = located(self.url) / "current"
        return pointer.read_text().strip() if pointer.exists() else None

    @in_words
    def versions(self) -> list[str]:
        """The versions that are there, the latest first."""
        place = located(self.url)
        names = (IN_A_VERSION.search(name) for name in place.fs.find(place.path))
        return sorted({name[1] for name in names if name}, reverse=True)

    def _remove_oldest(self) -> None:
        others = [version for version in self.versions() if version != self.current()]
        for version in others[VERSIONS_KEPT:]:
            old = located(self.url) / "versions" / version
            old.fs.rm(old.path, recursive=True)
