"""What every snapshot source offers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import ClassVar, Self

import polars as pl

from pipeline.errors import CensusError, MonthNotServedError
from pipeline.months import closing_of, in_words
from pipeline.sources.accounts import AccountDirectory
from pipeline.synthetic import MARK

COUNTER_COLUMNS = ("hub_id", "model_id", "downloads_all_time")
DEFAULT_TOLERANCE = timedelta(days=3.5)
"""How far from the boundary an observation may be and still close the month."""


@dataclass(frozen=True)
class SourceChoice:
    """Which source, and what it needs to know.

    `snapshots` is the folder of source `folder`; `tell` is given a line now and then while something takes its time.
    """

    name: str
    snapshots: Path | None = None
    tolerance: timedelta = DEFAULT_TOLERANCE
    tell: Callable[[str], None] = lambda _: None


@dataclass(frozen=True)
class Snapshot:
    """One observation of the whole Hub; `rows` has the columns of `OBSERVATION_SCHEMA`.

    The name of the `source` ends in `pipeline.synthetic.MARK` where the Hub is synthetic. `notes` are shown with the
    month: what people should know of how it was chosen and read.
    """

    rows: pl.LazyFrame
    observed_at: datetime
    source: str
    source_revision: str
    notes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class CounterObservation:
    """The cumulative counters of one observation: `rows` has the columns `COUNTER_COLUMNS`."""

    rows: pl.LazyFrame
    observed_at: datetime


class SnapshotSource(ABC):
    """A place from which months can be read, chosen by its `name`.

    `remedy` says what to do about a month that it does not serve, to end a sentence with. What is known of accounts is
    in `directory`.
    """

    name: ClassVar[str]
    remedy: ClassVar[str] = "choose other months"
    directory: AccountDirectory

    @classmethod
    @abstractmethod
    def opened(cls, choice: SourceChoice, cache: Path) -> Self:
        """The source as a choice describes it, which keeps what it fetches in the folder `cache`.

        Raises:
            CensusError: the choice lacks what the source needs.
        """

    @property
    def is_synthetic(self) -> bool:
        """Whether the Hub that it reads has said that it is synthetic."""
        return False

    def recorded_as(self, *, is_synthetic: bool) -> str:
        """The name by which months of the source are recorded."""
        return f"{self.name}{MARK}" if is_synthetic else self.name

    @abstractmethod
    def months(self) -> list[date]:
        """The months that the source can close, in order, as far as it can tell without reading them."""

    def reach(self) -> str:
        """Which months the source has, as a clause for people."""
        months = self.months()
        return f"it has {in_words(months)}" if months else "it has none"

    @abstractmethod
    def closing_snapshot(self, month: date) -> Snapshot:
        """The usable observation nearest to the boundary that closes the month.

        Raises:
            MonthNotServedError: the source has none within its tolerance.
            UnusableSnapshotError: what it has is partial, truncated or of an unknown shape.
            TemporaryError: the source did not answer.
        """

    def counters_around(self, month: date, snapshot_revision: str) -> Iterator[CounterObservation]:  # noqa: ARG002
        """The counters in every other usable observation within the tolerance of the boundary that closes the month.

        Other than that of the month's snapshot, one by one. A source that has no others has none.
        """
        return iter(())

    def accounts(self, namespaces: Sequence[str]) -> pl.DataFrame:
        """What is known of the namespaces' accounts: namespace, account_type, checked_on; the others are left out.

        A source that can ask its Hub does so, in the given order and within a budget.
        """
        return self.directory.remembered(namespaces)


def distance_from_closing(month: date, observed_at: datetime) -> timedelta:
    """How far an observation is from the boundary that closes the month."""
    return abs(observed_at - closing_of(month))


def months_to_read(source: SnapshotSource, first: date | None, last: date | None) -> list[date]:
    """The source's months from `first` to `last`, by default all; months between them that it lacks are left out.

    Raises:
        CensusError: it has none, or not the `first` or the `last` that was asked for.
    """
    if first and last and first > last:
        raise CensusError(f"there is no month from {first:%Y-%m} to {last:%Y-%m}: swap --from and --to")
    served = source.months()
    missing = dict.fromkeys(f"{month:%Y-%m}" for month in (first, last) if month and month not in served)
    if missing or not served:
        lacks = f"does not serve {', '.join(missing)}" if missing else "serves no month now"
        raise MonthNotServedError(f"source {source.name} {lacks}: {source.reach()}; {source.remedy}")
    return [month for month in served if (first or month) <= month <= (last or month)]


def is_closed_by_a_wednesday(month: date) -> bool:
    """Whether the boundary that closes the month, or the day before it, is a Wednesday: counters often freeze then."""
    return closing_of(month).isoweekday() in {3, 4}
