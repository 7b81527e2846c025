"""The picture of the asset graph, as the definitions have it."""

from __future__ import annotations

from pipeline.definitions import defs
from pipeline.schema.groups import CHAIN

GRAPH = defs.resolve_asset_graph()
GROUPS = [group for group in CHAIN if any(GRAPH.get(key).group_name == group for key in GRAPH.get_all_asset_keys())]
"""The groups in the order in which a month passes through them."""

WIDTH, GAP, LINE, TOP = 172, 44, 17, 84
"""Of the picture, in pixels: a group's box, what lies between two, a table's line, what is above them for arrows."""


def graph_picture() -> str:
    """The groups with their tables as a drawing (SVG), and arrows where a group is made from another."""
    drawn_keys = [key for key in sorted(GRAPH.get_all_asset_keys()) if len(key.path) == len(("group", "table"))]
    tables = {group: [key for key in drawn_keys if GRAPH.get(key).group_name == group] for group in GROUPS}
    tall = 34 + LINE * max(len(keys) for keys in tables.values())
    bottom = TOP + tall
    arrows = sorted(
        {
            (GROUPS.index(GRAPH.get(parent).group_name), place)
            for place, group in enumerate(GROUPS)
            for key in tables[group]
            for parent in GRAPH.get(key).parent_keys
            if GRAPH.get(parent).group_name not in {group, None} and key.path != ["published", "month_manifest"]
        }
        | {(GROUPS.index("shares"), GROUPS.index("published"))}
    )
    width, height = len(GROUPS) * (WIDTH + GAP) - GAP + 20, bottom + 46
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'font-family="sans-serif" font-size="13">',
        '<defs><marker id="end" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0,0 L8,4 L0,8 z" fill="#555"/></marker></defs>',
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    for place, group in enumerate(GROUPS):
        left = 10 + place * (WIDTH + GAP)
        drawn.append(
            f'<rect x="{left}" y="{TOP}" width="{WIDTH}" height="{tall}" rx="6" fill="#f2f6fa" '
            f'stroke="#4a6d8c"/><text x="{left + 12}" y="{TOP + 22}" font-weight="bold">{group}</text>'
        )
        drawn += [
            f'<text x="{left + 12}" y="{TOP + 42 + nth * LINE}">{key.path[-1]}</text>'
            for nth, key in enumerate(tables[group])
        ]
    drawn += [_arrow(begin, end, bottom) for begin, end in arrows]
    return "\n".join([*drawn, "</svg>"]) + "\n"


def _arrow(begin: int, end: int, bottom: int) -> str:
    """From box to box: straight to the next one, above those between, below them where it leads back."""
    left, right = (10 + place * (WIDTH + GAP) for place in (begin, end))
    if end == begin + 1:
        path = f"M{left + WIDTH},{TOP + 18} L{right},{TOP + 18}"
    elif end > begin:
        high, landing = TOP - 26 * (end - begin) + 14 * begin, right + 24 + 14 * begin
        path = f"M{left + WIDTH - 30 - 12 * end},{TOP} C{left + WIDTH},{high} {right},{high} {landing},{TOP}"
    else:
        path = f"M{left + 40},{bottom} C{left + 40},{bottom + 40} {right + 130},{bottom + 40} {right + 130},{bottom}"
    return f'<path d="{path}" fill="none" stroke="#555" stroke-width="1.4" marker-end="url(#end)"/>'
