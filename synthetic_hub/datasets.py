"""The archives that the local Hub serves as datasets: the daily one, and the weekly one made of the same revisions.

Both say that they are synthetic: by a tag, and by a dataset card (`README.md`) in every commit.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from synthetic_hub.identifiers import hexadecimal
from synthetic_hub.world import WorldFiles

ARCHIVE_REPOSITORY = "cfahlgren1/hub-stats"
WEEKLY_REPOSITORY = "hfmlsoc/hub_weekly_snapshots"
ARCHIVE_FILE = "models.parquet"
CARD_FILE = "README.md"
SIBLING_FILE = "datasets.parquet"
"""The daily archive keeps other listings beside the models', each uploaded by a commit of its own."""


@dataclass(frozen=True)
class File:
    """A file of a dataset, and where its content is."""

    path: str
    content: Path
    size: int
    sha256: str


@dataclass(frozen=True)
class Commit:
    """One commit, with all files as of it."""

    id: str
    title: str
    at: datetime
    files: list[File]


@dataclass(frozen=True)
class Dataset:
    """A dataset repository; its commits newest first."""

    repository: str
    commits: list[Commit]

    def commit(self, revision: str) -> Commit | None:
        """The commit a revision names: a branch or a full commit id."""
        if revision in ("main", "HEAD", "refs/heads/main"):
            return self.commits[0] if self.commits else None
        return next((commit for commit in self.commits if commit.id == revision), None)


def archives(world: WorldFiles, as_of: datetime) -> list[Dataset]:
    """The world's archives as of a time."""
    revisions = world.revisions.filter(pl.col("committed_at") <= as_of).to_dicts()
    card = _file(CARD_FILE, world.path / CARD_FILE)
    sibling = _file(SIBLING_FILE, world.path / "archive" / SIBLING_FILE)
    known = [commit for commit in _daily(revisions, [card, sibling]) if commit.at <= as_of]
    return [Dataset(ARCHIVE_REPOSITORY, known), Dataset(WEEKLY_REPOSITORY, _weekly(revisions, card))]


def _daily(revisions: list[dict[str, Any]], constant: list[File]) -> list[Commit]:
    """A commit for each revision, and soon after each that of the sibling."""
    commits = []
    for revision in revisions:
        files = [*constant, _revision_file(ARCHIVE_FILE, revision)]
        for commit, file, delay in (
            (revision["commit"], ARCHIVE_FILE, timedelta()),
            (hexadecimal(f"{revision['commit']} sibling"), SIBLING_FILE, timedelta(minutes=2)),
        ):
            title = f"Upload {file} with huggingface_hub"
            commits.append(Commit(commit, title, revision["committed_at"] + delay, files))
    return commits[::-1]


def _weekly(revisions: list[dict[str, Any]], card: File) -> list[Commit]:
    """A folder for each week, named by its first day: the week's last revision, or the one of the week before again."""
    if not revisions:
        return []
    of_week: dict[date, dict[str, Any]] = {}
    for revision in revisions:
        day = (revision["committed_at"] - timedelta(seconds=1)).date()
        of_week[day - timedelta(days=day.weekday())] = revision
    first, last = min(of_week), max(of_week)
    shown = of_week[first]
    files = [card]
    for number in range((last - first).days // 7 + 1):
        week = first + timedelta(weeks=number)
        shown = of_week.get(week, shown)
        files.append(_revision_file(f"models/{week}/{ARCHIVE_FILE}", shown))
    return [Commit(hexadecimal(f"{shown['commit']} weekly"), "Upload folder", shown["committed_at"], files)]


def _file(path: str, content: Path) -> File:
    return File(path, content, content.stat().st_size, hashlib.sha256(content.read_bytes()).hexdigest())


def _revision_file(path: str, revision: dict[str, Any]) -> File:
    return File(path, Path(revision["path"]), revision["size"], revision["sha256"])
