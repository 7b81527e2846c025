"""`census family`: what derives from a model, read from the lake and printed.

Names are untrusted: every format shows them as inert text.
"""

import difflib
import json
import re
import xml.etree.ElementTree as ET
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import click
import polars as pl

from assets.lineage.derivations import DERIVATIONS
from assets.lineage.model_lineage import MODEL_LINEAGE
from pipeline import settings
from pipeline.cli.types import MODELS, MonthType
from pipeline.errors import CensusError
from pipeline.lake.store import Lake
from pipeline.schema.catalogue import Catalogue
from pipeline.synthetic import is_synthetic, label
from pipeline.text import plain
from pipeline.wording import counted

NAMES_SUGGESTED = 3
NAMES_COMPARED = 2_000


@dataclass(frozen=True)
class Family:
    """A repository and all that derive from it, in one month.

    `members` has one row per repository, the head first, then level by level: `model_id`, `hub_id` (absent for a head
    that is not listed), `level` (fewest derivations from the head), `above` (the row of the member that it hangs
    under, absent for the head), `relation` to that member, `other_parents` (how many more it has, inside the family or
    not), `downloads` (absent where it is not listed), `country` (the uploader's), `members_below` and `downloads_below`
    (all that hang under it). `edges` has one row per derivation inside the family: `child` and `parent` (rows of
    `members`) and `relation`. `parents` are those of the head.
    """

    month: date
    basis: str
    source: str
    members: pl.DataFrame
    edges: pl.DataFrame
    parents: list[str]


def read_family(lake: Lake, catalogue: Catalogue, model: str, month: date | None = None) -> Family:
    """The family of `model` in a month of the lake whose lineage is whole, published or not; by default the latest.

    Raises:
        CensusError: the lake has no such month, or the month no such model; the sentence suggests others.
    """
    month = _chosen(lake, month)

    def columns(path: str, *names: str) -> pl.LazyFrame:
        """Columns of a table; no rows where the month has not come so far."""
        table = catalogue[path]
        if lake.holds(table, month):
            return lake.scan(table, month).select(names)
        return pl.LazyFrame(schema={name: table.schema[name] for name in names})

    keys = {"key": pl.col("child_hub_id"), "parent_key": pl.coalesce("parent_hub_id", "parent_model_id")}
    stated = ("child_hub_id", "child_model_id", "parent_model_id", "parent_listed", "relation", "position")
    edges = lake.scan(DERIVATIONS, month).select(*stated, **keys).collect()
    head = _head(columns("lineage/model_lineage", "hub_id", "model_id"), edges, model, month)
    members = descendants(edges, head).with_row_index("row")
    inside = edges.join(members.select("key", child="row"), on="key").join(
        members.select(parent_key="key", parent="row"), on="parent_key"
    )
    basis, source = (
        next(iter(columns(path, column).head(1).collect().to_series()), None)
        for path, column in (("listings/model_downloads", "basis"), ("listings/hub_snapshots", "source"))
    )
    roots = columns("attribution/root_attribution", "root_model_id", "country")
    measured = (
        members.lazy()
        .join(members.lazy().select(parent_key="key", above="row"), on="parent_key", how="left")
        .join(columns("listings/model_downloads", "hub_id", "downloads"), on="hub_id", how="left")
        .join(columns("attribution/model_attribution", "hub_id", "country"), on="hub_id", how="left")
        .join(roots.select("country", model_id="root_model_id"), on="model_id", how="left", suffix="_of_root")
        .with_columns(pl.col("downloads").cast(pl.Float64), country=pl.coalesce("country", "country_of_root"))
        .sort("row")
        .drop("row", "key", "parent_key", "country_of_root")
        .collect()
    )
    return Family(
        month=month,
        basis=basis or "not measured yet",
        source=source or "not known",
        members=_with_sums_below(measured),
        edges=inside.select("child", "parent", "relation").sort("child", "parent"),
        parents=edges.filter(key=head["key"].item()).sort("position")["parent_model_id"].to_list(),
    )


def descendants(edges: pl.DataFrame, head: pl.DataFrame) -> pl.DataFrame:
    """The head and all that derives from it, each once, level by level.

    `edges` are derivations with `key` and `parent_key` for the child and the parent. What has several parents hangs
    under the one nearest to the head, of equals under the one that it declares first: that is its `parent_key`, and
    `relation` is to that one.
    """
    nobody = pl.lit(None, pl.String)
    parents = edges.group_by("key").agg((pl.len().cast(pl.Int64) - 1).alias("other_parents"))
    level = head.select("key", nobody.alias("parent_key"), nobody.alias("relation"), "hub_id", "model_id", level=0)
    levels = []
    while not level.is_empty():
        levels.append(level)
        reached = edges.join(level.select(parent_key="key"), on="parent_key")
        level = (
            reached.join(pl.concat(levels), on="key", how="anti")
            .sort("key", "position")
            .unique("key", keep="first", maintain_order=True)
            .select(
                "key", "parent_key", "relation", hub_id="child_hub_id", model_id="child_model_id", level=len(levels)
            )
        )
    return pl.concat(levels).join(parents, on="key", how="left", maintain_order="left")


def _with_sums_below(members: pl.DataFrame) -> pl.DataFrame:
    """Adds what hangs under each member in the tree, without its own; who is above stands before."""
    above, own = members["above"].to_list(), members["downloads"].fill_null(0.0).to_list()
    count, downloads = [0] * len(above), [0.0] * len(above)
    for row in range(len(above) - 1, 0, -1):
        count[above[row]] += count[row] + 1
        downloads[above[row]] += downloads[row] + own[row]
    return members.with_columns(members_below=pl.Series(count, dtype=pl.Int64), downloads_below=pl.Series(downloads))


def _chosen(lake: Lake, month: date | None) -> date:
    months = sorted(set(lake.months(DERIVATIONS)) & set(lake.months(MODEL_LINEAGE)))
    if not months:
        raise CensusError(f"the lake at {lake.url} holds no month with derivations: run `census run` first")
    if month is not None and month not in months:
        held = ", ".join(f"{held:%Y-%m}" for held in months)
        raise CensusError(f"the lake at {lake.url} has no derivations of {month:%Y-%m}: choose one of {held}")
    return month or months[-1]


def _head(listed: pl.LazyFrame, edges: pl.DataFrame, model: str, month: date) -> pl.DataFrame:
    """`key`, `hub_id` and `model_id` of the repository of that name, in whatever letter case only one has."""
    unlisted = edges.lazy().filter(~pl.col("parent_listed")).select(model_id="parent_model_id").unique()
    everyone = pl.concat([listed, unlisted], how="diagonal").with_columns(key=pl.coalesce("hub_id", "model_id"))
    folded = everyone.filter(pl.col("model_id").str.to_lowercase() == model.lower()).collect()
    exact = folded.filter(model_id=model).sort("hub_id").head(1)
    if exact.height or folded.height == 1:
        return exact if exact.height else folded
    near = folded["model_id"].sort().to_list() or _near_names(everyone, model)
    instead = f"did you mean {' or '.join(near)}?" if near else "look it up on the Hub"
    raise CensusError(f"no model {model!r} is known in {month:%Y-%m}: {instead}")


def _near_names(everyone: pl.LazyFrame, model: str) -> list[str]:
    namespace, _, name = model.lower().rpartition("/")
    folded = pl.col("model_id").str.to_lowercase()
    of_namespace = folded.str.starts_with(f"{namespace}/") if namespace else pl.lit(value=False)
    alike = folded.str.contains(name, literal=True) if name else pl.lit(value=False)
    names = everyone.filter(of_namespace | alike).select("model_id").sort("model_id").head(NAMES_COMPARED).collect()
    by_folded = {text.lower(): text for text in names["model_id"]}
    near = difflib.get_close_matches(model.lower(), by_folded, NAMES_SUGGESTED, cutoff=0.5)
    return [by_folded[text] for text in near]


BASES = {"all_time_delta": "growth of the cumulative counters", "rolling_30d": "30-day counters, scaled (estimates)"}
_UNSAFE_IN_MERMAID = re.compile(r"[^\w ./,()+-]")


def as_tree(family: Family, depth: int, children: int) -> str:
    """A drawing of the family to so many levels, the most downloaded branches first, with what is hidden."""
    lines = (branch + text for branch, text, *_ in _drawn(family, depth, children))
    return "\n".join([*_definition(family), "", *lines])


def as_mermaid(family: Family, depth: int, children: int) -> str:
    """The same drawing as a Mermaid flowchart."""
    lines = ["flowchart LR", *(f"%% {line.strip()}" for line in _definition(family))]
    for place, (_, text, row, above) in enumerate(_drawn(family, depth, children)):
        node = f"more{place}" if row is None else f"m{row}"
        inert = _UNSAFE_IN_MERMAID.sub(lambda sign: f"#{ord(sign[0])};", text)
        lines.append(f'  {node}["{inert}"]')
        if above is not None:
            lines.append(f"  m{above} --> {node}")
    return "\n".join(lines)


def as_json(family: Family, depth: int, _: int) -> str:
    """All members to so many levels, and the derivations between them."""
    members, edges = _within(family, depth)
    shown = ("model_id", "hub_id", "level", "country", "downloads", "members_below", "downloads_below")
    names = members["model_id"]
    return json.dumps(
        {
            "model": members["model_id"][0],
            "derives_from": family.parents,
            "month": f"{family.month:%Y-%m}",
            "source": family.source,
            "is_synthetic": is_synthetic(family.source),
            "basis": family.basis,
            "attribution": "uploader",
            "family_members": family.members.height,
            "family_downloads": family.members["downloads"].sum(),
            "hidden_members": family.members.height - members.height,
            "members": members.select(*shown).to_dicts(),
            "derivations": edges.with_columns(child=names[edges["child"]], parent=names[edges["parent"]]).to_dicts(),
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


FORMATS = {"tree": as_tree, "json": as_json, "graphml": as_graphml, "mermaid": as_mermaid}


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
        f"{label(is_synthetic=is_synthetic(family.source))}What derives from {plain(members['model_id'][0])}",
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


def _drawn(family: Family, depth: int, children: int) -> Iterator[tuple[str, str, int | None, int | None]]:
    """The drawing's lines from top to bottom, at most so many `children` under one member.

    Of each the branch before it, its text, the row of its member (without one it is what is left out), and of the one
    above.
    """
    branch_downloads = (pl.col("downloads").fill_null(0.0) + pl.col("downloads_below")).alias("branch_downloads")
    members = family.members.with_row_index("row").with_columns(branch_downloads)
    hanging = defaultdict(list)
    for member in members.sort("branch_downloads", descending=True, maintain_order=True).to_dicts():
        hanging[member["above"]].append(member)
    waiting = [("", "", hanging[None][0])]
    while waiting:
        branch, indent, member = waiting.pop()
        is_cut = member["level"] >= depth
        yield branch, member.get("text") or _text(member, is_cut=is_cut), member["row"], member["above"]
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
