"""Source `sample`: the embedded default, a synthetic world on our own local Hub; nothing in it was measured."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

import polars as pl

from pipeline.months import closing_of
from pipeline.sources.accounts import AccountDirectory
from pipeline.sources.client import HubClient
from pipeline.sources.hub_stats import HubStatsSource
from pipeline.sources.listing_crawl import ListingCrawl
from pipeline.sources.snapshots import Snapshot, SnapshotSource, SourceChoice
from synthetic_hub.datasets import ARCHIVE_REPOSITORY
from synthetic_hub.server import LocalHub
from synthetic_hub.timeline import MONTHS
from synthetic_hub.world import WorldFiles, WorldSettings, ensure_world


@dataclass(frozen=True)
class SampleSource(SnapshotSource):
    """Monthly snapshots of the synthetic world: past months from its archive, the latest through its listing."""

    name = "sample"
    cache: Path
    settings: WorldSettings = field(default_factory=WorldSettings)

    @classmethod
    def opened(cls, choice: SourceChoice, cache: Path) -> Self:  # noqa: ARG003
        """See `SnapshotSource`."""
        return cls(cache / cls.name)

    def months(self) -> list[date]:
        """The months of the synthetic world."""
        return list(MONTHS)

    def closing_snapshot(self, month: date) -> Snapshot:
        """See `SnapshotSource`; the month before the first can be read too, as the first one's opening."""
        world = self.world()
        with self.hub() as client, TemporaryDirectory(prefix="census-crawl-") as folder:
            if month == world.months[-1]:
                crawl = ListingCrawl(client, Path(folder))
                crawl.run()
                rows = crawl.observed().rows.collect().lazy()
                return Snapshot(rows, closing_of(month), self.name, f"listing:{world.path.name}")
            archive = HubStatsSource(client, self.cache / "archive" / world.path.name, repository=ARCHIVE_REPOSITORY)
            return replace(archive.closing_snapshot(month), source=self.name)

    def accounts(self, namespaces: Sequence[str], directory: AccountDirectory) -> pl.DataFrame:  # noqa: ARG002
        """Asked of the local Hub, and remembered apart from what is known of the public one."""
        own = AccountDirectory(self.cache / f"accounts-{self.world().path.name}.parquet")
        with self.hub() as client:
            return own.ask(namespaces, client.account_type, budget=2 * len(namespaces))

    def world(self) -> WorldFiles:
        """The synthetic world's files, generated at first use."""
        return ensure_world(self.cache / "worlds", self.settings)

    @contextmanager
    def hub(self) -> Iterator[HubClient]:
        """A client of the local Hub, which lives as long as the context."""
        with LocalHub(self.world(), requests_per_window=1_000_000) as local_hub:
            yield HubClient(local_hub.endpoint, token=None)
