"""What the facts of single models are called."""

from __future__ import annotations

REMAINDER = "(all other models)"
"""The `hub_id` of the rows that hold all models of a country which are not listed one by one."""
LISTED_SHARE = 0.999
"""The models of a month that are listed one by one make up at least this part of its downloads."""


def downloads_column(population: str) -> str:
    """The column of the model facts that holds the downloads of a population."""
    return "downloads" if population == "all" else f"downloads_{population}"
