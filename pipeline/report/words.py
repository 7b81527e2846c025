"""What the terms of a statement mean, in words; the same wherever figures are shown."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping
from datetime import date
from itertools import zip_longest

from pipeline.months import in_words
from pipeline.schema.shares import POPULATIONS
from pipeline.text import plain

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
MOST_CHARACTERS = 104
"""In one line of a term in the terminal."""


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


def counted(number: int, thing: str) -> str:
    """The number with its noun, which agrees with it."""
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"


def part(value: float | None, of: float | None, what: str) -> str:
    """A fraction of an amount, in words; where there is nothing to be a part of, that."""
    return NOTHING if value is None or not of else f"{value:.2%} {what}"
