"""The published DuckDB file: built beside the old one, verified, then swapped in.

Readers that have the old file open keep it; whoever opens it next sees the new one; nobody sees half of one.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

import duckdb
import polars as pl

from pipeline.errors import CensusError
from pipeline.tables.declaration import Column, Table, conform

STORAGE_VERSION = "v1.2.0"
"""The oldest DuckDB that can open the file; the drivers of BI tools lag behind."""

FILE_NAME = "census.duckdb"


def write_warehouse(
    folder: Path,
    tables: Mapping[Table, pl.LazyFrame],
    connect: Callable[[], AbstractContextManager[duckdb.DuckDBPyConnection]],
) -> dict[str, int]:
    """Writes `census.duckdb` in `folder` with the given tables, in place of the one before.

    `connect` opens an in-memory database. Returns the number of rows by table.

    Raises:
        CensusError: what was read back is not what was written; the old file stays.
    """
    folder.mkdir(parents=True, exist_ok=True)
    aside = folder / f".{FILE_NAME}.{uuid.uuid4().hex}.tmp"
    try:
        with connect() as connection:
            rows = _build(connection, aside, tables)
        with aside.open("rb") as file:
            os.fsync(file.fileno())
        aside.replace(folder / FILE_NAME)
    finally:
        aside.unlink(missing_ok=True)
    return rows


def _build(connection: duckdb.DuckDBPyConnection, path: Path, tables: Mapping[Table, pl.LazyFrame]) -> dict[str, int]:
    rows = {}
    connection.sql(f"attach '{_quoted(str(path))}' as census (storage_version '{STORAGE_VERSION}')")
    for table, frame in tables.items():
        declared = conform(frame, table).collect()
        name = f"census.{_identifier(table.name)}"
        connection.sql(f"create table {name} ({_columns(table)})")
        connection.register("declared", declared.to_arrow())
        connection.sql(f"insert into {name} by name select * from declared")  # noqa: S608 - a declared name
        connection.unregister("declared")
        connection.sql(f"comment on table {name} is '{_quoted(f'One row per {table.grain}. {table.description}')}'")
        for column in table.columns:
            connection.sql(f"comment on column {name}.{_identifier(column.name)} is '{_quoted(_comment(column))}'")
        counted = connection.sql(f"select count(*) from {name}").fetchall()  # noqa: S608 - a declared name
        if counted != [(declared.height,)]:
            raise CensusError(f"the warehouse's {table.name} does not hold the rows written to it: publish again")
        rows[table.name] = declared.height
    connection.sql("detach census")
    return rows


def _columns(table: Table) -> str:
    return ", ".join(
        f"{_identifier(column.name)} {_duckdb_type(column)}{'' if column.nullable else ' not null'}"
        for column in table.columns
    )


def _duckdb_type(column: Column) -> str:
    dtype = column.type
    if isinstance(dtype, pl.Datetime):
        return "TIMESTAMP WITH TIME ZONE" if dtype.time_zone else "TIMESTAMP"
    names = {
        pl.String: "VARCHAR",
        pl.Int32: "INTEGER",
        pl.Int64: "BIGINT",
        pl.Float64: "DOUBLE",
        pl.Boolean: "BOOLEAN",
        pl.Date: "DATE",
    }
    for polars_type, name in names.items():
        if dtype == polars_type:
            return name
    raise CensusError(f"column {column.name} has type {dtype}, which the warehouse has no type for: add it")


def _comment(column: Column) -> str:
    return column.meaning if column.unit is None else f"{column.meaning} [{column.unit}]"


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _quoted(text: str) -> str:
    return text.replace("'", "''")
