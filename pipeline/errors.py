"""The errors that a user of the census meets: each names the thing, the cause and the remedy in one sentence."""

from __future__ import annotations


class CensusError(Exception):
    """Something that a user can put right; its text is shown as it is, without a traceback."""


class TemporaryError(CensusError):
    """A cause that may pass by itself (a busy or unreachable Hub): worth another try later."""


class MonthNotServedError(CensusError):
    """A source was asked for a month that it does not have."""


class UnusableSnapshotError(CensusError):
    """A snapshot is there but is partial, truncated or not of a known shape."""
