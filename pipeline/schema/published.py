"""Tables that readers see: made from the published months when the census is published."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Protocol

import polars as pl

from pipeline.schema.declaration import Table


class PublishedMonths(Protocol):
    """The months that are published together, as a published table may look at them."""

    @property
    def months(self) -> tuple[date, ...]:
        """The months, in order; not necessarily without gaps."""

    def scan(self, table: Table) -> pl.LazyFrame:
        """A table of the lake in all these months; whole, where it has no months."""


@dataclass(frozen=True, eq=False)
class PublishedTable:
    """One table of the warehouse, the Parquet files and PostgreSQL, by the declaration of its columns.

    `make` returns its rows from the published months. `references` says which column of which published table explains
    the values of a column: `{"country": ("dim_country", "country")}`.
    """

    table: Table
    make: Callable[[PublishedMonths], pl.LazyFrame]
    references: Mapping[str, tuple[str, str]] = field(default_factory=dict)
