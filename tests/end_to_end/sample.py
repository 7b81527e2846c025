"""What the tests of the sample look into: its lake, its warehouse, and the truth that was planted in its world."""

import shutil
import socket
from datetime import date

import duckdb
import polars as pl
import pytest

from pipeline.definitions import CATALOGUE
from pipeline.lake.store import Lake
from pipeline.months import months_between
from synthetic_hub.world import WorldSettings, ensure_world

MONTHS = months_between(date(2024, 8, 1), date(2025, 9, 1))
YEAR = months_between(date(2024, 9, 1), date(2025, 8, 1))


def each_month(months):
    return pytest.mark.parametrize("month", months, ids=lambda month: f"{month:%Y-%m}")


def lake_of(sample):
    return Lake(str(sample[0] / "lake"))


def found_in(sample, table, *months):
    """The rows of a table of the lake in these months, or in all of them."""
    lake = lake_of(sample)
    return pl.concat(lake.scan(CATALOGUE.tables[table], month) for month in months or MONTHS).collect()


def truth_of(sample, name):
    return ensure_world(sample[0] / "cache" / "sample" / "worlds", WorldSettings()).truth(name)


def differences(found, planted, keys):
    """Rows whose downloads differ by more than one part in a million, or that only one side has."""
    both = found.join(planted, on=keys, how="full", coalesce=True, suffix="_planted").with_columns(
        pl.col("downloads", "downloads_planted").fill_null(0)
    )
    largest = pl.max_horizontal("downloads", "downloads_planted", pl.lit(1.0))
    return both.filter((pl.col("downloads") - pl.col("downloads_planted")).abs() > 1e-6 * largest)


def rows_of(home, query):
    with duckdb.connect(str(home / "published" / "census.duckdb"), read_only=True) as warehouse:
        return warehouse.sql(query).fetchall()


def copied(home, to):
    """A copy of a home's lake and of what it published."""
    for folder in ("lake", "published"):
        shutil.copytree(home / folder, to / folder, symlinks=True)
    return to


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]
