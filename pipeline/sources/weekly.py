"""Source `weekly`: the dataset that keeps a weekly copy of the Hub's model listing."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pipeline.sources.archive import ArchiveSource, Copy
from pipeline.sources.records import newest_creation


@dataclass(frozen=True)
class WeeklySource(ArchiveSource):
    """A file a week, in a folder named by the day on which the week starts; it was written up to seven days later.

    When it was observed stands in the content alone: shortly after the newest repository in it was created.
    """

    name = "weekly"
    remedy = "choose other months, or read what is missing from source hub_stats"
    repository: str = "hfmlsoc/hub_weekly_snapshots"

    def list_copies(self) -> list[Copy]:
        """Every week's file as of the newest commit, oldest first."""
        commit, paths = self.client.dataset_files(self.repository)
        copies = []
        for path in paths:
            if match := re.fullmatch(rf"models/(\d{{4}}-\d{{2}}-\d{{2}})/{re.escape(self.file)}", path):
                starts = datetime.fromisoformat(match[1]).replace(tzinfo=UTC)
                copies.append(Copy(commit, path, starts, starts + timedelta(days=7), f"{commit}/{path}"))
        return sorted(copies, key=lambda copy: copy.earliest)

    def observed_at(self, copy: Copy) -> datetime:
        """The creation of the newest repository in the file; the week's start where no creation is told."""
        created = self.client.read_columns(self.repository, copy.path, copy.commit, ["createdAt"])
        return newest_creation(created) or copy.earliest
