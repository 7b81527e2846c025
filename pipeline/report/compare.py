"""Ours beside what others published: each known figure, what we have for the same definition, what differs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb
import polars as pl

from pipeline.databases import rows_to_show
from pipeline.errors import CensusError
from pipeline.months import days_in, parse_month
from pipeline.report.figures import open_warehouse
from pipeline.report.statements import MONTH_BY_MONTH, part, read_period
from pipeline.text import plain

FIGURES = Path(__file__).parents[2] / "docs" / "benchmark-figures.csv"

_OF_PERIOD = "month = $month and period = $period and population = $population"


def _of_period(table: str, value: str, members: str) -> str:
    return f"select {value} from {table} where {_OF_PERIOD} and {members}"  # noqa: S608 - declared names


def _of_shares(table: str, value: str = "share", members: str = "member = $member") -> str:
    return _of_period(table, value, f"attribution = 'uploader' and {members}")


def _of_attribute(dimension: str, but: str) -> str:
    members = f"within = 'all' and dimension = '{dimension}' and member <> '{but}'"
    return _of_shares("attribute_shares", "sum(share)", members)


def _of_family(value: str) -> str:
    members = "filter (family like $member || '/%')"
    return f"select sum({value}) {members} from family_shares where month = $month and level = 'root_model'"  # noqa: S608


MEASURES: dict[str, tuple[str, str]] = {
    "country_share": ("percent", _of_shares("country_shares")),
    "country_share_of_attributed": ("percent", _of_shares("country_shares", "share_of_attributed")),
    "organization_share": ("percent", _of_shares("organization_shares")),
    "attribute_share": (
        "percent",
        _of_shares("attribute_shares", members="within = 'all' and dimension || '/' || member = $member"),
    ),
    "data_declared_share": ("percent", _of_attribute("openness", "weights_only")),
    "derivatives_share": ("percent", _of_attribute("derivation", "original")),
    "country_ratio": (
        "times",
        _of_shares(
            "country_shares",
            "sum(downloads) filter (member = split_part($member, '/', 1)) "
            "/ nullif(sum(downloads) filter (member = split_part($member, '/', 2)), 0)",
            "true",
        ),
    ),
    "family_share_of_new": ("percent", _of_family("share_of_new_derivatives")),
    "family_derivatives": ("repositories", _of_family("derivatives")),
    "derivatives_on_base": (
        "percent",
        "select sum(share_of_new_derivatives) from derivation_flows where month = $month and base_country = $member",
    ),
    "top_share": (
        "percent",
        _of_period(
            "concentration",
            "case $member when '10' then top_10_share when '100' then top_100_share else top_1000_share end",
            "dimension = 'model'",
        ),
    ),
    "mean_size": ("billion parameters", _of_period("model_sizes", "mean_parameters", "within = 'all'")),
    "models": ("million", "select models from dim_month where month = $month"),
    "downloads_per_day": ("million", "select downloads / $days from dim_month where month = $month"),
}
"""How each measure is read from the warehouse: its unit, and a query for one number."""
_SCALES: dict[str, float] = {"percent": 100, "million": 1e-6, "billion parameters": 1e-9}


@dataclass(frozen=True)
class PublishedFigure:
    """One figure of others as `docs/benchmark-figures.csv` states it, and how ours is made; `measure` may be empty."""

    subject: str
    value: float
    unit: str
    source: str
    period: str
    population: str
    denominator: str
    standing: str
    measure: str
    our_population: str
    our_period: str
    our_member: str
    our_month: date | None
    differs: str


@dataclass(frozen=True)
class Comparison:
    """A published figure and ours in the same unit; where we have none, `ours` is None and `differs` says why."""

    figure: PublishedFigure
    ours: float | None
    last_month: date | None
    differs: list[str]


def published_figures(path: Path = FIGURES) -> list[PublishedFigure]:
    """The figures that others published.

    Raises:
        CensusError: the file is not there.
    """
    if not path.exists():
        raise CensusError(f"{path} is not there: name the list of published figures with --figures")
    rows = pl.read_csv(path, infer_schema=False).fill_null("").iter_rows(named=True)
    return [
        PublishedFigure(
            **{name: row[name] for name in PublishedFigure.__dataclass_fields__ if name not in ("value", "our_month")},
            value=float(row["value"]),
            our_month=parse_month(row["our_month"]) if row["our_month"] else None,
        )
        for row in rows
    ]


def compare(folder: Path, figures: list[PublishedFigure]) -> tuple[list[Comparison], str]:
    """Every figure beside ours from the warehouse in `folder`, and what is said of ours where it is synthetic.

    Where the figure's month is not published, the nearest published one stands in, and the comparison says so.

    Raises:
        CensusError: nothing is published.
    """
    with open_warehouse(folder) as connection:
        published = read_period(connection, MONTH_BY_MONTH)
        compared = [_compared(connection, figure, published.months) for figure in figures]
        return compared, published.label()


def _compared(connection: duckdb.DuckDBPyConnection, figure: PublishedFigure, months: list[date]) -> Comparison:
    if figure.our_month is None:
        return Comparison(figure, None, None, [figure.differs])
    wanted = figure.our_month
    month = min(months, key=lambda held: abs((held - wanted).days))
    unit, query = MEASURES[figure.measure]
    given = {
        "month": month,
        "period": figure.our_period,
        "population": figure.our_population,
        "member": figure.our_member,
        "days": days_in(month),
    }
    asked = {name: value for name, value in given.items() if f"${name}" in query}
    found = rows_to_show(connection.sql(query, params=asked))
    differs = [figure.differs] if figure.differs else []
    if month != wanted:
        differs.append(f"our month is {month:%Y-%m}, {wanted:%Y-%m} is not published")
    differs.append(_period_and_coverage(connection, figure, month))
    value = found[0][0] if found else None
    return Comparison(figure, None if value is None else value * _SCALES.get(unit, 1), month, differs)


def _period_and_coverage(connection: duckdb.DuckDBPyConnection, figure: PublishedFigure, month: date) -> str:
    query = _of_shares("country_shares", "any_value(coverage), any_value(denominator)", "true")
    given = {"month": month, "period": figure.our_period, "population": figure.our_population}
    [(coverage, denominator)] = connection.sql(query, params=given).fetchall()
    period = read_period(connection, figure.our_period, month)
    covered = part(coverage, denominator, "attributed")
    return f"ours: {figure.our_population}, {period.in_words()}, {covered}; {period.terms()['Basis']}"


def as_text(comparisons: list[Comparison], label: str) -> str:
    """The comparisons as a table under the label of ours: published, ours, and below each what differs."""
    calibrated = f"{label}: its figures are calibrated or invented. " if label else ""
    width = max(len(comparison.figure.subject) for comparison in comparisons)
    lines = [f"{calibrated}Published figures and ours", "", f"{'':{width}}  published        ours  unit"]
    for comparison in comparisons:
        figure = comparison.figure
        ours = "none" if comparison.ours is None else f"{comparison.ours:,.2f}"
        lines += [
            f"{figure.subject:{width}}  {figure.value:9,g}  {ours:>10}  {figure.unit}",
            f"    {figure.source} ({figure.standing}): {figure.period}, {figure.population}, of {figure.denominator}",
            *(f"    {plain(text)}" for text in comparison.differs),
        ]
    return "\n".join(lines)
