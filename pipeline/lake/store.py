"""Reading and writing the lake at any URL.

A file appears under its name only when it is whole: written to a temporary name and renamed, or, on an object
store, uploaded in one piece. Rows are stored in the order of the table's key, so the same rows give the same bytes.
"""

import errno
import functools
import os
import re
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
from polars.exceptions import PolarsError
from upath import UPath

from pipeline.atomic_file import replacing
from pipeline.digest import digest_of
from pipeline.errors import CensusError
from pipeline.lake.object_store import in_words, located, refusal, stated_digest, upload
from pipeline.lake.provenance import Provenance, provenance_in
from pipeline.months import run_again
from pipeline.schema.declaration import Table, conform

POLARS_PROTOCOLS = frozenset({"", "file", "local", "s3", "gs", "gcs", "az", "abfs", "abfss", "hf", "http", "https"})
"""Where Polars reads by itself, with projections and ranges; elsewhere files are read through fsspec."""

ROW_GROUP_ROWS = 2**18
"""Stated, or Polars cuts a large table where its threads happen to be: the same rows would give other bytes."""
PAGE_BYTES_WITH_LISTS = 2**31 - 2**25
"""The most that Polars takes: one page for each column of a row group. Smaller pages of a column of lists end where the
memory around the lists says, which differs with the threads that made them: the same rows would give other bytes. Other
tables have pages that fit into a processor's cache."""
OF_ANOTHER_VERSION = "has the columns of another version of the census"


@dataclass(frozen=True)
class StoredFile:
    """One file of the lake: a table's month, or the whole of a table without months."""

    path: str
    rows: int
    bytes: int


@in_words
@dataclass(frozen=True)
class Lake:
    """The lake at `url` (`file://`, `s3://`, `memory://`, ... or a plain folder)."""

    url: str

    def path(self, table: Table, month: date | None) -> UPath:
        """Where the table's month is kept, or would be."""
        if table.monthly and month is None:
            raise CensusError(f"table {table.path} is kept by month: name the month to read or write")
        of_month = [f"month={month.isoformat()}"] if table.monthly and month else []
        return located(self.url).joinpath(table.group, table.name, *of_month, "part-0.parquet")

    def holds(self, table: Table, month: date | None = None) -> bool:
        """Whether the table's month is there."""
        return self.path(table, month).exists()

    def months(self, table: Table) -> list[date]:
        """The months that the lake holds of the table, in order."""
        folder = located(self.url) / table.group / table.name
        names = (re.search(r"/month=(\d{4}-\d{2}-01)/part-0\.parquet$", name) for name in folder.fs.find(folder.path))
        return sorted(date.fromisoformat(name[1]) for name in names if name)

    def scan(self, table: Table, month: date | None = None) -> pl.LazyFrame:
        """The table's month as a lazy frame; only the columns that a query needs are read.

        Where the key is one column, its order is known to the frame, which need not be sorted by it again.

        Raises:
            CensusError: the lake does not hold it, or as another version of the census wrote it.
        """
        path = self.path(table, month)
        if not path.exists():
            when = f" for {month:%Y-%m}" if month else ""
            raise CensusError(f"the lake at {self.url} has no {table.path}{when}: materialise it first")
        stored = _scan(path)
        if stored.collect_schema() != table.schema:
            again = run_again(month) if month else "`census publish`"
            raise CensusError(f"{table.path} {OF_ANOTHER_VERSION}: {again}")
        return stored.set_sorted(*table.key) if len(table.key) == 1 else stored

    def is_of_this_version(self, table: Table, month: date | None = None) -> bool:
        """Whether the table's month is stored in the columns that are declared."""
        return _scan(self.path(table, month)).collect_schema() == table.schema

    def write(
        self,
        table: Table,
        month: date | None,
        frame: pl.LazyFrame | pl.DataFrame,
        provenance: Provenance | None = None,
    ) -> StoredFile:
        """Stores the frame as the table's month, in place of what was there, with what it was made from.

        The frame is brought to the table's declared columns, types and order first; a plan that fails leaves
        the old file as it was.
        """
        metadata = provenance.as_metadata() if provenance else {}
        path = self.path(table, month)
        declared = conform(frame.lazy(), table)
        if isinstance(frame, pl.DataFrame):
            # Rows that are there already are put in order at a quarter of what it costs while they are written.
            declared = declared.collect().lazy()
        if path.protocol in ("", "file", "local"):
            return _write_local(Path(path.path), declared, metadata)
        with tempfile.TemporaryDirectory(prefix="census-") as folder:
            stored = _write_local(Path(folder) / "part-0.parquet", declared, metadata)
            upload(Path(stored.path), path)
        return StoredFile(str(path), stored.rows, stored.bytes)

    def stored(self, table: Table, month: date | None = None) -> StoredFile:
        """What is kept of the table's month, by its footer."""
        path = self.path(table, month)
        rows = self.scan(table, month).select(pl.len()).collect().item()
        return StoredFile(str(path), rows, path.stat().st_size)

    def modified(self, table: Table, month: date | None = None) -> datetime:
        """When the table's month was written."""
        return datetime.fromtimestamp(self.path(table, month).stat().st_mtime, UTC)

    def digest(self, table: Table, month: date | None = None) -> str:
        """SHA-256 of the table's month as it is stored."""
        return digest_of(self.path(table, month))

    def state(self, table: Table, month: date | None = None) -> str | None:
        """The size, time and place of the table's month in one word, another once it was written anew.

        None where the lake does not hold it.
        """
        try:
            return _state(self.path(table, month))
        except FileNotFoundError:
            return None

    def digest_while_unchanged(self, table: Table, month: date | None = None) -> str:
        """As `digest`, but read once by a process for as long as the file's size, time and place stay as they are.

        An object in S3 says its digest itself: the two were written in one step.
        """
        path = self.path(table, month)
        return stated_digest(path) or _digest_of_state(path, _state(path))

    def provenance(self, table: Table, month: date | None = None) -> Provenance | None:
        """What the table's month was made from, as its file says; None where it says nothing.

        Raises:
            CensusError: the file cannot be read as Parquet.
        """
        # Of a file that is opened by fsspec, Polars would read the whole.
        from pyarrow.parquet import read_metadata  # noqa: PLC0415 - loading the definitions does without

        try:
            with self.path(table, month).open("rb") as file:
                return provenance_in(read_metadata(file).metadata or {})
        except (ValueError, OSError) as error:
            unreadable = f"{table.path} cannot be read as Parquet: run the month again"
            raise CensusError(refusal(self.url, error) or unreadable) from error


def _state(path: UPath) -> str:
    return str(path.fs.ukey(path.path))


@functools.lru_cache(maxsize=1024)
def _digest_of_state(path: UPath, _state: str) -> str:
    return digest_of(path)


def _scan(path: UPath) -> pl.LazyFrame:
    if path.protocol not in POLARS_PROTOCOLS:
        return pl.scan_parquet(path.read_bytes())
    return pl.scan_parquet(path.path if path.protocol in ("", "file", "local") else str(path))


def _write_local(path: Path, frame: pl.LazyFrame, metadata: dict[str, str]) -> StoredFile:
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(path.parent)
    has_lists = any(isinstance(dtype, pl.List) for dtype in frame.collect_schema().dtypes())
    page_bytes = PAGE_BYTES_WITH_LISTS if has_lists else None
    try:
        with replacing(path) as unfinished:
            frame.sink_parquet(
                unfinished,
                compression="zstd",
                compression_level=1,
                statistics=True,
                row_group_size=ROW_GROUP_ROWS,
                data_page_size=page_bytes,
                metadata=metadata,
                mkdir=False,
            )
            with unfinished.open("rb") as file:
                os.fsync(file.fileno())
            rows = pl.scan_parquet(unfinished).select(pl.len()).collect().item()
            size = unfinished.stat().st_size
    except PolarsError as error:
        # What Polars says of a disk that is full where a footer begins; elsewhere it says that there is no space.
        if "Invalid thrift: transport error" in str(error):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from error
        raise
    return StoredFile(str(path), rows, size)


def _remove_abandoned(folder: Path) -> None:
    for leftover in folder.glob(".*.tmp"):
        with suppress(FileNotFoundError):  # Another writer of this month has just put its own in place.
            if time.time() - leftover.stat().st_mtime > 24 * 3600:  # its process was killed
                leftover.unlink()
