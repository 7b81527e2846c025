"""Offending rows made fit to be shown: few, short, and inert, as they hold untrusted input."""

from __future__ import annotations

import math
from datetime import date
from decimal import Decimal

import polars as pl

from pipeline.text import plain

Cell = str | int | float | bool | None

MOST_ROWS = 20
MOST_CHARACTERS = 200
LARGEST_EXACT_NUMBER = 2**53
"""Beyond it a browser would show a number that is not the one stored."""


def sample(offending: pl.LazyFrame) -> list[dict[str, Cell]]:
    """The first offending rows, cell by cell as they may be shown."""
    rows = offending.head(MOST_ROWS).collect(engine="streaming")
    return [{name: _cell(value) for name, value in row.items()} for row in rows.iter_rows(named=True)]


def inert(text: str, most_characters: int = MOST_CHARACTERS) -> str:
    """The text cut to a length, with everything escaped that does not print: controls, line breaks, turned text."""
    cut = text if len(text) <= most_characters else f"{text[: most_characters - 1]}…"
    return plain(cut)


def _cell(value: object) -> Cell:
    match value:
        case None | bool():
            return value
        case int():
            return value if abs(value) <= LARGEST_EXACT_NUMBER else str(value)
        case float() | Decimal():
            return float(value) if math.isfinite(value) else str(value)
        case date():
            return value.isoformat()
        case _:
            return inert(str(value))
