"""One published figure, taken apart: organisations, families, rules of attribution and models that add up to it.

Everything is read from the published warehouse, by SQL that is handed out with the answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from pipeline.databases import open_published, rows_to_show
from pipeline.errors import CensusError
from pipeline.months import add_months
from pipeline.publish.headline import ATTRIBUTION_MEANINGS, BASIS_MEANINGS, POPULATION_MEANINGS
from pipeline.publish.warehouse import FILE_NAME, quoted
from pipeline.tables.published import REMAINDER, downloads_column
from pipeline.text import plain

LEVELS = {
    "organizations": f"coalesce(facts.organization, '{REMAINDER}') as name",
    "families": f"coalesce(facts.family, '{REMAINDER}') as name",
    "rules": f"coalesce(facts.method, '{REMAINDER}') as name",
    "models": "dim_model.model_id as name, facts.organization, facts.family, facts.method, {registry_row}",
}
"""What a figure is taken apart into, and what is selected for it."""

RULES = {
    "registry": "the reviewed registry has the namespace",
    "canonical_models": "the reviewed list of models without a namespace",
    "account": "the Hub says that it is a person's account",
    "unmapped": "an organisation that is not in the registry",
    REMAINDER: "models outside the 99.9 % that are listed one by one",
}
FACTS = {"uploader": "model_month", "origin": "model_origin_month"}
SUM_WITHIN = 0.5
"""The parts add up to the figure to less than this many downloads."""


@dataclass(frozen=True)
class Figure:
    """Which figure is asked about. `dimension` is `country` or `organization`, `member` its code or name."""

    month: date
    window: str
    population: str
    attribution: str
    dimension: str
    member: str


@dataclass(frozen=True)
class Snapshot:
    """What a month of the window was measured from."""

    month: date
    source: str
    source_revision: str
    opened_at: str | None
    closed_at: str
    basis: str


@dataclass(frozen=True)
class Explanation:
    """A figure and its parts: for each level the rows, largest first, which add up to `downloads`."""

    figure: Figure
    first_month: date
    downloads: float
    denominator: float
    share: float
    share_low: float
    share_high: float
    coverage: float
    basis: str
    is_complete: bool
    is_synthetic: bool
    version: str
    levels: dict[str, list[dict[str, Any]]]
    snapshots: list[Snapshot]
    sql: dict[str, str]

    def as_dict(self) -> dict[str, Any]:
        """The explanation as plain values, months as text."""
        values = asdict(self)
        values["figure"]["month"] = f"{self.figure.month:%Y-%m}"
        values["first_month"] = f"{self.first_month:%Y-%m}"
        for snapshot in values["snapshots"]:
            snapshot["month"] = f"{snapshot['month']:%Y-%m}"
        return values

    def as_text(self, most: int) -> str:
        """The explanation as tables of at most `most` rows each, under what qualifies the figure."""
        return "\n".join([*self._definition(), *self._snapshots(), *self._tables(most)])

    def _definition(self) -> Iterator[str]:
        figure = self.figure
        label = "SYNTHETIC SAMPLE, not the real Hub. " if self.is_synthetic else ""
        incomplete = "" if self.is_complete else ", INCOMPLETE"
        yield f"{label}{plain(figure.member)}: {self.downloads:,.0f} downloads, {self.share:.2%}"
        yield f"  window       {self.first_month:%Y-%m} to {figure.month:%Y-%m} ({figure.window}{incomplete})"
        yield f"  population   {POPULATION_MEANINGS.get(figure.population, figure.population)}"
        yield f"  attribution  {figure.attribution}: {ATTRIBUTION_MEANINGS[figure.attribution]}"
        yield f"  denominator  {self.denominator:,.0f} downloads, nothing left out"
        yield f"  bounds       {self.share_low:.2%} - {self.share_high:.2%}"
        yield f"  basis        {BASIS_MEANINGS[self.basis]}"
        yield f"  coverage     {self.coverage:.2%} of the denominator attributed"
        yield f"  version      {self.version}"

    def _snapshots(self) -> Iterator[str]:
        yield "\nmeasured from"
        for snapshot in self.snapshots:
            opened = snapshot.opened_at or "nothing before"
            yield (
                f"  {snapshot.month:%Y-%m}  {snapshot.source} {plain(snapshot.source_revision)}, {opened} to "
                f"{snapshot.closed_at}, {snapshot.basis}"
            )

    def _tables(self, most: int) -> Iterator[str]:
        for level, rows in self.levels.items():
            yield f"\n{level}"
            for row in rows[:most]:
                yield f"  {row['downloads']:>15,.0f}  {self._part(row['downloads']):>7.2%}  {_named(level, row)}"
            if rest := rows[most:]:
                downloads = sum(row["downloads"] for row in rest)
                yield f"  {downloads:>15,.0f}  {self._part(downloads):>7.2%}  {len(rest):,} more"

    def _part(self, downloads: float) -> float:
        return downloads / self.downloads if self.downloads else 0.0


def _named(level: str, row: dict[str, Any]) -> str:
    name = plain(row["name"])
    if level == "rules":
        return f"{name}: {RULES.get(name, '')}"
    if level == "models" and name != REMAINDER:
        applied = f" ({plain(row['registry_row'])})" if row["registry_row"] else ""
        return f"{name}  of {plain(row['organization'])}, family {plain(row['family'])}, by {row['method']}{applied}"
    return name


def explain(folder: Path, figure: Figure) -> Explanation:
    """Takes a figure of the warehouse published in `folder` apart.

    Raises:
        CensusError: nothing is published, the figure is not, or its parts do not add up to it.
    """
    path = folder / FILE_NAME
    if not path.exists():
        raise CensusError(f"nothing is published in {folder}: run `census run` first")
    with open_published(path) as connection:
        stated = _stated(connection, figure)
        first = _first_month(connection, figure)
        sql = {level: _sql(figure, first, level) for level in LEVELS}
        levels = {level: _rows(connection, query) for level, query in sql.items()}
        snapshots = [
            Snapshot(**row)
            for row in _rows(
                connection,
                "select month, source, source_revision, opened_at::varchar as opened_at, "  # noqa: S608 - dates
                "closed_at::varchar as closed_at, basis from dim_month "
                f"where month between date '{first}' and date '{figure.month}' order by month",
            )
        ]
        [about] = _rows(
            connection,
            "select any_value(version) as version, "  # noqa: S608 - dates
            f"(select bool_or(is_synthetic) from dim_month where month between date '{first}' "
            f"and date '{figure.month}') as is_synthetic from _census",
        )
    for level, rows in levels.items():
        found = sum(row["downloads"] for row in rows)
        if abs(found - stated["downloads"]) >= SUM_WITHIN:
            raise CensusError(
                f"the {level} behind the figure add up to {found:,.1f} downloads, not to {stated['downloads']:,.1f}: "
                "publish again"
            )
    return Explanation(figure=figure, first_month=first, **stated, **about, levels=levels, snapshots=snapshots, sql=sql)


def _stated(connection: duckdb.DuckDBPyConnection, figure: Figure) -> dict[str, Any]:
    found = _rows(
        connection,
        "select downloads, denominator, share, share_low, share_high, coverage, basis, is_complete "  # noqa: S608
        f"from {_shares_of(figure)}",
    )
    if not found:
        [months] = connection.sql("select list(distinct month order by month) from dim_month").fetchall()
        published = ", ".join(f"{month:%Y-%m}" for month in months[0])
        raise CensusError(
            f"{figure.dimension} {figure.member!r} has no figure for {figure.month:%Y-%m} ({figure.window}, population "
            f"{figure.population}, {figure.attribution}): choose a published month ({published}) and a member of "
            f"{figure.dimension}_shares"
        )
    return found[0]


def _first_month(connection: duckdb.DuckDBPyConnection, figure: Figure) -> date:
    if figure.window == "cumulative":
        [(first,)] = connection.sql("select min(month) from dim_month").fetchall()
        return date(first.year, first.month, 1)
    beginnings = {
        "month": figure.month,
        "trailing_12_months": add_months(figure.month, -11),
        "year_to_date": figure.month.replace(month=1),
    }
    return beginnings[figure.window]


def _shares_of(figure: Figure) -> str:
    return (
        f"{figure.dimension}_shares where month = date '{figure.month}' and \"window\" = '{quoted(figure.window)}' "
        f"and population = '{quoted(figure.population)}' and attribution = '{quoted(figure.attribution)}' "
        f"and member = '{quoted(figure.member)}'"
    )


def _sql(figure: Figure, first: date, level: str) -> str:
    registry_row = "facts.registry_row" if figure.attribution == "uploader" else "null as registry_row"
    selected = LEVELS[level].format(registry_row=registry_row)
    amount = downloads_column(figure.population)
    listed = (
        f"select {selected}, sum(facts.{amount}) as downloads\n"
        f"from {FACTS[figure.attribution]} facts join dim_model on dim_model.hub_id = facts.hub_id\n"
        f"where facts.month between date '{first}' and date '{figure.month}' "
        f"and facts.{figure.dimension} = '{quoted(figure.member)}'\n"
        f"group by all having sum(facts.{amount}) > 0"
    )
    if figure.dimension == "organization":
        # The facts keep the remainder by country; of an organisation it is what its share table holds beyond them.
        nulls = ", null" * 4 if level == "models" else ""
        listed = (
            f"with listed as (\n{listed}\n)\nselect * from listed\nunion all\n"  # noqa: S608 - literals are quoted
            f"select '{REMAINDER}'{nulls}, downloads - (select coalesce(sum(downloads), 0) from listed)\n"
            f"from {_shares_of(figure)}"
        )
    return f"select * from (\n{listed}\n) order by downloads desc, name"  # noqa: S608 - literals are quoted


def _rows(connection: duckdb.DuckDBPyConnection, sql: str) -> list[dict[str, Any]]:
    found = connection.sql(sql)
    return [dict(zip(found.columns, row, strict=True)) for row in rows_to_show(found)]
