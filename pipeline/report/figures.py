"""The declared figures, read from a publication: their rows, and what these are of."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from functools import cache, cached_property
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, Any

import duckdb

from pipeline.databases import open_published, rows_to_show
from pipeline.errors import CensusError
from pipeline.publish.sql import quoted
from pipeline.publish.warehouse import FILE_NAME
from pipeline.report.statements import (
    ATTRIBUTION_MEANINGS,
    MONTH_BY_MONTH,
    NOTHING,
    POPULATION_MEANINGS,
    Period,
    read_period,
)
from pipeline.schema.figure import Chart, Figure, MemberPages, Shown

if TYPE_CHECKING:
    from pipeline.report.charts import Drawing

REPORT_NAME, SITE = "report.html", "site"
LEADING_COUNTRIES = 2
COUNTS_REPOSITORIES = "none: it counts repositories, not downloads"
TEXTS = ("text", "prose", "code", "month", "country", "member")
_WRITTEN = {"share": ".2%", "index": ".3f", "count": ",.0f", "number": ",.1f", "billions": ",.2f"}

_OF_VIEW = "population = $population and attribution = $attribution"
_CONDITIONS = {
    "$of_period": f"month = $month and period = $period and {_OF_VIEW}",
    "$of_months": f"period = 'month' and {_OF_VIEW}",
}
_PARAMETER = re.compile(r"\$(\w+)")

Row = dict[str, Any]


@dataclass(frozen=True)
class View:
    """One way to look at a figure: what its numbers are of, the rows of its table, and those that its chart draws.

    `sql` is the query with its parameters written out, as anyone may ask it of the warehouse.
    """

    chart: Chart | None
    name: str
    period: Period
    statement: Mapping[str, str]
    rows: Sequence[Row]
    drawn: Sequence[Row]
    sql: str

    @cached_property
    def drawing(self) -> Drawing | None:
        """The chart with its values; nothing where there is none or nothing to draw."""
        from pipeline.report.charts import drawing_of  # noqa: PLC0415 - it draws: half a second of imports

        return drawing_of(self.chart, self.drawn, self.period.label()) if self.chart and self.drawn else None

    @cached_property
    def svg(self) -> str:
        """The chart as it is drawn when publishing."""
        from pipeline.report.charts import svg  # noqa: PLC0415 - see above

        return svg(self.drawing) if self.drawing else ""


def draw(views: Iterable[View]) -> None:
    """Draws the views' charts all at once, which is faster than each when it is asked for."""
    from pipeline.report.charts import svgs  # noqa: PLC0415 - see above

    drawn = [(view, drawing) for view in views if (drawing := view.drawing)]
    for (view, _), svg in zip(drawn, svgs([drawing for _, drawing in drawn]), strict=True):
        vars(view)["svg"] = svg


@dataclass(frozen=True)
class ReadFigure:
    """A declared figure with its values."""

    figure: Figure
    views: Sequence[View]

    @property
    def is_synthetic(self) -> bool:
        """Whether any of it is of the synthetic sample."""
        return any(view.period.is_synthetic for view in self.views)

    @property
    def marked_title(self) -> str:
        """The title, with a mark where it is synthetic."""
        return f"{self.figure.title}{' (synthetic)' if self.is_synthetic else ''}"

    @property
    def labelled_title(self) -> str:
        """The title after the warning of its first view, where there is one."""
        label = self.views[0].period.label()
        return f"{label}. {self.figure.title}" if label else self.figure.title

    def without(self, *terms: str) -> ReadFigure:
        """The same, its statements without these terms."""
        views = [
            replace(view, statement={term: said for term, said in view.statement.items() if term not in terms})
            for view in self.views
        ]
        return replace(self, views=views)

    def in_brief(self) -> tuple[Sequence[Row], list[Shown]]:
        """The rows of the first view, and its columns: those that its chart shows as one are one."""
        rows, columns, chart = self.views[0].rows, list(self.figure.columns), self.figure.chart
        if chart is None or chart.name in {shown.column for shown in columns}:
            return rows, columns
        return folded(rows, chart, chart.name), [replace(columns[0], column=chart.name), *columns[1:]]

    def as_dict(self, place: int = 0) -> dict[str, Any]:
        """A view, by default the first, as plain values: a list of values for each column of the declaration."""
        view, columns = self.views[place], self.figure.columns
        return {
            "key": self.figure.key,
            "title": self.figure.title,
            "is_synthetic": self.is_synthetic,
            "statement": dict(view.statement),
            "columns": [{"name": shown.column, "heading": shown.heading, "kind": shown.kind} for shown in columns],
            "rows": [[plain_value(row[shown.column]) for shown in columns] for row in view.rows],
        }

    def as_json(self, version: str) -> str:
        """Every view with the SQL that gives it, and the version that it is of."""
        views = [self.as_dict(place) | {"view": view.name, "sql": view.sql} for place, view in enumerate(self.views)]
        return json.dumps({"version": version, "views": views})

    def as_csv(self, place: int = 0) -> str:
        """The table of a view, by default of the first."""
        return rows_as_csv(self.figure.columns, self.views[place].rows)


@dataclass(frozen=True)
class Definition:
    """What the headline is of: a period by its name and last month, and a population."""

    last_month: date
    period: str
    months_in_period: int
    is_complete: bool
    population: str
    denominator: float
    basis: str
    coverage: float


_DEFINITION = f"""
    select {", ".join(f'"{name}"' if name != "last_month" else "month" for name in Definition.__dataclass_fields__)}
    from headline_country where $month is null or month = $month
    order by is_complete desc, month desc limit 1
"""  # noqa: S608 - declared names


def headline_definition(connection: duckdb.DuckDBPyConnection, last_month: date | None = None) -> Definition:
    """What `headline_country` states of a month; by default of the latest that ends a complete year, else the latest.

    Raises:
        CensusError: the month is not published.
    """
    found = rows_to_show(connection.sql(_DEFINITION, params={"month": last_month}))
    if not found:
        raise CensusError(
            f"{last_month:%Y-%m} is not published: choose a published month"
            if last_month
            else "the warehouse holds no shares: run `census run` again"
        )
    return Definition(*found[0])


@contextmanager
def open_warehouse(folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The warehouse published in a folder.

    Raises:
        CensusError: nothing is published there, or another version of the census published other tables.
    """
    if not (folder / FILE_NAME).exists():
        raise CensusError(f"nothing is published in {folder}: run `census run` first")
    try:
        with open_published(folder / FILE_NAME) as connection:
            yield connection
    except (duckdb.CatalogException, duckdb.BinderException) as error:
        lacking = str(error).splitlines()[0]
        raise CensusError(
            f"what is published in {folder} is of another version of the census ({lacking}): run `census publish`"
        ) from error


def rows_of(found: duckdb.DuckDBPyRelation) -> list[Row]:
    """The rows of an answer by the names of its columns, decimals as floats."""
    return [dict(zip(found.columns, row, strict=True)) for row in rows_to_show(found)]


class FigureReader:
    """Reads declared figures of the headline's period and population from an open warehouse."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, definition: Definition) -> None:
        self._connection = connection
        months = read_period(connection, MONTH_BY_MONTH)
        self._periods = {
            "period": read_period(connection, definition.period, definition.last_month),
            "months": months,
            "years": replace(months, name="each complete year by its last month"),
        }
        self._said = {period.name: {"Period": period.in_words()} | period.terms() for period in self._periods.values()}
        self._names = dict(rows_to_show(connection.sql("select country, country_name from dim_country")))
        self._brief = {name: name.partition(" (")[0] for name in self._names.values()}
        self._given: dict[str, Any] = {
            "month": definition.last_month,
            "period": definition.period,
            "population": definition.population,
        }

    @cached_property
    def leading(self) -> list[str]:
        """The countries with most downloads in the period."""
        rows = self._rows(
            """
            select member from country_shares join dim_country on member = country
            where $of_period and is_country and downloads > 0 order by downloads desc, member
            """,
            {"attribution": "uploader"},
        )
        return [row["member"] for row in rows[:LEADING_COUNTRIES]]

    def read(self, figure: Figure, member: Sequence[str] = ()) -> ReadFigure:
        """The figure with its values and what they are of; `member` are those compared."""
        views = []
        for name in figure.views:
            given = self._given_for(figure, name) | {"member": member}
            views.append(self._view(figure, name, given, self._rows(figure.sql, given)))
        return ReadFigure(figure, views)

    def read_each(self, figure: Figure, members: Sequence[str]) -> list[ReadFigure]:
        """The figure of each of the members' pages, by one query for all of them."""
        views: dict[str, list[View]] = {member: [] for member in members}
        # An outer query keeps no order of an inner one, so it asks for the same.
        order = figure.sql.rpartition("order by")[2].partition("limit")[0]
        of_each = f"from (select unnest($members) as key), lateral ({figure.sql}) order by key, {order}"
        for name in figure.views:
            given = self._given_for(figure, name) | {"members": list(members)}
            rows: dict[str, list[Row]] = {member: [] for member in members}
            for row in self._rows(re.sub(r"\$member\b", "key", of_each), given):
                rows[row.pop("key")].append(row)
            for member, of_member in rows.items():
                views[member].append(self._view(figure, name, given | {"member": member}, of_member))
        return [ReadFigure(figure, of_member) for of_member in views.values()]

    def members(self, pages: MemberPages) -> list[Row]:
        """The members that have a page of this kind: their columns as they are shown, and `key`, by which to read."""
        rows = self._rows(pages.members, {"attribution": "uploader", "months": self._periods["period"].months})
        return [self._named(pages.columns, row) | {"key": row["member"]} for row in rows]

    def _period_of(self, figure: Figure, name: str) -> Period:
        return self._periods["years" if figure.views[name].get("by") == "trailing_12_months" else figure.over]

    def _given_for(self, figure: Figure, name: str) -> dict[str, Any]:
        return {"months": self._period_of(figure, name).months, **figure.views[name]}

    def _view(self, figure: Figure, name: str, given: Mapping[str, Any], rows: Sequence[Row]) -> View:
        period = self._period_of(figure, name)
        said = dict(self._said[period.name])
        statement = {
            "Period": said.pop("Period"),
            "Population": figure.population or POPULATION_MEANINGS[self._given["population"]],
            "Attribution": figure.attribution or ATTRIBUTION_MEANINGS[given["attribution"]],
            "Denominator": _range((row.get("denominator") for row in rows), ",.0f", figure.denominator),
            "Coverage": _coverage(figure, rows),
            **said,
        }
        if not figure.counts_downloads:
            statement["Basis"] = COUNTS_REPOSITORIES
            del statement["Quality"]
        shown = [self._named(figure.columns, row) for row in rows]
        drawn = [{name: self._brief.get(value, value) for name, value in row.items()} for row in shown if figure.chart]
        return View(figure.chart, name, period, statement, shown, drawn, self._written_out(figure.sql, given))

    def _rows(self, sql: str, given: Mapping[str, Any]) -> list[Row]:
        query, names = _query(sql)
        return rows_of(self._connection.sql(query, params=self._asked(names, given)))

    def _asked(self, names: Iterable[str], given: Mapping[str, Any]) -> dict[str, Any]:
        known = {**self._given, **given} | ({"leading": self.leading} if "leading" in names else {})
        return {name: known[name] for name in names}

    def _written_out(self, sql: str, given: Mapping[str, Any]) -> str:
        query, names = _query(sql)
        asked = self._asked(names, given)
        return _PARAMETER.sub(lambda found: _literal(asked[found[1]]), query)

    def _named(self, columns: Sequence[Shown], row: Row) -> Row:
        """The row with countries by name, and members as they are read.

        Columns that the table does not show are the chart's: countries, where they are texts.
        """
        kinds = {shown.column: shown.kind for shown in columns}
        named = row.copy()
        for name, value in row.items():
            kind = kinds.get(name, "country")
            if isinstance(value, str) and kind in ("country", "member"):
                named[name] = self._names.get(value, value) if kind == "country" else value.replace("_", " ")
        return named


@cache
def _query(sql: str) -> tuple[str, frozenset[str]]:
    """The query with its conditions, and the names of its parameters."""
    for name, condition in _CONDITIONS.items():
        sql = sql.replace(name, condition)
    return dedent(sql).strip(), frozenset(_PARAMETER.findall(sql))


def _literal(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_literal, value))}]"
    return f"{'date ' if isinstance(value, date) else ''}'{quoted(str(value))}'"


def folded(rows: Sequence[Row], chart: Chart, by: str) -> list[Row]:
    """The rows of one `by` as one: amounts are added up, and what could be added to any of them is added once."""
    groups: dict[Any, list[Row]] = {}
    for row in rows:
        groups.setdefault((row[by], row.get("month"), row.get(chart.group or "")), []).append(row)
    return [these[0] if len(these) == 1 else _added(these, chart) for these in groups.values()]


def _added(rows: Sequence[Row], chart: Chart) -> Row:
    added = {
        name: sum(row[name] or 0 for row in rows) if isinstance(value, int | float) else value
        for name, value in rows[0].items()
    }
    if chart.high:
        added[chart.high] = added[chart.value] + max(row[chart.high] - row[chart.value] for row in rows)
    return added


def written(value: Any, kind: str) -> str:
    """A value as it stands in a table; text is not made inert."""
    if value is None:
        return "none"
    if kind == "month":
        return f"{value:%Y-%m}"
    return str(value) if kind in TEXTS else f"{value:{_WRITTEN[kind]}}"


def _coverage(figure: Figure, rows: Sequence[Row]) -> str:
    if rows and "coverage" not in rows[0]:
        return figure.coverage
    return _range((row["coverage"] for row in rows if row["denominator"]), ".2%", figure.coverage)


def _range(values: Iterable[float | None], number: str, of: str) -> str:
    """From the least to the largest, in words."""
    known = sorted(value for value in values if value is not None)
    if not known or not known[-1]:
        return NOTHING if not known else f"{known[-1]:{number}} {of}"
    ends = dict.fromkeys(f"{value:{number}}" for value in (known[0], known[-1]))
    return f"{' to '.join(ends)} {of}"


def rows_as_csv(columns: Sequence[Shown], rows: Sequence[Row]) -> str:
    """Rows as CSV under the names of the columns."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(one.column for one in columns)
    table.writerows([plain_value(row[one.column]) for one in columns] for row in rows)
    return text.getvalue()


def plain_value(value: Any) -> Any:
    """A value as JSON and CSV have it: months as text."""
    return f"{value:%Y-%m}" if isinstance(value, date) else value
