"""The charts of the declared figures: for each one specification of Vega-Lite, drawn by Altair's words.

It is drawn once to SVG when publishing, so that pages are whole without scripts, print as they look, and follow the
reader's colours: ink is `currentColor`, and every other colour has a contrast of at least 3:1 on the light and on the
dark page. Where scripts run, the page draws the same specification as wide as there is space, says the values that one
points at, and lets members be chosen. Names are data of a chart, never part of an expression, and everything that
would turn the direction of text is written out.
"""

import json
import re
from bisect import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from html import escape
from itertools import cycle
from pathlib import Path
from typing import Any

import altair as alt
import pycountry
import vl_convert

from pipeline.report.figures import Row, folded
from pipeline.schema.figure import Chart
from pipeline.text import plain

WIDTH = 440
"""Of what is drawn when publishing: as wide as a telephone, so that text is legible there."""
FILLED = ("bars", "together")
"""Kinds of charts that are as wide as the texts beside them let them be."""
PANEL_WIDTH, PANEL_HEIGHT, PANEL_SPACING = 146, 84, 62
ROW_HEIGHT = 24
FONT = "Arial, Helvetica, Liberation Sans, sans-serif"
FONT_SIZE = 13
CHARACTER_WIDTH = 7.6
"""Of one character in a wide font: space is kept for the reader's font, whatever there is where the chart is drawn."""
MIDDLE_OF_LETTERS = 4
"""Above the line on which text of `FONT_SIZE` stands."""
LABEL_WIDTH, LABEL_STEP = 240, 16
AMOUNTS_WIDTH, SLANTED_WIDTH = 44, 70
"""Of an axis of amounts, and of the last of the names that stand across a grid."""
ABOVE_PLOT, BELOW_PLOT = 10, 22
"""For half of the highest label, and for the months."""
PLAIN = frozenset(
    ("$schema", "background", "padding", "width", "height", "style", "data", "marks", "scales", "axes", "config")
)
"""What there is of a compiled chart whose size is known and that has no legend: several can be drawn on one sheet."""
ON_A_SHEET = 50
"""Charts: on larger sheets they take more time and more memory."""
FAR_BELOW = 10_000
"""From one chart on a sheet to the next: nothing within a chart is so far from its beginning."""
_PLACED = re.compile(r'<g transform="translate\(0,\d+0000\)">')
LINE_HEIGHT = 19
LABEL_GAP = 0.09
"""Between two labels at the ends of lines, as a part of the highest value."""
COLOURS = ("#0a76b8", "#cf5b00", "#00875f", "#a8589a", "#8a7a00", "#d6456b", "#5f6fd0", "#9a6b4a")
REST = dict.fromkeys(("other", "all others"), "#7d7d7d")
SHADED = dict(
    zip(
        ["less than 0.1%", "0.1% to 1%", "1% to 5%", "5% to 15%", "15% or more"],
        [f"{COLOURS[0]}{strength}" for strength in ("22", "55", "88", "bb", "ff")],
        strict=True,
    )
)
"""On a map: the colours of the classes of shares that `SHADE_ENDS` part."""
SHADE_ENDS = (0.001, 0.01, 0.05, 0.15)
LEGEND_CHARACTERS = 34
"""Of three names that stand beside each other in a legend."""
FORMATS = {"share": ".1%", "index": ".2f", "count": ",.0f", "billions": ",.1f"}
"""How a number is written beside a mark, as d3 and Python both read it."""
AXIS_FORMATS = FORMATS | {"share": "~%", "count": ",~f", "billions": ",~f"}
"""How an axis writes what it marks, as d3 reads it: with the digits that tell one mark from the next."""
SMALLEST_WRITTEN = 0.0005
"""What a cell of a grid must hold for its part to be written in it rather than only shaded."""
INK_ON_WHITE = "#202428"
POINTS, TURN = alt.NamedData("points"), alt.NamedData("turn")
"""What is drawn is given by name: charts of one shape are compiled once."""
IS_LATEST = "isValid(datum.text)"
"""Only the last point of a line has a text beside it."""
POINTED = "pointed"
CHOSEN = "chosen"
"""The parameter that holds the names that are drawn, where the reader chooses."""
TOLD = 8
"""Cells of a grid, or countries of a map, that are told in words."""
TOLD_FIRST = 3
"""Values in a figure's finding."""
MAP = Path(__file__).with_name("map") / "countries-110m.json"
ANTARCTICA = "010"
COARSENESS = 1.0
"""How many degrees apart two points of an outline are at least."""
_LENGTHS = re.compile(r' (?:d|transform|[xy][12]?|width|height)="[^"]*"')
_FRACTION = re.compile(r"(\d\.\d)\d+")
_NOT_READ = re.compile(
    r'<path class="(?:back|fore)ground"[^>]*>(?:</path>)?'
    r'| (?:class|role|aria-[a-z]+|pointer-events|xmlns:xlink|version|stroke-miterlimit|font-family)="[^"]*"(?=[^<]*>)'
    r'|(?: opacity="1"| font-size="0px"| transform="translate\(0,0\)")(?=[^<]*>)'
)
"""What only scripts of Vega read, or what is the default."""
_SIZE = re.compile(r'<svg[^>]* width="([\d.]+)" height="([\d.]+)"[^>]*>')


@dataclass(frozen=True)
class Shape:
    """All of a chart but its width and its values: charts of one shape are made by Altair and compiled once."""

    chart: Chart
    label: str
    months: tuple[str, ...]
    groups: tuple[str, ...]
    names: tuple[str, ...]
    """Where they are an axis, are in a legend or can be chosen, in order; else none."""
    label_width: float
    is_grouped: bool
    """Whether a name has several values beside each other."""
    has_high: bool
    has_values: bool
    turns: bool
    """Whether a month is marked."""


@dataclass(frozen=True)
class Drawing:
    """A chart with its values: `points`, and `turn` where a month is marked; `width` where the values decide it."""

    shape: Shape
    values: Mapping[str, Sequence[Mapping[str, Any]]]
    width: float | None

    @property
    def spec(self) -> dict[str, Any]:
        """It in Vega-Lite."""
        width = {"width": self.width} if self.width else {}
        return _specification(self.shape) | width | {"datasets": self.values}


def drawing_of(chart: Chart, rows: Sequence[Row], label: str = "") -> Drawing:
    """The chart with the values of its rows, under the warning `label` where there is one."""
    points = _points(chart, rows)
    months = sorted({point["month"] for point in points})
    turn = _crossing(chart, points)
    _describe(chart, points, months)
    in_order = _largest_first if chart.kind == "grid" else _in_order
    names, groups = in_order(points, "name"), in_order(points, "group")
    longest = CHARACTER_WIDTH * max(map(len, names)) + LABEL_STEP
    shape = Shape(
        chart,
        plain(label),
        tuple(months),
        tuple(groups),
        tuple(names) if chart.kind in ("grid", "stack") or chart.chosen else (),
        min(LABEL_WIDTH, longest - longest % LABEL_STEP) if chart.kind in ("bars", "grid") else AMOUNTS_WIDTH,
        len(names) < len(points),
        any((point.get("high") or 0) > point["value"] for point in points),
        any(point["value"] for point in points),
        bool(turn),
    )
    given = [{key: value for key, value in point.items() if value != "" or key == "text"} for point in points]
    values = {"points": given} | ({"turn": [dict(zip(("month", "said"), turn, strict=True))]} if turn else {})
    beside = CHARACTER_WIDTH * max(len(point.get("text", "")) for point in points) + 10
    width = WIDTH - shape.label_width - beside if chart.kind in FILLED else None
    return Drawing(shape, values, width)


@lru_cache(maxsize=512)
def _specification(shape: Shape) -> dict[str, Any]:
    # The tests hold every kind of chart to the schema; to do so each time would cost a third of the drawing.
    made: dict[str, Any] = _KINDS[shape.chart.kind](shape).to_dict(validate=False)
    if shape.label:
        made["title"] = {"text": shape.label, "anchor": "start", "frame": "bounds", "fontSize": FONT_SIZE}
    if shape.chart.chosen:
        first = shape.names[: shape.chart.chosen]
        made["params"] = [*made.get("params", []), {"name": CHOSEN, "value": first}]
        made["usermeta"] = {"names": shape.names}
    return {"padding": 2} | made | {"background": None, "config": _config()}


def svg(drawing: Drawing) -> str:
    """The chart as one `svg` element whose ink is that of the text around it."""
    [drawn] = svgs([drawing])
    return drawn


def svgs(drawings: Sequence[Drawing]) -> list[str]:
    """Each as by `svg`; those of one shape and width are drawn on one sheet, which takes half of the time."""
    alike: dict[tuple[Shape, float | None], list[Drawing]] = {}
    for drawing in drawings:
        alike.setdefault((drawing.shape, drawing.width), []).append(drawing)
    drawn = {kind: iter(_drawn_alike(*kind, [one.values for one in those])) for kind, those in alike.items()}
    return [_in_ink(next(drawn[one.shape, one.width]), one.shape.label) for one in drawings]


def _drawn_alike(shape: Shape, width: float | None, values: Sequence[Mapping[str, Any]]) -> list[str]:
    compiled = _compiled(shape) | ({"width": width} if width else {})
    given = [data["name"] for data in compiled["data"] if "source" not in data]
    if shape.chart.kind == "together" and given == ["points"] and compiled.keys() <= PLAIN:
        sheets = [values[start : start + ON_A_SHEET] for start in range(0, len(values), ON_A_SHEET)]
        chart = _unmeasured(compiled)
        return [drawn for sheet in sheets for drawn in _on_a_sheet(chart, [these["points"] for these in sheet])]
    return [_alone(compiled, these) for these in values]


@lru_cache(maxsize=512)
def _compiled(shape: Shape) -> dict[str, Any]:
    # The title is written above what is drawn; the space for it depends on the reader's font.
    spec = _unpointed({name: value for name, value in _specification(shape).items() if name != "title"})
    spec |= {"spec": _unpointed(spec["spec"])} if "spec" in spec else {}
    spec |= {"width": WIDTH} if shape.chart.kind in FILLED else {}
    made: dict[str, Any] = vl_convert.vegalite_to_vega(spec)
    return made


def _alone(compiled: Mapping[str, Any], values: Mapping[str, Any]) -> str:
    known = {**values, "world": world()}
    data = [one | ({"values": known[one["name"]]} if one["name"] in known else {}) for one in compiled["data"]]
    return str(vl_convert.vega_to_svg({**compiled, "data": data}, allowed_base_urls=[]))


def _unmeasured(compiled: Mapping[str, Any]) -> dict[str, Any]:
    """The chart with texts of no size, which get theirs from the page: to measure texts is almost half of drawing."""
    grid, below, beside = (axis | {"labelFontSize": 0, "labelBaseline": "alphabetic"} for axis in compiled["axes"])
    beside |= {"labelOffset": MIDDLE_OF_LETTERS, "grid": True, "gridScale": grid["gridScale"]}
    placed = {"fontSize": {"value": 0}, "dy": {"value": MIDDLE_OF_LETTERS}}
    marks = [
        mark | {"encode": {"update": mark["encode"]["update"] | placed}} if mark["type"] == "text" else mark
        for mark in compiled["marks"]
    ]
    return {**compiled, "axes": [below | {"labelPadding": FONT_SIZE - 1}, beside], "marks": marks}


def _on_a_sheet(compiled: Mapping[str, Any], charts: Sequence[Sequence[Mapping[str, Any]]]) -> list[str]:
    """The charts cut from one drawing, on which they stand far below each other."""
    points = [{**point, "place": place} for place, these in enumerate(charts, 1) for point in these]
    size = {name: {"value": compiled[name]} for name in ("width", "height")}
    chart = {
        "type": "group",
        "from": {"facet": {"name": "points", "data": "all", "groupby": "place"}},
        "encode": {"update": size | {"y": {"signal": f"datum.place * {FAR_BELOW}"}}},
        "signals": [{"name": name, **value} for name, value in size.items()],
        "data": compiled["data"][1:],
        **{name: compiled[name] for name in ("marks", "scales", "axes")},
    }
    data = [{"name": "all", "values": points}]
    sheet = {**compiled, "autosize": "none", "scales": [], "axes": [], "data": data, "marks": [chart]}
    *pieces, last = _PLACED.split(vl_convert.vega_to_svg(sheet, allowed_base_urls=[]))[1:]
    pieces.append(last.rsplit("</g>", last.count("</g>") - last.count("<g ") - last.count("<g>") - 1)[0])
    height = ABOVE_PLOT + compiled["height"] + BELOW_PLOT
    opened = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}">'
        f'<g fill="none" transform="translate({AMOUNTS_WIDTH},{ABOVE_PLOT})">'
    )
    return [f"{opened}{piece}</svg>" for piece in pieces]


def _in_ink(drawn: str, label: str) -> str:
    drawn = _LENGTHS.sub(lambda lengths: _FRACTION.sub(r"\1", lengths[0]), _NOT_READ.sub("", drawn))
    return _under(drawn, [label] if label else [], 'fill="currentColor"')


def _unpointed(spec: dict[str, Any]) -> dict[str, Any]:
    """Without the layer of what is said where one points."""
    layers = [layer for layer in spec.get("layer", []) if layer.get("name") != POINTED]
    return spec | {"layer": layers} if layers else spec


@cache
def world() -> dict[str, Any]:
    """The outlines of countries, in TopoJSON: `docs/adr/0011-one-engine-for-charts.md` says whence they are."""
    outlines: dict[str, Any] = json.loads(MAP.read_text(encoding="utf-8"))
    del outlines["objects"]["land"]
    across, up = (COARSENESS / degrees for degrees in outlines["transform"]["scale"])
    for arc in outlines["arcs"]:
        place = 1
        while place + 1 < len(arc):  # each point is given from the one before
            if abs(arc[place][0]) < across and abs(arc[place][1]) < up:
                step = arc.pop(place)
                arc[place] = [arc[place][0] + step[0], arc[place][1] + step[1]]
            else:
                place += 1
    return outlines


@cache
def runtime() -> str:
    """What pages draw with: Vega, Vega-Lite and vega-embed in one script, and the outlines of countries."""
    drawing = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    outlines = json.dumps(world(), separators=(",", ":"))
    return f"{drawing}\nwindow.censusWorld = {outlines};\n"


def picture(drawn: str, title: str) -> str:
    """What `svg` drew, on white under its title: it stands by itself."""
    words = plain(title).split()
    lines = [""]
    for word in words:
        lines += [""] if len(lines[-1]) + len(word) > WIDTH / CHARACTER_WIDTH - 6 else []
        lines[-1] += f"{word} "
    page = f'color="{INK_ON_WHITE}" fill="{INK_ON_WHITE}" style="background:#fff"'
    return _under(drawn, lines, page, '<rect width="100%" height="100%" fill="#fff"/>', 10)


def _under(drawn: str, lines: Sequence[str], attributes: str, behind: str = "", margin: int = 0) -> str:
    """The drawing under lines of text, with a margin."""
    size, drawn = _SIZE.match(drawn), drawn.replace("<svg", '<svg overflow="visible"', 1)
    width, height = (float(length) for length in (size.groups() if size else (WIDTH, WIDTH)))
    # The reader's font may be wider than the one that is measured here.
    width, height, above = max(width, WIDTH) + 2 * margin, height + 2 * margin, margin + LINE_HEIGHT * len(lines)
    words = "".join(
        f'<text x="{margin + 2}" y="{margin + 13 + LINE_HEIGHT * place}">{escape(line.strip())}</text>'
        for place, line in enumerate(lines)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height + above - margin:g}" '
        f'viewBox="0 0 {width:g} {height + above - margin:g}" font-family="{FONT}" font-size="{FONT_SIZE}" '
        f'font-weight="bold" {attributes}>{behind}{words}<g font-weight="normal" '
        f'transform="translate({margin},{above})">{drawn}</g></svg>'
    )


def png(picture: str) -> bytes:
    """A picture as PNG."""
    return bytes(vl_convert.svg_to_png(picture, scale=1.5))


def in_words(chart: Chart, rows: Sequence[Row], most: int | None = None) -> str:
    """The chart's values, or the first `most` of them, in a sentence that compares nothing."""
    points, number = _points(chart, rows), FORMATS[chart.number]
    if chart.chosen:
        first = _in_order(points, "name")[: chart.chosen]
        points = [point for point in points if point["name"] in first]
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
        case "grid" | "map":
            largest = sorted(points, key=lambda point: -point["value"])[:TOLD]
            on = (lambda p: f"{p['group']} on {p['name']}") if chart.kind == "grid" else (lambda p: p["name"])
            said = [f"{on(p)} {p['value']:{number}}" for p in largest]
    return " ".join([f"{'; '.join(said[:most])}.", *(f"{turn}." for turn in _crossing(chart, points)[1:])])


def _points(chart: Chart, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """What is drawn: name, group, month, value, and the most where there is any."""
    points = []
    for row in folded(rows, chart, chart.name):
        if row[chart.value] is None:
            continue
        point = {
            "name": plain(str(row[chart.name] or "")),
            "group": plain(str(row[chart.group] or "")) if chart.group else "",
            "month": f"{row['month']:%Y-%m}" if "month" in row else "",
            "value": row[chart.value],
        }
        if chart.high and row[chart.high] is not None:
            point["high"] = row[chart.high]
        points.append(point)
    return points


def _describe(chart: Chart, points: list[dict[str, Any]], months: Sequence[str]) -> None:
    """Adds to each point what its kind of chart writes or sorts by; values get no more digits than are drawn."""
    number = FORMATS[chart.number]
    largest = dict.fromkeys(name for name, _ in zip(_in_order(points, "name"), COLOURS, strict=False))
    for point in points:
        point |= {name: float(f"{point[name]:.5g}") for name in ("value", "high") if name in point}
        match chart.kind:
            case "bars":
                point["high"] = max(point["value"], point.get("high", 0))
                beyond = f" (to {point['high']:{number}})" if point["high"] > point["value"] else ""
                point["text"] = f"{point['value']:{number}}{beyond}"
            case "together" if point["month"] == months[-1]:
                point["text"] = f"{point['name']} {point['value']:{number}}"
            case "lines" if point["month"] == months[-1]:
                point["text"] = f"{point['value']:{number}}"
            case "grid":
                point["text"] = f"{point['value']:.1%}" if point["value"] >= SMALLEST_WRITTEN else ""
            case "stack":
                point["name"] = point["name"] if point["name"] in largest else "other"
                point["place"] = list(largest).index(point["name"]) if point["name"] in largest else len(largest)
            case "map":
                country = pycountry.countries.get(alpha_2=point["group"])
                point["id"] = country.numeric if country else ""
                point["text"] = list(SHADED)[bisect(SHADE_ENDS, point["value"])]
    if chart.kind == "together":
        _raise_labels(points)


def _raise_labels(points: Sequence[dict[str, Any]]) -> None:
    """From the lowest up, each label is as high as its value or so far above the one below that both can be read."""
    lowest, gap = -1.0, LABEL_GAP * max(point["value"] for point in points)
    for point in sorted((one for one in points if "text" in one), key=lambda one: float(one["value"])):
        lowest = point["height"] = max(point["value"], lowest + gap)


def _bars(shape: Shape) -> Any:
    axis = alt.Axis(domain=False, ticks=False, minExtent=shape.label_width)
    base = alt.Chart(POINTS).encode(y=alt.Y("name:N", sort=None, title=None, axis=axis))
    x = alt.X("value:Q", axis=None, scale=alt.Scale(nice=False, **_if_nothing(shape)))
    marks = base.mark_bar(color=COLOURS[0], opacity=0.9).encode(x=x, tooltip=_told(shape))
    bounds = base.mark_rule(color="currentColor", strokeWidth=1.5).encode(x="value:Q", x2="high:Q")
    text = base.mark_text(align="left", dx=5, color="currentColor", fontSize=12).encode(x="high:Q", text="text:N")
    if shape.groups[1:]:
        columns = 3 if sum(sorted(map(len, shape.groups))[-3:]) <= LEGEND_CHARACTERS else 2
        legend = alt.Legend(orient="top", title=None, columns=columns, offset=4, columnPadding=16)
        marks = marks.encode(color=_colour("group:N", shape.groups, legend))
    if shape.is_grouped:
        marks, text = (layer.encode(yOffset=alt.YOffset("group:N", sort=None)) for layer in (marks, text))
    row_height = ROW_HEIGHT * (0.75 * len(shape.groups) + 0.4 if shape.is_grouped else 1)
    layers = alt.layer(marks, *([bounds] if shape.has_high else []), text)
    return layers.properties(height=alt.Step(row_height, **{"for": "position"}))


def _lines(shape: Shape) -> Any:
    base = alt.Chart().encode(x=_first_and_last(shape.months))
    y = alt.Y("value:Q", title=None, axis=_amounts(shape.chart), scale=alt.Scale(nice=False, **_if_nothing(shape)))
    # An area needs two months to be seen.
    across = base.mark_area(opacity=0.25) if shape.months[1:] else base.mark_rule(strokeWidth=8, opacity=0.25)
    band = across.encode(y=alt.Y("value:Q", title=None), y2="high:Q", color=alt.value(COLOURS[0]))
    line = base.mark_line(color=COLOURS[0], strokeWidth=2).encode(y=y)
    latest = base.transform_filter(IS_LATEST)
    dots = latest.mark_point(color=COLOURS[0], filled=True, size=36, opacity=1).encode(y=y)
    text = latest.mark_text(align="left", dx=7, fontSize=12, color="currentColor").encode(y=y, text="text:N")
    pointed = _pointed(base, y, shape)
    layers = alt.layer(*([band] if shape.chart.high else []), line, dots, text, pointed)
    panels = layers.properties(width=PANEL_WIDTH, height=PANEL_HEIGHT).facet(
        alt.Facet("name:N", sort=list(shape.names) or None, title=None),
        columns=2,
        spacing={"column": PANEL_SPACING, "row": 18},
        data=POINTS,
    )
    return _choosable(panels, shape)


def _together(shape: Shape) -> Any:
    base = alt.Chart().encode(x=_first_and_last(shape.months), color=_colour("name:N", shape.names, None))
    y = alt.Y("value:Q", title=None, axis=_amounts(shape.chart), scale=alt.Scale(**_if_nothing(shape)))
    line = base.mark_line(strokeWidth=2.5, strokeJoin="round").encode(y=y)
    latest = base.transform_filter(IS_LATEST)
    dots = latest.mark_point(filled=True, size=45, opacity=1).encode(y=y)
    labels = latest.mark_text(align="left", dx=8, fontSize=FONT_SIZE, fontWeight="bold").encode(text="text:N")
    if shape.chart.chosen:  # as `_raise_labels`, for those that are chosen
        below, lowest_first = f"datum.rank * {LABEL_GAP} * datum.top", [alt.SortField("value"), alt.SortField("name")]
        labels = (
            labels.transform_joinaggregate(top="max(value)")
            .transform_window(rank="row_number()", sort=lowest_first)
            .transform_calculate(raised=f"datum.value - {below}")
            .transform_window(highest="max(raised)", sort=lowest_first)
            .transform_calculate(height=f"datum.highest + {below}")
        )
    labels = labels.encode(y="height:Q")
    pointed = _pointed(base, y, shape)
    turn = []
    if shape.turns:
        marked = alt.Chart(TURN).encode(x=_first_and_last(shape.months))
        turn = [
            marked.mark_rule(strokeDash=[3, 3], color="currentColor", opacity=0.7),
            alt.Chart(TURN).mark_text(y=-8, x=0, align="left", color="currentColor", fontSize=12).encode(text="said:N"),
        ]
    layers = alt.layer(*turn, line, dots, labels, pointed, data=POINTS)
    return _choosable(layers, shape).properties(height=230)


def _grid(shape: Shape) -> Any:
    title: dict[str, Any] = {"titleFontSize": 12, "titleFontWeight": "normal", "domain": False, "ticks": False}
    top = alt.Axis(orient="top", labelAngle=-45, labelLimit=110, **title)
    side = alt.Axis(labelLimit=110, minExtent=min(116, shape.label_width), **title)
    base = alt.Chart(POINTS).encode(
        x=alt.X("group:N", sort=shape.groups, title=shape.chart.title, axis=top),
        y=alt.Y("name:N", sort=shape.names, title=None, axis=side),
    )
    # Ink stays legible on the strongest cell of either page.
    strength = alt.Opacity("value:Q", scale=alt.Scale(range=[0.04, 0.75]), legend=None)
    marks = base.mark_rect(color=COLOURS[0]).encode(opacity=strength, tooltip=_told(shape))
    text = base.mark_text(fontSize=11, color="currentColor").encode(text="text:N")
    width = WIDTH - min(116, shape.label_width) - SLANTED_WIDTH
    return alt.layer(marks, text).properties(height=alt.Step(30), width=width)


def _stack(shape: Shape) -> Any:
    legend = alt.Legend(orient="top", title=None, columns=2, labelLimit=200, offset=6, columnPadding=40)
    axis = alt.Axis(format=AXIS_FORMATS["share"], tickCount=3)
    return (
        alt.Chart(POINTS)
        .mark_bar()
        .encode(
            x=_first_and_last(shape.months),
            y=alt.Y("sum(value):Q", title=None, scale=alt.Scale(domain=[0, 1]), axis=axis),
            color=_colour("name:N", shape.names, legend),
            order=alt.Order("place:Q"),
            tooltip=[alt.Tooltip("name:N", title="title"), "month:O", alt.Tooltip("sum(value):Q", format=".1%")],
        )
        .properties(height=230, width=WIDTH - AMOUNTS_WIDTH)
    )


def _map(shape: Shape) -> Any:
    countries = alt.Chart(alt.NamedData("world", format=alt.TopoDataFormat(feature="countries", type="topojson")))
    land = countries.transform_filter(f"datum.id !== '{ANTARCTICA}'").mark_geoshape(
        fill="currentColor", fillOpacity=0.06, stroke="currentColor", strokeWidth=0.4
    )
    legend = alt.Legend(orient="bottom", title=None, direction="horizontal", columns=3, symbolType="square")
    shaded = (
        countries.transform_lookup("id", from_=alt.LookupData(POINTS, "id", ["name", "group", "value", "high", "text"]))
        .transform_filter("isValid(datum.value)")
        .mark_geoshape(stroke="currentColor", strokeWidth=0.4)
        .encode(color=_colour("text:N", SHADED, legend), tooltip=_told(shape))
    )
    return alt.layer(land, shaded).project(type="equalEarth").properties(width=WIDTH, height=WIDTH // 2)


_KINDS = {"bars": _bars, "lines": _lines, "together": _together, "grid": _grid, "stack": _stack, "map": _map}


def _pointed(base: Any, y: Any, shape: Shape) -> Any:
    """The layer of marks that are not seen and say the value that one points at."""
    marks = base.mark_point(opacity=0, filled=True, size=240).encode(y=y, tooltip=_told(shape))
    return marks.properties(name=POINTED)


def _told(shape: Shape) -> list[Any]:
    """What is said to whoever points at a mark: its name, group and month, its value, and the most that it may be."""
    number = FORMATS[shape.chart.number]
    told = [alt.Tooltip("name:N", title="title")]
    told += [alt.Tooltip("group:N", title=str(shape.chart.group).replace("_", " "))] if any(shape.groups) else []
    told += [alt.Tooltip("month:N")] if any(shape.months) else []
    told += [alt.Tooltip("value:Q", format=number)]
    return told + ([alt.Tooltip("high:Q", title="at most", format=number)] if shape.has_high else [])


def _choosable(drawn: Any, shape: Shape) -> Any:
    """The chart with the names that are chosen alone, where there are more than are drawn at first."""
    return drawn.transform_filter(f"indexof({CHOSEN}, datum.name) >= 0") if shape.chart.chosen else drawn


def _colour(field: str, names: Sequence[str] | Mapping[str, str], legend: Any) -> Any:
    """A colour for each of the names, or, where they are not named, for whatever comes, in its order."""
    colours = names if isinstance(names, Mapping) else dict(zip(names, cycle(COLOURS), strict=False)) | REST
    scale = alt.Scale(domain=list(names), range=[colours[name] for name in names])
    return alt.Color(field, sort=None, scale=scale if names else alt.Scale(range=list(COLOURS)), legend=legend)


def _if_nothing(shape: Shape) -> dict[str, Any]:
    """An axis from nothing on needs an end where every value is nothing."""
    return {} if shape.has_values else {"domain": [0, 1]}


def _config() -> dict[str, Any]:
    ink = "currentColor"
    text: dict[str, Any] = {"labelColor": ink, "labelFontSize": FONT_SIZE}
    lines = {"gridColor": ink, "gridOpacity": 0.15, "domainColor": ink, "tickColor": ink}
    header = {"labelFontWeight": "bold", "labelAnchor": "start", "labelLimit": PANEL_WIDTH + PANEL_SPACING}
    return {
        "font": FONT,
        "aria": False,
        "axis": text | lines | {"labelOverlap": False, "titleColor": ink, "labelLimit": LABEL_WIDTH * 0.85},
        "header": text | header,
        "legend": text,
        "title": {"color": ink},
        "view": {"stroke": None},
        "mark": {"invalid": "show"},
    }


def _first_and_last(months: Sequence[str]) -> Any:
    """The months as an axis that names its ends, within its own width."""
    ends = list(dict.fromkeys([months[0], months[-1]]))
    flush: Any = {"condition": {"test": "datum.index == 0", "value": "left"}, "value": "right"}
    align: Any = flush if len(ends) > 1 else "center"
    axis = alt.Axis(values=ends, labelAngle=0, labelAlign=align, labelLimit=0, ticks=False)
    return alt.X("month:O", sort=None, scale=alt.Scale(domain=list(months)), title=None, axis=axis)


def _amounts(chart: Chart) -> Any:
    return alt.Axis(format=AXIS_FORMATS[chart.number], tickCount=3, domain=False, ticks=False, labelLimit=0)


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


def _in_order(points: Sequence[dict[str, Any]], name: str) -> list[str]:
    return list(dict.fromkeys(point[name] for point in points))


def _largest_first(points: Sequence[dict[str, Any]], side: str) -> list[str]:
    totals: dict[str, float] = {}
    for point in points:
        totals[point[side]] = totals.get(point[side], 0.0) + point["value"]
    return sorted(totals, key=lambda name: (name == "all others", -totals[name], name))


def _ends(line: Sequence[dict[str, Any]], number: str, unit: str) -> str:
    return " to ".join(dict.fromkeys(f"{p['value']:{number}}{unit} in {p['month']}" for p in (line[0], line[-1])))
