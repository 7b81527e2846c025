"""The vocabulary of figures: what is shown of the published tables, declared once and rendered everywhere."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["text", "prose", "code", "month", "country", "member", "share", "index", "count", "number", "billions"]
"""How a value is written: `country` by its name, `member` without underscores, from `share` on as a number."""

UPLOADER = {"By uploader": {"attribution": "uploader"}}
BOTH_ATTRIBUTIONS = {**UPLOADER, "By origin": {"attribution": "origin"}}
BY_MONTH_AND_YEAR = {
    "By month": {"attribution": "uploader", "by": "month"},
    "By year": {"attribution": "uploader", "by": "trailing_12_months"},
}
NO_VALUES = "No values: nothing was downloaded of this population in these months."
NO_ORIGIN = "No values: these months have no origins, or nothing was downloaded of this population."


@dataclass(frozen=True)
class Shown:
    """One column of a figure's table: of the query, under a heading."""

    column: str
    heading: str
    kind: Kind


IN_MONTH = Shown("month", "month", "month")
SHARE = Shown("share", "share", "share")
AMOUNTS = (Shown("downloads", "downloads", "count"), Shown("models", "models (last month)", "count"))
BOUNDED_SHARE = (SHARE, Shown("share_low", "at least", "share"), Shown("share_high", "at most", "share"), *AMOUNTS)


@dataclass(frozen=True)
class Chart:
    """How a figure is drawn, by columns of its query.

    `bars`: a bar per `name`, coloured by `group`. `lines`: a panel per `name`, over the column `month`. `together`: one
    panel with a line per `name`. `stack`: the parts of each `month` by `name`. `grid`: `name` goes down, `group`
    across. `map`: countries by `name`, their codes in `group`. `high` is the most a value may be. Rows of one name in
    one month and group are added up, so that a query can put several members into "others".
    """

    kind: Literal["bars", "lines", "together", "stack", "grid", "map"]
    name: str
    value: str
    high: str | None = None
    group: str | None = None
    number: Literal["share", "index", "count", "billions"] = "share"
    title: str = ""
    chosen: int = 0
    """How many lines are drawn at first, where the reader may choose others; 0 draws all, without a choice."""
    marks_crossing: bool = False
    """Whether the month is marked from which the first two lines have the order that they have at the end."""


@dataclass(frozen=True, eq=False)
class Figure:
    """One figure: a query over published tables, and what its numbers are of.

    `sql` may name `$of_period` and `$of_months` (conditions: the rows of the headline's period, or of single months,
    of its population and of the view's attribution), `$month`, `$period`, `$population` (the headline's), `$months`
    (those that the period holds), `$leading` (the countries with most downloads in it) and the parameters of `views`,
    of which the first is shown where there is space for one. Where the query has columns `denominator` and `coverage`,
    the statement gives their range before the words of `denominator` and `coverage`. `over` is the headline's period,
    or each month by itself; over all months the query does not ask for `$month`.
    """

    key: str
    title: str
    meaning: str
    table: str
    """The published table that it shows."""
    place: int
    """Figures are read in the order of their places."""
    sql: str
    columns: tuple[Shown, ...]
    chart: Chart | None = None
    over: Literal["period", "months"] = "period"
    views: Mapping[str, Mapping[str, str]] = field(default_factory=lambda: UPLOADER)
    choice: str = "Attribution"
    """What the reader chooses by the views."""
    population: str = ""
    """Where it is not the headline's."""
    attribution: str = ""
    """Where it is not that of the view."""
    denominator: str = "downloads, nothing left out"
    coverage: str = "of downloads attributed"
    counts_downloads: bool = True
    """Otherwise repositories, for which it does not matter how downloads were measured."""
    if_empty: str = NO_VALUES
    is_printed: bool = False
    """Whether `census headline` has it."""
    is_pictured: bool = False
    """Whether it is also handed out as a picture, in the UI and as PNG."""


@dataclass(frozen=True, eq=False)
class MemberPages:
    """Pages of one kind, one for each member, with figures whose queries name `$member`.

    These queries end with `order by`, of columns that they give: many members are read by one query in that order.

    `members` gives a row for each member that has a page, the largest first: `member`, `share`, `share_low` and
    `share_high` in the headline's period, and what else `columns` show in the list of them. The first figure states the
    same shares of each month, by uploader first, in rows with `counted` and `basis`: the page says how they changed.
    """

    kind: str
    """A noun in the plural: the folder of the pages."""
    finding: str
    """A sentence with `{name}`, `{share}`, `{population}` and `{when}`."""
    members: str
    columns: tuple[Shown, ...]
    figures: tuple[Figure, ...]
    comparison: Figure
    """Of the members in the list `$member`, in the view's periods (`$by`): first months, then complete years.

    Its rows have `month` (the last one), `member`, `share`, `share_low`, `share_high` and `basis`.
    """
    place: int
    """Kinds are read in the order of their places."""
