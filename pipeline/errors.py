"""The errors that a user of the census meets: each names the thing, the cause and the remedy in one sentence."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

_STORAGE = (
    "No space left on device|Disk quota exceeded|Read-only file system|File too large|Permission denied|"
    "database or disk is full|attempt to write a readonly database|unable to open database file"
)
_OBJECT_STORE = {
    "NoSuchBucket|The specified bucket does not exist": (
        "the object store has no such bucket: create it, or name another; nothing was written"
    ),
    "InvalidAccessKeyId|Access Key Id you provided|SignatureDoesNotMatch|signature we calculated|AccessDenied|"
    "Access Denied|Forbidden|ExpiredToken|lacked the necessary privileges|Unable to locate credentials": (
        "the object store refuses the credentials: check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and what they may do "
        "in the bucket; what was there before is kept"
    ),
    "Could not connect to the endpoint|Connect timeout on endpoint|Read timeout on endpoint|"
    "An HTTP Client raised an unhandled exception|Connection was closed|reached max retries|"
    r"after \d+ retries, max_retries|error sending request": (
        "the object store does not answer, or only with errors, however often it is asked: check AWS_ENDPOINT_URL and "
        "the store, then run again; what was there before is kept"
    ),
}


class CensusError(Exception):
    """Something that a user can put right; its text is shown as it is, without a traceback."""


class TemporaryError(CensusError):
    """A cause that may pass by itself (a busy or unreachable Hub): worth another try later."""


class MonthNotServedError(CensusError):
    """A source was asked for a month that it does not have."""


class UnusableSnapshotError(CensusError):
    """A snapshot is there but is partial, truncated or not of a known shape."""


@contextmanager
def ports_in_words(port: int) -> Iterator[None]:
    """A port that cannot be listened on, as an error that says what to do."""
    try:
        yield
    except OSError as error:
        raise CensusError(
            f"port {port} cannot be listened on ({os.strerror(error.errno or 0)}): end what uses it, or choose another "
            "with --port"
        ) from error


def with_causes(error: BaseException) -> Iterator[BaseException]:
    """The error, then what led to it, one after the other."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__


def storage_trouble(error: BaseException) -> str | None:
    """What keeps a file from being written or read, in a sentence; None where the error is of another kind.

    Polars, DuckDB, SQLite and the clients of object stores tell it in the text of errors of their own.
    """
    for text in map(str, with_causes(error)):
        if found := re.search(_STORAGE, text):
            return (
                f"a file could not be written ({found[0].lower()}): make room, or writable, what CENSUS_HOME and "
                "CENSUS_LAKE_URL name, then run again; what was there before is kept"
            )
        for told, sentence in _OBJECT_STORE.items():
            if re.search(told, text):
                return sentence
    return None
