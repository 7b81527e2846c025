"""The archive's usable revision nearest to the boundary closes the month."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pyarrow as pa
import pytest

from pipeline.errors import MonthNotServedError, UnusableSnapshotError
from pipeline.months import closing_of
from pipeline.sources.client import HubClient, RemoteFile
from pipeline.sources.hub_stats import HubStatsSource
from synthetic_hub.datasets import ARCHIVE_REPOSITORY
from tests.mirror import Misbehaviour

AUGUST = date(2025, 8, 1)
CLOSE = closing_of(AUGUST)


@dataclass
class ArchiveOf:
    """Stands in for the Hub where only the choice among revisions matters."""

    folder: Path
    revisions: dict[datetime, tuple[int, str]]
    is_synthetic = False
    listed: int = field(default=0)

    def archive_revisions(self, repository):
        self.listed += 1
        return [
            SimpleNamespace(commit_id=f"{at:%m%d%H}", created_at=at, title="Upload models.parquet")
            for at in sorted(self.revisions, reverse=True)
        ]

    def inspect_parquet(self, repository, path, commit):
        rows, content = next(found for at, found in self.revisions.items() if f"{at:%m%d%H}" == commit)
        return RemoteFile(rows, content)

    def read_columns(self, repository, path, commit, columns):
        return pa.table({"_id": [commit], "id": [f"from/{commit}"], "downloadsAllTime": [7]})

    def download(self, repository, path, commit, cache, stated):
        file = self.folder / f"{commit}.parquet"
        pl.DataFrame({"id": [f"from/{commit}"]}).write_parquet(file)
        return file


def archive(tmp_path, **revisions):
    """Revisions by hours from the boundary, e.g. `before_20=(rows, content)`."""
    placed = {}
    for name, found in revisions.items():
        side, hours = name.split("_")
        placed[CLOSE + timedelta(hours=int(hours)) * (-1 if side == "before" else 1)] = found
    return HubStatsSource(ArchiveOf(tmp_path, placed), tmp_path)


CHOICES = {
    "the nearest": ({"before_20": (100, "a"), "after_3": (100, "b")}, 3),
    "the next nearest to a partial one": (
        {"before_40": (100, "a"), "before_20": (101, "b"), "after_3": (26, "c"), "after_30": (102, "d")},
        -20,
    ),
    "the second of all, where it has many more": ({"after_3": (26, "c"), "after_30": (102, "d")}, 30),
    "the first, where only a month later there are more": ({"after_3": (90, "c"), "after_700": (102, "d")}, 3),
    "the original of a stale copy": ({"before_40": (100, "a"), "after_3": (100, "a")}, -40),
}


@pytest.mark.parametrize("which", CHOICES)
def test_the_nearest_revision_that_is_neither_partial_nor_a_copy_is_taken_and_pinned(tmp_path, which):
    revisions, hours = CHOICES[which]
    snapshot = archive(tmp_path, **revisions).closing_snapshot(AUGUST)
    assert snapshot.observed_at == CLOSE + timedelta(hours=hours)
    assert snapshot.source_revision == f"{snapshot.observed_at:%m%d%H}"
    assert snapshot.rows.collect()["model_id"].to_list() == [f"from/{snapshot.source_revision}"]


@pytest.mark.parametrize(
    ("revisions", "month", "said"),
    [
        ({"before_200": (100, "a"), "after_3": (26, "c")}, AUGUST, r"2025-08: .* is partial \(26 of about 100 rows\)"),
        ({"before_2": (100, "a")}, date(2024, 1, 1), "it reaches from 2025-08-31 to 2025-08-31"),
        ({}, AUGUST, "it has no revisions at all"),
    ],
)
def test_a_month_without_a_usable_revision_is_refused_with_the_reasons(tmp_path, revisions, month, said):
    with pytest.raises(MonthNotServedError, match=said):
        archive(tmp_path, **revisions).closing_snapshot(month)


def test_the_months_served_are_those_with_a_revision_near_their_close_which_are_listed_once(tmp_path):
    source = archive(tmp_path, before_2=(100, "a"), after_400=(100, "b"))
    assert source.months() == [AUGUST]
    assert source.closing_snapshot(AUGUST).observed_at.tzinfo == UTC
    assert source.client.listed == 1


def test_what_was_refused_and_what_is_absent_is_noted_with_the_month(tmp_path):
    source = archive(tmp_path, before_40=(100, "a"), before_20=(101, "b"), after_3=(26, "c"), after_30=(102, "d"))
    notes = source.closing_snapshot(AUGUST).notes
    assert notes["refused"] == "2025-09-01 03:00 is partial (26 of about 102 rows)"
    assert "downloads_all_time" in notes["absent_columns"].split(", ")
    assert "model_id" not in notes["absent_columns"]


def test_files_are_kept_unless_they_are_to_be_dropped_after_use(tmp_path):
    revisions = archive(tmp_path, before_2=(100, "a"), after_700=(130, "b")).client.revisions
    for keep, left in ((None, 2), (timedelta(0), 1)):
        folder = tmp_path / str(left)
        source = HubStatsSource(ArchiveOf(tmp_path, revisions), folder, keep=keep)
        for month in (AUGUST, date(2025, 9, 1)):
            source.closing_snapshot(month)
        assert len(list((folder / "files").iterdir())) == left


def test_counters_are_read_from_every_other_usable_revision_within_the_tolerance(tmp_path):
    source = archive(
        tmp_path,
        before_90=(100, "a"),
        before_20=(100, "b"),
        before_2=(50, "c"),
        after_3=(101, "d"),
        after_30=(101, "d"),
    )
    nearest = source.closing_snapshot(AUGUST)
    assert nearest.observed_at == CLOSE + timedelta(hours=3)
    [other] = source.counters_around(AUGUST, nearest.source_revision)
    assert other.observed_at == CLOSE - timedelta(hours=20)
    assert other.rows.collect().to_dicts() == [{"hub_id": "083104", "model_id": "from/083104", "downloads_all_time": 7}]


def test_a_file_longer_than_its_listing_announces_is_refused_and_nothing_of_it_is_kept(hub_of, tmp_path, monkeypatch):
    longer = Misbehaviour(lambda answer: answer.with_body(answer.body + b" ") if answer.status == 200 else answer, "/d")
    client = HubClient(hub_of(longer).endpoint)
    source = HubStatsSource(client, tmp_path, repository=ARCHIVE_REPOSITORY)
    with pytest.raises(
        UnusableSnapshotError, match=r"models.parquet of .* is longer than the [\d,]+ bytes .*: run again"
    ):
        source.closing_snapshot(date(2025, 3, 1))
    assert not list(tmp_path.glob("files/*"))
    [*_, copy] = source.copies
    monkeypatch.setattr("pipeline.sources.client.LARGEST_FILE_BYTES", 1_000)
    with pytest.raises(UnusableSnapshotError, match="longer than the 1,000 bytes"):
        client.download(ARCHIVE_REPOSITORY, copy.path, copy.commit, tmp_path / "unannounced")
