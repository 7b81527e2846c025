"""The errors that a user of the census meets: each names the thing, the cause and the remedy in one sentence."""

from __future__ import annotations

import re

_STORAGE = re.compile(
    r"No space left on device|Disk quota exceeded|Read-only file system|File too large|Permission denied|"
    r"database or disk is full|attempt to write a readonly database"
)


class CensusError(Exception):
    """Something that a user can put right; its text is shown as it is, without a traceback."""


class TemporaryError(CensusError):
    """A cause that may pass by itself (a busy or unreachable Hub): worth another try later."""


class MonthNotServedError(CensusError):
    """A source was asked for a month that it does not have."""


class UnusableSnapshotError(CensusError):
    """A snapshot is there but is partial, truncated or not of a known shape."""


def storage_trouble(error: BaseException) -> str | None:
    """What keeps a file from being written, in a sentence; None where the error is of another kind.

    Polars, DuckDB and SQLite tell it in the text of errors of their own.
    """
    seen: BaseException | None = error
    while seen is not None:
        if found := _STORAGE.search(str(seen)):
            return (
                f"a file could not be written ({found[0].lower()}): make room, or writable, what CENSUS_HOME and "
                "CENSUS_LAKE_URL name, then run again; what was there before is kept"
            )
        seen = seen.__cause__ or seen.__context__
    return None
