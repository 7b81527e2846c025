"""The lake keeps each table's month whole or not at all."""

import hashlib
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime

import polars as pl
import pytest

from assets.columns import HUB_ID
from pipeline.errors import CensusError
from pipeline.lake.store import Lake
from pipeline.schema.declaration import TIMESTAMP, Table
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


WRITING = """
import datetime as dt, sys
import polars as pl
from pipeline.lake.store import Lake
from assets.listings.opening_counters import OPENING_COUNTERS

rows = pl.scan_parquet(sys.argv[1])
sources = pl.LazyFrame({"place": range(7), "source": [f"source {place}" for place in range(7)]})
joined = rows.join(sources, on="place", how="left", maintain_order="left")
Lake(sys.argv[2]).write(OPENING_COUNTERS, dt.date(2025, 8, 1), joined)
"""


def digests_by_threads(script, folder):
    """What the script makes of `rows.parquet`, as the digests of a lake's only files, with one thread and with more."""
    digests = set()
    for threads in ("1", "2", "5"):
        subprocess.run(
            [sys.executable, "-c", script, folder / "rows.parquet", folder / threads],
            env=os.environ | {"POLARS_MAX_THREADS": threads},
            check=True,
        )
        [file] = (folder / threads).rglob("*.parquet")
        digests.add(hashlib.sha256(file.read_bytes()).hexdigest())
    return digests


def test_the_same_rows_are_the_same_bytes_however_many_threads_write_them(tmp_path):
    rows = pl.int_range(700_000, eager=True)
    pl.DataFrame(
        {
            "month": pl.repeat(AUGUST, len(rows), eager=True),
            "hub_id": rows.cast(pl.String).str.zfill(24),
            "model_id": "someone/model-" + rows.cast(pl.String),
            "identified_by": pl.repeat("hub_id", len(rows), eager=True),
            "created_at": pl.repeat(None, len(rows), dtype=TIMESTAMP, eager=True),
            "downloads_all_time": rows,
            "counter": rows,
            "counted_at": pl.repeat(datetime(2025, 8, 1, tzinfo=UTC), len(rows), eager=True),
            "boundary": pl.repeat("measured", len(rows), eager=True),
            "observed_at": pl.repeat(datetime(2025, 8, 1, tzinfo=UTC), len(rows), eager=True),
            "place": rows % 7,
            "source_revision": pl.repeat("1", len(rows), eager=True),
        }
    ).write_parquet(tmp_path / "rows.parquet", row_group_size=90_000)
    assert len(digests_by_threads(WRITING, tmp_path)) == 1


READING_A_DUMP = """
import datetime as dt
import sys
from pathlib import Path
from pipeline.sources.records import read_parquet
from pipeline.lake.store import Lake
from assets.listings.hub_snapshots import HUB_SNAPSHOTS
from assets.listings.hub_snapshots import snapshot_rows
from pipeline.sources.snapshots import Snapshot

month, observed_at = dt.date(2025, 8, 1), dt.datetime(2025, 9, 1, tzinfo=dt.UTC)
rows = read_parquet([Path(sys.argv[1])]).rows
snapshot = snapshot_rows(Snapshot(rows, observed_at, "folder", "1"), month)
Lake(sys.argv[2]).write(HUB_SNAPSHOTS, month, snapshot)
"""


def test_lists_are_the_same_bytes_however_many_threads_make_them(tmp_path):
    models = 150_000
    number, name = pl.col("number"), pl.lit("someone/model-") + pl.col("number").cast(pl.String)
    card = (
        pl.when(number < models // 4)
        .then(pl.lit("{}"))
        .when(number % 50 == 0)
        .then(pl.lit('{"base_model": ["') + name + pl.lit('", "someone/else"]}'))
        .when(number % 2 == 0)
        .then(pl.lit('{"base_model": "') + name + pl.lit('"}'))
        .otherwise(pl.lit("{}"))
    )
    pl.DataFrame({"number": pl.int_range(models, eager=True)}).select(
        number.cast(pl.String).str.zfill(24).alias("_id"), name.alias("id"), card.alias("cardData")
    ).write_parquet(tmp_path / "rows.parquet")
    assert len(digests_by_threads(READING_A_DUMP, tmp_path)) == 1
