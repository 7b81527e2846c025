"""What people would rather look at than read: small pictures and tables beside an asset, not the asset itself."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from datetime import date
from html import escape

import dagster as dg
import polars as pl

from pipeline.lake.store import Lake
from pipeline.months import add_months
from pipeline.orchestration.shown import named_source, shown
from pipeline.schema.declaration import Table

FAMILIES_SHOWN = 10
COUNTRIES_SHOWN = 8
SHADES = (" ", "░", "▒", "▓", "█")
LINES_SHOWN = 5
MONTHS_SHOWN = 12
COLOURS = ("#b2182b", "#2166ac", "#4d9221", "#8c510a", "#762a83", "#01665e", "#636363")
WIDTH, HEIGHT, MARGIN, LEGEND = 640, 220, 30, 170


def shares_over_time(
    countries: pl.DataFrame, table: Table, lake: Lake, month: date, source: str
) -> Mapping[str, dg.MetadataValue]:
    """The largest members' shares in this month and those before it that the lake holds, as a picture of lines.

    None where the month has no new models.
    """
    wanted = (pl.col("population") == "new") & (pl.col("attribution") == "uploader") & (pl.col("window") == "month")
    rows = _with_months_before(countries, table, lake, month).filter(wanted)
    largest = rows.filter(pl.col("month") == month).top_k(LINES_SHOWN, by="share").sort("share", descending=True)
    if largest.is_empty():
        return {}
    lines = _lines(rows, largest["member"].to_list(), "share")
    now = largest.row(0, named=True)
    words = (
        "Share of each month's downloads of models at most 365 days old, by the uploader's country; denominator: all "
        f"of them; {month:%Y-%m}: basis {now['basis']}, coverage {now['coverage']:.1%}"
    )
    return {"shares_over_time": _picture(f"{words}. Source: {named_source(source)}", lines)}


def coverage_over_time(
    coverage: pl.DataFrame, table: Table, lake: Lake, month: date, source: str
) -> Mapping[str, dg.MetadataValue]:
    """How much of the downloads each rule of attribution stands for, in this month and those before it."""
    rows = (
        _with_months_before(coverage, table, lake, month)
        .group_by("month", "method")
        .agg(pl.col("share_of_downloads").sum())
    )
    now = rows.filter(pl.col("month") == month).sort("share_of_downloads", "method", descending=[True, False])
    lines = _lines(rows, now["method"].to_list(), "share_of_downloads")
    words = "Part of each month's downloads, of all models, by the rule that attributes them to an uploader"
    return {"coverage_over_time": _picture(f"{words}. Source: {named_source(source)}", lines)}


def largest_families(family_shares: pl.DataFrame) -> Mapping[str, dg.MetadataValue]:
    """The ten families with the most derivatives at the month's close, by root repository."""
    largest = (
        family_shares.filter(pl.col("level") == "root_model")
        .sort("derivatives", "family", descending=[True, False])
        .head(FAMILIES_SHOWN)
        .select(
            "family",
            "organization",
            "country",
            *(
                pl.col(name).round(1)
                for name in ("derivatives", "new_derivatives", "downloads", "downloads_derivatives")
            ),
            (pl.col("share_of_new_derivatives") * 100).round(2).alias("percent_of_new_derivatives"),
        )
    )
    return {"largest_families": shown(largest)}


def picture_of_flows(flows: pl.DataFrame) -> Mapping[str, dg.MetadataValue]:
    """New derivatives by country of the base (down) and of the derivative (across), percent of all, shaded."""
    bases, developers = (_largest(flows, side) for side in ("base_country", "derivative_country"))
    percent = {
        (base, developer): share * 100
        for base, developer, share in flows.select(
            "base_country", "derivative_country", "share_of_new_derivatives"
        ).iter_rows()
    }
    largest = max(percent.values(), default=0.0)
    lines = [
        "Percent of the month's new derivatives: down, the country of the base; across, that of the derivative.",
        "",
        f"| base | {' | '.join(developers)} |",
        f"|---|{'---:|' * len(developers)}",
    ]
    for base in bases:
        cells = (_cell(percent.get((base, developer), 0.0), largest) for developer in developers)
        lines.append(f"| **{base}** | {' | '.join(cells)} |")
    return {"flows": dg.MetadataValue.md("\n".join(lines))}


def _largest(flows: pl.DataFrame, side: str) -> list[str]:
    totals = flows.group_by(side).agg(pl.col("new_derivatives").sum())
    return totals.sort("new_derivatives", side, descending=[True, False]).head(COUNTRIES_SHOWN)[side].to_list()


def _cell(percent: float, largest: float) -> str:
    if not percent:
        return ""
    shade = SHADES[min(int(len(SHADES) * percent / largest), len(SHADES) - 1)]
    return f"{shade} {percent:.1f}"


_Lines = Mapping[str, Mapping[date, float]]


def _with_months_before(rows: pl.DataFrame, table: Table, lake: Lake, month: date) -> pl.DataFrame:
    """The month's rows, not stored yet, with those of the year before that the lake holds."""
    begin = add_months(month, 1 - MONTHS_SHOWN)
    columns = table.schema.names()
    before = [lake.scan(table, other).select(columns) for other in lake.months(table) if begin <= other < month]
    return pl.concat([*before, rows.lazy().select(columns)], how="vertical_relaxed").collect()


def _lines(rows: pl.DataFrame, members: Sequence[str], value: str) -> _Lines:
    member = next(name for name in ("member", "method") if name in rows.columns)
    return {
        name: dict(rows.filter(pl.col(member) == name).select("month", value).sort("month").iter_rows())
        for name in members[: len(COLOURS)]
    }


def _picture(words: str, lines: _Lines) -> dg.MetadataValue:
    """Lines over months as a drawing of a few kilobytes, with their last values in the legend."""
    months = sorted({month for values in lines.values() for month in values})
    most = max((value for values in lines.values() for value in values.values()), default=0.0) or 1.0
    right, bottom = WIDTH - LEGEND, HEIGHT - MARGIN
    across = (right - MARGIN) / max(len(months) - 1, 1)
    drawn = [
        f'<line x1="{MARGIN}" y1="{bottom}" x2="{right}" y2="{bottom}" stroke="#888"/>',
        f'<text x="{MARGIN}" y="{HEIGHT - 10}">{months[0]:%Y-%m}</text>',
        f'<text x="{right}" y="{HEIGHT - 10}" text-anchor="end">{months[-1]:%Y-%m}</text>',
        f'<text x="{MARGIN}" y="14">{most:.0%}</text>',
    ]
    for nth, (name, values) in enumerate(lines.items()):
        colour = COLOURS[nth]
        points = [
            (MARGIN + months.index(month) * across, bottom - value / most * (bottom - 20))
            for month, value in values.items()
        ]
        drawn.append(
            f'<polyline fill="none" stroke="{colour}" stroke-width="2" '
            f'points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}"/>'
        )
        drawn += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{colour}"/>' for x, y in points]
        label = f"{name} {list(values.values())[-1]:.1%}"
        drawn.append(f'<text x="{right + 12}" y="{30 + nth * 20}" fill="{colour}">{escape(label)}</text>')
    drawing = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        f'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="white"/>{"".join(drawn)}</svg>'
    )
    return dg.MetadataValue.md(f"{words}.\n\n![{words}]({_as_address(drawing)})")


def _as_address(drawing: str) -> str:
    return f"data:image/svg+xml;base64,{base64.b64encode(drawing.encode()).decode()}"
