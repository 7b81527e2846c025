"""What every snapshot source offers: one observation of the whole Hub, in one form, for each month that it closes."""

import importlib
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import ClassVar, Self

import polars as pl

import pipeline.sources
from pipeline.errors import CensusError, MonthNotServedError, UnusableSnapshotError
from pipeline.months import closing_of, in_words
from pipeline.sources.accounts import AccountDirectory
from pipeline.synthetic import MARK

BASE_MODELS = pl.List(pl.Struct({"hub_id": pl.String, "model_id": pl.String}))
"""The parents that the Hub's `baseModels` states."""
OBSERVATION_SCHEMA = pl.Schema(
    {
        "hub_id": pl.String(),
        "model_id": pl.String(),
        "created_at": pl.Datetime("us", "UTC"),
        "downloads_30d": pl.Int64(),
        "downloads_all_time": pl.Int64(),
        "likes": pl.Int64(),
        "pipeline_tag": pl.String(),
        "library_name": pl.String(),
        "gated": pl.String(),
        "license": pl.String(),
        "safetensors_parameters": pl.Int64(),
        "gguf_parameters": pl.Int64(),
        "tags": pl.List(pl.String()),
        "base_model_relation": pl.String(),
        "base_models": BASE_MODELS,
        "card_base_models": pl.List(pl.String()),
        "unreadable": pl.List(pl.String()),
    }
)
"""The columns of a snapshot's rows, before any interpretation. All but `model_id` may be null.

`unreadable` lists the fields that are there and cannot be read, as `field: value`, the value shortened.
"""
COUNTER_COLUMNS = ("hub_id", "model_id", "downloads_all_time")
COLUMN_OF_FIELD = {name: name for name in ("pipeline_tag", "library_name", "gated", "likes", "tags")} | {
    "id": "model_id",
    "_id": "hub_id",
    "createdAt": "created_at",
    "downloads": "downloads_30d",
    "downloadsAllTime": "downloads_all_time",
    "safetensors": "safetensors_parameters",
    "gguf": "gguf_parameters",
    "baseModels": "base_models",
    "cardData": "card_base_models",
}
"""The column that a field of a listing record becomes."""

MOST_UNREADABLE = 0.01
"""With a larger share of unreadable values in one field, a snapshot is not what its names say."""
ALWAYS_TOLERATED = 2
"""So many unreadable values condemn no dump, however small it is, if others of the field can be read; where none can,
1 % of the rows do."""
DEFAULT_TOLERANCE = timedelta(days=3.5)
"""How far from the boundary an observation may be and still close the month."""
FORMER_NAMES = {"local": "folder"}
FIRST_LINE = re.compile(r'"""Source `(?P<name>\w+)`: (?P<sentence>.+)\."""')


@dataclass(frozen=True)
class Observed:
    """What was read: `rows` in `OBSERVATION_SCHEMA`, and the columns for which there is no field at all.

    `nameless` records named no repository and are not among the rows.
    """

    rows: pl.LazyFrame
    absent_columns: frozenset[str]
    nameless: int = 0

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Parts of one listing, in their order."""
        absent = frozenset.intersection(*(part.absent_columns for part in parts))
        return cls(pl.concat([part.rows for part in parts]), absent, sum(part.nameless for part in parts))

    @classmethod
    def of_records(cls, count: int, rows: pl.LazyFrame, absent_columns: frozenset[str], name: str) -> Self:
        """What so many records say, if they name repositories; `name` is that of the file.

        Raises:
            UnusableSnapshotError: more than 1 % of the records name none.
        """
        nameless = count - rows.select(pl.len()).collect().item()
        if count and (nameless == count or nameless > max(ALWAYS_TOLERATED, MOST_UNREADABLE * count)):
            raise UnusableSnapshotError(
                f"{name} has {count:,} records, of which {nameless:,} name no repository in a field `id`: write them "
                "as the listing API does"
            )
        return cls(rows, absent_columns, nameless)

    def notes(self, name: str) -> dict[str, str]:
        """What should be known of the rows, for people; `name` is that of the file or listing.

        Raises:
            UnusableSnapshotError: more than 1 % of the values of a field cannot be read.
        """
        absent = [column for column in OBSERVATION_SCHEMA if column in self.absent_columns - {"unreadable"}]
        said = [f"{self.nameless:,} records name no repository"] if self.nameless else []
        entry = pl.col("unreadable").str.splitn(": ", 2).struct
        unreadable = (
            self.rows.select(pl.col("unreadable").list.explode(keep_nulls=False, empty_as_null=False))
            .group_by(entry.field("field_0"))
            .agg(pl.len(), entry.field("field_1").first())
            .sort("len", "field_0", descending=[True, False])
            .collect(engine="streaming")
        )
        for field_name, count, example in unreadable.iter_rows():
            of_field = self.rows.select(pl.col(COLUMN_OF_FIELD[field_name]).count(), rows=pl.len())
            readable, rows = of_field.collect(engine="streaming").row(0)
            there = count + readable
            told = f"{count:,} of {there:,} values of `{field_name}` cannot be read, for example {example!r}"
            most = max(ALWAYS_TOLERATED, MOST_UNREADABLE * there) if readable else MOST_UNREADABLE * rows
            if count > most:
                raise UnusableSnapshotError(f"{name}: {told}: write them as the listing API does, or leave them out")
            said.append(told)
        found = {"absent_columns": ", ".join(absent), "unreadable": "; ".join(said), "listed_twice": self._repeated()}
        return {note: text for note, text in found.items() if text}

    def _repeated(self) -> str:
        """How many rows are of a repository that another row is of already; empty where none is."""
        repository = pl.coalesce("hub_id", "model_id")
        if not self.rows.select(pl.len() - repository.hash().n_unique()).collect(engine="streaming").item():
            return ""  # found out at a third of what it costs to count the rows of each
        of_each = self.rows.group_by(repository).agg(pl.len(), pl.col("model_id").min())
        told = of_each.filter(pl.col("len") > 1).select((pl.col("len") - 1).sum(), pl.col("model_id").min())
        count, example = told.collect(engine="streaming").row(0)
        one_counts = f"listed already, for example {example!r}: one row of each counts"
        return f"{count:,} rows repeat a repository that is {one_counts}" if count else ""


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


@dataclass(frozen=True)
class SourceChoice:
    """Which source, and what it needs to know.

    `snapshots` is the folder of source `folder`; `tell` is given a line now and then while something takes its time.
    """

    name: str
    snapshots: Path | None = None
    tolerance: timedelta = DEFAULT_TOLERANCE
    tell: Callable[[str], None] = lambda _: None


class SnapshotSource(ABC):
    """A place from which months can be read, chosen by its `name`.

    `remedy` says what to do about a month that it does not serve, to end a sentence with.
    """

    name: ClassVar[str]
    remedy: ClassVar[str] = "choose other months"

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

    def accounts(self, namespaces: Sequence[str], directory: AccountDirectory) -> pl.DataFrame:
        """What is known of the namespaces' accounts: namespace, account_type, checked_on; the others are left out.

        A source that can ask the public Hub, whose answers are in the `directory`, does so within a budget.
        """
        return directory.remembered(namespaces)


def described_sources() -> dict[str, str]:
    """The name of every source with a sentence, by the first lines of this package's modules: none is imported.

    Source `x` is the class of that name in the module `x`.
    """
    described = {}
    for path in sorted(path for folder in pipeline.sources.__path__ for path in Path(folder).glob("*.py")):
        with path.open(encoding="utf-8") as module:
            if found := FIRST_LINE.match(module.readline()):
                described[found["name"]] = found["sentence"]
    return described


def open_source(choice: SourceChoice, cache: Path) -> SnapshotSource:
    """The chosen source.

    Raises:
        CensusError: there is no source of that name, or it lacks its settings.
    """
    name = FORMER_NAMES.get(choice.name, choice.name)
    if name not in described_sources():
        raise CensusError(f"there is no source {choice.name!r}: choose one of {', '.join(described_sources())}")
    module = importlib.import_module(f"{pipeline.sources.__name__}.{name}")
    found: type[SnapshotSource] = next(
        value for value in vars(module).values() if isinstance(value, type) and vars(value).get("name") == name
    )
    return found.opened(choice, cache)


def distance_from_closing(month: date, observed_at: datetime) -> timedelta:
    """How far an observation is from the boundary that closes the month."""
    return abs(observed_at - closing_of(month))


def months_to_read(source: SnapshotSource, first: date | None, last: date | None) -> list[date]:
    """The source's months from `first` to `last`, by default all; months between them that it lacks are left out.

    Raises:
        CensusError: it has none, or not the `first` or the `last` that was asked for.
    """
    served = source.months()
    missing = dict.fromkeys(f"{month:%Y-%m}" for month in (first, last) if month and month not in served)
    if missing or not served:
        lacks = f"does not serve {', '.join(missing)}" if missing else "serves no month now"
        raise MonthNotServedError(f"source {source.name} {lacks}: {source.reach()}; {source.remedy}")
    return [month for month in served if (first or month) <= month <= (last or month)]


def is_closed_by_a_wednesday(month: date) -> bool:
    """Whether the boundary that closes the month, or the day before it, is a Wednesday: counters often freeze then."""
    return closing_of(month).isoweekday() in {3, 4}
