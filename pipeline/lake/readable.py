"""As much of a lake as its readers need: what they are given may be a resource, a store or a stand-in."""

from __future__ import annotations

from datetime import date
from typing import Protocol

import polars as pl

from pipeline.schema.declaration import Table


class ReadableLake(Protocol):
    """A lake that can be asked and read."""

    def holds(self, table: Table, month: date | None) -> bool:
        """Whether the table's month is there."""

    def scan(self, table: Table, month: date | None) -> pl.LazyFrame:
        """The table's month as a lazy frame; raises where the lake does not hold it."""
