"""Source `hub_stats`: the dataset that keeps a daily copy of the Hub's model listing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pipeline.sources.archive import ArchiveSource, Edition


@dataclass(frozen=True)
class HubStatsSource(ArchiveSource):
    """One file, written anew by a commit a day: the commit's time is that of the observation."""

    name = "hub_stats"
    remedy = "choose other months, or read what is missing from source weekly"
    repository: str = "cfahlgren1/hub-stats"

    def list_editions(self) -> list[Edition]:
        """Every commit that wrote the file, oldest first."""
        commits = self.client.archive_revisions(self.repository)
        written = [revision for revision in commits if self.file in revision.title]
        return [
            Edition(revision.commit, self.file, revision.committed_at, revision.committed_at, revision.commit)
            for revision in sorted(written, key=lambda revision: revision.committed_at)
        ]

    def observed_at(self, edition: Edition) -> datetime:
        """The commit's time."""
        return edition.earliest
