"""The published folder: versions side by side, each whole, and pointers to the one that is current.

    published/
      versions/20250903T001501123456Z/   census.duckdb, parquet/, csv/, ...
      current      -> versions/20250903T001501123456Z
      census.duckdb -> current/census.duckdb      (and so for everything in the version)

A version is built under a name that no reader looks at, and becomes current by replacing one symbolic link, which the
file system does in one step: all that is published changes at once, or nothing does. It is removed under such a name,
too: what is listed is whole. Readers that have a file open keep it. The paths that readers use never change.
"""

import os
import re
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from filelock import FileLock, Timeout

from pipeline.errors import CensusError

VERSIONS_KEPT = 3
"""Versions that are kept beside the current one."""
NAME = "%Y%m%dT%H%M%S%fZ"
"""How versions are named: by the time at which they were begun."""
VERSION = r"\d{8}T\d{12}Z"
SECONDS_FOR_ANOTHER = 600
"""How long a publisher waits for another one to finish."""


@dataclass(frozen=True)
class PublishedFolder:
    """The folder at `path`, which need not exist yet."""

    path: Path

    @contextmanager
    def new_version(self) -> Iterator[tuple[str, Path]]:
        """Gives a version's name and the folder to fill; left without an error, the version is the current one.

        Raises:
            CensusError: another process has been publishing into the same folder for too long.
        """
        with self._alone():
            for left_by_a_killed_publisher in self._versions.glob(".*.tmp/"):
                shutil.rmtree(left_by_a_killed_publisher)
            begun = datetime.now(UTC)
            if kept := self.versions():  # names tell the order, also where a clock was set back
                begun = max(begun, datetime.strptime(kept[0], NAME).replace(tzinfo=UTC) + timedelta(microseconds=1))
            version = f"{begun:{NAME}}"
            draft = self._aside(version)
            draft.mkdir(parents=True)
            try:
                yield version, draft
                with ThreadPoolExecutor(16) as pool:  # a site has thousands of files
                    list(pool.map(_sync, draft.rglob("*")))
                draft.rename(self._versions / version)
                self._switch(version)
            finally:
                shutil.rmtree(draft, ignore_errors=True)
            for oldest in [other for other in self.versions() if other != version][VERSIONS_KEPT:]:
                (self._versions / oldest).rename(self._aside(oldest))
                shutil.rmtree(self._aside(oldest))

    def current(self) -> str | None:
        """The name of the current version; None where nothing is published."""
        pointer = self.path / "current"
        return pointer.readlink().name if pointer.is_symlink() else None

    def current_path(self) -> Path | None:
        """Where the current version is; None where nothing is published."""
        current = self.current()
        return self._versions / current if current else None

    def versions(self) -> list[str]:
        """The versions that are kept, the latest first."""
        found = self._versions.glob("*/")
        return sorted((path.name for path in found if re.fullmatch(VERSION, path.name)), reverse=True)

    def restore(self, version: str) -> None:
        """Makes a kept version the current one.

        Raises:
            CensusError: it is not kept.
        """
        with self._alone():
            if version not in self.versions():
                kept = ", ".join(self.versions()) or "none"
                raise CensusError(f"version {version!r} is not kept in {self.path}: choose one of {kept}")
            self._switch(version)

    @property
    def _versions(self) -> Path:
        return self.path / "versions"

    def _aside(self, version: str) -> Path:
        """Where a version is that is not whole yet, or not any more."""
        return self._versions / f".{version}.tmp"

    @contextmanager
    def _alone(self) -> Iterator[None]:
        self.path.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(self.path / ".lock", timeout=SECONDS_FOR_ANOTHER):
                yield
        except Timeout as error:
            raise CensusError(
                f"another process is publishing into {self.path}: wait until it has ended and publish again"
            ) from error

    def _switch(self, version: str) -> None:
        names = {path.name for path in (self._versions / version).iterdir()}
        for pointer in (self.path / name for name in names):
            if pointer.is_dir() and not pointer.is_symlink():
                raise CensusError(
                    f"{pointer} is a folder where a pointer to the current version belongs: move it away and try again"
                )
        # What is new is reached as soon as the version is current; what is there already is read until then.
        absent = sorted(name for name in names if not os.path.lexists(self.path / name))
        for name in absent:
            self._point(name, Path("current") / name)
        self._point("current", Path("versions") / version)
        for name in sorted(names.difference(absent)):
            self._point(name, Path("current") / name)
        for path in self.path.iterdir():
            if path.is_symlink() and path.readlink() == Path("current") / path.name and path.name not in names:
                path.unlink()
        _sync(self.path)

    def _point(self, name: str, target: Path) -> None:
        pointer = self.path / name
        if pointer.is_symlink() and pointer.readlink() == target:
            return
        aside = self.path / f".{name}.tmp"
        aside.unlink(missing_ok=True)
        aside.symlink_to(target)
        aside.replace(pointer)


def _sync(path: Path) -> None:
    """Has the file, or the folder's list of names, on the disk before anything else happens."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
