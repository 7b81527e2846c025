"""A folder of dated dumps serves the months that they close."""

from datetime import UTC, date, datetime

import polars as pl
import pytest

from pipeline.errors import CensusError, MonthNotServedError
from pipeline.sources.accounts import AccountDirectory
from pipeline.sources.folder import FolderSource
from pipeline.sources.snapshots import require_served

MAY = date(2026, 5, 1)


def dumps(folder, *names):
    for name in names:
        pl.DataFrame({"id": [f"maker/{name}"]}).write_parquet(folder / name)
    return FolderSource(folder, AccountDirectory(folder / "accounts.parquet"))


def names_read(snapshot):
    return snapshot.rows.collect()["model_id"].to_list()


def test_the_dump_nearest_to_the_boundary_closes_the_month(tmp_path):
    source = dumps(tmp_path, "2026-05-29.parquet", "2026-06-01.parquet", "2026-06-15.parquet")
    snapshot = source.closing_snapshot(MAY)
    assert names_read(snapshot) == ["maker/2026-06-01.parquet"]
    assert snapshot.observed_at == datetime(2026, 6, 1, 12, tzinfo=UTC)
    assert source.months() == [MAY]


def test_a_time_in_the_name_is_the_time_of_observation(tmp_path):
    snapshot = dumps(tmp_path, "2026-05-31T23-50.parquet").closing_snapshot(MAY)
    assert snapshot.observed_at == datetime(2026, 5, 31, 23, 50, tzinfo=UTC)


def test_the_revision_is_the_digest_of_the_file(tmp_path):
    first = dumps(tmp_path, "2026-05-31.parquet").closing_snapshot(MAY).source_revision
    pl.DataFrame({"id": ["maker/changed"]}).write_parquet(tmp_path / "2026-05-31.parquet")
    assert dumps(tmp_path).closing_snapshot(MAY).source_revision != first


def test_a_month_without_a_dump_near_its_close_is_refused(tmp_path):
    source = dumps(tmp_path, "2026-05-20.parquet")
    with pytest.raises(
        MonthNotServedError, match=r"cannot close 2026-05: no file .* the nearest is 2026-05-20.parquet"
    ):
        source.closing_snapshot(MAY)
    with pytest.raises(MonthNotServedError, match=r"does not serve 2026-05"):
        require_served(source, [MAY])


def test_a_folder_that_is_not_there_or_empty_is_named(tmp_path):
    with pytest.raises(CensusError, match="does not exist: name one with --snapshots"):
        FolderSource(tmp_path / "nowhere", AccountDirectory(tmp_path / "x")).months()
    with pytest.raises(CensusError, match="holds no dated dumps"):
        dumps(tmp_path).months()


def test_a_date_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(CensusError, match=r"2026-02-31.parquet is named by a date that does not exist"):
        dumps(tmp_path, "2026-02-31.parquet").months()
