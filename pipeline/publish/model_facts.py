"""What the published facts of single models are called, for those who write them and those who read them in SQL."""

from __future__ import annotations

REMAINDER = "(all other models)"
"""The `hub_id` of the rows that hold all models of a country which are not listed one by one."""


def downloads_column(population: str) -> str:
    """The column of the model facts that holds the downloads of a population."""
    return "downloads" if population == "all" else f"downloads_{population}"
