"""The picture of what incidents do to a counter around a boundary: `python -m synthetic_hub.incident_picture FILE`.

A schematic: a counter that grows by as much every day, as `CounterIncident` shows it at each midnight.
"""

from __future__ import annotations

import sys
from datetime import date
from pathlib import Path

from synthetic_hub.incidents import CounterIncident
from synthetic_hub.timeline import DAY, at, seconds

_LAST_DAY, _BOUNDARY = date(2025, 8, 31), seconds(at(2025, 9, 1))
_PANELS = (
    ("Frozen, caught up a day later", CounterIncident(_LAST_DAY, "full_freeze")),
    ("Frozen, caught up two days later", CounterIncident(_LAST_DAY, "full_freeze", catch_up_days=2)),
    ("Rolled back", CounterIncident(_LAST_DAY, "roll_back")),
    ("At half rate", CounterIncident(_LAST_DAY, "half_rate")),
)
_DAYS = range(-3, 4)
_WIDE, _TALL, _A_DAY, _UNIT = 230, 215, 28, 15


def incident_picture() -> str:
    """One panel an incident (SVG): the true counter, what is shown, and what either reading takes at the boundary."""
    width = len(_PANELS) * _WIDE
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {_TALL + 26}" width="{width}" '
        f'height="{_TALL + 26}" font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{_TALL + 26}" fill="white"/>',
        *(part for place, (title, incident) in enumerate(_PANELS) for part in _panel(place, title, incident)),
        f'<text x="14" y="{_TALL + 16}">Schematic. Grey: downloads. Black: the counter at each midnight. '
        "Red ring: the nearest observation. Green: the counter at the boundary, bridged.</text>",
    ]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(place: int, title: str, incident: CounterIncident) -> list[str]:
    def x(day: int) -> int:
        return place * _WIDE + _WIDE // 2 + day * _A_DAY

    def y(days: float) -> float:
        return round(110 - days * _UNIT, 1)

    shown = {day: (incident.counted_until(_BOUNDARY + day * DAY) - _BOUNDARY) / DAY for day in _DAYS}
    line = " ".join(f"{x(day)},{y(counted)}" for day, counted in shown.items())
    return [
        f'<text x="{x(0)}" y="20" text-anchor="middle" font-weight="bold">{title}</text>',
        f'<path d="M{x(0)},30 V{_TALL - 22}" stroke="#888" stroke-dasharray="3 3"/>',
        f'<text x="{x(0)}" y="{_TALL - 8}" text-anchor="middle" fill="#555">boundary</text>',
        f'<path d="M{x(-3)},{y(-3)} L{x(3)},{y(3)}" stroke="#bbb" stroke-width="4"/>',
        f'<polyline points="{line}" fill="none" stroke="black"/>',
        *(f'<circle cx="{x(day)}" cy="{y(counted)}" r="2.5"/>' for day, counted in shown.items()),
        f'<circle cx="{x(0)}" cy="{y(shown[0])}" r="6" fill="none" stroke="#c0392b" stroke-width="2"/>',
        f'<circle cx="{x(0)}" cy="{y(0)}" r="5" fill="#1e8449"/>',
    ]


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(incident_picture(), encoding="utf-8")
