"""The headline: countries' shares of the downloads of new models over a year, with all that qualifies them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

from pipeline.databases import open_published, rows_to_show
from pipeline.errors import CensusError
from pipeline.months import add_months
from pipeline.publish.figures import Figure, Year, read_figures
from pipeline.publish.warehouse import FILE_NAME
from pipeline.tables.shares import POPULATIONS

LARGEST_SHOWN = 8


@dataclass(frozen=True)
class Member:
    """One row of the headline; shares are fractions."""

    name: str
    downloads: float
    share: float
    share_low: float
    share_high: float


@dataclass(frozen=True)
class Headline:
    """Shares by country with window, population, attribution, denominator, basis and coverage.

    `members` are the largest countries, then the members that are not countries, then all others together; `figures`
    are what else the window shows.
    """

    last_month: date
    window: str
    months_in_window: int
    is_complete: bool
    population: str
    attribution: str
    denominator: float
    basis: str
    coverage: float
    sources: list[str]
    is_synthetic: bool
    members: list[Member]
    figures: list[Figure]

    def as_dict(self) -> dict[str, Any]:
        """The headline as plain values, months as text."""
        return asdict(self) | {"last_month": f"{self.last_month:%Y-%m}"}

    def as_text(self) -> str:
        """The headline as a table under a sentence that says what it is."""
        figures = [line for figure in self.figures for line in ("", figure.as_text())]
        return "\n".join([*self._definition(), "", *self._table(), *figures])

    def _definition(self) -> list[str]:
        label = "SYNTHETIC SAMPLE, not the real Hub. " if self.is_synthetic else ""
        first = add_months(self.last_month, 1 - self.months_in_window)
        complete = "" if self.is_complete else f", INCOMPLETE: {self.months_in_window} months only"
        return [
            f"{label}Share of model downloads by country",
            f"  window       {first:%Y-%m} to {self.last_month:%Y-%m} ({self.window}{complete})",
            f"  population   {POPULATION_MEANINGS[self.population]}",
            f"  attribution  {self.attribution}: {ATTRIBUTION_MEANINGS[self.attribution]}",
            f"  denominator  {self.denominator:,.0f} downloads, nothing left out",
            f"  basis        {BASIS_MEANINGS[self.basis]}",
            f"  coverage     {self.coverage:.2%} of the denominator attributed",
            f"  source       {', '.join(self.sources)}",
        ]

    def _table(self) -> list[str]:
        mark = "  (synthetic)" if self.is_synthetic else ""
        width = max(len(member.name) for member in self.members)
        rows = [f"  {'':{width}}   share    bounds             downloads{mark}"]
        rows.extend(
            f"  {member.name:{width}}  {member.share:6.2%}   {member.share_low:6.2%} - {member.share_high:6.2%}  "
            f"{member.downloads:>14,.0f}"
            for member in self.members
        )
        return rows


POPULATION_MEANINGS = {
    population.name: population.meaning if population.name == "all" else f"{population.name}: {population.meaning}"
    for population in POPULATIONS
}
ATTRIBUTION_MEANINGS = {
    "uploader": "the account that published the repository",
    "origin": "the roots that the repository derives from",
}
BASIS_MEANINGS = {
    "all_time_delta": "differences of cumulative counters",
    "rolling_30d": "30-day counters, scaled to months (estimates)",
    "mixed": "mixed: 30-day counters in months before 2025-03, cumulative counters since",
}


STATED_COLUMNS = (
    "last_month",
    "window",
    "months_in_window",
    "is_complete",
    "population",
    "attribution",
    "denominator",
    "basis",
    "coverage",
)


def read_headline(folder: Path, last_month: date | None = None) -> Headline:
    """The headline of the published warehouse in `folder`.

    The window is the trailing year that ends with `last_month`; by default with the latest published month that has a
    complete one, else with the latest. Where no model is known to be new, the population is `all`.

    Raises:
        CensusError: nothing is published, or not that month.
    """
    path = folder / FILE_NAME
    if not path.exists():
        raise CensusError(f"nothing is published in {folder}: run `census run` first")
    with open_published(path) as connection:
        found = rows_to_show(
            connection.sql(
                """
            select month, "window", months_in_window, is_complete, population, attribution, denominator, basis, coverage
            from country_shares
            where "window" = 'trailing_12_months' and population in ('new', 'all') and attribution = 'uploader'
              and ($month is null or month = $month)
            order by is_complete desc, month desc, population = 'new' desc
            limit 1
            """,
                params={"month": last_month},
            )
        )
        if not found:
            raise CensusError(f"{last_month:%Y-%m} is not published: choose a published month" if last_month else EMPTY)
        stated = dict(zip(STATED_COLUMNS, found[0], strict=True))
        month, months = stated["last_month"], stated["months_in_window"]
        [(sources, is_synthetic)] = connection.sql(
            "select list(distinct source order by source), bool_or(is_synthetic) from dim_month "
            "where month between $first and $last",
            params={"first": add_months(month, 1 - months), "last": month},
        ).fetchall()
        rows = rows_to_show(
            connection.sql(
                """
            select country_name, is_country, downloads, share, share_low, share_high
            from country_shares join dim_country on member = country
            where month = $month and "window" = 'trailing_12_months' and population = $population
              and attribution = 'uploader'
            order by is_country desc, downloads desc, country_name
            """,
                params={"month": month, "population": stated["population"]},
            )
        )
        figures = read_figures(
            Year(connection, month, stated["window"], months, stated["is_complete"], is_synthetic, stated["population"])
        )
    return Headline(**stated, sources=sources, is_synthetic=is_synthetic, members=_members(rows), figures=figures)


EMPTY = "the warehouse holds no shares: run `census run` again"


def _members(rows: list[tuple[str, bool, float, float, float, float]]) -> list[Member]:
    countries = [Member(name, *values) for name, is_country, *values in rows if is_country]
    others = [Member(name, *values) for name, is_country, *values in rows if not is_country]
    rest = countries[LARGEST_SHOWN:]
    return countries[:LARGEST_SHOWN] + ([_together(rest)] if rest else []) + others


def _together(members: list[Member]) -> Member:
    """Several members as one: what is added to any of them by the unmapped is added once."""
    share = sum(member.share for member in members)
    return Member(
        f"{len(members)} other countries",
        sum(member.downloads for member in members),
        share,
        share_low=share,
        share_high=share + members[0].share_high - members[0].share,
    )
