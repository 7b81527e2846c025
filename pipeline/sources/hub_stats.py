"""Source `hub_stats`: the dataset that keeps a daily copy of the Hub's model listing."""

from dataclasses import dataclass
from datetime import UTC, datetime

from pipeline.sources.archive import ArchiveSource, Copy


@dataclass(frozen=True)
class HubStatsSource(ArchiveSource):
    """One file, written anew by a commit a day: the commit's time is that of the observation."""

    name = "hub_stats"
    remedy = "choose other months, or read what is missing from source weekly"
    repository: str = "cfahlgren1/hub-stats"

    def list_copies(self) -> list[Copy]:
        """Every commit that wrote the file, oldest first."""
        written = [one for one in self.client.archive_revisions(self.repository) if self.file in one.title]
        return [
            Copy(one.commit_id, self.file, observed_at, observed_at, one.commit_id)
            for one in sorted(written, key=lambda one: one.created_at)
            for observed_at in [one.created_at.astimezone(UTC)]
        ]

    def observed_at(self, copy: Copy) -> datetime:
        """The commit's time."""
        return copy.earliest
