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
from pipeline.publish.ddl import comments_on_table, create_table, create_view, identifier, quoted
from pipeline.publish.export import ExportedTable, LakeMonths
from pipeline.publish.relations import Reference, number_columns, references_of
from pipeline.publish.views import SCHEMA_BEFORE, views_before, views_of
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
            made, name = exported.made, identifier(exported.made.name)
            types = {column.name: type_names(column).duckdb for column in made.table.columns}
            connection.sql(create_table(made, types, with_key=exported.rows <= ENFORCED_ROWS))
            files = ", ".join(f"'{quoted(str(file))}'" for file in exported.files)
            connection.sql(f"insert into {name} by name select * from read_parquet([{files}])")  # noqa: S608 - our files
            for comment in comments_on_table(made, published):
                connection.sql(comment)
            expected = _counted(pl.scan_parquet(exported.files), made.table)
            expected = expected.with_columns(pl.lit(exported.rows).alias(expected.columns[0]))
            _require_same(made.name, _sums(connection, name, made.table), expected)
        connection.sql(f"create schema {SCHEMA_BEFORE}")
        views = [(view, "") for view in views_of(published)]
        views += [(view, SCHEMA_BEFORE) for view in views_before(published, "main.")]
        for view, schema in views:
            for statement in create_view(view, schema):
                connection.sql(statement)
        connection.sql("commit")
        connection.sql("use memory")
        connection.sql("detach census")


def hold_to_the_lake(path: Path, months: LakeMonths, connect: Connect) -> None:
    """Holds the database to the lake that it was made from: the marts' rows and sums, and what must add up to a table.

    What a column refers to must be there once.

    Raises:
        CensusError: it is not so.
    """
    of_the_lake = {table.name: table for table in months.catalogue.monthly}
    with connect() as connection:
        confine(connection, path.parent)
        connection.sql(f"attach '{quoted(str(path))}' as census (read_only)")
        for made in months.catalogue.published.values():
            name = f"census.{identifier(made.name)}"
            table = of_the_lake.get(made.name)
            if table is not None and set(table.schema.names()) <= set(made.table.schema.names()):
                single = f"{name} where period = 'month'" if "period" in table.schema.names() else name
                _require_same(made.name, _sums(connection, single, table), _counted(months.scan(table), table))
            for column, (other, other_column) in made.adds_up_to.items():
                [found] = connection.sql(f"select sum({identifier(column)}) from {name}").fetchall()  # noqa: S608
                total = months.scan(other).select(pl.col(other_column).sum().alias(column)).collect()
                _require_same(made.name, found, total)
            for reference in references_of(made, months.catalogue.published):
                _require_found(connection, made.name, reference)


def _require_found(connection: duckdb.DuckDBPyConnection, name: str, reference: Reference) -> None:
    columns = [column for column, _ in reference.on]
    of_dimension = f"and dimension = '{reference.dimension}'" if reference.dimension else ""
    [(lost,)] = connection.sql(
        f"select count(*) from (select distinct {', '.join(map(identifier, columns))} from census.{identifier(name)} "  # noqa: S608
        f"where {identifier(reference.column)} is not null {of_dimension}) t anti join "
        f"census.{identifier(reference.target.name)} d on "
        + " and ".join(f"t.{identifier(column)} = d.{identifier(target)}" for column, target in reference.on)
    ).fetchall()
    if lost:
        raise CensusError(
            f"{lost} values of {name}.{reference.column} are not in {reference.target.name}: declare where they come "
            "from and publish again"
        )


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
    return rows.select(pl.len().alias("number of rows"), *sums).collect()


def _require_same(name: str, found: tuple[float | None, ...], expected: pl.DataFrame) -> None:
    """Holds counts and sums to those expected, to a billionth: sums of shares depend on the order of adding."""
    for (column, value), there in zip(expected.row(0, named=True).items(), found, strict=True):
        if abs(float(there or 0) - float(value)) > 1e-9 * max(abs(float(value)), 1):
            raise CensusError(
                f"the warehouse's {name} does not hold what was written to it ({column}: {there}, expected {value}): "
                "publish again"
            )
