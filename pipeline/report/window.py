"""A window: the months that it holds and those that it lacks, and what is said of all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import duckdb

from pipeline.databases import rows_to_show
from pipeline.months import add_months, in_words, months_between
from pipeline.report.words import basis_in_words, by_months, counted
from pipeline.synthetic import LABEL

MONTH_BY_MONTH = "each month by itself"
_FIRST: dict[str, Callable[[date, date], date]] = {
    "month": lambda _, last: last,
    "trailing_12_months": lambda _, last: add_months(last, -11),
    "year_to_date": lambda _, last: last.replace(month=1),
    "cumulative": lambda earliest, _: earliest,
    MONTH_BY_MONTH: lambda earliest, _: earliest,
}
"""The first month that a window promises, by its name, from the first published month and the window's last."""


@dataclass(frozen=True)
class MonthFacts:
    """What a month was measured from, as `dim_month` states it."""

    month: date
    source: str
    source_revision: str
    basis: str
    quality: str
    coverage: float | None
    is_synthetic: bool
    incidents: str | None
    opened_at: datetime | None = None
    closed_at: datetime | None = None


_FACTS = ", ".join(MonthFacts.__dataclass_fields__)


@dataclass(frozen=True)
class Window:
    """A window by name: `promised` are the months that the name stands for, `held` those of them that there are."""

    name: str
    promised: tuple[date, ...]
    held: tuple[MonthFacts, ...]

    @property
    def months(self) -> list[date]:
        """The months that it holds."""
        return [facts.month for facts in self.held]

    @property
    def missing(self) -> list[date]:
        """The months that its name promises and that it lacks."""
        return [month for month in self.promised if month not in self.months]

    @property
    def is_complete(self) -> bool:
        """Whether it holds every month that it promises."""
        return not self.missing

    @property
    def is_synthetic(self) -> bool:
        """Whether any of its months is of the synthetic sample."""
        return any(facts.is_synthetic for facts in self.held)

    @property
    def sources(self) -> list[str]:
        """The sources of its months."""
        return sorted({facts.source for facts in self.held})

    def in_words(self) -> str:
        """The months that it holds, its name, and those that are missing."""
        about = self.name
        if self.name == MONTH_BY_MONTH:
            about += f", {counted(len(self.held), 'month')}"
        if self.missing:
            held = f"{len(self.held)} of {counted(len(self.promised), 'month')}"
            about += f", INCOMPLETE: {held}; missing: {in_words(self.missing)}"
        return f"{in_words(self.months)} ({about})"

    def terms(self) -> dict[str, str]:
        """Basis, quality, incidents and source of all its months."""
        known: dict[str, list[date]] = {}
        for facts in self.held:
            for incident in (facts.incidents or "").split("; "):
                known.setdefault(incident, []).append(facts.month)
        incidents = [f"{in_words(months)}: {incident}" for incident, months in known.items() if incident]
        return {
            "Basis": basis_in_words({facts.month: facts.basis for facts in self.held}),
            "Quality": self._said(lambda facts: facts.quality),
            "Incidents": "; ".join(incidents) or "none known",
            "Source": self._said(lambda facts: facts.source),
        }

    def label(self) -> str:
        """The warning that goes before its figures: of which months nothing was measured; empty where there is none."""
        synthetic = [facts.month for facts in self.held if facts.is_synthetic]
        return synthetic_label(synthetic, all_of_them=len(synthetic) == len(self.held))

    def _said(self, of: Callable[[MonthFacts], str]) -> str:
        return by_months((facts.month, of(facts)) for facts in self.held)


def synthetic_label(synthetic: Sequence[date], *, all_of_them: bool) -> str:
    """The label of figures of these synthetic months."""
    if not synthetic:
        return ""
    return LABEL if all_of_them else f"PARTLY SYNTHETIC: {in_words(synthetic)} are of a {LABEL}"


def read_window(connection: duckdb.DuckDBPyConnection, name: str, last: date | None = None) -> Window:
    """The window of that name that ends with `last`, by default with the last published month."""
    rows: list[tuple[Any, ...]] = rows_to_show(
        connection.sql(f"select {_FACTS} from dim_month order by month")  # noqa: S608 - declared names
    )
    published = [MonthFacts(*row) for row in rows]
    if not published:
        return Window(name, (), ())
    last = last or published[-1].month
    promised = tuple(months_between(_FIRST[name](published[0].month, last), last))
    return Window(name, promised, tuple(facts for facts in published if facts.month in promised))
