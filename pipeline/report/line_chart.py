"""Lines over months in one panel, as SVG: drawn here, for a site has hundreds of them and Vega-Lite takes its time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, log10
from typing import Any

from pipeline.text import in_html

LEFT, BELOW, LINE, GAP = 46, 26, 20, 17
"""Space for the axis of values, for that of months, of a line of text above, and between two labels."""
PLOT_HEIGHT = 230


@dataclass(frozen=True)
class Style:
    """How a chart looks; lengths in pixels."""

    width: int
    ink: str
    font: str
    font_size: int
    character_width: float
    colours: tuple[str, ...]


def line_svg(points: Sequence[dict[str, Any]], style: Style, above: Sequence[str], crossing: Sequence[str]) -> str:
    """The points as one line a `name`, labelled at its end with the `label` of its last point.

    Args:
        points: Each with `name`, `month`, `value`, `label` and `said`.
        style: Colours, of which the first is that of the first name, width and font.
        above: Lines of text above the chart.
        crossing: A month that is marked and what is said of it, or nothing.
    """
    months = sorted({point["month"] for point in points})
    names = list(dict.fromkeys(point["name"] for point in points))
    beside = max(len(point["label"]) for point in points if point["month"] == months[-1]) * style.character_width + 14
    top = LINE * (len(above) + bool(crossing)) + 10
    right, bottom = style.width - beside, top + PLOT_HEIGHT
    step = _step(max(point["value"] for point in points))
    reach: float = max(step * 1.1, max(point["value"] for point in points) * 1.08)

    def x(month: str) -> float:
        return round(LEFT + 6 + (right - LEFT - 12) * (months.index(month) / max(len(months) - 1, 1)), 1)

    def y(value: float) -> float:
        return float(round(bottom - PLOT_HEIGHT * value / reach, 1))

    parts = [_text(2, LINE * place + 14, line, 'font-weight="bold"') for place, line in enumerate(above)]
    for place in range(int(reach / step) + 1):
        height = y(place * step)
        parts.append(
            f'<path d="M{LEFT},{height}H{right}" stroke="{style.ink}" opacity="{0.6 if not place else 0.15}"/>'
        )
        parts.append(_text(LEFT - 6, height + 4, f"{place * step:.{0 if step >= 0.01 else 1}%}", 'text-anchor="end"'))
    for month, anchor in dict.fromkeys([(months[0], "start"), (months[-1], "end" if len(months) > 1 else "start")]):
        parts.append(_text(x(month), bottom + 19, month, f'text-anchor="{anchor}"'))
    if crossing:
        at = x(crossing[0])
        fits = at > len(crossing[1]) * style.character_width
        parts.append(f'<path d="M{at},{top - 8}V{bottom}" stroke="{style.ink}" stroke-dasharray="3 3" opacity=".7"/>')
        parts.append(_text(at if fits else 2, top - 14, crossing[1], f'text-anchor="{"end" if fits else "start"}"'))
    lowest: float = bottom + GAP
    for name in sorted(names, key=lambda name: _last(points, name)["value"]):
        colour = style.colours[names.index(name) % len(style.colours)]
        own = {point["month"]: point for point in points if point["name"] == name}
        drawn, before = "", -2
        for index, month in enumerate(months):
            if month in own:
                drawn += f"{'L' if before == index - 1 else 'M'}{x(month)},{y(own[month]['value'])}"
                before = index
        parts.append(f'<path d="{drawn}" fill="none" stroke="{colour}" stroke-width="2.5" stroke-linejoin="round"/>')
        end = _last(points, name)
        parts.append(f'<circle cx="{x(end["month"])}" cy="{y(end["value"])}" r="3.5" fill="{colour}"/>')
        if end["month"] == months[-1]:
            lowest = min(y(end["value"]) + 4, lowest - GAP)
            parts.append(_text(right + 6, lowest, end["label"], f'font-weight="bold" fill="{colour}"'))
        for month, point in own.items():
            at_point = f'cx="{x(month)}" cy="{y(point["value"])}"'
            parts.append(f'<circle {at_point} r="7" opacity="0" data-said="{in_html(point["said"])}"/>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{style.width}" height="{bottom + BELOW}" '
        f'viewBox="0 0 {style.width} {bottom + BELOW}" font-family="{style.font}" font-size="{style.font_size}" '
        f'fill="{style.ink}">{"".join(parts)}</svg>'
    )


def _last(points: Sequence[dict[str, Any]], name: str) -> dict[str, Any]:
    return max((point for point in points if point["name"] == name), key=lambda point: str(point["month"]))


def _step(largest: float) -> float:
    """A round distance between two or three lines of the axis."""
    if largest <= 0:
        return 0.01
    size: float = 10.0 ** floor(log10(largest))
    return next(part * size for part in (0.2, 0.5, 1, 2, 5) if part * size * 4 > largest)


def _text(x: float, y: float, words: str, attributes: str) -> str:
    return f'<text x="{x}" y="{y}" {attributes}>{in_html(words)}</text>'
