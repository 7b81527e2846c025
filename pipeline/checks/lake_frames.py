"""The lake as rules see it: the tables of the month under check."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import polars as pl

from pipeline.lake.readable import ReadableLake
from pipeline.months import previous_month
from pipeline.schema.declaration import MonthAbsentError, Table


@dataclass(frozen=True)
class LakeFrames:
    """The lake's tables in one month; tables without months are seen whole."""

    lake: ReadableLake
    tables: Mapping[str, Table]
    month: date | None

    def scan(self, table: str) -> pl.LazyFrame:
        """The named table (`group/name`) in the month under check, or whole if it has no months."""
        declared = self._declared(table)
        return self.lake.scan(declared, self.month if declared.monthly else None)

    def scan_previous(self, table: str) -> pl.LazyFrame:
        """The named table in the month before.

        Raises:
            MonthAbsentError: the lake does not hold it.
            LookupError: the table has no months.
        """
        declared = self._declared(table)
        if not declared.monthly or self.month is None:
            raise LookupError(f"{table} has no month before: it is no table of months")
        before = previous_month(self.month)
        if not self.lake.holds(declared, before):
            raise MonthAbsentError(before)
        return self.lake.scan(declared, before)

    def _declared(self, table: str) -> Table:
        if table not in self.tables:
            raise LookupError(f"{table} is not a table of the census: rules name tables as group/name")
        return self.tables[table]
