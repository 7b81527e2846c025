"""The published tables as files: Parquet for every table, CSV for those that fit into a spreadsheet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

import polars as pl

from pipeline.errors import CensusError
from pipeline.publish.relations import key_of
from pipeline.schema.declaration import Table, conform

LARGE_ROWS = 500_000
"""A table with more rows has one file per month."""
SPREADSHEET_ROWS = 1_048_575
"""The most that a spreadsheet shows under a header."""
ROW_GROUP_ROWS = 122_880
"""What DuckDB scans at a time: row groups of this size are read in parallel and skipped by their statistics."""


@dataclass(frozen=True)
class ExportedTable:
    """A table as it was written: its Parquet files in order, and its rows."""

    table: Table
    files: list[Path]
    rows: int


@dataclass
class ParquetExport:
    """Writes `<folder>/<table>/*.parquet`, sorted by key, month by month where a table is large."""

    folder: Path
    _files: dict[str, list[tuple[Path, int]]] = field(default_factory=dict)
    _tables: dict[str, Table] = field(default_factory=dict)

    def add(self, table: Table, frame: pl.LazyFrame | pl.DataFrame) -> None:
        """Writes a table that is made in one piece."""
        whole = conform(frame.lazy(), _published(table)).collect()
        if whole.height > LARGE_ROWS and "month" in whole.columns:
            for (month, *_), part in whole.group_by("month", maintain_order=True):
                self._write(table, f"{month:%Y-%m}", part.lazy())
        else:
            self._write(table, "all", whole.lazy())

    def add_months(self, table: Table, months: Mapping[date, pl.LazyFrame]) -> None:
        """Writes a table from its months; never holds more than one of them where it is large."""
        if pl.concat(months.values()).select(pl.len()).collect().item() <= LARGE_ROWS:
            self._write(table, "all", conform(pl.concat(months.values()), _published(table)))
            return
        for month, frame in sorted(months.items()):
            self.add_month(table, month, frame)

    def add_month(self, table: Table, month: date, frame: pl.LazyFrame | pl.DataFrame) -> None:
        """Writes one month of a table that has one file per month."""
        self._write(table, f"{month:%Y-%m}", conform(frame.lazy(), _published(table)))

    def files(self, table: Table) -> list[Path]:
        """The files of a table that was written, in order."""
        return sorted(path for path, _ in self._files[table.name])

    def tables(self) -> list[ExportedTable]:
        """What was written so far."""
        return [
            ExportedTable(self._tables[name], sorted(path for path, _ in files), sum(rows for _, rows in files))
            for name, files in self._files.items()
        ]

    def _write(self, table: Table, stem: str, frame: pl.LazyFrame) -> None:
        path = self.folder / table.name / f"{stem}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        sorted_rows = frame.collect()
        _require_unique(table, sorted_rows)
        sorted_rows.write_parquet(path, compression="zstd", statistics=True, row_group_size=ROW_GROUP_ROWS)
        self._files.setdefault(table.name, []).append((path, sorted_rows.height))
        self._tables[table.name] = table


def write_csv(folder: Path, tables: Sequence[ExportedTable]) -> dict[str, Path]:
    """Writes `<folder>/<table>.csv` for each table that fits into a spreadsheet; the files by table.

    UTF-8, comma, a header; months as 2025-08-01, instants in UTC as 2025-09-01T00:00:00.000000Z, absent values empty.
    """
    folder.mkdir(parents=True)
    written = {}
    for exported in tables:
        if exported.rows <= SPREADSHEET_ROWS:
            path = folder / f"{exported.table.name}.csv"
            pl.scan_parquet(exported.files).sink_csv(path, datetime_format="%Y-%m-%dT%H:%M:%S%.6fZ")
            written[exported.table.name] = path
    return written


def _require_unique(table: Table, sorted_rows: pl.DataFrame) -> None:
    """Holds rows in the order of their key to that key: a table's files are of different months or there is but one.

    Raises:
        CensusError: a key occurs twice.
    """
    again = pl.all_horizontal(pl.col(name).eq_missing(pl.col(name).shift()) for name in key_of(table)).slice(1)
    if repeated := sorted_rows.select(again.sum()).item():
        raise CensusError(
            f"{table.name} has {repeated} rows of a key that is already there: find them in the lake, run their months "
            "again and publish again"
        )


def _published(table: Table) -> Table:
    return replace(table, key=key_of(table))
