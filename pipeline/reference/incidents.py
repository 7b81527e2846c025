"""Reviewed facts about months: what is known to have gone wrong upstream, and what totals are plausible."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

import polars as pl

from pipeline.errors import CensusError
from pipeline.reference.lists import read_list

AT_AN_OBSERVATION = ("roll_back", "freeze", "missing_counters")
"""Incidents that spoil a counter while they last: an observation on such a day is not what it seems."""
PLAUSIBLE_WITHIN = 0.15
"""How far from the total that others measured a month may be and still be plausible."""


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
    """The incidents that touch a stretch of time, of the Hub and of the source that is read, in order."""
    other_archives = {"hub_stats", "weekly"} - {source}
    return [
        incident
        for incident in _incidents()
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


def _incidents() -> list[Incident]:
    try:
        found = [
            Incident(
                line["kind"], date.fromisoformat(line["first_day"]), date.fromisoformat(line["last_day"]), line["scope"]
            )
            for line in read_list("incidents.csv").to_dicts()
        ]
    except (TypeError, ValueError) as error:
        raise CensusError(f"incidents.csv has a day that is none ({error}): write it as 2025-05-19") from error
    return sorted(found, key=lambda incident: (incident.first_day, incident.kind, incident.scope))
