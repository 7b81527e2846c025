"""Months from a dataset on the Hub that keeps copies of the model listing.

The copy nearest to the boundary that is usable closes the month. Partial files and stale copies occur: a file is judged
by its neighbours before it is used.
"""

import json
import math
import os
import shutil
import time
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from filelock import FileLock

from pipeline import settings
from pipeline.atomic_file import write_atomically
from pipeline.errors import MonthNotServedError, UnusableSnapshotError
from pipeline.months import add_months, closing_of, months_between
from pipeline.sources.client import HubClient, RemoteFile
from pipeline.sources.records import counters_in, read_parquet
from pipeline.sources.snapshots import (
    COUNTER_COLUMNS,
    DEFAULT_TOLERANCE,
    CounterObservation,
    Snapshot,
    SnapshotSource,
    SourceChoice,
    distance_from_closing,
)

NEIGHBOUR_WITHIN = timedelta(days=10)
"""How much later a neighbour may be to be compared with: given longer, the Hub may really have grown by 5 %."""


@dataclass(frozen=True)
class Copy:
    """One copy of the listing in an archive: a file at a commit, observed between two times (often the same).

    `revision` is what pins it, for the record.
    """

    commit: str
    path: str
    earliest: datetime
    latest: datetime
    revision: str


@dataclass(frozen=True)
class ArchiveSource(SnapshotSource):
    """Monthly snapshots from the copies in the dataset `repository`; a subclass says how that lays them out.

    `keep` says how long a downloaded file is kept after its last use; None keeps it for good.
    """

    client: HubClient
    cache: Path
    tolerance: timedelta = DEFAULT_TOLERANCE
    keep: timedelta | None = None
    repository: str = ""
    file: str = "models.parquet"
    _inspected: dict[str, RemoteFile] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def opened(cls, choice: SourceChoice, cache: Path) -> Self:
        """See `SnapshotSource`."""
        client, kept = HubClient(token=os.environ.get("HF_TOKEN")), settings.archive_files_kept()
        return cls(client, cache / cls.name, choice.tolerance, kept)

    @abstractmethod
    def list_copies(self) -> list[Copy]:
        """Every copy, oldest first."""

    @abstractmethod
    def observed_at(self, copy: Copy) -> datetime:
        """When the copy's content was observed."""

    @property
    def is_synthetic(self) -> bool:
        """See `SnapshotSource`."""
        return bool(self._kept()["is_synthetic"])

    def months(self) -> list[date]:
        """Every month with a copy within tolerance of its close; whether it is usable shows when it is read."""
        if not self.copies:
            return []
        first, last = (self.copies[place].earliest.date().replace(day=1) for place in (0, -1))
        return [month for month in months_between(add_months(first, -1), last) if self._near(month)]

    def closing_snapshot(self, month: date) -> Snapshot:
        """The usable copy nearest to the month's close; see `SnapshotSource`."""
        refused: list[str] = []
        for observed_at, copy in self._candidates(month):
            reason = self._unusable(copy)
            if reason is None:
                observed = read_parquet([self._download(copy)])
                notes = observed.notes(f"{self.repository} at {copy.commit[:8]}")
                if refused:
                    notes["refused"] = "; ".join(refused)
                source = self.recorded_as(is_synthetic=self.is_synthetic)
                return Snapshot(observed.rows, observed_at, source, copy.revision, notes)
            refused.append(f"{observed_at:%Y-%m-%d %H:%M} {reason}")
        if refused:
            found = f"the revisions near it are unusable ({'; '.join(refused)})"
        elif self.copies:
            found = f"it reaches from {self.copies[0].earliest:%Y-%m-%d} to {self.copies[-1].latest:%Y-%m-%d}"
        else:
            found = "it has no revisions at all"
        raise MonthNotServedError(
            f"source {self.name} cannot close {month:%Y-%m}: no usable revision of {self.repository} within "
            f"{self.tolerance / timedelta(days=1):g} days of the month's end; {found}; {self.remedy}"
        )

    def counters_around(self, month: date, snapshot_revision: str) -> Iterator[CounterObservation]:
        """See `SnapshotSource`; of each copy only the columns are read that it takes."""
        for observed_at, copy in self._candidates(month):
            if copy.revision != snapshot_revision and self._unusable(copy) is None:
                table = self.client.read_columns(
                    self.repository, copy.path, copy.commit, ("_id", "id", "downloadsAllTime")
                )
                yield CounterObservation(counters_in(table).select(COUNTER_COLUMNS), observed_at)

    def _near(self, month: date) -> list[Copy]:
        """Copies that may have been observed within tolerance of the month's close."""
        first, last = closing_of(month) - self.tolerance, closing_of(month) + self.tolerance
        return [copy for copy in self.copies if copy.earliest <= last and first <= copy.latest]

    def _candidates(self, month: date) -> list[tuple[datetime, Copy]]:
        """Copies observed within tolerance of the month's close, nearest first; of two as near, the earlier."""
        observed = [(self.observed_at(copy), copy) for copy in self._near(month)]
        within = [found for found in observed if distance_from_closing(month, found[0]) <= self.tolerance]
        return sorted(within, key=lambda found: (distance_from_closing(month, found[0]), found[0], found[1].earliest))

    def _unusable(self, copy: Copy) -> str | None:
        """Why the copy must not be used, or None where it may."""
        place, file = self.copies.index(copy), self._inspect(copy)
        before, after = self.copies[max(place - 1, 0) : place], self.copies[place + 1 : place + 2]
        if any(file.content_id == self._inspect(earlier).content_id for earlier in before):
            return "is a stale copy of the revision before it"
        near = [*before, *(later for later in after if later.earliest - copy.earliest <= NEIGHBOUR_WITHIN)]
        most = max((self._inspect(neighbour).rows for neighbour in near), default=0)
        if file.rows < 0.95 * most:  # the Hub does not lose 5 % of its repositories in days
            return f"is partial ({file.rows:,} of about {most:,} rows)"
        return None

    def _inspect(self, copy: Copy) -> RemoteFile:
        if copy.revision not in self._inspected:
            found = self.client.inspect_parquet(self.repository, copy.path, copy.commit)
            self._inspected[copy.revision] = found
        return self._inspected[copy.revision]

    def _download(self, copy: Copy) -> Path:
        """The copy's file, in a folder of its own; those that were not used for longer than `keep` are removed."""
        files = self.cache / "files"
        own = files / copy.revision.replace("/", "-")
        own.mkdir(parents=True, exist_ok=True)
        own.touch()
        unused_for = self.keep.total_seconds() if self.keep is not None else math.inf
        for folder in files.iterdir():
            if folder != own and time.time() - folder.stat().st_mtime > unused_for:
                shutil.rmtree(folder, ignore_errors=True)
        try:
            return self.client.download(self.repository, copy.path, copy.commit, own, self._inspect(copy))
        except UnusableSnapshotError:
            shutil.rmtree(own)
            raise

    @cached_property
    def copies(self) -> list[Copy]:
        """The archive's copies, oldest first."""
        return [
            Copy(**copy | {time: datetime.fromisoformat(copy[time]) for time in ("earliest", "latest")})
            for copy in self._kept()["copies"]
        ]

    def _kept(self) -> dict[str, Any]:
        """The copies, and whether the Hub that keeps them is synthetic; asked once, then kept for an hour."""
        self.cache.mkdir(parents=True, exist_ok=True)
        kept = self.cache / "copies.json"
        with FileLock(f"{kept}.lock"):
            if not kept.exists() or time.time() - kept.stat().st_mtime > 3600:
                copies = [asdict(copy) for copy in self.list_copies()]
                found = {"is_synthetic": self.client.is_synthetic, "copies": copies}
                if not copies:
                    return found
                write_atomically(kept, json.dumps(found, default=datetime.isoformat).encode())
            listed: dict[str, Any] = json.loads(kept.read_text())
        return listed
