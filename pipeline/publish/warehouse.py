"""The published DuckDB file: the star of dimensions and facts, and a flat view of every mart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import duckdb
import polars as pl

from pipeline.databases import confine
from pipeline.errors import CensusError
from pipeline.publish.column_types import type_names
from pipeline.publish.export import ExportedTable, LakeMonths
from pipeline.publish.relations import column_comments, number_columns, table_comment
from pipeline.publish.views import views_of
from pipeline.schema.declaration import Table

STORAGE_VERSION = "v1.2.0"
"""The oldest DuckDB that can open the file; the drivers of BI tools lag behind."""

FILE_NAME = "census.duckdb"

Connect = Callable[[], AbstractContextManager[duckdb.DuckDBPyConnection]]
"""Opens an in-memory database."""

PART_OF_MEMORY = "50%"
"""DuckDB's part of what the container or the machine has; Python and Polars need the rest."""

ENFORCED_ROWS = 20_000
"""Keys of larger tables are verified when exported, not enforced: an index takes more room than the table itself."""


def write_warehouse(path: Path, tables: Sequence[ExportedTable], connect: Connect) -> None:
    """Writes the database `path` with the exported tables, their views, keys and comments.

    Raises:
        CensusError: what was read back is not what was exported.
    """
    published = {exported.made.name: exported.made for exported in tables}
    with connect() as connection:
        connection.sql(f"set memory_limit = '{PART_OF_MEMORY}'")
        connection.sql(f"set temp_directory = '{quoted(str(path.with_suffix('.spill')))}'")
        confine(connection, path.parent)
        connection.sql(f"attach '{quoted(str(path))}' as census (storage_version '{STORAGE_VERSION}')")
        connection.sql("use census")
        connection.sql("begin transaction")
        for exported in tables:
            made = exported.made
            connection.sql(f"create table {identifier(made.name)} ({_definition(exported)})")
            files = ", ".join(f"'{quoted(str(path))}'" for path in exported.files)
            rows = f"select * from read_parquet([{files}])"  # noqa: S608 - our own files
            connection.sql(f"insert into {identifier(made.name)} by name {rows}")
            _comment(connection, "table", made.name, table_comment(made), column_comments(made, published))
            found = _sums(connection, identifier(made.name), made.table)
            expected = _counted(pl.scan_parquet(exported.files), made.table).with_columns(rows=exported.rows)
            _require_same(f"the warehouse's {made.name}", found, expected)
        for view in views_of(published):
            connection.sql(f"create view {identifier(view.name)} as {view.sql}")
            _comment(connection, "view", view.name, view.comment, view.column_comments)
        connection.sql("commit")
        connection.sql("use memory")
        connection.sql("detach census")


def _comment(
    connection: duckdb.DuckDBPyConnection, kind: str, name: str, comment: str, of_columns: dict[str, str]
) -> None:
    connection.sql(f"comment on {kind} {identifier(name)} is '{quoted(comment)}'")
    for column, text in of_columns.items():
        connection.sql(f"comment on column {identifier(name)}.{identifier(column)} is '{quoted(text)}'")


def _definition(exported: ExportedTable) -> str:
    made = exported.made
    columns = [
        f"{identifier(column.name)} {type_names(column).duckdb}{'' if column.nullable else ' not null'}"
        for column in made.table.columns
    ]
    if exported.rows <= ENFORCED_ROWS:
        # A key with an absent part cannot be primary.
        kind = "unique" if any(made.table.column(name).nullable for name in made.key) else "primary key"
        columns.append(f"{kind} ({', '.join(identifier(name) for name in made.key)})")
    return ", ".join(columns)


def hold_to_the_lake(path: Path, months: LakeMonths, connect: Connect) -> None:
    """Holds the database to the lake that it was made from: the marts' rows and sums, and what must add up to a table.

    Raises:
        CensusError: they differ.
    """
    of_the_lake = {table.name: table for table in months.catalogue.monthly}
    with connect() as connection:
        confine(connection, path.parent)
        connection.sql(f"attach '{quoted(str(path))}' as census (read_only)")
        for made in months.catalogue.published.values():
            name = f"census.{identifier(made.name)}"
            table = of_the_lake.get(made.name)
            if table is not None and set(table.schema.names()) <= set(made.table.schema.names()):
                single = f"{name} where \"window\" = 'month'" if "window" in table.schema.names() else name
                found, expected = _sums(connection, single, table), _counted(months.scan(table), table)
                _require_same(f"the warehouse's {made.name}", found, expected)
            for column, (other, other_column) in made.adds_up_to.items():
                [found_sum] = connection.sql(f"select sum({identifier(column)}) from {name}").fetchall()  # noqa: S608
                total = months.scan(other).select(pl.col(other_column).sum().alias(column)).collect()
                _require_same(f"the warehouse's {made.name}", found_sum, total)


def _sums(connection: duckdb.DuckDBPyConnection, rows: str, table: Table) -> tuple[float | None, ...]:
    """The number of rows and the sum of each number column of a table of the database."""
    parts = ", ".join(["count(*)", *(f"sum({identifier(name)})" for name in number_columns(table))])
    [found] = connection.sql(f"select {parts} from {rows}").fetchall()  # noqa: S608 - declared names
    return tuple(found)


def _counted(rows: pl.LazyFrame, table: Table) -> pl.DataFrame:
    """The same of a frame, whole numbers in 128 bits: the sums of a large table exceed its columns' types."""
    sums = (
        (pl.col(name).cast(pl.Int128) if table.schema[name].is_integer() else pl.col(name)).sum()
        for name in number_columns(table)
    )
    return rows.select(pl.len().alias("rows"), *sums).collect()


def _require_same(what: str, found: tuple[float | None, ...], expected: pl.DataFrame) -> None:
    """Holds counts and sums to those expected, to a billionth: sums depend on the order of adding.

    Raises:
        CensusError: they differ.
    """
    for (name, value), there in zip(expected.row(0, named=True).items(), found, strict=True):
        if abs(float(there or 0) - float(value)) > 1e-9 * max(abs(float(value)), 1):
            raise CensusError(
                f"{what} does not hold what was written to it ({name}: {there}, expected {value}): publish again"
            )


def identifier(name: str) -> str:
    """The name as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'


def quoted(text: str) -> str:
    """The text as it stands between the quotes of an SQL literal."""
    return text.replace("'", "''")
