"""The ways in which DuckDB is opened: without fetching or loading any extension, and with the files named, no others.

What DuckDB reads here is untrusted input: a query that went astray finds nothing to read, to write or to reach.
"""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

NO_EXTENSIONS: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
}
"""For every connection, from its opening on."""


def open_published(path: Path) -> duckdb.DuckDBPyConnection:
    """A published warehouse, to be read: nothing else can be opened through it. Times are in UTC.

    One thread reads it, which adds shares up in one order: the same question has the same answer, to the last digit.
    """
    alone = NO_EXTENSIONS | {"enable_external_access": False, "threads": 1}
    connection = duckdb.connect(str(path), read_only=True, config=alone)
    connection.execute("set TimeZone = 'UTC'")
    connection.execute("set lock_configuration = true")
    return connection


def rows_to_show(found: duckdb.DuckDBPyRelation) -> list[tuple[Any, ...]]:
    """The rows of an answer, decimals as floats: for whoever shows them rounded."""
    return [tuple(float(cell) if isinstance(cell, Decimal) else cell for cell in row) for row in found.fetchall()]


def open_files(paths: Sequence[Path]) -> duckdb.DuckDBPyConnection:
    """An empty database in memory that can read these files and no others."""
    connection = duckdb.connect(config=NO_EXTENSIONS)
    connection.execute("set allowed_paths = $paths", {"paths": [str(path) for path in paths]})
    _close_everything_else(connection)
    return connection


def confine(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Lets a connection, whose settings are made, open files in the folder and nowhere else."""
    connection.execute("set allowed_directories = $folders", {"folders": [f"{folder}/"]})
    _close_everything_else(connection)


def _close_everything_else(connection: duckdb.DuckDBPyConnection) -> None:
    # It would be drawn into whatever the process says elsewhere, in a terminal or not.
    connection.execute("set enable_progress_bar = false")
    connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")
