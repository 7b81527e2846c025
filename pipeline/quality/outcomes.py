"""What came of a check, whichever way it was decided."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Outcome:
    """Whether a check passed, what was observed, and how many of the rows that it judges fail."""

    passed: bool
    observed: str | float
    rows: int | None = None
    failed_rows: int | None = None


Finding = Outcome | Exception
"""An outcome, or what kept the check from being decided, which is never a pass."""
