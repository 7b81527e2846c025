"""What is said of a figure: the months of its period, what they were measured from, and what the terms mean."""

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import zip_longest

import duckdb

from pipeline.databases import rows_to_show
from pipeline.months import in_words
from pipeline.schema.shares import POPULATIONS, months_promised
from pipeline.synthetic import LABEL
from pipeline.text import plain
from pipeline.wording import counted

POPULATION_MEANINGS = {
    population.name: population.meaning if population.name == "all" else f"{population.name}: {population.meaning}"
    for population in POPULATIONS
}
ATTRIBUTION_MEANINGS = {
    "uploader": "uploader: the account that published the repository",
    "origin": "origin: the roots that the repository derives from",
}
BASIS_MEANINGS = {
    "all_time_delta": "differences of cumulative counters",
    "rolling_30d": "30-day counters, scaled to months (estimates)",
}
NOTHING = "nothing measured"
MONTH_BY_MONTH = "each month by itself"
MOST_CHARACTERS = 104
"""In one line of a term in the terminal."""


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


@dataclass(frozen=True, eq=False)
class Period:
    """A period by name: `promised` are the months that the name stands for, `held` those of them that there are."""

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
    def is_synthetic(self) -> bool:
        """Whether any of its months is of the synthetic sample."""
        return any(facts.is_synthetic for facts in self.held)

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
            "Quality": by_months((facts.month, facts.quality) for facts in self.held),
            "Incidents": "; ".join(incidents) or "none known",
            "Source": by_months((facts.month, facts.source) for facts in self.held),
        }

    def label(self) -> str:
        """The warning that goes before its figures: of which months nothing was measured; empty where there is none."""
        synthetic = [facts.month for facts in self.held if facts.is_synthetic]
        if len(synthetic) == len(self.held):
            return LABEL if synthetic else ""
        return f"PARTLY SYNTHETIC: {in_words(synthetic)} are of a {LABEL}" if synthetic else ""


def read_period(connection: duckdb.DuckDBPyConnection, name: str, last: date | None = None) -> Period:
    """The period of that name that ends with `last`, by default with the last published month."""
    facts = ", ".join(MonthFacts.__dataclass_fields__)
    rows = rows_to_show(connection.sql(f"select {facts} from dim_month order by month"))  # noqa: S608 - declared names
    published = [MonthFacts(*row) for row in rows]
    if not published:
        return Period(name, (), ())
    last = last or published[-1].month
    promised = tuple(months_promised(name, last, published[0].month))
    return Period(name, promised, tuple(facts for facts in published if facts.month in promised))


def basis_in_words(bases: Mapping[date, str]) -> str:
    """The counters that the months' downloads come from; where they differ, which months have which."""
    return by_months((month, BASIS_MEANINGS.get(basis, basis)) for month, basis in bases.items())


def by_months(stated: Iterable[tuple[date, str]]) -> str:
    """What is said of each month: once where it is the same of all, else with the months of which it holds."""
    months: dict[str, list[date]] = {}
    for month, said in stated:
        months.setdefault(said, []).append(month)
    if len(months) < 2:
        return next(iter(months), NOTHING)
    return "; ".join(f"{in_words(those)}: {said}" for said, those in months.items())


def terms_as_text(statement: Mapping[str, str]) -> list[str]:
    """The terms as lines of a terminal, long ones over several."""
    lines = []
    for term, words in statement.items():
        wrapped = textwrap.wrap(plain(words), MOST_CHARACTERS, break_long_words=False, break_on_hyphens=False)
        lines += [f"  {head:12} {line}" for head, line in zip_longest([term.lower()], wrapped, fillvalue="")]
    return lines


def columns_as_text(rows: Sequence[Sequence[str]], sides: str) -> list[str]:
    """Rows of cells as lines of a terminal, each column to its side, `<` or `>`."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  " + "  ".join(f"{cell:{side}{width}}" for cell, side, width in zip(row, sides, widths, strict=True)).rstrip()
        for row in rows
    ]


def part(value: float | None, of: float | None, what: str) -> str:
    """A fraction of an amount, in words; where there is nothing to be a part of, that."""
    return NOTHING if value is None or not of else f"{value:.2%} {what}"
