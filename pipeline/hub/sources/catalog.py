"""The sources by name."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from pipeline import settings
from pipeline.errors import CensusError
from pipeline.hub.accounts import REQUEST_BUDGET, AccountDirectory
from pipeline.hub.client import HubClient
from pipeline.hub.sources.archive import Archive, ArchiveSource
from pipeline.hub.sources.archives import DailyArchive, WeeklyArchive
from pipeline.hub.sources.base import CHOOSE_OTHER_MONTHS, DEFAULT_TOLERANCE, SnapshotSource
from pipeline.hub.sources.live import HubSource
from pipeline.hub.sources.local import LocalSource
from pipeline.hub.sources.sample import SampleSource

HUB_STATS = DailyArchive("cfahlgren1/hub-stats")
WEEKLY = WeeklyArchive("hfmlsoc/hub_weekly_snapshots")


@dataclass(frozen=True)
class SourceChoice:
    """Which source, and what it needs to know.

    `snapshots` is the folder of source `local`; `tell` is given a line now and then while something takes its time.
    """

    name: str
    snapshots: Path | None = None
    tolerance: timedelta = DEFAULT_TOLERANCE
    tell: Callable[[str], None] = lambda _: None


def open_source(choice: SourceChoice, cache: Path) -> SnapshotSource:
    """The chosen source.

    Raises:
        CensusError: there is no source of that name, or it lacks its settings.
    """
    if choice.name not in SOURCES:
        raise CensusError(f"there is no source {choice.name!r}: choose one of {', '.join(sorted(SOURCES))}")
    return SOURCES[choice.name](choice, cache)


def _local(choice: SourceChoice, cache: Path) -> SnapshotSource:
    if choice.snapshots is None:
        raise CensusError("source local needs the folder of your dumps: name it with --snapshots")
    return LocalSource(choice.snapshots, _directory(cache), choice.tolerance)


def _sample(choice: SourceChoice, cache: Path) -> SnapshotSource:  # noqa: ARG001
    return SampleSource(cache / "sample")


def _archive(name: str, archive: Archive, other: str) -> Callable[[SourceChoice, Path], SnapshotSource]:
    def source(choice: SourceChoice, cache: Path) -> SnapshotSource:
        return ArchiveSource(
            HubClient(token=os.environ.get("HF_TOKEN")),
            archive,
            cache / name,
            _directory(cache),
            name,
            choice.tolerance,
            settings.archive_files_kept(),
            f"{CHOOSE_OTHER_MONTHS}, or read what is missing with --source {other}",
        )

    return source


def _hub(choice: SourceChoice, cache: Path) -> SnapshotSource:
    client = HubClient(token=os.environ.get("HF_TOKEN"))
    return HubSource(client, cache / "hub", _directory(cache), choice.tolerance, choice.tell)


def _directory(cache: Path) -> AccountDirectory:
    requests = settings.account_requests()
    return AccountDirectory(cache / "accounts.parquet", REQUEST_BUDGET if requests is None else requests)


SOURCES: dict[str, Callable[[SourceChoice, Path], SnapshotSource]] = {
    "hub": _hub,
    "hub_stats": _archive("hub_stats", HUB_STATS, other="weekly"),
    "local": _local,
    "sample": _sample,
    "weekly": _archive("weekly", WEEKLY, other="hub_stats"),
}
