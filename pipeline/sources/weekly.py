"""Source `weekly`: the dataset that keeps a weekly copy of the Hub's model listing."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pipeline.sources.archive import ArchiveSource, Edition
from pipeline.sources.records import newest_creation


@dataclass(frozen=True)
class WeeklySource(ArchiveSource):
    """A file a week, in a folder named by the day on which the week starts; it was written up to seven days later.

    When it was observed stands in the content alone: shortly after the newest repository in it was created.
    """

    name = "weekly"
    remedy = "choose other months, or read what is missing from source hub_stats"
    repository: str = "hfmlsoc/hub_weekly_snapshots"

    def list_editions(self) -> list[Edition]:
        """Every week's file as of the newest commit, oldest first."""
        commit, paths = self.client.dataset_files(self.repository)
        editions = []
        for path in paths:
            if match := re.fullmatch(rf"models/(\d{{4}}-\d{{2}}-\d{{2}})/{re.escape(self.file)}", path):
                starts = datetime.fromisoformat(match[1]).replace(tzinfo=UTC)
                editions.append(Edition(commit, path, starts, starts + timedelta(days=7), f"{commit}/{path}"))
        return sorted(editions, key=lambda edition: edition.earliest)

    def observed_at(self, edition: Edition) -> datetime:
        """The creation of the newest repository in the file; the week's start where no creation is told."""
        created = self.client.read_columns(self.repository, edition.path, edition.commit, ["createdAt"])
        return newest_creation(created) or edition.earliest
