"""One published share, taken apart: organisations, families, rules of attribution and models that add up to it.

Everything is read from the published warehouse, by SQL that is handed out with the answer. Without further words the
share is the headline's: the same period, population and attribution.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import duckdb

from pipeline.errors import CensusError
from pipeline.months import in_words
from pipeline.publish.sql import quoted
from pipeline.report.figures import Row, headline_definition, open_warehouse, rows_of
from pipeline.report.statements import (
    ATTRIBUTION_MEANINGS,
    NOTHING,
    POPULATION_MEANINGS,
    Period,
    part,
    read_period,
    terms_as_text,
)
from pipeline.schema.shares import REMAINDER, downloads_column
from pipeline.text import plain
from pipeline.wording import counted

LEVELS = {
    "families": f"coalesce(facts.family, '{REMAINDER}') as name",
    "rules": f"coalesce(facts.method, '{REMAINDER}') as name",
    "boundaries": f"case when facts.hub_id = '{REMAINDER}' then facts.hub_id "
    "else coalesce(facts.boundary, 'not_between_two') end as name",
    "models": "dim_model.model_id as name, facts.{of}organization as organization, facts.family, facts.method, {row}",
}
"""What a share is taken apart into besides organisations, and what is selected of the facts for it."""
MOVED = "(organisations that moved to or from another country in the period)"
"""An organisation's downloads are those of the country where it was last."""

_UNLISTED = "models outside the 99.9% that are listed one by one"
MEANINGS = {
    "rules": {
        "registry": "the reviewed registry has the namespace",
        "canonical_models": "the reviewed list of models without a namespace",
        "account": "the Hub says that it is a person's account",
        "unmapped": "an organisation that is not in the registry",
        REMAINDER: _UNLISTED,
    },
    "boundaries": {
        "measured": "the counters were observed at the month's boundaries",
        "interpolated": "between observations on both sides of a boundary",
        "bridged_freeze": "over observations in which counters stood still",
        "bridged_rollback": "over observations in which counters had fallen",
        "nearest": "from the nearest observation, scaled by days",
        "not_between_two": "not from counters at both boundaries",
        REMAINDER: _UNLISTED,
    },
}
FACTS = {"uploader": "model_month", "origin": "model_origin_month"}
SUM_WITHIN = 0.01
"""The parts add up to the share's downloads to less than this many."""
SUGGESTIONS = 3


@dataclass(frozen=True)
class Asked:
    """Which share is asked about; what is None is the headline's. `member` is a country's code or an organisation."""

    dimension: str
    member: str
    month: date | None = None
    period: str | None = None
    population: str | None = None
    attribution: str = "uploader"


@dataclass(frozen=True)
class Explanation:
    """A share and its parts: for each level the rows, largest first, which add up to `downloads`."""

    figure: Asked
    period: Period
    downloads: float
    denominator: float
    share: float
    share_low: float
    share_high: float
    coverage: float
    version: str
    levels: Mapping[str, list[Row]]
    sql: Mapping[str, str]

    def as_dict(self) -> dict[str, Any]:
        """The explanation as plain values, months as text."""
        period = self.period
        values = asdict(replace(self, period=None, levels={}, sql={}))  # type: ignore[arg-type]
        snapshots = [
            {name: _text(value) for name, value in asdict(month).items() if name != "is_synthetic"}
            for month in period.held
        ]
        return values | {
            "figure": values["figure"] | {"month": f"{self.figure.month:%Y-%m}"},
            "period": {"name": period.name, "is_complete": not period.missing, "is_synthetic": period.is_synthetic}
            | {name: [f"{month:%Y-%m}" for month in getattr(period, name)] for name in ("months", "missing")},
            "statement": self._statement(),
            "levels": dict(self.levels),
            "snapshots": snapshots,
            "sql": dict(self.sql),
        }

    def as_text(self, most: int) -> str:
        """The explanation as tables of at most `most` rows each, under what qualifies the share."""
        label = self.period.label()
        said = f"{label}. " * bool(label) + self._named()
        lines = [said, *terms_as_text(self._statement())]
        for month in self.period.held:
            opened, closed = month.opened_at or "nothing before", month.closed_at
            lines.append(f"    {month.month:%Y-%m}  {plain(month.source_revision)}, {opened} to {closed}")
        for level, rows in self.levels.items():
            lines += ["", level, *_table(level, rows, most, self.downloads)]
        return "\n".join(lines)

    def since_as_dict(self, before: Explanation) -> dict[str, Any]:
        """What changed since an earlier month: its share as `before`, and `changes` for each level."""
        return {"before": before.as_dict(), "changes": changes(self, before)}

    def since_as_text(self, before: Explanation, most: int) -> str:
        """What changed since an earlier month, as tables of at most `most` rows each."""
        label = self.period.label() or before.period.label()
        moved = self.downloads - before.downloads
        lines = [
            f"{label}. " * bool(label) + f"{plain(self.figure.member)}: {moved:+,.0f} downloads",
            f"  now          {self._named()}, {self.period.in_words()}",
            f"  before       {before._named()}, {before.period.in_words()}",
        ]
        earlier = before._statement()
        lines += terms_as_text(
            {
                term: words if words == earlier[term] else f"{words}; before: {earlier[term]}"
                for term, words in self._statement().items()
                if term != "Period"
            }
        )
        for level, rows in changes(self, before).items():
            lines += ["", level, f"  {'change':>15}  {'before':>15}  {'now':>15}"]
            lines += [
                f"  {row['change']:>+15,.0f}  {row['before']:>15,.0f}  {row['now']:>15,.0f}  {plain(row['name'])}"
                for row in rows[:most]
            ]
            if rest := rows[most:]:
                lines.append(f"  {sum(row['change'] for row in rest):>+15,.0f}  {'':32}  {len(rest):,} more")
        return "\n".join(lines)

    def _named(self) -> str:
        share = part(self.share, self.denominator, "of all")
        return f"{plain(self.figure.member)}: {self.downloads:,.0f} downloads, {share}"

    def _statement(self) -> dict[str, str]:
        figure = self.figure
        bounds = f"{self.share_low:.2%} to {self.share_high:.2%}" if self.denominator else NOTHING
        return {
            "Period": self.period.in_words(),
            "Population": POPULATION_MEANINGS[str(figure.population)],
            "Attribution": ATTRIBUTION_MEANINGS[figure.attribution],
            "Denominator": f"{self.denominator:,.0f} downloads, nothing left out",
            "Coverage": part(self.coverage, self.denominator, "of the denominator attributed"),
            "Bounds": bounds,
            "Version": self.version,
            **self.period.terms(),
        }


def changes(now: Explanation, before: Explanation) -> dict[str, list[Row]]:
    """For each level, the downloads of each name now and before, by the size of the change."""
    found = {}
    for level in now.levels:
        sums: dict[str, dict[str, float]] = {}
        for when, explanation in (("now", now), ("before", before)):
            for row in explanation.levels[level]:
                of_name = sums.setdefault(row["name"], {"now": 0.0, "before": 0.0})
                of_name[when] += row["downloads"]
        rows: list[Row] = [{"name": name, "change": of["now"] - of["before"], **of} for name, of in sums.items()]
        found[level] = sorted(rows, key=lambda row: (-abs(row["change"]), row["name"]))
    return found


def explain(folder: Path, asked: Asked) -> Explanation:
    """Takes a share of the warehouse published in `folder` apart.

    Raises:
        CensusError: nothing is published, the share is not, or its parts do not add up to it.
    """
    with open_warehouse(folder) as connection:
        figure = _as_the_headline(connection, asked)
        stated = _stated(connection, figure)
        period = read_period(connection, str(figure.period), figure.month)
        sql = {"organizations": _sql_of_organizations(figure)}
        sql |= {level: _sql(figure, period.promised[0], level) for level in LEVELS}
        levels = {level: rows_of(connection.sql(query)) for level, query in sql.items()}
        [(version,)] = connection.sql("select any_value(version) from _census").fetchall()
    for level, rows in levels.items():
        found = sum(row["downloads"] for row in rows)
        if abs(found - stated["downloads"]) >= SUM_WITHIN:
            raise CensusError(
                f"the {level} behind the share add up to {found:,.2f} downloads, not to {stated['downloads']:,.2f}: "
                "publish again"
            )
    return Explanation(figure=figure, period=period, **stated, version=version, levels=levels, sql=sql)


def _as_the_headline(connection: duckdb.DuckDBPyConnection, asked: Asked) -> Asked:
    [published] = connection.sql("select list(month order by month) from dim_month").fetchall()
    if asked.month and asked.month not in published[0]:
        raise CensusError(f"{asked.month:%Y-%m} is not published: choose a published month ({in_words(published[0])})")
    headline = headline_definition(connection, asked.month)
    return replace(
        asked,
        month=headline.last_month,
        period=asked.period or headline.period,
        population=asked.population or headline.population,
    )


def _stated(connection: duckdb.DuckDBPyConnection, figure: Asked) -> Row:
    columns = "downloads, denominator, share, share_low, share_high, coverage"
    found = rows_of(connection.sql(f"select {columns} from {_shares_of(figure)}"))  # noqa: S608 - quoted
    if found:
        return found[0]
    known = _known_members(connection, figure.dimension)
    if figure.member in known:
        raise CensusError(
            f"{figure.dimension} {figure.member!r} has no downloads in {figure.month:%Y-%m} ({figure.period}, "
            f"population {figure.population}, {figure.attribution}): choose another month, period or population"
        )
    close = _similar(figure.member, known)
    hint = f"did you mean {' or '.join(close)}?" if close else f"choose a member of {figure.dimension}_shares"
    raise CensusError(f"no {figure.dimension} {figure.member!r} is published: {hint}")


def _known_members(connection: duckdb.DuckDBPyConnection, dimension: str) -> dict[str, str]:
    """Every published member of the dimension, with its name."""
    return dict(
        connection.sql(
            "select distinct member, coalesce(country_name, member) "  # noqa: S608 - declared names
            f"from (select member, dimension from {dimension}_shares) "
            "left join dim_country on dimension = 'country' and dim_country.country = member"
        ).fetchall()
    )


def _similar(written: str, known: Mapping[str, str]) -> list[str]:
    """The members whose code or name is like what was written, the likeliest first."""
    called: dict[str, str] = {}
    for member, name in known.items():
        called |= {member.casefold(): member, name.casefold(): member}
    if written.casefold() in called:
        return [called[written.casefold()]]
    close = get_close_matches(written.casefold(), called, n=SUGGESTIONS, cutoff=0.7)
    return list(dict.fromkeys(called[name] for name in close))


def _shares_of(figure: Asked) -> str:
    return f"{figure.dimension}_shares where {_rows_like(figure)} and member = '{quoted(figure.member)}'"


def _rows_like(figure: Asked) -> str:
    return (
        f"month = date '{figure.month}' and period = '{quoted(str(figure.period))}' "
        f"and population = '{quoted(str(figure.population))}' and attribution = '{quoted(figure.attribution)}'"
    )


def _sql_of_organizations(figure: Asked) -> str:
    """The organisations with the downloads that their share table, and so the headline, states."""
    column = "country" if figure.dimension == "country" else "member"
    return (
        "with listed as (\n"  # noqa: S608 - literals are quoted
        f"select member as name, downloads from organization_shares\nwhere {_rows_like(figure)} "
        f"and {column} = '{quoted(figure.member)}' and downloads > 0\n"
        f"), moved as (\nselect '{MOVED}' as name, downloads - (select coalesce(sum(downloads), 0) from listed) "
        f"as downloads\nfrom {_shares_of(figure)}\n)\n"
        f"select * from (\nselect * from listed union all select * from moved where abs(downloads) >= {SUM_WITHIN}\n)\n"
        "order by downloads desc, name"
    )


def _sql(figure: Asked, first: date, level: str) -> str:
    of, row = ("", "facts.registry_row") if figure.attribution == "uploader" else ("root_", "null as registry_row")
    selected = LEVELS[level].format(of=of, row=row)
    amount = downloads_column(str(figure.population))
    listed = (
        f"select {selected}, sum(facts.{amount}) as downloads\n"
        f"from {FACTS[figure.attribution]} facts join dim_model on dim_model.hub_id = facts.hub_id\n"
        f"where facts.month between date '{first}' and date '{figure.month}' "
        f"and facts.{of}{figure.dimension} = '{quoted(figure.member)}'\n"
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


def _table(level: str, rows: Sequence[Row], most: int, whole: float) -> Iterator[str]:
    for row in rows[:most]:
        yield f"  {row['downloads']:>15,.0f}  {_part(row['downloads'], whole):>7}  {_named(level, row)}"
    if rest := rows[most:]:
        downloads = sum(row["downloads"] for row in rest)
        yield f"  {downloads:>15,.0f}  {_part(downloads, whole):>7}  {len(rest):,} more"
    if not rows:
        yield f"  {counted(0, level.removesuffix('s'))}"


def _part(downloads: float, whole: float) -> str:
    return f"{downloads / whole:.2%}" if whole else "-"


def _named(level: str, row: Row) -> str:
    name = plain(row["name"])
    if level in MEANINGS:
        return f"{name}: {MEANINGS[level].get(name, '')}"
    if level == "models" and name != REMAINDER:
        applied = f": {plain(row['registry_row'])}" if row["registry_row"] else ""
        return f"{name}  of {plain(row['organization'])}, family {plain(row['family'])}, {row['method']}{applied}"
    return name


def _text(value: Any) -> Any:
    return f"{value:%Y-%m}" if type(value) is date else str(value) if hasattr(value, "isoformat") else value
