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
class Edition:
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
    def list_editions(self) -> list[Edition]:
        """Every copy, oldest first."""

    @abstractmethod
    def observed_at(self, edition: Edition) -> datetime:
        """When the copy's content was observed."""

    @property
    def is_synthetic(self) -> bool:
        """See `SnapshotSource`."""
        return bool(self._kept()["is_synthetic"])

    def months(self) -> list[date]:
        """Every month with a copy within tolerance of its close; whether it is usable shows when it is read."""
        if not self.editions:
            return []
        first, last = (self.editions[place].earliest.date().replace(day=1) for place in (0, -1))
        return [month for month in months_between(add_months(first, -1), last) if self._near(month)]

    def closing_snapshot(self, month: date) -> Snapshot:
        """The usable copy nearest to the month's close; see `SnapshotSource`."""
        refused: list[str] = []
        for observed_at, edition in self._candidates(month):
            reason = self._unusable(edition)
            if reason is None:
                observed = read_parquet([self._download(edition)])
                notes = observed.notes(f"{self.repository} at {edition.commit[:8]}")
                if refused:
                    notes["refused"] = "; ".join(refused)
                source = self.recorded_as(is_synthetic=self.is_synthetic)
                return Snapshot(observed.rows, observed_at, source, edition.revision, notes)
            refused.append(f"{observed_at:%Y-%m-%d %H:%M} {reason}")
        if refused:
            found = f"the revisions near it are unusable ({'; '.join(refused)})"
        elif self.editions:
            found = f"it reaches from {self.editions[0].earliest:%Y-%m-%d} to {self.editions[-1].latest:%Y-%m-%d}"
        else:
            found = "it has no revisions at all"
        raise MonthNotServedError(
            f"source {self.name} cannot close {month:%Y-%m}: no usable revision of {self.repository} within "
            f"{self.tolerance / timedelta(days=1):g} days of the month's end; {found}; {self.remedy}"
        )

    def counters_around(self, month: date, snapshot_revision: str) -> Iterator[CounterObservation]:
        """See `SnapshotSource`; of each copy only the columns are read that it takes."""
        for observed_at, edition in self._candidates(month):
            if edition.revision != snapshot_revision and self._unusable(edition) is None:
                table = self.client.read_columns(
                    self.repository, edition.path, edition.commit, ("_id", "id", "downloadsAllTime")
                )
                yield CounterObservation(counters_in(table).select(COUNTER_COLUMNS), observed_at)

    def _near(self, month: date) -> list[Edition]:
        """Copies that may have been observed within tolerance of the month's close."""
        first, last = closing_of(month) - self.tolerance, closing_of(month) + self.tolerance
        return [edition for edition in self.editions if edition.earliest <= last and first <= edition.latest]

    def _candidates(self, month: date) -> list[tuple[datetime, Edition]]:
        """Copies observed within tolerance of the month's close, nearest first; of two as near, the earlier."""
        observed = [(self.observed_at(edition), edition) for edition in self._near(month)]
        within = [found for found in observed if distance_from_closing(month, found[0]) <= self.tolerance]
        return sorted(within, key=lambda found: (distance_from_closing(month, found[0]), found[0], found[1].earliest))

    def _unusable(self, edition: Edition) -> str | None:
        """Why the copy must not be used, or None where it may."""
        place, file = self.editions.index(edition), self._inspect(edition)
        before, after = self.editions[max(place - 1, 0) : place], self.editions[place + 1 : place + 2]
        if any(file.content_id == self._inspect(earlier).content_id for earlier in before):
            return "is a stale copy of the revision before it"
        near = [*before, *(later for later in after if later.earliest - edition.earliest <= NEIGHBOUR_WITHIN)]
        most = max((self._inspect(neighbour).rows for neighbour in near), default=0)
        if file.rows < 0.95 * most:  # the Hub does not lose 5 % of its repositories in days
            return f"is partial ({file.rows:,} of about {most:,} rows)"
        return None

    def _inspect(self, edition: Edition) -> RemoteFile:
        if edition.revision not in self._inspected:
            found = self.client.inspect_parquet(self.repository, edition.path, edition.commit)
            self._inspected[edition.revision] = found
        return self._inspected[edition.revision]

    def _download(self, edition: Edition) -> Path:
        """The copy's file, in a folder of its own; those that were not used for longer than `keep` are removed."""
        files = self.cache / "files"
        own = files / edition.revision.replace("/", "-")
        own.mkdir(parents=True, exist_ok=True)
        own.touch()
        unused_for = self.keep.total_seconds() if self.keep is not None else math.inf
        for folder in files.iterdir():
            if folder != own and time.time() - folder.stat().st_mtime > unused_for:
                shutil.rmtree(folder, ignore_errors=True)
        try:
            return self.client.download(self.repository, edition.path, edition.commit, own, self._inspect(edition))
        except UnusableSnapshotError:
            shutil.rmtree(own)
            raise

    @cached_property
    def editions(self) -> list[Edition]:
        """The archive's copies, oldest first."""
        return [
            Edition(**edition | {time: datetime.fromisoformat(edition[time]) for time in ("earliest", "latest")})
            for edition in self._kept()["editions"]
        ]

    def _kept(self) -> dict[str, Any]:
        """The copies, and whether the Hub that keeps them is synthetic; asked once, then kept for an hour."""
        self.cache.mkdir(parents=True, exist_ok=True)
        kept = self.cache / "archive.json"
        with FileLock(f"{kept}.lock"):
            if not kept.exists() or time.time() - kept.stat().st_mtime > 3600:
                editions = [asdict(edition) for edition in self.list_editions()]
                found = {"is_synthetic": self.client.is_synthetic, "editions": editions}
                if not editions:
                    return found
                write_atomically(kept, json.dumps(found, default=datetime.isoformat).encode())
            listed: dict[str, Any] = json.loads(kept.read_text())
        return listed
