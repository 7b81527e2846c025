"""Source `folder`: your own dumps of the listing, dated files in one folder."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Self

import polars as pl

from pipeline.digest import digest_of
from pipeline.errors import CensusError, MonthNotServedError
from pipeline.months import add_months
from pipeline.sources.accounts import AccountDirectory
from pipeline.sources.record_parsers import read_json_lines, read_parquet
from pipeline.sources.snapshots import (
    DEFAULT_TOLERANCE,
    Snapshot,
    SnapshotSource,
    SourceChoice,
    distance_from_closing,
)

FILE_NAME = re.compile(
    r"(?P<day>\d{4}-\d{2}-\d{2})(?:T(?P<hour>\d{2})-(?P<minute>\d{2}))?\.(?P<format>parquet|(?:jsonl|ndjson|json)(?:\.gz)?)"
)
"""`2026-05-31.parquet`, or with the time in UTC `2026-05-31T23-50.jsonl.gz`."""


@dataclass(frozen=True)
class FolderSource(SnapshotSource):
    """Monthly snapshots from the dated files in `folder`.

    A file whose name gives no time was observed at some moment of that day: noon is assumed.
    """

    name = "folder"
    aliases = ("local",)
    folder: Path
    directory: AccountDirectory
    tolerance: timedelta = DEFAULT_TOLERANCE

    @classmethod
    def opened(cls, choice: SourceChoice, cache: Path) -> Self:
        """See `SnapshotSource`."""
        if choice.snapshots is None:
            raise CensusError(f"source {cls.name} needs the folder of your dumps: name it with --snapshots")
        return cls(choice.snapshots, AccountDirectory.opened(cache), choice.tolerance)

    def months(self) -> list[date]:
        """Every month with a file within tolerance of its close."""
        near: set[date] = set()
        for observed_at in self._files():
            month = observed_at.date().replace(day=1)
            near.update(
                candidate
                for candidate in (add_months(month, -1), month)
                if distance_from_closing(candidate, observed_at) <= self.tolerance
            )
        return sorted(near)

    def closing_snapshot(self, month: date) -> Snapshot:
        """The file nearest to the month's close; see `SnapshotSource`."""
        files = self._files()
        nearest = min(files, key=lambda observed_at: (distance_from_closing(month, observed_at), observed_at))
        if distance_from_closing(month, nearest) > self.tolerance:
            raise MonthNotServedError(
                f"source {self.name} cannot close {month:%Y-%m}: no file in {self.folder} is dated within "
                f"{self.tolerance / timedelta(days=1):g} days of the month's end, the nearest is "
                f"{files[nearest].name}; add one, or choose another month"
            )
        path = files[nearest]
        rows = read_parquet(path) if path.suffix == ".parquet" else read_json_lines([path])
        return Snapshot(rows, nearest, self.name, f"sha256:{digest_of(path)}")

    def accounts(self, namespaces: Sequence[str]) -> pl.DataFrame:
        """What was remembered: dumps do not know accounts."""
        return self.directory.remembered(namespaces)

    def _files(self) -> dict[datetime, Path]:
        if not self.folder.is_dir():
            raise CensusError(f"the snapshots' folder {self.folder} does not exist: name one with --snapshots")
        files = {}
        for path in sorted(self.folder.iterdir()):
            if match := FILE_NAME.fullmatch(path.name):
                files[_observed_at(match, path.name)] = path
        if not files:
            raise CensusError(
                f"the folder {self.folder} holds no dated dumps: name them like 2026-05-31.parquet or 2026-05-31.jsonl"
            )
        return files


def _observed_at(match: re.Match[str], name: str) -> datetime:
    try:
        day = date.fromisoformat(match["day"])
        return datetime(day.year, day.month, day.day, int(match["hour"] or 12), int(match["minute"] or 0), tzinfo=UTC)
    except ValueError as error:
        raise CensusError(f"the dump {name} is named by a date that does not exist: rename it") from error
