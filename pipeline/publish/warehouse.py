"""The published DuckDB file: the star of dimensions and facts, and a flat view of every mart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import duckdb
import polars as pl

from pipeline.databases import confine
from pipeline.errors import CensusError
from pipeline.publish.export import ExportedTable
from pipeline.publish.machine import duckdb_settings
from pipeline.publish.relations import key_of, reference_of
from pipeline.publish.views import views_of
from pipeline.schema.declaration import DECIMAL, Column, Table

STORAGE_VERSION = "v1.2.0"
"""The oldest DuckDB that can open the file; the drivers of BI tools lag behind."""

FILE_NAME = "census.duckdb"

Connect = Callable[[], AbstractContextManager[duckdb.DuckDBPyConnection]]
"""Opens an in-memory database."""

ENFORCED_ROWS = 20_000
"""Keys of larger tables are verified when exported, not enforced: an index takes more room than the table itself."""


def write_warehouse(path: Path, tables: Sequence[ExportedTable], connect: Connect) -> None:
    """Writes the database `path` with the exported tables, their views, keys and comments.

    Raises:
        CensusError: what was read back is not what was exported.
    """
    with connect() as connection:
        for name, value in duckdb_settings().items():
            connection.sql(f"set {name} = '{value}'")
        connection.sql(f"set temp_directory = '{quoted(str(path.with_suffix('.spill')))}'")
        confine(connection, path.parent)
        connection.sql(f"attach '{quoted(str(path))}' as census (storage_version '{STORAGE_VERSION}')")
        connection.sql("use census")
        connection.sql("begin transaction")
        for exported in tables:
            _create(connection, exported)
            _verify(connection, exported)
        for view in views_of([exported.table for exported in tables]):
            connection.sql(f"create view {identifier(view.name)} as {view.sql}")
            connection.sql(f"comment on view {identifier(view.name)} is '{quoted(view.comment)}'")
            for column, comment in view.column_comments.items():
                connection.sql(f"comment on column {identifier(view.name)}.{identifier(column)} is '{quoted(comment)}'")
        connection.sql("commit")
        connection.sql("use memory")
        connection.sql("detach census")


def _create(connection: duckdb.DuckDBPyConnection, exported: ExportedTable) -> None:
    table = exported.table
    name = identifier(table.name)
    connection.sql(f"create table {name} ({_definition(exported)})")
    files = ", ".join(f"'{quoted(str(path))}'" for path in exported.files)
    connection.sql(f"insert into {name} by name select * from read_parquet([{files}])")  # noqa: S608 - declared names
    connection.sql(f"comment on table {name} is '{quoted(table_comment(table))}'")
    for column in table.columns:
        comment = column_comment(table, column)
        connection.sql(f"comment on column {name}.{identifier(column.name)} is '{quoted(comment)}'")


def _verify(connection: duckdb.DuckDBPyConnection, exported: ExportedTable) -> None:
    """Holds the loaded table to the exported files: as many rows, the same sums."""
    name = identifier(exported.table.name)
    numbers = number_columns(exported.table)
    parts = ", ".join(["count(*)", *(f"sum({identifier(name)})" for name in numbers)])
    [loaded] = connection.sql(f"select {parts} from {name}").fetchall()  # noqa: S608
    rows = pl.lit(exported.rows).alias("rows")
    counted = pl.scan_parquet(exported.files).select(rows, *sums_of_numbers(exported.table)).collect()
    require_same(f"the warehouse's {exported.table.name}", dict(zip(counted.columns, loaded, strict=True)), counted)


def require_same(what: str, found: dict[str, float | None], expected: pl.DataFrame) -> None:
    """Holds counts and sums to those expected, to a billionth: sums depend on the order of adding.

    Raises:
        CensusError: they differ.
    """
    for name, value in expected.row(0, named=True).items():
        if abs(float(found[name] or 0) - float(value)) > 1e-9 * max(abs(float(value)), 1):
            raise CensusError(
                f"{what} does not hold what was written to it ({name}: {found[name]}, expected {value}): publish again"
            )


def number_columns(table: Table) -> list[str]:
    """The columns that can be added up."""
    return [column.name for column in table.columns if column.type.is_numeric()]


def sums_of_numbers(table: Table) -> list[pl.Expr]:
    """The sums of `number_columns`, whole numbers in 128 bits: those of a large table exceed its columns' types."""
    return [
        (pl.col(name).cast(pl.Int128) if table.column(name).type.is_integer() else pl.col(name)).sum()
        for name in number_columns(table)
    ]


def _definition(exported: ExportedTable) -> str:
    table, key = exported.table, key_of(exported.table)
    columns = [
        f"{identifier(column.name)} {duckdb_type(column)}{'' if column.nullable else ' not null'}"
        for column in table.columns
    ]
    if exported.rows <= ENFORCED_ROWS:
        # A key with an absent part cannot be primary.
        kind = "unique" if any(table.column(name).nullable for name in key) else "primary key"
        columns.append(f"{kind} ({', '.join(identifier(name) for name in key)})")
    return ", ".join(columns)


def duckdb_type(column: Column) -> str:
    """The column's type in the warehouse."""
    dtype = column.type
    if isinstance(dtype, pl.Datetime):
        return "TIMESTAMP WITH TIME ZONE" if dtype.time_zone else "TIMESTAMP"
    names = {
        pl.String: "VARCHAR",
        pl.Int32: "INTEGER",
        pl.Int64: "BIGINT",
        pl.Float64: "DOUBLE",
        DECIMAL: "DECIMAL(38,6)",
        pl.Boolean: "BOOLEAN",
        pl.Date: "DATE",
    }
    for polars_type, name in names.items():
        if dtype == polars_type:
            return name
    raise CensusError(f"column {column.name} has type {dtype}, which the warehouse has no type for: add it")


def table_comment(table: Table) -> str:
    """Grain, meaning, key and warnings in one text."""
    return " ".join(
        [f"One row per {table.grain}.", table.description, f"Key: {', '.join(key_of(table))}.", *table.warnings]
    )


def column_comment(table: Table, column: Column) -> str:
    """Meaning, unit and what the column refers to."""
    unit = "" if column.unit is None else f" [{column.unit}]"
    target = reference_of(table, column.name)
    return f"{column.meaning}{unit}" + (f" Refers to {target[0].name}.{target[1]}." if target else "")


def identifier(name: str) -> str:
    """The name as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'


def quoted(text: str) -> str:
    """The text as it stands between the quotes of an SQL literal."""
    return text.replace("'", "''")
