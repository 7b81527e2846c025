"""Source `hub`: the public Hub itself, for the month that has just closed and no other."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Self

import polars as pl
from filelock import FileLock, Timeout

from pipeline.atomic_file import write_atomically
from pipeline.errors import MonthNotServedError, TemporaryError
from pipeline.months import closing_of, parse_month, previous_month
from pipeline.sources.accounts import AccountDirectory
from pipeline.sources.client import HubClient
from pipeline.sources.listing_crawl import CrawlProgress, ListingCrawl
from pipeline.sources.snapshots import (
    DEFAULT_TOLERANCE,
    Snapshot,
    SnapshotSource,
    SourceChoice,
    distance_from_closing,
)

TOLD_EVERY_SECONDS = 30
FINISHED = "finished.json"


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class HubSource(SnapshotSource):
    """The month just closed, crawled through the listing API within the tolerance after its close.

    The pages of a crawl stay in `cache`, by month: a month that was crawled can be read again from them.
    """

    name = "hub"
    remedy = "the listing API cannot be asked about the past; use --source hub_stats"
    client: HubClient
    cache: Path
    directory: AccountDirectory
    tolerance: timedelta = DEFAULT_TOLERANCE
    tell: Callable[[str], None] = lambda _: None
    clock: Callable[[], datetime] = _now

    @classmethod
    def opened(cls, choice: SourceChoice, cache: Path) -> Self:
        """See `SnapshotSource`."""
        client = HubClient(token=os.environ.get("HF_TOKEN"))
        return cls(client, cache / cls.name, AccountDirectory.opened(cache), choice.tolerance, choice.tell)

    @property
    def is_synthetic(self) -> bool:
        """See `SnapshotSource`; asked of the Hub once."""
        self.client.model_count()
        return self.client.is_synthetic

    def months(self) -> list[date]:
        """The month just closed, while the tolerance lasts, and those of which a finished crawl is kept."""
        kept = {parse_month(path.parent.name) for path in self.cache.glob(f"*/{FINISHED}")}
        return sorted(kept | self._open_month())

    def closing_snapshot(self, month: date) -> Snapshot:
        """The Hub as a crawl finds it, soon after the month's close; see `SnapshotSource`.

        It counts as observed when the crawl ended: the oldest repositories are listed first, so that none created
        before then is missing.

        Raises:
            MonthNotServedError: the month has not ended, or too long ago.
        """
        crawl = ListingCrawl(self.client, self.cache / f"{month:%Y-%m}")
        finished = crawl.folder / FINISHED
        if not finished.exists():
            self._require_open(month)
            self._crawl(crawl, finished)
        ended = json.loads(finished.read_text())
        observed = crawl.observed()
        return Snapshot(
            observed.rows,
            datetime.fromisoformat(ended["finished_at"]),
            self.recorded_as(is_synthetic=ended["is_synthetic"]),
            f"listing:{ended['finished_at']}",
            {"crawl": ended["summary"]} | observed.notes(f"the listing of {self.client.endpoint}"),
        )

    def accounts(self, namespaces: Sequence[str]) -> pl.DataFrame:
        """Asked of the Hub within a budget, and remembered."""
        return self.directory.ask(namespaces, self.client.account_type)

    def _crawl(self, crawl: ListingCrawl, finished: Path) -> None:
        crawl.folder.mkdir(parents=True, exist_ok=True)
        told = -float(TOLD_EVERY_SECONDS)

        def tell(progress: CrawlProgress) -> None:
            nonlocal told
            if time.monotonic() - told >= TOLD_EVERY_SECONDS:
                told = time.monotonic()
                self.tell(f"crawl: {progress}")

        try:
            with FileLock(crawl.folder / ".lock", timeout=0):
                ended = crawl.run(tell)
                finished_at = self.clock().isoformat(timespec="seconds")
                content = {"finished_at": finished_at, "summary": str(ended), "is_synthetic": self.client.is_synthetic}
                write_atomically(finished, json.dumps(content).encode())
        except Timeout as error:
            raise TemporaryError(
                f"another process is crawling the Hub into {crawl.folder}: wait until it has ended"
            ) from error
        self.tell(f"crawl ended: {ended}")

    def _open_month(self) -> set[date]:
        now = self.clock()
        closed = previous_month(now.date().replace(day=1))
        return {closed} if distance_from_closing(closed, now) <= self.tolerance else set()

    def _require_open(self, month: date) -> None:
        if month in self._open_month():
            return
        if self.clock() < closing_of(month):
            raise MonthNotServedError(
                f"source {self.name} cannot close {month:%Y-%m}, which has not ended: run it soon after "
                f"{closing_of(month):%Y-%m-%d}"
            )
        raise MonthNotServedError(f"source {self.name} cannot close {month:%Y-%m}: {self.remedy}")
