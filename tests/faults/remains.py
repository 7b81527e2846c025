"""What is on disk of a month and of a publication, held to what an undisturbed run leaves, and disks that are bad."""

import os
import subprocess
import time
from contextlib import contextmanager
from datetime import date

import duckdb
import polars as pl
import pytest

from pipeline.definitions import CATALOGUE
from pipeline.lake.store import Lake
from pipeline.publish.manifest import MONTH_MANIFEST

MONTH = date(2025, 3, 1)
KILLS = int(os.environ.get("FAULTS_KILLS", "100"))
WORLDS = int(os.environ.get("FAULTS_WORLDS", "20"))
SECONDS_ALLOWED = int(os.environ.get("FAULTS_SECONDS", "1800"))
"""How long each long run goes on: on a slow machine it counts fewer, and says how many."""


def while_time_is_left():
    """Numbers from 0 as long as the time allows, one at least."""
    ends = time.monotonic() + SECONDS_ALLOWED
    number = 0
    while number == 0 or time.monotonic() < ends:
        yield number
        number += 1


@contextmanager
def file_system(folder, options):
    """A file system of its own at `folder`, with what the folder held."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a file system")
    kept = folder.with_name(f"{folder.name}-kept")
    folder.mkdir(parents=True, exist_ok=True)
    folder.rename(kept)
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("root may not mount a file system here")
    try:
        subprocess.run(["cp", "-a", f"{kept}/.", folder], check=True)
        subprocess.run(["mount", "-o", f"remount,{options}", folder], check=True)
        yield
        subprocess.run(["mount", "-o", "remount,rw,size=1g", folder], check=True)
        subprocess.run(["cp", "-a", f"{folder}/.", kept], check=True)
    finally:
        subprocess.run(["umount", folder], check=True)
        folder.rmdir()
        kept.rename(folder)


def digests_of(home):
    """The digest of every file that the lake holds of the month, by table."""
    lake = Lake(str(home / "lake"))
    return {
        table.path: lake.digest(table, MONTH)
        for table in (*CATALOGUE.monthly, MONTH_MANIFEST)
        if lake.holds(table, MONTH)
    }


def differing(found, undisturbed):
    """How many of the files found are not those of an undisturbed run."""
    return sum(digest != undisturbed[table] for table, digest in found.items())


def torn_files(home):
    """Files under their final names that no reader can open."""
    torn = []
    for path in (home / "lake").rglob("part-0.parquet"):
        try:
            pl.read_parquet(path)
        except pl.exceptions.PolarsError:
            torn.append(path)
    return torn


def published_content(home):
    """What a publication says, apart from when it was made."""
    with duckdb.connect(str(home / "published" / "census.duckdb"), read_only=True) as warehouse:
        tables = [name for (name,) in warehouse.sql("select table_name from duckdb_tables()").fetchall()]
        return {
            name: warehouse.sql(f'select * from "{name}" order by all').to_arrow_table()
            for name in sorted(tables)
            if name != "_census"
        }
