"""`census family`: prints what derives from a model. Names are untrusted: every format shows them as inert text."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import Any, NamedTuple

import click
import polars as pl

from assets.lineage.family import Family, read_family
from pipeline import settings
from pipeline.cli.types import MODELS, MonthType
from pipeline.lake.store import Lake
from pipeline.synthetic import label
from pipeline.text import plain
from pipeline.wording import counted

BASES = {"all_time_delta": "growth of the cumulative counters", "rolling_30d": "30-day counters, scaled (estimates)"}
_UNSAFE_IN_MERMAID = re.compile(r"[^\w ./,()+-]")


class _Line(NamedTuple):
    """One line of a drawing: the member in a `row`, or (without one) what is left out; both under the row `above`."""

    branch: str
    text: str
    row: int | None
    above: int | None


def as_tree(family: Family, depth: int, children: int) -> str:
    """A drawing of the family to so many levels, the most downloaded branches first, with what is hidden."""
    lines = (line.branch + line.text for line in _drawn(family, depth, children))
    return "\n".join([*_definition(family), "", *lines])


def as_mermaid(family: Family, depth: int, children: int) -> str:
    """The same drawing as a Mermaid flowchart."""
    lines = ["flowchart LR", *(f"%% {line.strip()}" for line in _definition(family))]
    for place, line in enumerate(_drawn(family, depth, children)):
        node = f"more{place}" if line.row is None else f"m{line.row}"
        text = _UNSAFE_IN_MERMAID.sub(lambda sign: f"#{ord(sign[0])};", line.text)
        lines.append(f'  {node}["{text}"]')
        if line.above is not None:
            lines.append(f"  m{line.above} --> {node}")
    return "\n".join(lines)


def as_json(family: Family, depth: int, _: int) -> str:
    """All members to so many levels, and the derivations between them."""
    members, edges = _within(family, depth)
    return json.dumps(
        {
            "model": members["model_id"][0],
            "derives_from": family.parents,
            "month": f"{family.month:%Y-%m}",
            "source": family.source,
            "is_synthetic": family.is_synthetic,
            "basis": family.basis,
            "attribution": "uploader",
            "family_members": family.members.height,
            "family_downloads": family.members["downloads"].sum(),
            "hidden_members": family.members.height - members.height,
            "members": members.select(
                "model_id", "hub_id", "level", "country", "downloads", "members_below", "downloads_below"
            ).to_dicts(),
            "derivations": edges.select(
                members["model_id"].gather(edges["child"]).alias("child"),
                members["model_id"].gather(edges["parent"]).alias("parent"),
                "relation",
            ).to_dicts(),
        },
        indent=2,
    )


def as_graphml(family: Family, depth: int, _: int) -> str:
    """The same as a GraphML document; an edge leads from the derivative to its parent."""
    members, edges = _within(family, depth)
    types = {"model_id": "string", "country": "string", "downloads": "double", "level": "int", "members_below": "int"}
    document = ET.Element("graphml", xmlns="http://graphml.graphdrawing.org/xmlns")
    ET.SubElement(document, "desc").text = "; ".join(line.strip() for line in _definition(family))
    for name, kind in types.items():
        ET.SubElement(document, "key", {"id": name, "for": "node", "attr.name": name, "attr.type": kind})
    ET.SubElement(document, "key", {"id": "relation", "for": "edge", "attr.name": "relation", "attr.type": "string"})
    graph = ET.SubElement(document, "graph", edgedefault="directed")
    for row, values in enumerate(members.select(*types).to_dicts()):
        node = ET.SubElement(graph, "node", id=f"m{row}")
        for name, value in values.items():
            if value is not None:
                ET.SubElement(node, "data", key=name).text = plain(str(value))
    for child, parent, relation in edges.iter_rows():
        edge = ET.SubElement(graph, "edge", source=f"m{child}", target=f"m{parent}")
        ET.SubElement(edge, "data", key="relation").text = relation
    ET.indent(document)
    return ET.tostring(document, encoding="unicode", xml_declaration=True)


FORMATS: Mapping[str, Callable[[Family, int, int], str]] = {
    "tree": as_tree,
    "json": as_json,
    "graphml": as_graphml,
    "mermaid": as_mermaid,
}


@click.command()
@click.argument("model", shell_complete=MODELS)
@click.option("--month", type=MonthType(), help="e.g. 2025-08.  [default: the latest one with derivations]")
@click.option("--depth", default=3, show_default=True, type=click.IntRange(0), help="Levels shown below the model.")
@click.option(
    "--children",
    default=20,
    show_default=True,
    type=click.IntRange(0),
    help="Derivatives shown under one model; for tree and mermaid.",
)
@click.option("--format", "form", default="tree", show_default=True, type=click.Choice(list(FORMATS)))
def family(model: str, month: date | None, depth: int, children: int, form: str) -> None:
    """Prints what derives from MODEL, with downloads, relations and countries."""
    from pipeline.definitions import CATALOGUE  # noqa: PLC0415 - it holds this command

    found = read_family(Lake(settings.lake_url()), CATALOGUE, model, month)
    click.echo(FORMATS[form](found, depth, children))


def _definition(family: Family) -> list[str]:
    members = family.members
    lines = [
        f"{label(is_synthetic=family.is_synthetic)}What derives from {plain(members['model_id'][0])}",
        f"  month        {family.month:%Y-%m}",
        f"  family       {counted(members.height, 'repository', 'repositories')}, "
        f"{members['downloads'].sum():,.0f} downloads: each counted",
        "               whole, also where it has other roots",
        f"  downloads    in the month, by {BASES.get(family.basis, family.basis)}",
        "  country      of the account that published the repository",
        f"  source       {family.source}",
    ]
    if family.parents:
        lines.append(f"  derives from {', '.join(map(plain, family.parents))}")
    return lines


def _within(family: Family, depth: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The members to so many levels, which come first, and the edges between them."""
    members = family.members.filter(pl.col("level") <= depth)
    return members, family.edges.filter(pl.max_horizontal("child", "parent") < members.height)


def _drawn(family: Family, depth: int, children: int) -> Iterator[_Line]:
    """The drawing's lines from top to bottom, at most so many `children` under one member."""
    branch_downloads = (pl.col("downloads").fill_null(0.0) + pl.col("downloads_below")).alias("branch_downloads")
    members = family.members.with_row_index("row").with_columns(branch_downloads)
    hanging = defaultdict(list)
    for member in members.sort("branch_downloads", descending=True, maintain_order=True).to_dicts():
        hanging[member["above"]].append(member)
    waiting = [("", "", hanging[None][0])]
    while waiting:
        branch, indent, member = waiting.pop()
        is_cut = member["level"] >= depth
        yield _Line(branch, member.get("text") or _text(member, is_cut=is_cut), member["row"], member["above"])
        below = [] if is_cut else hanging[member["row"]]
        if left_out := below[children:]:
            repositories = len(left_out) + sum(child["members_below"] for child in left_out)
            text = _hidden(repositories, sum(child["branch_downloads"] for child in left_out))
            below = [*below[:children], {"text": text, "row": None, "above": member["row"], "level": depth}]
        for child in reversed(below):
            stem, beneath = ("└── ", "    ") if child is below[-1] else ("├── ", "│   ")
            waiting.append((indent + stem, indent + beneath, child))


def _text(member: Mapping[str, Any], *, is_cut: bool) -> str:
    parts = [plain(member["model_id"]), member["relation"], member["country"]]
    is_measured = member["downloads"] is not None
    parts.append(f"{member['downloads']:,.0f}" if is_measured else "" if member["hub_id"] else "not listed")
    if member["above"] is not None and member["other_parents"]:
        parts.append(f"(other parents: {member['other_parents']})")
    if is_cut and member["members_below"]:
        parts.append(_hidden(member["members_below"], member["downloads_below"]))
    return "  ".join(part for part in parts if part)


def _hidden(repositories: int, downloads: float) -> str:
    return f"[{repositories:,} hidden, {downloads:,.0f} downloads]"
