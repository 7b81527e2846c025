"""Faults the local Hub can be told to have, declared as data: which effect, on which of the matching requests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

Effect = Literal[
    "too_many_requests",
    "server_error",
    "cut",
    "slow",
    "truncated_json",
    "redirect",
    "repeat_rows",
    "drop_rows",
    "loop",
    "foreign_link",
]


@dataclass(frozen=True)
class Fault:
    """One effect on some requests.

    `requests` are numbers among the requests whose path begins with `path`, counted from 1; none means all of them.
    `value` belongs to the effect:

    - `too_many_requests`: the seconds until the window resets (answer 429 with the rate-limit headers), or None (429
      without them)
    - `server_error`: the status, 503 if None
    - `cut`: the part of the body that is sent before the connection is closed, half of it if None
    - `slow`: the seconds to wait before answering, 1 if None
    - `truncated_json`: none; the body ends in the middle, its length matching
    - `redirect`: where to
    - `repeat_rows`: how many rows of the page before are shown again, 1 if None
    - `drop_rows`: how many rows of the page are left out, 1 if None
    - `loop`: none; the next link leads to the same page again
    - `foreign_link`: the scheme and host of the next link
    """

    effect: Effect
    requests: tuple[int, ...] = ()
    path: str = "/api/models"
    value: float | int | str | None = None

    def number(self, default: float) -> float:
        """The value as a number."""
        return default if self.value is None else float(self.value)


@dataclass
class FaultCounter:
    """Says which faults a request meets. Not shared between servers."""

    faults: Sequence[Fault]
    _seen: Counter[Fault] = field(default_factory=Counter)

    def meet(self, path: str) -> dict[Effect, Fault]:
        """The faults that the next request to a path meets, by effect."""
        met = {}
        for fault in self.faults:
            if path.startswith(fault.path):
                self._seen[fault] += 1
                if not fault.requests or self._seen[fault] in fault.requests:
                    met[fault.effect] = fault
        return met
