"""The picture of the asset graph, as the definitions have it."""

from pipeline.definitions import defs
from pipeline.publish.metadata import TEMPLATES
from pipeline.schema.groups import CHAIN

BOX, GAP, LINE, TOP = 172, 44, 17, 84
"""Of the picture, in pixels: a group's box, what lies between two, a table's line, what is above them for arrows."""


def graph_picture() -> str:
    """The groups with their tables as a drawing (SVG), and arrows where a group is made from another.

    An arrow leads straight to the next group, above those between, below them where it leads back.
    """
    graph = defs.resolve_asset_graph()
    group_of = {key: graph.get(key).group_name for key in graph.get_all_asset_keys()}
    drawn = sorted(key for key in group_of if len(key.path) == len(("group", "table")))
    tables = {group: [key for key in drawn if group_of[key] == group] for group in CHAIN if group in group_of.values()}
    places = {group: place for place, group in enumerate(tables)}
    arrows = {
        (places[group_of[parent]], place)
        for group, place in places.items()
        for key in tables[group]
        for parent in graph.get(key).parent_keys
        if group_of[parent] not in {group, None} and key.path != ["published", "month_manifest"]
    }
    return TEMPLATES.get_template("graph.svg").render(
        tables=tables,
        lefts=[10 + place * (BOX + GAP) for place in places.values()],
        arrows=sorted(arrows | {(places["shares"], places["published"])}),
        width=len(places) * (BOX + GAP) - GAP + 20,
        box=BOX,
        line=LINE,
        top=TOP,
        bottom=TOP + 34 + LINE * max(map(len, tables.values())),
    )
