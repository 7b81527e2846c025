"""Days on which counters do not tell what was downloaded until then, for worlds with daily revisions.

As seen on the Hub: on some days the counters of young repositories stand still and catch up one or two days later, on
others all stand still, fall, or run at half their pace. Nothing is lost: the true flow is what is planted, and only
what is shown in between is late.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

import numpy as np

from synthetic_hub.timeline import DAY, Booleans, Floats, Integers, at, seconds

IncidentKind = Literal["half_freeze", "full_freeze", "roll_back", "half_rate"]

_FREEZING = (
    (at(1970, 1, 1), 0.02), (at(2022, 3, 3), 0.22), (at(2023, 1, 1), 0.09), (at(2023, 4, 1), 0.21),
    (at(2023, 7, 1), 0.33), (at(2023, 10, 1), 0.40), (at(2024, 1, 1), 0.45), (at(2024, 4, 1), 0.58),
    (at(2024, 7, 1), 0.65), (at(2024, 10, 1), 0.75), (at(2025, 1, 1), 0.91), (at(2025, 4, 1), 1.0),
)  # fmt: skip
"""Part of the repositories created from a day on that stand still in a half freeze (stall audit of Model Pulse)."""
_ROLLING_BACK = 0.7
_DAYS_ROLLED_BACK = 5
_WAVES = 3


@dataclass(frozen=True)
class CounterIncident:
    """What happens to counters from the first moment of a day on, for so many days.

    They catch up on the day after (`catch_up_days` 1) or on the one after that (2). `severity` multiplies the part of
    the repositories to which it happens: by age in a half freeze, 70 % in a roll-back, all in the others.
    """

    day: date
    kind: IncidentKind
    days: int = 1
    catch_up_days: int = 1
    severity: float = 1.0

    def counted_until(self, now: int) -> int:
        """The time up to which the repositories that it happens to are counted at a time."""
        start = seconds(at(self.day.year, self.day.month, self.day.day))
        reached = {"roll_back": -_DAYS_ROLLED_BACK, "half_rate": self.days / 2}.get(self.kind, 0)
        late = range(self.catch_up_days)
        end = self.days + self.catch_up_days
        elapsed = (now - start) / DAY
        if not 0 < elapsed < end:
            return now
        days, counted = ([0, *(first + day for day in late), end] for first in (self.days, reached))
        shown = np.interp(elapsed, days, counted)
        return start + round(float(shown) * DAY)

    def happens_to(self, created: Integers, seed: int) -> Booleans:
        """To which repositories of the world it happens, by their times of creation."""
        chance: float | Floats = _ROLLING_BACK if self.kind == "roll_back" else 1.0
        if self.kind == "half_freeze":
            since = [seconds(moment) for moment, _ in _FREEZING]
            place = np.searchsorted(since, created, side="right") - 1
            chance = np.array([part for _, part in _FREEZING])[place]
        draw = np.random.default_rng([seed, self.day.toordinal()]).random(len(created))
        return np.asarray(draw < chance * self.severity)


@dataclass(frozen=True)
class DailyCounters:
    """Revisions at every midnight from so many days before each boundary to so many after it.

    `noise` is the standard deviation of a repository's daily downloads relative to their mean, 0.4 at most, besides the
    weekday effect of a world with pathologies.
    """

    days: int = 5
    noise: float = 0.2
    incidents: tuple[CounterIncident, ...] = ()


def unsteady(elapsed: Integers, span: Integers, there: Booleans, noise: float, seed: int) -> Integers:
    """Times since an observation moved to and fro, by repository, so that counters which grow evenly in them are noisy.

    `there` says which of the world's repositories these are. Nothing moves at the ends of a span, and no time runs
    backwards: waves of two to eight days, of a few lengths each.
    """
    rng = np.random.default_rng([seed, 0])
    moved = np.zeros(len(elapsed))
    for _ in range(_WAVES):
        waves = 2 * np.pi * rng.integers(4, 16, len(there))[there]
        phase = rng.uniform(0, 2 * np.pi, len(there))[there]
        moved += (np.sin(waves * elapsed / span + phase) - np.sin(phase)) / waves
    moved *= span * noise * np.sqrt(2 / _WAVES)
    return np.asarray(elapsed + np.rint(moved).astype(np.int64))
