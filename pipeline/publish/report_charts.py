"""The report's charts: Altair's specifications, drawn by Vega-Lite when publishing.

What is drawn is embedded as SVG, so that the report needs no script, prints as it looks, and follows the reader's
colours: ink is `currentColor`, and every other colour has a contrast of at least 3:1 on the light and on the dark page.
Charts are as wide as a telephone, so that their text is legible there. Names are data of a chart, never part of an
expression, and everything that would turn the direction of text is written out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import vl_convert

from pipeline.synthetic import LABEL
from pipeline.text import plain

WIDTH = 440
PANEL_WIDTH = 146
PANEL_HEIGHT = 84
PANEL_SPACING = 62
ROW_HEIGHT = 24
FONT = "Arial, Helvetica, Liberation Sans, sans-serif"
FONT_SIZE = 13
CHARACTER_WIDTH = 7.6
"""Of one character in a wide font: room is kept for the reader's font, whatever there is where the chart is drawn."""
LABEL_WIDTH = 240
COLOURS = ("#0a76b8", "#cf5b00", "#00875f", "#a8589a")
"""Blue, vermilion, green, purple: told apart by those who see few colours."""
FORMATS = {"share": ".1%", "index": ".2f", "count": ",.0f", "billions": ",.1f"}
"""How a number is written beside a mark, as d3 and Python both read it."""


@dataclass(frozen=True)
class Bar:
    """One value by name, with bounds where it has any, and the group it is coloured by."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    group: str = ""


@dataclass(frozen=True)
class Bars:
    """Values from the top down; bars of one name stand together, told apart by group, `groups` in their order."""

    bars: Sequence[Bar]
    kind: str
    groups: Sequence[str] = ()

    def in_words(self) -> str:
        """The chart for those who do not see it."""
        return "Bars. " + _listed(
            f"{bar.name}{f' ({bar.group})' if bar.group else ''} {bar.value:{FORMATS[self.kind]}}" for bar in self.bars
        )

    def drawn(self, ink: str) -> Any:
        """The chart in Altair."""
        rows: list[dict[str, Any]] = [
            {
                "name": plain(bar.name),
                "value": bar.value,
                "low": bar.value if bar.low is None else bar.low,
                "high": bar.value if bar.high is None else bar.high,
                "group": plain(bar.group),
                "text": self._text(bar),
            }
            for bar in self.bars
        ]
        names, groups = _in_order(rows, "name"), [plain(group) for group in self.groups]
        room = _width(names, LABEL_WIDTH)
        beside = CHARACTER_WIDTH * max(len(row["text"]) for row in rows) + 8
        largest = max(row["high"] for row in rows) or 1.0
        reach = largest * (WIDTH - room) / (WIDTH - room - beside)
        base = alt.Chart(_data(rows)).encode(
            y=alt.Y("name:N", sort=names, title=None, axis=alt.Axis(domain=False, ticks=False, minExtent=room))
        )
        of_value = alt.X("value:Q", axis=None, scale=alt.Scale(domain=[0, reach]))
        marks = base.mark_bar(color=COLOURS[0], opacity=0.9).encode(x=of_value)
        bounds = base.mark_rule(color=ink, strokeWidth=1.5).encode(x="low:Q", x2="high:Q")
        text = base.mark_text(align="left", dx=5, color=ink, fontSize=12).encode(x="high:Q", text="text:N")
        apart = len(names) < len(rows)
        if len(groups) > 1:
            legend = alt.Legend(orient="top", title=None, columns=3, offset=4, columnPadding=16)
            marks = marks.encode(
                color=alt.Color("group:N", sort=groups, scale=alt.Scale(domain=groups, range=COLOURS), legend=legend)
            )
        if apart:
            marks, text = (part.encode(yOffset=alt.YOffset("group:N", sort=groups)) for part in (marks, text))
        has_bounds = any(row["high"] > row["low"] for row in rows)
        per_name = ROW_HEIGHT * (0.75 * len(groups) + 0.4 if apart else 1)
        return alt.layer(marks, *([bounds] if has_bounds else []), text).properties(
            width=WIDTH,
            height=per_name * len(names) + (24 if len(groups) > 1 else 0),
            autosize=alt.AutoSizeParams(type="fit", contains="padding"),
        )

    def _text(self, bar: Bar) -> str:
        number = FORMATS[self.kind]
        said = f"{bar.value:{number}}"
        if bar.high is not None and bar.high > bar.value:
            said += f" (to {bar.high:{number}})"
        if bar.low is not None and bar.low < bar.value:
            said += f" (from {bar.low:{number}})"
        return said


@dataclass(frozen=True)
class Point:
    """A value of a month (`2025-08`) in the panel of a name, with bounds where it has any."""

    panel: str
    month: str
    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Panels:
    """A line over the months for each name, side by side on one scale."""

    points: Sequence[Point]
    kind: str

    def in_words(self) -> str:
        """The chart for those who do not see it."""
        said = []
        for name in dict.fromkeys(point.panel for point in self.points):
            line = [point for point in self.points if point.panel == name]
            ends = [f"{point.value:{FORMATS[self.kind]}} in {point.month}" for point in (line[0], line[-1])]
            said.append(f"{name} {' to '.join(dict.fromkeys(ends))}")
        return "Lines over the months. " + _listed(said)

    def drawn(self, ink: str) -> Any:
        """The chart in Altair."""
        rows = [
            {
                "panel": plain(point.panel),
                "month": point.month,
                "value": point.value,
                "low": point.low,
                "high": point.high,
            }
            for point in self.points
        ]
        months = sorted({point.month for point in self.points})
        base = alt.Chart().encode(x=_first_and_last(months))
        reach = max(value for point in self.points for value in (point.value, point.high or 0.0)) * 1.15 or 1.0
        of_value = alt.Y(
            "value:Q",
            title=None,
            scale=alt.Scale(domain=[0, reach], nice=False),
            axis=alt.Axis(format=_short(self.kind), tickCount=3, domain=False, ticks=False),
        )
        # An area needs two months to be seen.
        across = base.mark_area(opacity=0.25) if len(months) > 1 else base.mark_rule(strokeWidth=8, opacity=0.25)
        band = across.encode(y=alt.Y("low:Q", title=None), y2="high:Q", color=alt.value(COLOURS[0]))
        line = base.mark_line(color=COLOURS[0], strokeWidth=2).encode(y=of_value)
        latest = base.transform_filter(alt.FieldEqualPredicate(field="month", equal=months[-1]))
        dots = latest.mark_point(color=COLOURS[0], filled=True, size=36, opacity=1).encode(y=of_value)
        text = latest.mark_text(align="left", dx=7, fontSize=12, color=ink).encode(
            y=of_value, text=alt.Text("value:Q", format=FORMATS[self.kind])
        )
        has_bounds = any(row["high"] is not None for row in rows)
        return (
            alt.layer(*([band] if has_bounds else []), line, dots, text)
            .properties(width=PANEL_WIDTH, height=PANEL_HEIGHT)
            .facet(
                alt.Facet("panel:N", sort=_in_order(rows, "panel"), title=None),
                columns=2,
                spacing={"column": PANEL_SPACING, "row": 18},
                data=_data(rows),
            )
        )


@dataclass(frozen=True)
class Cell:
    """The part of the whole that goes from one member to another."""

    down: str
    across: str
    value: float


SMALLEST_WRITTEN = 0.0005
"""What a cell must hold for its part to be written in it rather than only shaded."""


@dataclass(frozen=True)
class Grid:
    """Parts of a whole by two memberships, the stronger the larger; `title` says what goes down and across."""

    cells: Sequence[Cell]
    title: str

    def in_words(self) -> str:
        """The chart for those who do not see it."""
        largest = sorted(self.cells, key=lambda cell: -cell.value)[:8]
        return f"Grid; {self.title}. Largest: " + _listed(
            f"{cell.down} to {cell.across} {cell.value:.1%}" for cell in largest
        )

    def drawn(self, ink: str) -> Any:
        """The chart in Altair."""
        rows = [
            {
                "down": plain(cell.down),
                "across": plain(cell.across),
                "value": cell.value,
                "text": f"{cell.value:.1%}" if cell.value >= SMALLEST_WRITTEN else "",
            }
            for cell in self.cells
        ]
        down, across = _in_order(rows, "down"), _in_order(rows, "across")
        title: dict[str, Any] = {"titleFontSize": 12, "titleFontWeight": "normal", "domain": False, "ticks": False}
        base = alt.Chart(_data(rows)).encode(
            x=alt.X(
                "across:N",
                sort=across,
                title=self.title,
                axis=alt.Axis(orient="top", labelAngle=-45, labelLimit=110, **title),
            ),
            y=alt.Y(
                "down:N",
                sort=down,
                title=None,
                axis=alt.Axis(labelLimit=110, minExtent=_width(down, 116), **title),
            ),
        )
        # Ink stays legible on the strongest cell of either page.
        strength = alt.Opacity("value:Q", scale=alt.Scale(range=[0.04, 0.75]), legend=None)
        marks = base.mark_rect(color=COLOURS[0]).encode(opacity=strength)
        text = base.mark_text(fontSize=11, color=ink).encode(text="text:N")
        return alt.layer(marks, text).properties(
            width=WIDTH,
            height=30 * len(down) + 110,
            padding={"left": 2, "top": 2, "bottom": 2, "right": 60},
            autosize=alt.AutoSizeParams(type="fit", contains="padding"),
        )


@dataclass(frozen=True)
class Part:
    """A member's part of a month's whole."""

    month: str
    member: str
    value: float


@dataclass(frozen=True)
class Stack:
    """What each month is made up of, as parts that add up to one."""

    parts: Sequence[Part]

    def in_words(self) -> str:
        """The chart for those who do not see it."""
        latest = max(part.month for part in self.parts)
        return f"Stacked bars over the months. In {latest}: " + _listed(
            f"{part.member} {part.value:.1%}" for part in self.parts if part.month == latest
        )

    def drawn(self, ink: str) -> Any:  # noqa: ARG002 - the axes alone have ink
        """The chart in Altair."""
        rows = [{"month": part.month, "member": plain(part.member), "value": part.value} for part in self.parts]
        members = _in_order(rows, "member")
        months = sorted({part.month for part in self.parts})
        for row in rows:
            row["place"] = members.index(str(row["member"]))
        return (
            alt.Chart(_data(rows))
            .mark_bar()
            .encode(
                x=_first_and_last(months),
                y=alt.Y(
                    "value:Q", title=None, scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format=".0%", tickCount=3)
                ),
                color=alt.Color(
                    "member:N",
                    sort=members,
                    scale=alt.Scale(domain=members, range=[*COLOURS, "#7d7d7d"]),
                    legend=alt.Legend(orient="top", title=None, columns=2, labelLimit=200, offset=6, columnPadding=40),
                ),
                order=alt.Order("place:Q"),
            )
            .properties(width=WIDTH, height=230, autosize=alt.AutoSizeParams(type="fit", contains="padding"))
        )


Chart = Bars | Panels | Grid | Stack


def svg(chart: Chart, *, is_synthetic: bool) -> str:
    """The chart as one `svg` element whose ink is that of the text around it."""
    drawn = _specification(chart, "currentColor", is_synthetic=is_synthetic)
    return str(vl_convert.vegalite_to_svg(drawn, allowed_base_urls=[]))


def png(chart: Chart, title: str, *, is_synthetic: bool) -> bytes:
    """The chart as a picture on white, under its title: it stands by itself."""
    drawn = _specification(chart, "#202428", title, is_synthetic=is_synthetic) | {"background": "white", "padding": 10}
    return bytes(vl_convert.vegalite_to_png(drawn, scale=1.25, allowed_base_urls=[]))


def _specification(chart: Chart, ink: str, title: str = "", *, is_synthetic: bool) -> dict[str, Any]:
    drawn = chart.drawn(ink)
    if above := [line for line in (LABEL if is_synthetic else "", plain(title)) if line]:
        heading = alt.TitleParams(above, anchor="start", frame="bounds", fontSize=12, fontWeight="bold", color=ink)
        drawn = drawn.properties(title=heading)
    text = {"labelColor": ink, "titleColor": ink, "labelFontSize": FONT_SIZE}
    lines = {"gridColor": ink, "gridOpacity": 0.15, "domainColor": ink, "tickColor": ink}
    # The tests hold every kind of chart to the schema; to do so each time would cost a third of the drawing.
    specification: dict[str, Any] = drawn.to_dict(validate=False)
    return (
        {"padding": 2}
        | specification
        | {
            "background": None,
            "config": {
                "aria": False,
                "font": FONT,
                "axis": text | lines | {"labelLimit": LABEL_WIDTH * 0.85},
                "header": {
                    "labelColor": ink,
                    "labelFontSize": FONT_SIZE,
                    "labelFontWeight": "bold",
                    "labelAnchor": "start",
                }
                | {"labelLimit": PANEL_WIDTH + PANEL_SPACING},
                "legend": {"labelColor": ink, "labelFontSize": FONT_SIZE},
                "view": {"stroke": None},
            },
        }
    )


def _data(rows: Sequence[dict[str, Any]]) -> Any:
    return alt.InlineData(values=rows)


def _first_and_last(months: Sequence[str]) -> Any:
    """The months as an axis that names its ends, within its own width."""
    ends = list(dict.fromkeys([months[0], months[-1]]))
    flush: Any = {"condition": {"test": "datum.index == 0", "value": "left"}, "value": "right"}
    axis = alt.Axis(values=ends, labelAngle=0, labelAlign=flush if len(ends) > 1 else "center", ticks=False)
    return alt.X("month:O", sort=list(months), title=None, axis=axis)


def _width(names: Sequence[str], most: float) -> float:
    return min(most, CHARACTER_WIDTH * max(map(len, names)) + 8)


def _in_order(rows: Sequence[dict[str, Any]], name: str) -> list[str]:
    return list(dict.fromkeys(row[name] for row in rows))


def _short(kind: str) -> str:
    return {"share": ".0%", "billions": ",.0f"}.get(kind, FORMATS[kind])


def _listed(parts: Any) -> str:
    return "; ".join(plain(part) for part in parts) + "."
