"""The published tables as files: Parquet for every table, CSV for those that fit into a spreadsheet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path

import polars as pl

from pipeline.errors import CensusError
from pipeline.lake.store import Lake
from pipeline.schema.catalogue import Catalogue
from pipeline.schema.declaration import Table, conform
from pipeline.schema.published import Edition, PublishedTable

SPREADSHEET_ROWS = 1_048_575
"""The most that a spreadsheet shows under a header."""
ROW_GROUP_ROWS = 122_880
"""What DuckDB scans at a time: row groups of this size are read in parallel and skipped by their statistics."""


@dataclass(frozen=True)
class ExportedTable:
    """A table as it was written: its Parquet files in order, and its rows."""

    made: PublishedTable
    files: list[Path]
    rows: int


@dataclass(frozen=True)
class LakeMonths:
    """The months of a lake that are published together, and the published tables that were made of them so far.

    Each table is written to `<folder>/<table>/*.parquet`, sorted by its key, when it is first asked for.
    """

    lake: Lake
    catalogue: Catalogue
    months: tuple[date, ...]
    edition: Edition
    folder: Path
    _exported: dict[str, ExportedTable] = field(default_factory=dict)

    def scan(self, table: Table) -> pl.LazyFrame:
        """A table of the lake in all these months; whole, where it has no months."""
        if not table.monthly:
            return self.lake.scan(table)
        return pl.concat([self.lake.scan(table, month) for month in self.months])

    def each(self) -> Iterator[LakeMonths]:
        """Each month by itself, in order."""
        return (replace(self, months=(month,)) for month in self.months)

    def written_at(self, table: Table) -> datetime:
        """When the last of the table's months was written."""
        return max(self.lake.modified(table, month) for month in self.months)

    def published(self, name: str) -> pl.LazyFrame:
        """Another published table, which is made first."""
        return pl.scan_parquet(self.exported(name).files)

    def exported(self, name: str) -> ExportedTable:
        """The files of a published table.

        Raises:
            CensusError: a key occurs twice in it.
        """
        if name not in self._exported:
            made = self.catalogue.published[name]
            files, rows = zip(*(self._by_month(made) if made.table.monthly else self._whole(made)), strict=True)
            self._exported[name] = ExportedTable(made, list(files), sum(rows))
        return self._exported[name]

    def _by_month(self, made: PublishedTable) -> list[tuple[Path, int]]:
        def write(month: LakeMonths) -> tuple[Path, int]:
            return month._write(made, f"{month.months[0]:%Y-%m}", _in_order(made, made.make(month)))

        # A month alone leaves a processor idle between its parallel steps.
        with ThreadPoolExecutor(pl.thread_pool_size()) as pool:
            return list(pool.map(write, self.each()))

    def _whole(self, made: PublishedTable) -> list[tuple[Path, int]]:
        whole = _in_order(made, made.make(self))
        if whole.height <= 500_000 or "month" not in whole.columns:
            return [self._write(made, "all", whole)]
        months = whole.partition_by("month", maintain_order=True)
        return [self._write(made, f"{part['month'][0]:%Y-%m}", part) for part in months]

    def _write(self, made: PublishedTable, stem: str, rows: pl.DataFrame) -> tuple[Path, int]:
        # Rows are in the order of their key, and a table's files are of different months, or there is but one.
        again = pl.all_horizontal(pl.col(name).eq_missing(pl.col(name).shift()) for name in made.key).slice(1)
        if repeated := rows.select(again.sum()).item():
            raise CensusError(
                f"{made.name} has {repeated} rows of a key that is already there: find them in the lake, run their "
                "months again and publish again"
            )
        path = self.folder / made.name / f"{stem}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        rows.write_parquet(path, compression="zstd", statistics=True, row_group_size=ROW_GROUP_ROWS)
        return path, rows.height


def _in_order(made: PublishedTable, rows: pl.LazyFrame) -> pl.DataFrame:
    return conform(rows, replace(made.table, key=made.key)).collect()


def write_csv(folder: Path, tables: Sequence[ExportedTable]) -> dict[str, Path]:
    """Writes `<folder>/<table>.csv` for each table that fits into a spreadsheet; the files by table.

    UTF-8, comma, a header; months as 2025-08-01, instants in UTC as 2025-09-01T00:00:00.000000Z, absent values empty.
    """
    folder.mkdir(parents=True)
    written = {}
    for exported in tables:
        if exported.rows <= SPREADSHEET_ROWS:
            path = folder / f"{exported.made.name}.csv"
            pl.scan_parquet(exported.files).sink_csv(path, datetime_format="%Y-%m-%dT%H:%M:%S%.6fZ")
            written[exported.made.name] = path
    return written
