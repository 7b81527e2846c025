"""Source `hub`: the public Hub itself, for the month that has just closed and no other."""

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Self

import polars as pl
from filelock import FileLock, Timeout

from pipeline import settings
from pipeline.atomic_file import replacing
from pipeline.errors import MonthNotServedError, TemporaryError
from pipeline.months import closing_of, parse_month, previous_month
from pipeline.sources.accounts import AccountDirectory
from pipeline.sources.client import HubClient
from pipeline.sources.listing_crawl import ListingCrawl, popular_counters
from pipeline.sources.snapshots import (
    DEFAULT_TOLERANCE,
    CounterObservation,
    Snapshot,
    SnapshotSource,
    SourceChoice,
    distance_from_closing,
    is_closed_by_a_wednesday,
)

LISTING = "listing.parquet"
SECOND_LOOK_AFTER = timedelta(days=1)
"""Counters that stood still have hardly caught up before."""


@dataclass(frozen=True)
class HubSource(SnapshotSource):
    """The month just closed, crawled through the listing API within the tolerance after its close.

    What a crawl found stays in `cache`, by month: a month that was crawled can be read again from it.
    """

    name = "hub"
    remedy = "the listing API cannot be asked about the past; use source hub_stats"
    client: HubClient
    cache: Path
    tolerance: timedelta = DEFAULT_TOLERANCE
    account_requests: int = settings.ACCOUNT_REQUESTS
    tell: Callable[[str], None] = lambda _: None
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    @classmethod
    def opened(cls, choice: SourceChoice, cache: Path) -> Self:
        """See `SnapshotSource`."""
        client = HubClient(token=os.environ.get("HF_TOKEN"))
        return cls(client, cache / cls.name, choice.tolerance, settings.account_requests(), choice.tell)

    @property
    def is_synthetic(self) -> bool:
        """See `SnapshotSource`; asked of the Hub once."""
        self.client.model_count()
        return self.client.is_synthetic

    def months(self) -> list[date]:
        """The month just closed, while the tolerance lasts, and those of which a crawl is kept."""
        kept = {parse_month(path.parent.name) for path in self.cache.glob(f"*/{LISTING}")}
        return sorted(kept | self._open_month())

    def closing_snapshot(self, month: date) -> Snapshot:
        """The Hub as a crawl finds it, soon after the month's close; see `SnapshotSource`.

        It counts as observed when the crawl ended: the oldest repositories are listed first, so that none created
        before then is missing.

        Raises:
            MonthNotServedError: the month has not ended, or too long ago.
        """
        listing = self.cache / f"{month:%Y-%m}" / LISTING
        if not listing.exists():
            if month not in self._open_month():
                has_ended = self.clock() >= closing_of(month)
                soon = f", which has not ended: run it soon after {closing_of(month):%Y-%m-%d}"
                why = f": {self.remedy}" if has_ended else soon
                raise MonthNotServedError(f"source {self.name} cannot close {month:%Y-%m}{why}")
            self._crawl(listing)
        crawl = json.loads(pl.read_parquet_metadata(listing)["crawl"])
        notes, finished_at = crawl["notes"], datetime.fromisoformat(crawl["finished_at"])
        if is_closed_by_a_wednesday(month) and self.clock() - finished_at < SECOND_LOOK_AFTER:
            notes["second_look"] = (
                "the month closes by a Wednesday, when counters often stand still: run it again from this source two "
                "or three days after its close; where counters were listed before the close too, that repairs it"
            )
        return Snapshot(
            pl.scan_parquet(listing, glob=False),
            finished_at,
            self.recorded_as(is_synthetic=crawl["is_synthetic"]),
            f"listing:{crawl['finished_at']}",
            notes,
        )

    def counters_around(self, month: date, snapshot_revision: str) -> Iterator[CounterObservation]:
        """The counters of popular repositories, as they were listed near the month's close; see `SnapshotSource`.

        While the month is open they are listed once more, if they were last seen a day ago or longer.
        """
        kept = self._counter_listings(month)
        last_seen = max([datetime.fromisoformat(snapshot_revision.removeprefix("listing:")), *kept])
        if month in self._open_month() and self.clock() - last_seen >= SECOND_LOOK_AFTER:
            self.tell(self.list_counters())
            kept = self._counter_listings(month)
        for observed_at, path in kept.items():
            if distance_from_closing(month, observed_at) <= self.tolerance:
                yield CounterObservation(pl.scan_parquet(path, glob=False), observed_at)

    def list_counters(self) -> str:
        """Lists the counters of popular repositories as they are now, and keeps them for the month whose close is near.

        Returns:
            What was done, in a sentence.

        Raises:
            MonthNotServedError: no month's close is within the tolerance.
        """
        now = self.clock()
        running = now.date().replace(day=1)
        near = [
            month for month in (previous_month(running), running) if distance_from_closing(month, now) <= self.tolerance
        ]
        if not near:
            raise MonthNotServedError(
                f"no month closes within {self.tolerance / timedelta(days=1):g} days of {now:%Y-%m-%d}: list counters "
                f"from two days before {closing_of(running):%Y-%m-%d} on"
            )
        rows = popular_counters(self.client)
        observed_at = self.clock()
        path = self.cache / f"{near[0]:%Y-%m}" / f"counters-{observed_at:%Y%m%dT%H%M%S}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as unfinished:
            rows.write_parquet(unfinished, metadata={"observed_at": observed_at.isoformat(timespec="seconds")})
        return f"the counters of {rows.height:,} popular repositories are kept for the close of {near[0]:%Y-%m}"

    def _counter_listings(self, month: date) -> dict[datetime, Path]:
        """The listings of counters that are kept for the month's close, by when they were made."""
        paths = (self.cache / f"{month:%Y-%m}").glob("counters-*.parquet")
        found = {datetime.fromisoformat(pl.read_parquet_metadata(path)["observed_at"]): path for path in paths}
        return dict(sorted(found.items()))

    def accounts(self, namespaces: Sequence[str], directory: AccountDirectory) -> pl.DataFrame:
        """Asked of the Hub within a budget, and remembered."""
        return directory.ask(namespaces, self.client.account_type, self.account_requests)

    def _crawl(self, listing: Path) -> None:
        """Crawls into pages beside the listing, and keeps what they say as the listing."""
        listing.parent.mkdir(parents=True, exist_ok=True)
        told = -30.0

        def tell(progress: str) -> None:
            nonlocal told
            if time.monotonic() - told >= 30:
                told = time.monotonic()
                self.tell(f"crawl: {progress}")

        try:
            with FileLock(listing.with_name(".lock"), timeout=0):
                crawl = ListingCrawl(self.client, listing.with_name("pages"))
                ended = crawl.run(tell)
                finished_at = self.clock().isoformat(timespec="seconds")
                observed = crawl.observed()
                found = {
                    "finished_at": finished_at,
                    "is_synthetic": self.client.is_synthetic,
                    "notes": {"crawl": ended} | observed.notes(crawl.name),
                }
                with replacing(listing) as unfinished:
                    observed.rows.sink_parquet(unfinished, metadata={"crawl": json.dumps(found)})
                shutil.rmtree(crawl.folder)
        except Timeout as error:
            raise TemporaryError(
                f"another process is crawling the Hub into {listing.parent}: wait until it has ended"
            ) from error
        self.tell(f"crawl ended: {ended}")

    def _open_month(self) -> set[date]:
        now = self.clock()
        closed = previous_month(now.date().replace(day=1))
        return {closed} if distance_from_closing(closed, now) <= self.tolerance else set()
