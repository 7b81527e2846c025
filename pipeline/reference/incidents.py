"""Reviewed facts about months: what went wrong upstream, which totals are plausible, what is not people's use."""

from dataclasses import dataclass
from datetime import date, datetime

import polars as pl

from pipeline.errors import CensusError
from pipeline.months import parse_month
from pipeline.reference.lists import read_list

AT_AN_OBSERVATION = ("roll_back", "freeze", "missing_counters")
"""Incidents that spoil a counter while they last: an observation on such a day is not what it seems."""
PLAUSIBLE_WITHIN = 0.15
"""How far from the total that others measured a month may be and still be plausible."""
WHOLE_NAMESPACE = "/*"
"""How a flagged repository ends that stands for all of its namespace."""


@dataclass(frozen=True)
class Incident:
    """One thing that went wrong upstream, on these days; `scope` is the Hub, an archive, a namespace or a model."""

    kind: str
    first_day: date
    last_day: date
    scope: str

    def __str__(self) -> str:
        until = f"..{self.last_day}" if self.last_day != self.first_day else ""
        return f"{self.kind} {self.first_day}{until} ({self.scope})"

    def covers(self, moment: datetime | None) -> bool:
        """Whether the moment lies on one of its days."""
        return moment is not None and self.first_day <= moment.date() <= self.last_day


def incidents_between(opened_at: datetime, closed_at: datetime, source: str) -> list[Incident]:
    """The incidents that touch a stretch of time, of the Hub and of the source that is read, in order.

    Raises:
        CensusError: a day of the list is none.
    """
    try:
        listed = [
            Incident(
                line["kind"], date.fromisoformat(line["first_day"]), date.fromisoformat(line["last_day"]), line["scope"]
            )
            for line in read_list("incidents.csv").to_dicts()
        ]
    except (TypeError, ValueError) as error:
        raise CensusError(f"incidents.csv has a day that does not exist ({error}): write it as 2025-05-19") from error
    other_archives = {"hub_stats", "weekly"} - {source}
    return [
        incident
        for incident in sorted(listed, key=lambda incident: (incident.first_day, incident.kind, incident.scope))
        if incident.first_day <= closed_at.date()
        and incident.last_day >= opened_at.date()
        and incident.scope not in other_archives
    ]


def plausible_downloads(month: date) -> tuple[float, float] | None:
    """The range in which the month's downloads of the whole Hub should lie, by day; None where nothing is known."""
    known = read_list("plausible_downloads.csv").filter(pl.col("month") == f"{month:%Y-%m}")
    if known.is_empty():
        return None
    a_day = float(known.item(0, "million_a_day")) * 1e6
    return a_day * (1 - PLAUSIBLE_WITHIN), a_day * (1 + PLAUSIBLE_WITHIN)


def flagged_models(month: date) -> list[str]:
    """The repositories whose downloads in the month are not people's use (test suites, bursts), by name or Hub id.

    `namespace/*` stands for all of a namespace. A line of the reviewed list holds from `first_month` to `last_month`,
    both included; an empty end is open.

    Raises:
        CensusError: a line's month is not one.
    """
    return [line["repository"] for line in read_list("flagged_models.csv").to_dicts() if _holds(line, month)]


def _holds(line: dict[str, str | None], month: date) -> bool:
    try:
        first, last = (parse_month(text) if (text := line[end]) else None for end in ("first_month", "last_month"))
    except CensusError as error:
        flagged = f"flagged_models.csv flags {line['repository']!r}"
        raise CensusError(f"{flagged} in a month that does not exist: {error}") from error
    return (first is None or first <= month) and (last is None or month <= last)
