"""What stands below the headline: who within the leading countries, who is built on, what is downloaded, how often.

Each figure says what it is of. All of a year's figures share the headline's window and population.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

import duckdb

from pipeline.databases import rows_to_show
from pipeline.months import add_months

LARGEST_SHOWN = 10
LEADING_COUNTRIES = 2
FAMILY = "Qwen"
"""The namespace whose share of new derivatives is shown."""

_WORDS: dict[str, Callable[[Any], str]] = {
    "share": lambda value: f"{value:7.2%}",
    "downloads": lambda value: f"{value:15,.0f}",
    "count": lambda value: f"{value:12,.0f}",
    "days": lambda value: "        none" if value is None else f"{value:12,.1f}",
}


@dataclass(frozen=True)
class Figure:
    """One table of the year: what it is of, in words, and rows of named numbers.

    `columns` are pairs of a heading and a kind of number (`share`, `downloads`, `count`, `days`).
    """

    title: str
    is_synthetic: bool
    statement: list[str]
    columns: list[tuple[str, str]]
    rows: list[tuple[str, list[float | None]]]

    def as_text(self) -> str:
        """The figure as a table under its statement."""
        width = max([26, *(len(name) for name, _ in self.rows)])
        widths = [len(_WORDS[kind](0)) for _, kind in self.columns]
        headings = "  ".join(f"{heading:>{width_}}" for (heading, _), width_ in zip(self.columns, widths, strict=True))
        title = f"{self.title} (synthetic)" if self.is_synthetic else self.title
        lines = [title, *(f"  {line}" for line in self.statement), f"  {'':{width}}  {headings}"]
        for name, values in self.rows:
            cells = "  ".join(_WORDS[kind](value) for value, (_, kind) in zip(values, self.columns, strict=True))
            lines.append(f"  {name:{width}}  {cells}")
        return "\n".join(line.rstrip() for line in lines)


@dataclass(frozen=True)
class Year:
    """The window and population that the figures are of, over an open warehouse."""

    connection: duckdb.DuckDBPyConnection
    last_month: date
    window: str
    months_in_window: int
    is_complete: bool
    is_synthetic: bool
    population: str

    def rows(self, query: str, **more: Any) -> list[tuple[Any, ...]]:
        """The rows of a query in which `$month`, `$window` and `$population` may stand."""
        given = {"month": self.last_month, "window": self.window, "population": self.population} | more
        asked = {name: value for name, value in given.items() if f"${name}" in query}
        return rows_to_show(self.connection.sql(query, params=asked))

    @property
    def first_month(self) -> date:
        """The first month of the window."""
        return add_months(self.last_month, 1 - self.months_in_window)

    def in_words(self, of: str) -> str:
        """The window, and what of."""
        incomplete = "" if self.is_complete else f" (INCOMPLETE: {self.months_in_window} months only)"
        return f"{self.first_month:%Y-%m} to {self.last_month:%Y-%m}{incomplete}, {of}"


def read_figures(year: Year) -> list[Figure]:
    """Every figure of the year that the warehouse holds."""
    leading = year.rows(
        """
        select member, country_name, downloads, basis, coverage
        from country_shares join dim_country on member = country
        where month = $month and "window" = $window and population = $population and attribution = 'uploader'
          and is_country and downloads > 0
        order by downloads desc, member limit $leading
        """,
        leading=LEADING_COUNTRIES,
    )
    figures = [_organizations(year, *country) for country in leading]
    figures += [_family(year), _licences(year, [(code, name) for code, name, *_ in leading])]
    figures += [_attribute(year, "modality", "Modality"), _sizes(year), _cadence(year)]
    return [figure for figure in figures if figure.rows]


def _uploader(year: Year) -> str:
    return year.in_words(f"population {year.population}, by uploader")


def _organizations(year: Year, country: str, name: str, downloads: float, basis: str, coverage: float) -> Figure:
    rows = year.rows(
        """
        select member, downloads / $denominator, downloads
        from organization_shares
        where month = $month and "window" = $window and population = $population and attribution = 'uploader'
          and country = $country
        order by downloads desc, member limit $shown
        """,
        country=country,
        denominator=downloads,
        shown=LARGEST_SHOWN,
    )
    return Figure(
        f"Organisations within {name}",
        year.is_synthetic,
        [_uploader(year), f"of {downloads:,.0f} downloads of {name}; basis {basis}; coverage {coverage:.2%} of all"],
        [("share", "share"), ("downloads", "downloads")],
        [(member, list(values)) for member, *values in rows],
    )


def _family(year: Year) -> Figure:
    rows = year.rows(
        """
        select month,
          sum(new_derivatives) filter (family like $family || '/%'),
          max(new_derivatives_in_all)
        from family_shares
        where level = 'root_model' and month between $first and $month
        group by month order by month
        """,
        family=FAMILY,
        first=year.first_month,
    )
    new, whole = (sum(row[place] or 0 for row in rows) for place in (1, 2))
    shown = [("in the window", new, whole), *((f"{month:%Y-%m}", *sums) for month, *sums in (*rows[:1], *rows[-1:]))]
    return Figure(
        f"New derivatives of {FAMILY}'s models",
        year.is_synthetic,
        [
            year.in_words("repositories created in the month that name a base model, all uploaders"),
            f"of {whole:,.0f} new derivatives, split over their roots by weight; coverage 100.00%: all declared ones",
        ],
        [("share", "share"), ("new", "count"), ("of all", "count")],
        [(name, [(part or 0) / of, part or 0, of]) for name, part, of in shown if of],
    )


def _attribute_rows(year: Year, dimension: str, within: str) -> list[tuple[Any, ...]]:
    return year.rows(
        """
        select member, share, downloads, denominator, basis, coverage
        from attribute_shares
        where month = $month and "window" = $window and population = $population and attribution = 'uploader'
          and dimension = $dimension and within = $within
        order by downloads desc, member
        """,
        dimension=dimension,
        within=within,
    )


def _of_downloads(rows: list[tuple[Any, ...]], known: str) -> str:
    _, _, _, denominator, basis, coverage = rows[0]
    return f"of {denominator:,.0f} downloads; basis {basis}; coverage {coverage:.2%} {known}"


def _attribute(year: Year, dimension: str, title: str) -> Figure:
    rows = _attribute_rows(year, dimension, "all")
    return Figure(
        title,
        year.is_synthetic,
        [_uploader(year), _of_downloads(rows, "known")] if rows else [],
        [("share", "share"), ("downloads", "downloads")],
        [(_readable(member), [share, downloads]) for member, share, downloads, *_ in rows],
    )


def _licences(year: Year, countries: list[tuple[str, str]]) -> Figure:
    whole = _attribute_rows(year, "licence", "all")
    within = [{row[0]: row[1] for row in _attribute_rows(year, "licence", code)} for code, _ in countries]
    headings = [("all", "share"), *((code, "share") for code, _ in countries), ("downloads", "downloads")]
    return Figure(
        "Licences",
        year.is_synthetic,
        [_uploader(year), _of_downloads(whole, "declared") + "; countries: of their own downloads"] if whole else [],
        headings,
        [
            (_readable(member), [share, *(shares.get(member, 0.0) for shares in within), downloads])
            for member, share, downloads, *_ in whole
        ],
    )


def _sizes(year: Year) -> Figure:
    bands = _attribute(year, "size_band", "Model sizes")
    means = year.rows(
        """
        select mean_parameters from model_sizes
        where month = $month and "window" = $window and population = $population and within = 'all'
        """
    )
    if not means or means[0][0] is None:
        return bands
    mean = f"mean {means[0][0] / 1e9:,.2f} billion parameters, weighted by downloads"
    return Figure(bands.title, year.is_synthetic, [*bands.statement, mean], bands.columns, bands.rows)


def _cadence(year: Year) -> Figure:
    rows = year.rows(
        """
        with ranked as (
          select *, row_number() over (
            partition by dimension order by release_days desc, new_repositories desc, member
          ) as place
          from release_cadence where month = $month and "window" = $window
        )
        select coalesce(country_name, member), release_days, median_days_between, variants_per_release,
          new_repositories_in_all, coverage
        from ranked left join dim_country on dimension = 'country' and member = country
        where place <= case dimension when 'country' then $leading else $shown end
        order by dimension, place
        """,
        leading=LEADING_COUNTRIES,
        shown=LARGEST_SHOWN // 2,
    )
    if not rows:
        return Figure("Release cadence", year.is_synthetic, [], [], [])
    *_, whole, coverage = rows[0]
    return Figure(
        "Release cadence",
        year.is_synthetic,
        [
            year.in_words("repositories that derive from nothing or from the same organisation's models"),
            f"{whole:,} such repositories of all uploaders; coverage {coverage:.2%} by known organisations",
        ],
        [("release days", "count"), ("days between", "days"), ("variants", "days")],
        [(name, list(values)) for name, *values, _, _ in rows],
    )


def _readable(member: str) -> str:
    return member.replace("_", " ")
