"""Ours beside what others published: each known figure, what we have for the same definition, what differs."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb
import polars as pl

from pipeline.databases import rows_to_show
from pipeline.errors import CensusError
from pipeline.months import parse_month
from pipeline.report.figures import Row, open_warehouse
from pipeline.report.statements import MONTH_BY_MONTH, part, read_period
from pipeline.text import plain

FIGURES = Path(__file__).parents[2] / "docs" / "benchmark-figures.csv"


@dataclass(frozen=True)
class Comparison:
    """A published figure and ours in the same unit; where we have none, `ours` is None and `differs` says why."""

    figure: Row
    ours: float | None
    last_month: date | None
    differs: list[str]


def published_figures(path: Path = FIGURES) -> list[Row]:
    """The figures that others published, as `docs/benchmark-figures.csv` states them, by the names of its columns.

    `our_sql` gives ours from the warehouse in the same unit, for a parameter `$month`; empty where we have none.

    Raises:
        CensusError: the file is not there.
    """
    if not path.exists():
        raise CensusError(f"{path} is not there: name the list of published figures with --figures")
    return list(pl.read_csv(path, infer_schema=False).fill_null("").iter_rows(named=True))


def compare(folder: Path, figures: list[Row]) -> tuple[list[Comparison], str]:
    """Every figure beside ours from the warehouse in `folder`, and what is said of ours where it is synthetic.

    Where the figure's month is not published, the nearest published one stands in, and the comparison says so.

    Raises:
        CensusError: nothing is published.
    """
    with open_warehouse(folder) as connection:
        published = read_period(connection, MONTH_BY_MONTH)
        compared = [_compared(connection, figure, published.months) for figure in figures]
        return compared, published.label()


def _compared(connection: duckdb.DuckDBPyConnection, figure: Row, months: list[date]) -> Comparison:
    if not figure["our_month"]:
        return Comparison(figure, None, None, [figure["differs"]])
    wanted = parse_month(figure["our_month"])
    month = min(months, key=lambda held: abs((held - wanted).days))
    found = rows_to_show(connection.sql(figure["our_sql"], params={"month": month}))
    differs = [figure["differs"]] if figure["differs"] else []
    if month != wanted:
        differs.append(f"our month is {month:%Y-%m}, {wanted:%Y-%m} is not published")
    differs.append(_period_and_coverage(connection, figure, month))
    return Comparison(figure, found[0][0] if found else None, month, differs)


def _period_and_coverage(connection: duckdb.DuckDBPyConnection, figure: Row, month: date) -> str:
    [(coverage, denominator)] = connection.sql(
        """
        select any_value(coverage), any_value(denominator) from country_shares
        where month = $month and period = $period and population = $population and attribution = 'uploader'
        """,
        params={"month": month, "period": figure["our_period"], "population": figure["our_population"]},
    ).fetchall()
    period = read_period(connection, figure["our_period"], month)
    covered = part(coverage, denominator, "attributed")
    return f"ours: {figure['our_population']}, {period.in_words()}, {covered}; {period.terms()['Basis']}"


def as_text(comparisons: list[Comparison], label: str) -> str:
    """The comparisons as a table under the label of ours: published, ours, and below each what differs."""
    calibrated = f"{label}: its figures are calibrated or invented. " if label else ""
    width = max(len(comparison.figure["subject"]) for comparison in comparisons)
    lines = [f"{calibrated}Published figures and ours", "", f"{'':{width}}  published        ours  unit"]
    for comparison in comparisons:
        figure = comparison.figure
        ours = "none" if comparison.ours is None else f"{comparison.ours:,.2f}"
        lines += [
            f"{figure['subject']:{width}}  {float(figure['value']):9,g}  {ours:>10}  {figure['unit']}",
            "    {source} ({standing}): {period}, {population}, of {denominator}".format_map(figure),
            *(f"    {plain(text)}" for text in comparison.differs),
        ]
    return "\n".join(lines)
