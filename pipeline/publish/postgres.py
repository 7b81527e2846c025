"""The published tables in PostgreSQL, for tools that speak nothing else.

Tables are loaded into a schema aside by bulk copy and take the old ones' place in one transaction: readers keep the
version they are reading, the next query sees the new one, nobody waits.
"""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import polars as pl
import psycopg

from pipeline.errors import CensusError
from pipeline.publish.sql import SCHEMA_BEFORE, create_table, create_views, identifier, references_of
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
            ours = [f"{name}{suffix}" for name in (SCHEMA, BEFORE) for suffix in SUFFIXES]
            if found := [name for (name,) in connection.execute(OTHERS_VIEWS, {"ours": ours})]:
                raise CensusError(
                    f"the views {', '.join(found)} are made of tables in schema {SCHEMA} and would be lost with them: "
                    "drop them before loading and create them again afterwards"
                )
            _drop_before(connection, "60s")
            for suffix in SUFFIXES:
                _run(connection, f"drop schema if exists {ASIDE}{suffix} cascade", f"create schema {ASIDE}{suffix}")
            _run(connection, f"set local search_path to {ASIDE}")
            rows = {name: _load(connection, version, made, published) for name, made in published.items()}
            for made in published.values():
                for reference in references_of(made, published):
                    if reference.dimension is None:  # of every row
                        columns, keys = (", ".join(map(identifier, names)) for names in zip(*reference.on, strict=True))
                        refers = f"foreign key ({columns}) references {identifier(reference.target.name)} ({keys})"
                        _run(connection, f"alter table {identifier(made.name)} add {refers}")
            _run(connection, *create_views(published, ASIDE, f"{ASIDE}_{SCHEMA_BEFORE}"))
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


def _run(connection: psycopg.Connection, *statements: str) -> None:
    for statement in statements:
        connection.execute(statement.encode())


def _load(
    connection: psycopg.Connection, version: Path, made: PublishedTable, published: Mapping[str, PublishedTable]
) -> int:
    _run(connection, *create_table(made, published, "postgres"))
    with connection.cursor() as cursor:
        # As CSV absent values are told from empty ones; PostgreSQL has no character of value 0.
        with cursor.copy(f"copy {identifier(made.name)} from stdin (format csv)".encode()) as copy:
            for file in sorted((version / "parquet" / made.name).glob("*.parquet")):
                frame = pl.scan_parquet(file).with_columns(
                    pl.col(pl.String).str.replace_all("\0", "\ufffd", literal=True)
                )
                for batch in frame.collect().iter_slices(100_000):
                    times = "%Y-%m-%d %H:%M:%S%.6f+00"
                    copy.write(batch.write_csv(include_header=False, quote_style="non_numeric", datetime_format=times))
        return cursor.rowcount


def _swap(connection: psycopg.Connection) -> None:
    # The reading role is made where it is absent and the writer may; who is granted it later has its rights at once.
    with suppress(psycopg.errors.DuplicateObject, psycopg.errors.InsufficientPrivilege), connection.transaction():
        _run(connection, f"create role {READER} nologin")
    for suffix in SUFFIXES:
        schema = f"{SCHEMA}{suffix}"
        if connection.execute("select 1 from pg_namespace where nspname = %s", [schema]).fetchone():
            _run(connection, f"alter schema {schema} rename to {BEFORE}{suffix}")
        _run(connection, f"alter schema {ASIDE}{suffix} rename to {schema}")
        if connection.execute("select 1 from pg_roles where rolname = %s", [READER]).fetchone():
            _run(connection, f"grant usage on schema {schema} to {READER}")
            _run(connection, f"grant select on all tables in schema {schema} to {READER}")
    _run(connection, f"comment on schema {SCHEMA} is 'The Open Model Census as it was last published.'")


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


def _drop_before(connection: psycopg.Connection, wait: str) -> None:
    """Removes the version before, once no query reads it any more."""
    _run(connection, f"set local lock_timeout = '{wait}'")
    _run(connection, *(f"drop schema if exists {BEFORE}{suffix} cascade" for suffix in reversed(SUFFIXES)))
    connection.commit()
