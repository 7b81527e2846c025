"""The charts of the declared figures: Altair's specifications, drawn by Vega-Lite when publishing.

What is drawn is embedded as SVG, so that pages need no script, print as they look, and follow the reader's colours:
ink is `currentColor`, and every other colour has a contrast of at least 3:1 on the light and on the dark page. Charts
are as wide as a telephone, so that their text is legible there; where there is space, `WIDE`. Each mark says its value
in words, for those who point at it. Names are data of a chart, never part of an expression, and everything that would
turn the direction of text is written out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import altair as alt
import vl_convert

from pipeline.report.figures import Row, folded
from pipeline.report.line_chart import Style, line_svg
from pipeline.schema.figure import Chart
from pipeline.text import plain

WIDTH = 440
WIDE = 860
PANEL_WIDTH = 146
PANEL_HEIGHT = 84
PANEL_SPACING = 62
ROW_HEIGHT = 24
FONT = "Arial, Helvetica, Liberation Sans, sans-serif"
FONT_SIZE = 13
CHARACTER_WIDTH = 7.6
"""Of one character in a wide font: space is kept for the reader's font, whatever there is where the chart is drawn."""
LABEL_WIDTH = 240
COLOURS = ("#0a76b8", "#cf5b00", "#00875f", "#a8589a")
"""Blue, vermilion, green, purple: told apart by those who see few colours."""
OTHER = "#7d7d7d"
LEGEND_CHARACTERS = 34
"""Of three names that stand beside each other in a legend."""
FORMATS = {"share": ".1%", "index": ".2f", "count": ",.0f", "billions": ",.1f"}
"""How a number is written beside a mark, as d3 and Python both read it."""
AXIS_FORMATS = FORMATS | {"share": ".0%", "billions": ",.0f"}
SMALLEST_WRITTEN = 0.0005
"""What a cell of a grid must hold for its part to be written in it rather than only shaded."""
INK_ON_WHITE = "#202428"
POINTS = alt.NamedData("points")
"""What is drawn is given by name: Altair would copy the values with every layer."""
SAID = alt.Description("said:N")
TOLD = 8
"""Cells of a grid that are told in words."""
TOLD_FIRST = 3
"""Values in a figure's finding."""
_NOT_SEEN = ('<path class="background"', '<path class="foreground"')
_LENGTHS = re.compile(r' (?:d|transform|[xy][12]?)="[^"]*"')
_NOT_READ = re.compile(
    r" (?:(?:class|role|aria-hidden|aria-roledescription|pointer-events|stroke-miterlimit|version|xmlns:xlink|"
    r'font-family)="[^"]*"|(?:opacity|stroke-width)="1"|text-anchor="start"|transform="translate\(0,0\)"|'
    r'(?:fill|stroke-width)="[^"]*"(?=[^>]* opacity="0"))'
)
"""A chart is a picture with words of its own (`role="img"`): roles and labels within it are told to nobody."""
_FIT: dict[str, Any] = {"autosize": alt.AutoSizeParams(type="fit", contains="padding")}


def svg(chart: Chart, rows: Sequence[Row], label: str = "", width: int = WIDTH) -> str:
    """The chart as one `svg` element whose ink is that of the text around it; `label` stands above it."""
    return _svg(chart, rows, "currentColor", [label], width)


def png(chart: Chart, rows: Sequence[Row], *above: str) -> bytes:
    """The chart as a picture on white, under its label and title: it stands by itself."""
    return bytes(vl_convert.svg_to_png(svg_picture(chart, rows, *above).decode(), scale=1.25))


def svg_picture(chart: Chart, rows: Sequence[Row], *above: str) -> bytes:
    """The same as SVG: smaller, and drawn in half the time."""
    background = '<rect width="100%" height="100%" fill="white"/>'
    return _svg(chart, rows, INK_ON_WHITE, above, margin=10).replace(">", f">{background}", 1).encode()


def _svg(chart: Chart, rows: Sequence[Row], ink: str, above: Iterable[str], width: int = WIDTH, margin: int = 2) -> str:
    lines = [plain(line) for line in above if line]
    if chart.kind != "together":
        drawn = specification(chart, rows, ink, lines, width) | {"padding": margin}
        return _compact(vl_convert.vegalite_to_svg(drawn, allowed_base_urls=[]))
    points = _points(chart, rows)
    for point in points:
        point["label"] = f"{point['name']} {point['value']:{FORMATS[chart.number]}}"
    return line_svg(
        points, Style(width, ink, FONT, FONT_SIZE, CHARACTER_WIDTH, COLOURS), lines, _crossing(chart, points)
    )


def _compact(drawn: str) -> str:
    """The drawing to a tenth of a pixel, without what only Vega's own scripts read or what is the default anyway."""
    return re.sub(r"<[a-z][^>]*>", _compact_tag, drawn).replace("<svg", f'<svg font-family="{FONT}"', 1)


def _compact_tag(tag: re.Match[str]) -> str:
    if tag[0].startswith(_NOT_SEEN):
        return ""
    rounded = _LENGTHS.sub(lambda lengths: re.sub(r"-?\d+\.\d+", _to_a_tenth, lengths[0]), tag[0])
    return _NOT_READ.sub("", rounded).replace(' aria-label="', ' data-said="')


def _to_a_tenth(number: re.Match[str]) -> str:
    return f"{float(number[0]):.1f}".removesuffix(".0")


def in_words(chart: Chart, rows: Sequence[Row], most: int | None = None) -> str:
    """The chart's values, or the first `most` of them, in a sentence that compares nothing."""
    points, number = _points(chart, rows), FORMATS[chart.number]
    unit = " billion" if chart.number == "billions" else ""
    match chart.kind:
        case "bars":
            named = [(f"{p['name']} in {p['group']}" if p["group"] else p["name"], p["value"]) for p in points]
            said = [f"{name} {value:{number}}{unit}" for name, value in named]
        case "lines" | "together":
            lines = [[p for p in points if p["name"] == name] for name in _in_order(points, "name")]
            said = [f"{line[0]['name']} {_ends(line, number, unit)}" for line in lines]
        case "stack":
            month = points[-1]["month"]
            said = [f"{p['name']} {p['value']:{number}} in {month}" for p in points if p["month"] == month]
        case "grid":
            largest = sorted(points, key=lambda point: -point["value"])[:TOLD]
            said = [f"{p['group']} on {p['name']} {p['value']:{number}}" for p in largest]
    return " ".join([f"{'; '.join(said[:most])}.", *(f"{turn}." for turn in _crossing(chart, points)[1:])])


def specification(
    chart: Chart, rows: Sequence[Row], ink: str, above: Iterable[str] = (), width: int = WIDTH
) -> dict[str, Any]:
    """The chart in Vega-Lite, with the lines that stand above it."""
    points = _points(chart, rows)
    drawn = _KINDS[chart.kind](chart, points, ink, width)
    if lines := list(above):
        heading = alt.TitleParams(lines, anchor="start", frame="bounds", fontSize=12, fontWeight="bold", color=ink)
        drawn = drawn.properties(title=heading)
    # The tests hold every kind of chart to the schema; to do so each time would cost a third of the drawing.
    made: dict[str, Any] = drawn.to_dict(validate=False)
    return {"padding": 2} | made | {"background": None, "config": _config(ink), "datasets": {"points": points}}


def _points(chart: Chart, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """What is drawn: name, group, month, value, and the most and the text where there are any."""
    columns, number = (
        {"name": chart.name, "group": chart.group, "value": chart.value, "high": chart.high},
        FORMATS[chart.number],
    )
    points: list[dict[str, Any]] = [
        {
            "month": f"{row['month']:%Y-%m}" if "month" in row else "",
            **{name: row[column] if column else None for name, column in columns.items()},
        }
        for row in folded(rows, chart, chart.name)
    ]
    points = [
        point | {name: plain(str(point[name] or "")) for name in ("name", "group")}
        for point in points
        if point["value"] is not None
    ]
    for point in points:
        named = ", ".join(point[name] for name in ("name", "group", "month") if point[name])
        most = f", at most {point['high']:{number}}" if (point["high"] or 0) > point["value"] else ""
        point["said"] = f"{named}: {point['value']:{number}}{most}"
    return points


def _bars(chart: Chart, points: Sequence[dict[str, Any]], ink: str, width: int) -> Any:
    number = FORMATS[chart.number]
    for point in points:
        point["high"] = max(point["value"], point["high"] or 0)
        beyond = f" (to {point['high']:{number}})" if point["high"] > point["value"] else ""
        point["text"] = f"{point['value']:{number}}{beyond}"
    names, groups = _in_order(points, "name"), _in_order(points, "group")
    label_width = _width(names, LABEL_WIDTH)
    beside = CHARACTER_WIDTH * max(len(point["text"]) for point in points) + 8
    largest = max(point["high"] for point in points) or 1.0
    reach = largest * (width - label_width) / (width - label_width - beside)
    axis = alt.Axis(domain=False, ticks=False, minExtent=label_width)
    base = alt.Chart(POINTS).encode(y=alt.Y("name:N", sort=names, title=None, axis=axis))
    marks = base.mark_bar(color=COLOURS[0], opacity=0.9).encode(
        x=alt.X("value:Q", axis=None, scale=alt.Scale(domain=[0, reach])), description=SAID
    )
    bounds = base.mark_rule(color=ink, strokeWidth=1.5, aria=False).encode(x="value:Q", x2="high:Q")
    text = base.mark_text(align="left", dx=5, color=ink, fontSize=12, aria=False).encode(x="high:Q", text="text:N")
    is_grouped, legend_height = len(names) < len(points), 0
    if len(groups) > 1:
        columns = 3 if sum(sorted(map(len, groups))[-3:]) <= LEGEND_CHARACTERS else 2
        legend = alt.Legend(orient="top", title=None, columns=columns, offset=4, columnPadding=16)
        legend_height = 6 + 18 * -(-len(groups) // columns)
        scale = alt.Scale(domain=groups, range=[*COLOURS, OTHER])
        colour = alt.Color("group:N", sort=groups, scale=scale, legend=legend)
        marks = marks.encode(color=colour)
    if is_grouped:
        marks, text = (layer.encode(yOffset=alt.YOffset("group:N", sort=groups)) for layer in (marks, text))
    has_bounds = any(point["high"] > point["value"] for point in points)
    per_name = ROW_HEIGHT * (0.75 * len(groups) + 0.4 if is_grouped else 1)
    return alt.layer(marks, *([bounds] if has_bounds else []), text).properties(
        height=per_name * len(names) + legend_height, width=width, **_FIT
    )


def _lines(chart: Chart, points: Sequence[dict[str, Any]], ink: str, width: int) -> Any:
    months = sorted({point["month"] for point in points})
    columns = 2 if width == WIDTH else 3
    base = alt.Chart().encode(x=_first_and_last(months))
    of_value = alt.Y(
        "value:Q", title=None, scale=alt.Scale(domain=[0, _reach(points)], nice=False), axis=_amounts(chart)
    )
    # An area needs two months to be seen.
    across = base.mark_area(opacity=0.25, aria=False)
    if len(months) == 1:
        across = base.mark_rule(strokeWidth=8, opacity=0.25, aria=False)
    band = across.encode(y=alt.Y("value:Q", title=None), y2="high:Q", color=alt.value(COLOURS[0]))
    line = base.mark_line(color=COLOURS[0], strokeWidth=2, aria=False).encode(y=of_value)
    latest = base.transform_filter(alt.FieldEqualPredicate(field="month", equal=months[-1]))
    dots = latest.mark_point(color=COLOURS[0], filled=True, size=36, opacity=1, aria=False).encode(y=of_value)
    text = latest.mark_text(align="left", dx=7, fontSize=12, color=ink, aria=False).encode(
        y=of_value, text=alt.Text("value:Q", format=FORMATS[chart.number])
    )
    return (
        alt.layer(
            *([band] if chart.high else []),
            line,
            dots,
            text,
            *([_to_point_at(base, of_value)] if width == WIDE else []),
        )
        .properties(
            width=PANEL_WIDTH if width == WIDTH else (width - 40) / columns - PANEL_SPACING, height=PANEL_HEIGHT
        )
        .facet(
            alt.Facet("name:N", sort=_in_order(points, "name"), title=None),
            columns=columns,
            spacing={"column": PANEL_SPACING, "row": 18},
            data=POINTS,
        )
    )


def _crossing(chart: Chart, points: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    """Since which month the first two lines have the order of the end, and that order in words; empty if always."""
    first, second = [*_in_order(points, "name"), "", ""][:2]
    of = {(point["month"], point["name"]): point["value"] for point in points}
    months = sorted(month for month, name in of if name == first and (month, second) in of)
    gaps = {month: of[month, first] - of[month, second] for month in months}
    if not (chart.marks_crossing and gaps):
        return ()
    latest = list(gaps.values())[-1]
    otherwise = [month for month, gap in gaps.items() if gap * latest <= 0]
    if not latest or not otherwise:
        return ()
    since = min(month for month in gaps if month > otherwise[-1])
    return since, f"From {since}: {first if latest > 0 else second} higher, as measured"


def _grid(chart: Chart, points: Sequence[dict[str, Any]], ink: str, width: int) -> Any:
    for point in points:
        point["text"] = f"{point['value']:.1%}" if point["value"] >= SMALLEST_WRITTEN else ""
    down, across = (_largest_first(points, side) for side in ("name", "group"))
    title: dict[str, Any] = {"titleFontSize": 12, "titleFontWeight": "normal", "domain": False, "ticks": False}
    top = alt.Axis(orient="top", labelAngle=-45, labelLimit=110, **title)
    side = alt.Axis(labelLimit=110, minExtent=_width(down, 116), **title)
    base = alt.Chart(POINTS).encode(
        x=alt.X("group:N", sort=across, title=chart.title, axis=top),
        y=alt.Y("name:N", sort=down, title=None, axis=side),
    )
    # Ink stays legible on the strongest cell of either page.
    strength = alt.Opacity("value:Q", scale=alt.Scale(range=[0.04, 0.75]), legend=None)
    marks = base.mark_rect(color=COLOURS[0]).encode(opacity=strength, description=SAID)
    text = base.mark_text(fontSize=11, color=ink, aria=False).encode(text="text:N")
    padding = {"left": 2, "top": 2, "bottom": 2, "right": 60}
    return alt.layer(marks, text).properties(height=30 * len(down) + 110, padding=padding, width=width, **_FIT)


def _stack(_: Chart, points: Sequence[dict[str, Any]], __: str, width: int) -> Any:
    names = _in_order(points, "name")
    if len(names) > len(COLOURS):
        names = [*names[: len(COLOURS)], "other"]
        for point in points:
            point["name"] = point["name"] if point["name"] in names else "other"
    for point in points:
        point["place"] = names.index(point["name"])
    legend = alt.Legend(orient="top", title=None, columns=2, labelLimit=200, offset=6, columnPadding=40)
    scale = alt.Scale(domain=names, range=[*COLOURS, OTHER])
    axis = alt.Axis(format=".0%", tickCount=3)
    return (
        alt.Chart(POINTS)
        .mark_bar()
        .encode(
            x=_first_and_last(sorted({point["month"] for point in points})),
            y=alt.Y("sum(value):Q", title=None, scale=alt.Scale(domain=[0, 1]), axis=axis),
            color=alt.Color("name:N", sort=names, scale=scale, legend=legend),
            order=alt.Order("place:Q"),
            description=alt.Description("said:N", aggregate="max"),
        )
        .properties(height=230, width=width, **_FIT)
    )


_KINDS: Mapping[str, Callable[[Chart, Sequence[dict[str, Any]], str, int], Any]] = {
    "bars": _bars,
    "lines": _lines,
    "grid": _grid,
    "stack": _stack,
}


def _config(ink: str) -> dict[str, Any]:
    text: dict[str, Any] = {"labelColor": ink, "labelFontSize": FONT_SIZE}
    lines = {"gridColor": ink, "gridOpacity": 0.15, "domainColor": ink, "tickColor": ink}
    header = {"labelFontWeight": "bold", "labelAnchor": "start", "labelLimit": PANEL_WIDTH + PANEL_SPACING}
    return {
        "font": FONT,
        "axis": text | lines | {"aria": False, "titleColor": ink, "labelLimit": LABEL_WIDTH * 0.85},
        "header": text | header,
        "legend": text | {"aria": False},
        "title": {"aria": False},
        "view": {"stroke": None},
    }


def _first_and_last(months: Sequence[str]) -> Any:
    """The months as an axis that names its ends, within its own width."""
    ends = list(dict.fromkeys([months[0], months[-1]]))
    flush: Any = {"condition": {"test": "datum.index == 0", "value": "left"}, "value": "right"}
    axis = alt.Axis(values=ends, labelAngle=0, labelAlign=flush if len(ends) > 1 else "center", ticks=False)
    return alt.X("month:O", sort=list(months), title=None, axis=axis)


def _amounts(chart: Chart) -> Any:
    return alt.Axis(format=AXIS_FORMATS[chart.number], tickCount=3, domain=False, ticks=False)


def _reach(points: Sequence[dict[str, Any]]) -> float:
    """The end of an axis that holds every value and the most that it could be."""
    return max(value for point in points for value in (point["value"], point["high"] or 0.0)) * 1.15 or 1.0


def _to_point_at(base: Any, of_value: Any) -> Any:
    """A mark that is not seen on each value, which says it to whoever points there."""
    return base.mark_point(opacity=0, filled=True, size=9, shape="stroke").encode(y=of_value, description=SAID)


def _width(names: Sequence[str], most: float) -> float:
    return min(most, CHARACTER_WIDTH * max(map(len, names)) + 8)


def _in_order(points: Sequence[dict[str, Any]], name: str) -> list[str]:
    return list(dict.fromkeys(point[name] for point in points))


def _largest_first(points: Sequence[dict[str, Any]], side: str) -> list[str]:
    totals: dict[str, float] = {}
    for point in points:
        totals[point[side]] = totals.get(point[side], 0.0) + point["value"]
    return sorted(totals, key=lambda name: (name == "all others", -totals[name], name))


def _ends(line: Sequence[dict[str, Any]], number: str, unit: str) -> str:
    return " to ".join(dict.fromkeys(f"{p['value']:{number}}{unit} in {p['month']}" for p in (line[0], line[-1])))
