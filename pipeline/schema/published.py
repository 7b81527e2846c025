"""Tables that readers see: made from the published months when the census is published."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Protocol

import polars as pl

from pipeline.schema.declaration import Table

if TYPE_CHECKING:
    from pipeline.schema.catalogue import Catalogue


@dataclass(frozen=True)
class Edition:
    """One publication, as its own tables state it: how derivatives are split, and by which run of Dagster it is made.

    `check_results` are the rows of the published table of that name; without columns where nothing is known. Its
    `version`, and the time, are known once it is begun.
    """

    origin_rule: str
    run_id: str | None = None
    check_results: pl.DataFrame = field(default_factory=pl.DataFrame)
    version: str = ""
    published_at: datetime = datetime(1970, 1, 1, tzinfo=UTC)


class PublishedMonths(Protocol):
    """The months that are published together, as a published table may look at them."""

    @property
    def months(self) -> tuple[date, ...]:
        """The months, in order; not necessarily without gaps."""

    @property
    def edition(self) -> Edition:
        """The publication that is made."""

    @property
    def catalogue(self) -> "Catalogue":
        """Everything that is declared: for tables about the others."""

    def scan(self, table: Table) -> pl.LazyFrame:
        """A table of the lake in all these months; whole, where it has no months."""

    def each(self) -> "Iterator[PublishedMonths]":
        """Each month by itself, in order."""

    def published(self, name: str) -> pl.LazyFrame:
        """Another published table, which is made first. Not for tables that are made month by month."""

    def written_at(self, table: Table) -> datetime:
        """When the last of the table's months was written."""


@dataclass(frozen=True, eq=False)
class PublishedTable:
    """One table of the warehouse, the Parquet files and PostgreSQL, by the declaration of its columns.

    `make` returns its rows from the published months. Where the table itself is monthly, it is made month by month: it
    is given one month at a time, and each becomes a file.

    In a view of a table that refers to this one, `label` takes the place of the column that refers, which goes on as
    `<column>_code`, and `shown` are added: columns of this table by their names in the view.

    `adds_up_to` names, for columns of this table, the column of the lake's table that has the same sum. An entry table
    has one row per month and member of the mart `entry_of`, whose figures show it as well, and stands first wherever
    tables are listed.
    """

    table: Table
    make: Callable[[PublishedMonths], pl.LazyFrame]
    label: str | None = None
    shown: Mapping[str, str] = field(default_factory=dict)
    adds_up_to: Mapping[str, tuple[Table, str]] = field(default_factory=dict)
    entry_of: str | None = None

    @property
    def name(self) -> str:
        """By which readers know it."""
        return self.table.name

    @property
    def references(self) -> Mapping[str, str | Mapping[str, str]]:
        """By column the other published table, or that of each dimension, which explains its values."""
        columns = {column.name: column.refers_to for column in self.table.columns if column.refers_to != self.name}
        return {name: target for name, target in columns.items() if target}

    @property
    def key(self) -> tuple[str, ...]:
        """The key of the table with all its months together."""
        key = self.table.key
        return ("month", *key) if self.table.monthly and "month" not in key else key

    @property
    def grain(self) -> str:
        """What one row is of, with all months together."""
        grain = self.table.grain
        return f"month, {grain}" if self.table.monthly and not grain.startswith("month") else grain

    @property
    def has_primary_key(self) -> bool:
        """Whether every part of the key has a value in every row."""
        return not any(self.table.column(name).nullable for name in self.key)


def published_table(
    name: str,
    make: Callable[[PublishedMonths], pl.LazyFrame],
    *,
    label: str | None = None,
    shown: Mapping[str, str] | None = None,
    entry_of: str | None = None,
    **declared: Any,
) -> PublishedTable:
    """A published table that is made of all months at once; what is `declared` is as of any table."""
    table = Table(f"published/{name}", monthly=False, **declared)
    return PublishedTable(table, make, label, shown or {}, entry_of=entry_of)
