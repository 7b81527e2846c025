"""The lake keeps each table's month whole or not at all."""

import hashlib
import multiprocessing
import os
import signal
import subprocess
import sys
import time

import polars as pl
import pytest

from assets.columns import HUB_ID
from pipeline.errors import CensusError
from pipeline.lake.store import Lake
from pipeline.schema.declaration import Table
from tests.lake.scenario import AUGUST, COUNTS, rows

REGISTRY = Table("attribution/registry", "name", "Names.", (HUB_ID,), ("hub_id",), monthly=False)


@pytest.fixture(params=["folder", "file://", "memory://"])
def lake(request, tmp_path):
    return Lake(
        {"folder": str(tmp_path), "file://": tmp_path.as_uri(), "memory://": f"memory://{tmp_path}"}[request.param]
    )


def test_what_is_written_is_read_back_sorted_by_its_key(lake):
    stored = lake.write(COUNTS, AUGUST, rows("b", "a"))
    assert stored.rows == 2
    assert lake.scan(COUNTS, AUGUST).collect()["hub_id"].to_list() == ["a", "b"]
    assert lake.stored(COUNTS, AUGUST).bytes == stored.bytes


def test_what_was_sorted_by_its_key_is_not_sorted_by_it_again(lake):
    lake.write(COUNTS, AUGUST, rows("b", "a"))
    assert "SORT BY" not in lake.scan(COUNTS, AUGUST).filter(pl.col("n") > 0).sort("hub_id").explain()
    assert "SORT BY" in lake.scan(COUNTS, AUGUST).sort("n").explain()


def test_a_table_without_months_is_kept_whole(lake):
    lake.write(REGISTRY, None, pl.LazyFrame({"hub_id": ["x"]}))
    assert lake.holds(REGISTRY)
    assert lake.scan(REGISTRY).collect().height == 1


def test_an_empty_month_keeps_its_schema(lake):
    lake.write(COUNTS, AUGUST, rows())
    assert lake.scan(COUNTS, AUGUST).collect_schema() == COUNTS.schema
    assert lake.months(COUNTS) == [AUGUST]


def test_writing_a_month_again_replaces_it_and_its_state_is_another(lake):
    assert lake.state(COUNTS, AUGUST) is None
    lake.write(COUNTS, AUGUST, rows("a", "b"))
    before = lake.state(COUNTS, AUGUST)
    assert lake.state(COUNTS, AUGUST) == before
    lake.write(COUNTS, AUGUST, rows("c"))
    assert lake.state(COUNTS, AUGUST) != before
    assert lake.scan(COUNTS, AUGUST).collect()["hub_id"].to_list() == ["c"]


def test_the_same_rows_in_any_order_give_the_same_bytes(lake):
    lake.write(COUNTS, AUGUST, rows("a", "b"))
    before = lake.digest(COUNTS, AUGUST)
    lake.write(COUNTS, AUGUST, rows("b", "a"))
    assert lake.digest(COUNTS, AUGUST) == before


def test_a_plan_that_fails_leaves_the_old_month_and_no_litter(tmp_path):
    lake = Lake(str(tmp_path))
    lake.write(COUNTS, AUGUST, rows("a"))
    failing = rows("b").with_columns(pl.lit("not a number").str.to_integer().alias("n"))
    with pytest.raises(pl.exceptions.PolarsError):
        lake.write(COUNTS, AUGUST, failing)
    assert lake.scan(COUNTS, AUGUST).collect()["hub_id"].to_list() == ["a"]
    assert [path.name for path in lake.path(COUNTS, AUGUST).parent.iterdir()] == ["part-0.parquet"]


def test_a_month_that_is_not_there_is_named_with_the_remedy(lake):
    with pytest.raises(CensusError, match=r"no listings/counts for 2025-08: materialise it first"):
        lake.scan(COUNTS, AUGUST)


def test_a_monthly_table_cannot_be_read_without_a_month(lake):
    with pytest.raises(CensusError, match="name the month"):
        lake.scan(COUNTS)


def test_what_a_killed_writer_left_long_ago_is_removed(tmp_path):
    lake = Lake(str(tmp_path))
    lake.write(COUNTS, AUGUST, rows("a"))
    leftover = lake.path(COUNTS, AUGUST).parent / ".part-0.parquet.dead.tmp"
    leftover.touch()
    os.utime(str(leftover), (0, 0))
    lake.write(COUNTS, AUGUST, rows("a"))
    assert not leftover.exists()


def write_for_ever(url: str) -> None:
    lake = Lake(url)
    size = 0
    while True:
        size = (size + 1) % 2
        ids = [f"{number:06d}" for number in range(50_000 + 50_000 * size)]
        lake.write(COUNTS, AUGUST, rows(*ids, n=size))


def test_a_writer_killed_at_any_moment_leaves_a_whole_month(tmp_path):
    lake = Lake(str(tmp_path))
    lake.write(COUNTS, AUGUST, rows("a"))
    context = multiprocessing.get_context("spawn")
    for pause in (0.02, 0.11, 0.23):
        writer = context.Process(target=write_for_ever, args=(str(tmp_path),))
        writer.start()
        before = lake.path(COUNTS, AUGUST).stat().st_mtime_ns
        deadline = time.monotonic() + 20
        while lake.path(COUNTS, AUGUST).stat().st_mtime_ns == before and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(pause)
        os.kill(writer.pid, signal.SIGKILL)
        writer.join()
        month = lake.scan(COUNTS, AUGUST).collect()
        assert month.height == 50_000 + 50_000 * month["n"][0]
        assert month["n"].n_unique() == 1


READING_AND_WRITING = """
import datetime as dt
import sys
from pathlib import Path
import polars as pl
from assets.listings.hub_snapshots import HUB_SNAPSHOTS, snapshot_rows
from assets.listings.opening_counters import OPENING_COUNTERS
from pipeline.lake.store import Lake
from pipeline.sources.records import read_parquet
from pipeline.sources.snapshots import Snapshot

folder, lake = Path(sys.argv[1]), Lake(sys.argv[2])
month, observed_at = dt.date(2025, 8, 1), dt.datetime(2025, 9, 1, tzinfo=dt.UTC)
lists = read_parquet([folder / "dump.parquet"]).rows
lake.write(HUB_SNAPSHOTS, month, snapshot_rows(Snapshot(lists, observed_at, "folder", "1"), month))
sources = pl.LazyFrame({"place": range(7), "source": [f"source {place}" for place in range(7)]})
rows = pl.scan_parquet(folder / "rows.parquet").join(sources, on="place", how="left", maintain_order="left")
stated = {name: None for name in OPENING_COUNTERS.schema if name not in (*rows.collect_schema(), "month")}
lake.write(OPENING_COUNTERS, month, rows.with_columns(month=month, **stated))
"""


def test_rows_and_lists_are_the_same_bytes_however_many_threads_read_and_write_them(tmp_path):
    number = pl.int_range(700_000, eager=True).alias("number")
    hub_id, name = number.cast(pl.String).str.zfill(24), "someone/model-" + number.cast(pl.String)
    pl.DataFrame(
        {"hub_id": hub_id, "model_id": name, "downloads_all_time": number, "counter": number, "place": number % 7}
    ).write_parquet(tmp_path / "rows.parquet", row_group_size=90_000)
    place, card = pl.col("place"), pl.lit('{"base_model": ')
    two, one = card + '["' + pl.col("id") + '", "someone/else"]}', card + '"' + pl.col("id") + '"}'
    declared = pl.when(place < 37_500).then(pl.lit("{}")).when(place % 50 == 0).then(two).when(place % 2 == 0).then(one)
    pl.DataFrame({"place": number, "_id": hub_id, "id": name}).head(150_000).select(
        "_id", "id", cardData=declared.otherwise(pl.lit("{}"))
    ).write_parquet(tmp_path / "dump.parquet")
    digests = set()
    for threads in ("1", "2", "5"):
        subprocess.run(
            [sys.executable, "-c", READING_AND_WRITING, tmp_path, tmp_path / threads],
            env=os.environ | {"POLARS_MAX_THREADS": threads},
            check=True,
        )
        files = sorted((tmp_path / threads).rglob("*.parquet"))
        assert len(files) == 2
        digests.add(tuple(hashlib.sha256(file.read_bytes()).hexdigest() for file in files))
    assert len(digests) == 1
