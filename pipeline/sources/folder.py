"""Source `folder`: your own dumps of the listing, dated files in one folder."""

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Self

import pyarrow as pa

from pipeline.digest import digest_of
from pipeline.errors import CensusError, MonthNotServedError, UnusableSnapshotError
from pipeline.months import FIRST_MONTH, add_months, closing_of
from pipeline.sources.records import read_json, read_parquet
from pipeline.sources.snapshots import (
    COUNTER_COLUMNS,
    DEFAULT_TOLERANCE,
    CounterObservation,
    Observed,
    Snapshot,
    SnapshotSource,
    SourceChoice,
    distance_from_closing,
)

DAY = r"(?P<day>\d{4}-\d{2}-\d{2})(?:T(?P<hour>\d{2})[-:]?(?P<minute>\d{2})(?:[-:]?\d{2})?Z?)?"
PART = r"(?P<part>[-_.](?:part)?[-_.]?\d+(?:[-_]of[-_](?P<parts>\d+))?)?"


def _read_json(paths: Sequence[Path]) -> Observed:
    """Reads JSON, of which DuckDB would take a Zstandard file that ends too early for a whole one."""
    for path in paths:
        if path.suffix == ".zst":
            try:
                with pa.input_stream(str(path), compression="zstd") as unpacked:
                    while unpacked.read(2**22):
                        pass
            except OSError as error:
                raise UnusableSnapshotError(f"{path.name} is cut off ({error}): fetch it again or remove it") from error
    return read_json(paths)


@dataclass(frozen=True)
class Dump:
    """One observation in a folder: a file, or the parts that were written of one."""

    observed_at: datetime
    name: str
    files: tuple[Path, ...]

    @cached_property
    def revision(self) -> str:
        """By which bytes it is known: the SHA-256 of the file, or of the parts' digests where there are several."""
        digests = [digest_of(path) for path in self.files]
        of_all = digests[0] if len(digests) == 1 else hashlib.sha256("\n".join(digests).encode()).hexdigest()
        return f"sha256:{of_all}"

    def is_copy_of(self, other: Self) -> bool:
        """Whether both hold the same bytes."""
        sizes, others = ([path.stat().st_size for path in dump.files] for dump in (self, other))
        return sizes == others and self.revision == other.revision


@dataclass(frozen=True)
class FolderSource(SnapshotSource):
    """Monthly snapshots from the dated dumps in `folder`, of the formats in `readers`, by the ends of their names.

    `2026-05-31.parquet` was observed at some moment of that day, for which noon is taken; `2026-05-31T23-50.jsonl.gz`
    at that time in UTC. `2026-05-31-1-of-3.parquet` is a part of a dump, and a folder `2026-05-31` holds all parts.
    """

    name = "folder"
    readers: ClassVar[Mapping[str, Callable[[Sequence[Path]], Observed]]] = {
        r"\.parquet": read_parquet,
        r"\.(?:jsonl|ndjson|json)(?:\.gz|\.zst)?": _read_json,
    }
    folder: Path
    tolerance: timedelta = DEFAULT_TOLERANCE

    @classmethod
    def opened(cls, choice: SourceChoice, cache: Path) -> Self:  # noqa: ARG003
        """See `SnapshotSource`."""
        if choice.snapshots is None:
            raise CensusError(f"source {cls.name} needs the folder of your dumps: set `snapshots` or CENSUS_SNAPSHOTS")
        return cls(choice.snapshots, choice.tolerance)

    def months(self) -> list[date]:
        """Every month of the census with a dump within tolerance of its close."""
        return sorted({month for dump in self._dumps for month in self._closed_by(dump) if month >= FIRST_MONTH})

    def reach(self) -> str:
        """See `SnapshotSource`; where no dump closes a month, which comes nearest to it."""
        if self.months():
            return super().reach()
        dumps = self._dumps
        if any(self._closed_by(dump) for dump in dumps):
            return f"its dumps are of months before {FIRST_MONTH:%Y-%m}, the first of the census"
        month, dump = min(
            ((month, dump) for dump in dumps for month in _around(dump)),
            key=lambda near: distance_from_closing(near[0], near[1].observed_at),
        )
        return f"{self._too_far(month, dump)}; name dumps by the day on which the Hub was observed, or add one"

    def closing_snapshot(self, month: date) -> Snapshot:
        """The dump nearest to the month's close that is no copy of the one before it; see `SnapshotSource`."""
        refused: list[str] = []
        for dump, original in self._near(month):
            if original is None:
                observed = self._read(dump)
                more = {
                    "refused": "; ".join(refused),
                    "not_read": ", ".join(self._not_read()),
                    "files": f"{len(dump.files)} parts" if len(dump.files) > 1 else "",
                }
                notes = observed.notes(dump.name) | {note: said for note, said in more.items() if said}
                return Snapshot(observed.rows, dump.observed_at, self.name, dump.revision, notes)
            refused.append(f"{dump.name} is byte for byte a copy of {original.name}")
        nearest = min(self._dumps, key=lambda dump: distance_from_closing(month, dump.observed_at))
        why = "; ".join(refused) or f"of the dumps in {self.folder}, {self._too_far(month, nearest)}"
        raise MonthNotServedError(
            f"source {self.name} cannot close {month:%Y-%m}: {why}; add a dump, or choose other months"
        )

    def counters_around(self, month: date, snapshot_revision: str) -> Iterator[CounterObservation]:
        """See `SnapshotSource`; of each dump only the columns are read that it takes."""
        for dump, original in self._near(month):
            if original is None and dump.revision != snapshot_revision:
                with suppress(UnusableSnapshotError):
                    yield CounterObservation(self._read(dump).rows.select(COUNTER_COLUMNS), dump.observed_at)

    def _near(self, month: date) -> Iterator[tuple[Dump, Dump | None]]:
        """The dumps that can close the month, nearest first, each with an older one of which it is a copy."""
        dumps = self._dumps
        for dump in sorted(dumps, key=lambda dump: (distance_from_closing(month, dump.observed_at), dump.observed_at)):
            if month in self._closed_by(dump):
                earlier = dumps[: dumps.index(dump)]
                yield dump, next((original for original in earlier if dump.is_copy_of(original)), None)

    def _read(self, dump: Dump) -> Observed:
        observed = self.readers[str(self._format_of(dump.files[0]))](dump.files)
        if observed.rows.select("model_id").head(1).collect().is_empty():
            raise UnusableSnapshotError(f"{dump.name} holds no repositories: fetch it again or remove it")
        return observed

    def _format_of(self, path: Path) -> str | None:
        return next((ending for ending in self.readers if re.search(f"{ending}$", path.name)), None)

    def _closed_by(self, dump: Dump) -> list[date]:
        return [month for month in _around(dump) if distance_from_closing(month, dump.observed_at) <= self.tolerance]

    def _too_far(self, month: date, dump: Dump) -> str:
        days = distance_from_closing(month, dump.observed_at) / timedelta(days=1)
        return (
            f"the nearest to a month's end is {dump.name}, {days:.1f} days from {closing_of(month):%Y-%m-%d %H:%M} UTC "
            f"(at most {self.tolerance / timedelta(days=1):g} are tolerated)"
        )

    def _named_as_dump(self, path: Path) -> re.Match[str] | None:
        ending = f"(?P<ending>{'|'.join(self.readers)})"
        return re.fullmatch(f"{DAY}(?:{ending})?" if path.is_dir() else f"{DAY}{PART}{ending}", path.name)

    def _not_read(self) -> list[str]:
        """Files that look like dumps and are none."""
        dated = [path for path in sorted(self.folder.iterdir()) if re.search(r"\d{4}-\d{2}-\d{2}", path.name)]
        return [path.name for path in dated if not self._named_as_dump(path)]

    @cached_property
    def _dumps(self) -> list[Dump]:
        """The dumps, oldest first."""
        if not self.folder.is_dir():
            what = "is a file" if self.folder.exists() else "does not exist"
            raise CensusError(
                f"the snapshots' folder {self.folder} {what}: set `snapshots` or CENSUS_SNAPSHOTS to a folder of dated "
                "dumps"
            )
        found: dict[datetime, list[tuple[re.Match[str], Path]]] = {}
        for path in sorted(self.folder.iterdir()):
            if match := self._named_as_dump(path):
                found.setdefault(_observed_at(match), []).append((match, path))
        if not found:
            others = f" (it holds {', '.join(self._not_read()[:3])})" if self._not_read() else ""
            raise CensusError(
                f"the folder {self.folder} holds no dated dumps{others}: name them like 2026-05-31.parquet or "
                "2026-05-31.jsonl"
            )
        return [self._dump(observed_at, found[observed_at]) for observed_at in sorted(found)]

    def _dump(self, observed_at: datetime, found: list[tuple[re.Match[str], Path]]) -> Dump:
        """The one dump of a moment; refused where there are several, or not all of its parts."""
        match, path = found[0]
        if len(found) == 1:
            return Dump(observed_at, path.name, self._parts_in(path) if path.is_dir() else (path,))
        paths = tuple(path for _, path in found)
        if not all(match["part"] and path.is_file() and path.suffix == paths[0].suffix for match, path in found):
            raise CensusError(
                f"{' and '.join(path.name for path in paths)} are of the same time: keep one, or say in the names at "
                "what time each was observed, like 2026-05-31T23-50.parquet"
            )
        if match["parts"] and int(match["parts"]) != len(found):
            raise CensusError(
                f"{path.name} is one of {match['parts']} parts, and {len(found)} are there: add the others, or remove "
                "it"
            )
        return Dump(observed_at, f"{path.name} and {len(found) - 1} more", paths)

    def _parts_in(self, folder: Path) -> tuple[Path, ...]:
        """The files in a folder of parts, as Spark and Dask write it, but for what begins with `.` or `_`."""
        if (folder / "_temporary").exists():
            raise CensusError(f"{folder.name} is still being written, or was given up: finish it, or remove it")
        parts = tuple(
            path
            for path in sorted(folder.rglob("*"))
            if path.is_file() and not any(name.startswith((".", "_")) for name in path.relative_to(folder).parts)
        )
        formats = {self._format_of(path) for path in parts}
        if len(formats) != 1 or None in formats:
            raise CensusError(f"the folder {folder.name} holds other files beside the parts of one dump: remove them")
        return parts


def _around(dump: Dump) -> list[date]:
    """The month that was running when the dump was made, and the one before."""
    running = dump.observed_at.date().replace(day=1)
    return [add_months(running, -1), running]


def _observed_at(match: re.Match[str]) -> datetime:
    try:
        return datetime.fromisoformat(f"{match['day']}T{match['hour'] or '12'}:{match['minute'] or '00'}+00:00")
    except ValueError as error:
        raise CensusError(f"the dump {match[0]} is named by a date that does not exist: rename it") from error
