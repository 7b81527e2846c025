"""The published tables in PostgreSQL, for tools that speak nothing else.

Tables are loaded into a schema aside by bulk copy and take the old ones' place in one transaction: readers keep the
version they are reading, the next query sees the new one, nobody waits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import polars as pl
import psycopg
from psycopg import sql

from pipeline.errors import CensusError
from pipeline.publish.column_types import type_names
from pipeline.publish.ddl import comments_on_table, create_table, create_view, foreign_keys, identifier
from pipeline.publish.views import SCHEMA_BEFORE, views_before, views_of
from pipeline.publish.warehouse import FILE_NAME
from pipeline.schema.published import PublishedTable

SCHEMA, ASIDE, BEFORE = "census", "census_next", "census_before"
SUFFIXES = ("", f"_{SCHEMA_BEFORE}")
"""Of the schemas for the tables, and for the views under the names of the version before."""
READER = "census_reader"
"""A role that may read both; see `docs/bi.md`."""


def load_postgres(url: str, folder: Path, published: Mapping[str, PublishedTable]) -> dict[str, int]:
    """Loads the current version of the published `folder` into schema `census` of the database at `url`.

    Returns the number of rows by table.

    Raises:
        CensusError: the database cannot be reached or refuses; what was in schema `census` stays.
    """
    version = (folder / "current").resolve()
    if not (version / FILE_NAME).exists():
        raise CensusError(f"nothing is published in {folder}: run `census run` first")
    try:
        with psycopg.connect(url, connect_timeout=20) as connection:
            _refuse_to_lose_views(connection)
            _drop_before(connection, "60s")
            rows = _load(connection, version, published)
            _swap(connection)
            connection.commit()
            with suppress(psycopg.errors.LockNotAvailable):
                _drop_before(connection, "5s")
    except psycopg.Error as error:
        said = str(error).strip().partition("\n")[0]
        raise CensusError(
            f"the census could not be loaded into PostgreSQL ({said}): what was there before is kept, mend the cause "
            "and materialise postgres_mart again"
        ) from error
    return rows


def _load(connection: psycopg.Connection, version: Path, published: Mapping[str, PublishedTable]) -> dict[str, int]:
    for schema in (ASIDE, f"{ASIDE}_{SCHEMA_BEFORE}"):
        connection.execute(f"drop schema if exists {schema} cascade".encode())
        connection.execute(f"create schema {schema}".encode())
    connection.execute(f"set local search_path to {ASIDE}")
    rows = {}
    for name, made in published.items():
        types = {column.name: type_names(column).postgres for column in made.table.columns}
        connection.execute(create_table(made, types).encode())
        files = sorted((version / "parquet" / name).glob("*.parquet"))
        with connection.cursor() as cursor:
            with cursor.copy(f"copy {identifier(name)} from stdin (format csv)".encode()) as copy:
                for chunk in _csv(files):
                    copy.write(chunk)
            rows[name] = cursor.rowcount
        for comment in comments_on_table(made, published):
            connection.execute(comment.encode())
    statements = [
        *(statement for made in published.values() for statement in foreign_keys(made, published)),
        *(statement for view in views_of(published) for statement in create_view(view)),
        *(statement for view in views_before(published) for statement in create_view(view, f"{ASIDE}_{SCHEMA_BEFORE}")),
    ]
    for statement in statements:
        connection.execute(statement.encode())
    return rows


def _csv(files: list[Path]) -> Iterator[bytes]:
    """The table as CSV in chunks, absent values told from empty ones; PostgreSQL has no character of value 0."""
    for file in files:
        frame = pl.scan_parquet(file).with_columns(pl.col(pl.String).str.replace_all("\0", "\ufffd", literal=True))
        for batch in frame.collect().iter_slices(100_000):
            yield batch.write_csv(
                include_header=False, quote_style="non_numeric", datetime_format="%Y-%m-%d %H:%M:%S%.6f+00"
            ).encode()


def _swap(connection: psycopg.Connection) -> None:
    _make_reader(connection)
    for schema, aside, before in (tuple(f"{name}{suffix}" for name in (SCHEMA, ASIDE, BEFORE)) for suffix in SUFFIXES):
        if connection.execute("select 1 from pg_namespace where nspname = %s", [schema]).fetchone():
            connection.execute(f"alter schema {schema} rename to {before}".encode())
        connection.execute(f"alter schema {aside} rename to {schema}".encode())
        if connection.execute("select 1 from pg_roles where rolname = %s", [READER]).fetchone():
            connection.execute(f"grant usage on schema {schema} to {READER}".encode())
            connection.execute(f"grant select on all tables in schema {schema} to {READER}".encode())
    connection.execute(f"comment on schema {SCHEMA} is 'The Open Model Census as it was last published.'")


def _make_reader(connection: psycopg.Connection) -> None:
    """Makes the reading role where it is absent and the writer may; who is granted it later has its rights at once."""
    with suppress(psycopg.errors.DuplicateObject, psycopg.errors.InsufficientPrivilege), connection.transaction():
        connection.execute(f"create role {READER} nologin")


OTHERS_VIEWS = """
select distinct reader_schema.nspname || '.' || reader.relname
from pg_depend
join pg_rewrite on pg_rewrite.oid = pg_depend.objid and pg_depend.classid = 'pg_rewrite'::regclass
join pg_class reader on reader.oid = pg_rewrite.ev_class
join pg_namespace reader_schema on reader_schema.oid = reader.relnamespace
join pg_class read on read.oid = pg_depend.refobjid and pg_depend.refclassid = 'pg_class'::regclass
join pg_namespace read_schema on read_schema.oid = read.relnamespace
where read_schema.nspname = any(%(ours)s) and reader_schema.nspname <> all(%(ours)s)
order by 1
"""


def _refuse_to_lose_views(connection: psycopg.Connection) -> None:
    ours = [f"{name}{suffix}" for name in (SCHEMA, BEFORE) for suffix in SUFFIXES]
    if found := [name for (name,) in connection.execute(OTHERS_VIEWS, {"ours": ours})]:
        raise CensusError(
            f"the views {', '.join(found)} are made of tables in schema {SCHEMA} and would be lost with them: drop "
            "them before loading and create them again afterwards"
        )


def _drop_before(connection: psycopg.Connection, wait: str) -> None:
    """Removes the version before, once no query reads it any more."""
    connection.execute(sql.SQL("set local lock_timeout = {}").format(wait))
    for suffix in reversed(SUFFIXES):
        connection.execute(f"drop schema if exists {BEFORE}{suffix} cascade".encode())
    connection.commit()
