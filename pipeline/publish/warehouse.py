"""The published DuckDB file: the star of dimensions and facts, and a flat view of every mart."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from pipeline.databases import confine
from pipeline.errors import CensusError
from pipeline.publish.export import ExportedTable, LakeMonths
from pipeline.publish.sql import SCHEMA_BEFORE, Reference, create_table, create_views, identifier, quoted, references_of
from pipeline.schema.declaration import Table

FILE_NAME = "census.duckdb"
Connect = Callable[[], AbstractContextManager[duckdb.DuckDBPyConnection]]
"""Opens an in-memory database."""


def write_warehouse(path: Path, tables: Sequence[ExportedTable], connect: Connect) -> None:
    """Writes the database `path` with the exported tables, their views, keys and comments.

    Raises:
        CensusError: what was read back is not what was exported.
    """
    published = {exported.made.name: exported.made for exported in tables}
    # The oldest DuckDB that can open the file: the drivers of BI tools lag behind.
    with _attached(path, connect, "storage_version 'v1.2.0'") as connection:
        connection.sql("begin transaction")
        for exported in tables:
            made, name = exported.made, identifier(exported.made.name)
            # Of larger tables, an index takes more room than the table itself: their keys were verified at the export.
            for statement in create_table(made, published, "duckdb", with_key=exported.rows <= 20_000):
                connection.sql(statement)
            files = ", ".join(f"'{quoted(str(file))}'" for file in exported.files)
            connection.sql(f"insert into {name} by name select * from read_parquet([{files}])")  # noqa: S608 - our files
            expected = _sums_of(pl.scan_parquet(exported.files), made.table) | {"count(*)": exported.rows}
            _require_same(connection, made.name, name, expected)
        connection.sql(f"create schema {SCHEMA_BEFORE}")
        for statement in create_views(published, "main", SCHEMA_BEFORE):
            connection.sql(statement)
        connection.sql("commit")


def hold_to_the_lake(path: Path, months: LakeMonths, connect: Connect) -> None:
    """Holds the database to the lake that it was made from: the marts' rows and sums, and what must add up to a table.

    What a column refers to must be there once.

    Raises:
        CensusError: it is not so.
    """
    of_the_lake = {table.name: table for table in months.catalogue.monthly}
    with _attached(path, connect, "read_only") as connection:
        for made in months.catalogue.published.values():
            name, columns = identifier(made.name), made.table.schema.keys()
            table = of_the_lake.get(made.name)
            if table is not None and table.schema.keys() <= columns:
                single = f"{name} where period = 'month'" if "period" in columns else name
                _require_same(connection, made.name, single, _sums_of(months.scan(table), table))
            for column, (other, other_column) in made.adds_up_to.items():
                total = months.scan(other).select(pl.col(other_column).sum()).collect().item()
                _require_same(connection, made.name, name, {f"sum({identifier(column)})": total})
            for reference in references_of(made, months.catalogue.published):
                _require_found(connection, made.name, reference)


@contextmanager
def _attached(path: Path, connect: Connect, how: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to the database that can open nothing outside of its folder."""
    with connect() as connection:
        connection.sql("set memory_limit = '50%'")  # Python and Polars need the rest
        connection.sql(f"set temp_directory = '{quoted(str(path.with_suffix('.spill')))}'")
        confine(connection, path.parent)
        connection.sql(f"attach '{quoted(str(path))}' as census ({how})")
        connection.sql("use census")
        yield connection
        connection.sql("use memory")
        connection.sql("detach census")


def _require_found(connection: duckdb.DuckDBPyConnection, name: str, reference: Reference) -> None:
    columns = [identifier(column) for column, _ in reference.on] + (["dimension"] if reference.dimension else [])
    of_dimension = f"and dimension = '{reference.dimension}'" if reference.dimension else ""
    [(lost,)] = connection.sql(
        f"select count(*) from (select distinct {', '.join(columns)} from {identifier(name)} "  # noqa: S608 - declared
        f"where {identifier(reference.column)} is not null {of_dimension}) t "
        f"anti join {identifier(reference.target.name)} {reference.alias} on {reference.condition}"
    ).fetchall()
    if lost:
        raise CensusError(
            f"{lost} values of {name}.{reference.column} are not in {reference.target.name}: declare where they come "
            "from and publish again"
        )


def _sums_of(rows: pl.LazyFrame, table: Table) -> dict[str, Any]:
    """The number of rows and the sum of each number column, by how SQL asks for them.

    Whole numbers are added in 128 bits: the sums of a large table exceed its columns' types.
    """
    sums = {
        f"sum({identifier(name)})": pl.col(name).cast(pl.Int128 if dtype.is_integer() else dtype).sum()
        for name, dtype in table.schema.items()
        if dtype.is_numeric()
    }
    return rows.select(pl.len().alias("count(*)"), **sums).collect().row(0, named=True)


def _require_same(connection: duckdb.DuckDBPyConnection, name: str, rows: str, expected: Mapping[str, Any]) -> None:
    """Holds counts and sums to those expected, to a billionth: sums of shares depend on the order of adding."""
    [found] = connection.sql(f"select {', '.join(expected)} from {rows}").fetchall()  # noqa: S608 - declared names
    for (asked, value), there in zip(expected.items(), found, strict=True):
        if abs(float(there or 0) - float(value)) > 1e-9 * max(abs(float(value)), 1):
            raise CensusError(
                f"the warehouse's {name} does not hold what was written to it ({asked}: {there}, expected {value}): "
                "publish again"
            )
