"""When things are observed: months, their boundaries, and the archive's revisions with their planted faults.

Times inside the world are whole seconds since 1970, UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]

DAY = 86_400
_WEEK = 7 * DAY
_FIRST_SATURDAY = 2 * DAY
"""Midnight of 3 January 1970."""
_WORKDAY, _WEEKEND_DAY = 10, 6
"""What a day of the week counts for in downloads, relative to one another."""


def at(year: int, month: int, day: int, hour: int = 0) -> datetime:
    """A time in UTC."""
    return datetime(year, month, day, hour, tzinfo=UTC)


FLOOR = datetime(2022, 3, 2, 23, 29, 4, tzinfo=UTC)
"""The Hub's lowest creation date: when it began to store them."""

MONTHS = tuple(date(2024 + (7 + step) // 12, (7 + step) % 12 + 1, 1) for step in range(14))
BOUNDARIES = (*(at(month.year, month.month, 1) for month in MONTHS), at(2025, 10, 1))
END = BOUNDARIES[-1]

CARD_DATA_SINCE = at(2024, 10, 1)
ALL_TIME_SINCE = at(2025, 2, 26)
BASE_MODELS_SINCE = at(2025, 7, 25)

WEEKEND = (8, 9, 10, 11)
"""Days of August 2025, from a Friday on, at whose first moments the archive has revisions."""

EXACT_WITHIN = timedelta(hours=36)

RevisionPathology = Literal["none", "partial", "stale", "off_boundary", "zeroed_counters", "rollback", "frozen"]


@dataclass(frozen=True)
class PlannedRevision:
    """One state of the archive's `models.parquet`.

    `observed_at` is when the content was counted: the commit's time, except for a stale copy or a frozen counter.
    A revision is `usable` when a careful reader may take a month's snapshot from it.
    """

    committed_at: datetime
    observed_at: datetime
    pathology: RevisionPathology = "none"
    usable: bool = True


_PATHOLOGICAL: tuple[tuple[datetime, datetime, RevisionPathology], ...] = (
    (ALL_TIME_SINCE, ALL_TIME_SINCE, "zeroed_counters"),
    (at(2025, 5, 1), at(2025, 5, 1), "partial"),
    (at(2025, 5, 21), at(2025, 5, 21), "rollback"),
    (at(2025, 7, 1), at(2025, 6, 24), "stale"),
    (at(2025, 7, 29, 12), at(2025, 7, 29, 12), "off_boundary"),
    (at(2025, 8, 20), at(2025, 8, 20), "frozen"),
)
"""Revisions with something wrong: when committed, when observed, what is wrong."""
_BESIDE_THEM = (
    at(2024, 10, 15), at(2025, 5, 1, 20), at(2025, 6, 24), at(2025, 7, 1, 14), at(2025, 8, 5),
    *(at(2025, 8, day) for day in WEEKEND), at(2025, 8, 19),
)  # fmt: skip
HUB_WIDE: dict[RevisionPathology, tuple[datetime, datetime]] = {
    "zeroed_counters": (ALL_TIME_SINCE, at(2025, 2, 28)),
    "rollback": (at(2025, 5, 19), at(2025, 5, 30)),
    "frozen": (at(2025, 8, 20), at(2025, 8, 21)),
}
"""From when to when counters are wrong throughout a Hub with pathologies."""


def planned_revisions(*, pathologies: bool, daily: int = 0) -> tuple[PlannedRevision, ...]:
    """The archive's revisions in order of commit: one at each boundary, moved or broken where a pathology is planted.

    With `daily` there is one besides at each midnight from so many days before each boundary to so many after it.

    The real archive's longest gap, 36 days around 1 July 2025, is not among them: it leaves June without a close,
    and the twelve months to August 2025 must be whole here. A world that lacks a boundary is made by
    `WorldSettings.revisions`.
    """
    moments = set(BOUNDARIES)
    wrong: dict[datetime, PlannedRevision] = {}
    if pathologies:
        moments = (moments | set(_BESIDE_THEM)) - {at(2025, 8, 1)}
        wrong = {
            committed: PlannedRevision(committed, observed, label, usable=label == "off_boundary")
            for committed, observed, label in _PATHOLOGICAL
        }
    if daily:
        days = range(-daily, daily + 1)
        around = {boundary + timedelta(days=day) for boundary in BOUNDARIES for day in days}
        moments |= {moment for moment in around if moment >= BOUNDARIES[0]}
        for label, (start, end) in HUB_WIDE.items() if pathologies else ():
            hit = {moment for moment in moments if start <= moment < end}
            wrong |= {moment: PlannedRevision(moment, moment, label, usable=False) for moment in hit - set(wrong)}
    sound = [PlannedRevision(moment, moment) for moment in moments - set(wrong)]
    return tuple(sorted([*sound, *wrong.values()], key=lambda revision: revision.committed_at))


def boundary_revisions(revisions: tuple[PlannedRevision, ...]) -> tuple[PlannedRevision, ...]:
    """The usable revision nearest to each boundary."""
    usable = [revision for revision in revisions if revision.usable]
    return tuple(min(usable, key=lambda revision: abs(revision.committed_at - boundary)) for boundary in BOUNDARIES)


def last_day_of(month: int) -> date:
    """The last day of the month with this number among `MONTHS`."""
    return (BOUNDARIES[month + 1] - timedelta(days=1)).date()


def seconds(moment: datetime) -> int:
    """Whole seconds since 1970."""
    return int(moment.timestamp())


def busy_time(times: Integers) -> Integers:
    """Time that runs slower on Saturdays and Sundays: counters that grow evenly in it have a weekday effect."""
    weeks, rest = np.divmod(times - _FIRST_SATURDAY, _WEEK)
    weekends = weeks * 2 * DAY + np.minimum(rest, 2 * DAY)
    return np.asarray(times * _WORKDAY - weekends * (_WORKDAY - _WEEKEND_DAY))


def month_of(times: Integers) -> npt.NDArray[np.int32]:
    """Calendar months of times, counted from January 1970."""
    return times.astype("datetime64[s]").astype("datetime64[M]").astype(np.int32)


def month_number(month: date) -> int:
    """A calendar month, counted from January 1970."""
    return (month.year - 1970) * 12 + month.month - 1
