"""What the derivation graph costs at the size of the whole Hub.

The snapshot is harder than the Hub: 7 % merges of several parents, chains to 71, hundreds of cycles, families of
50,000. Timed are derivations, model_lineage and origin_weights from its file; networkx does the graph work on the same
edges and must agree.
"""

from __future__ import annotations

import datetime as dt
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from assets.lineage.derivations import Derived, derive
from assets.lineage.graph import UNITS, Graph, graph_of
from assets.lineage.model_lineage import model_lineage
from assets.lineage.origin_weights import origin_weights
from assets.listings.hub_snapshots import lineage_tags
from benchmarks.stages import Peer, Stage
from pipeline.reference.lists import relations, renames

MONTH = dt.date(2025, 8, 1)
SHAPES = {
    "hub": {"derivatives": 0.40, "merges": 0.015, "longest_chain": 18, "deeper": 0.30},
    "stress": {"derivatives": 0.37, "merges": 0.07, "longest_chain": 71, "deeper": 0.62},
}
"""Shares of repositories that are derivatives, and of these that are merges; how often a derivative's parent is one."""

USUAL_TAGS = [
    "transformers",
    "safetensors",
    "llama",
    "text-generation",
    "conversational",
    "en",
    "license:apache-2.0",
    "endpoints_compatible",
    "region:us",
]


def edges(repositories: int, shape: dict[str, float], seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Children and parents; numbers from `repositories` on are unlisted parents."""
    random = np.random.default_rng(seed)
    derivatives = int(repositories * shape["derivatives"])
    bases = repositories - derivatives
    depths = _depths(derivatives, int(shape["longest_chain"]), shape["deeper"])
    starts = bases + np.concatenate(([0], np.cumsum(depths)))
    children, parents = [], []
    for depth, count in enumerate(depths):
        child = np.arange(starts[depth], starts[depth + 1])
        if depth == 0:
            parent = _popular(random, bases, count)
            ghosts = random.random(count) < 0.03
            parent[ghosts] = repositories + _popular(random, max(repositories // 150, 1), int(ghosts.sum()))
        else:
            above = depths[depth - 1]
            parent = starts[depth - 1] + (above * random.random(count) ** 3).astype(np.int64)
        children.append(child)
        parents.append(parent)
        merges = child[random.random(count) < min(shape["merges"] * (0.6 + depth / 5), 0.6)]
        for nth in range(1, 6):
            some = merges[random.random(merges.size) < 0.75**nth] if nth > 1 else merges
            pool = starts[depth] - bases
            if depth and some.size:
                children.append(some)
                parents.append(bases + (pool * random.random(some.size) ** 2).astype(np.int64))
            elif some.size:
                children.append(some)
                parents.append(_popular(random, bases, some.size))
    child, parent = np.concatenate(children), np.concatenate(parents)
    return _with_cycles(random, child, parent, repositories, bases)


def _depths(derivatives: int, longest: int, deeper: float) -> np.ndarray:
    shares = deeper ** np.arange(longest)
    counts = np.maximum((derivatives * shares / shares.sum()).astype(np.int64), 40)
    counts[0] += derivatives - counts.sum()
    return counts


def _popular(random: np.random.Generator, size: int, count: int) -> np.ndarray:
    """Numbers below `size`, the n-th drawn about 1/n as often as the first."""
    return np.minimum((size + 1) ** random.random(count) - 1, size - 1).astype(np.int64)


def _with_cycles(random, child, parent, repositories, bases):
    inner = np.flatnonzero((parent >= bases) & (parent < repositories))
    back = inner[random.choice(inner.size, size=min(360, inner.size // 50), replace=False)]
    pairs = random.choice(np.arange(bases // 2, bases), size=240, replace=False).reshape(-1, 2)
    child = np.concatenate([child, parent[back], pairs[:, 0], pairs[:, 1]])
    parent = np.concatenate([parent, child[back], pairs[:, 1], pairs[:, 0]])
    return child, parent


def snapshot(repositories: int, shape: dict[str, float], seed: int = 1) -> pl.DataFrame:
    """Rows of `listings/hub_snapshots`, with each parent declared in all four places as on the Hub."""
    child, parent = edges(repositories, shape, seed)
    relation = np.array(["finetune", "quantized", "adapter"])[
        np.random.default_rng(seed).choice(3, size=repositories, p=[0.35, 0.4, 0.25])
    ]
    number = pl.int_range(repositories, eager=True)
    names = pl.DataFrame({"number": number}).select(hub_id=_hub_id(pl.col("number")), model_id=_name(pl.col("number")))
    ghosts = pl.DataFrame(
        {"number": pl.int_range(repositories, max(int(parent.max()) + 1, repositories + 1), eager=True)}
    ).select(
        hub_id=_hub_id(pl.col("number")),
        model_id=pl.format("withdrawn-{}/model-{}", pl.col("number") % 997, pl.col("number")),
    )
    everyone = pl.concat([names, ghosts])
    declared = pl.DataFrame({"child": child, "parent": parent}).unique().sort("child", "parent")
    several = declared.group_by("child").len().filter(pl.col("len") > 1)["child"].to_numpy()
    relation[several] = "merge"
    target = everyone[declared["parent"]]
    stated = pl.Series("relation", relation[declared["child"].to_numpy()])
    by_child = (
        declared.with_columns(target["hub_id"], target["model_id"], stated)
        .with_columns(
            typed=pl.format("base_model:{}:{}", "relation", "model_id"), untyped=pl.format("base_model:{}", "model_id")
        )
        .group_by("child", maintain_order=True)
        .agg(
            "typed",
            "untyped",
            base_models=pl.struct("hub_id", "model_id"),
            card_base_models="model_id",
            base_model_relation=pl.col("relation").first(),
        )
    )
    rows = (
        names.with_row_index("child")
        .with_columns(pl.col("child").cast(pl.Int64))
        .join(by_child, on="child", how="left", maintain_order="left")
    )
    usual = pl.lit(pl.Series([USUAL_TAGS]))
    empty = pl.lit(pl.Series([[]], dtype=pl.List(pl.String)))
    return (
        rows.select(
            pl.lit(MONTH).alias("month"),
            "hub_id",
            "model_id",
            "base_model_relation",
            "base_models",
            pl.concat_list(usual, pl.col("untyped").fill_null(empty), pl.col("typed").fill_null(empty)).alias("tags"),
            "card_base_models",
        )
        .with_columns(lineage_tags())
        .sort("hub_id")
    )


def _hub_id(number: pl.Expr) -> pl.Expr:
    return (number * 2654435761 % 1000000007 * 10**9 + number).cast(pl.String).str.zfill(24)


def _name(number: pl.Expr) -> pl.Expr:
    return pl.format("author-{}/model-{}-7B-Instruct", number * 7919 % 611_000, number)


def write_snapshot(folder: Path, models: int) -> None:
    """The snapshot in the order of `hub_id`, as the lake holds it."""
    snapshot(models, SHAPES["stress"]).write_parquet(folder / "snapshot.parquet")


def from_snapshot(folder: Path) -> dict[str, Any]:
    """The three tables from the file; seconds by part, and the sizes of what was made."""
    seconds = {}

    def timed(part, work):
        begin = time.perf_counter()
        result = work()
        seconds[part] = time.perf_counter() - begin
        return result

    derived = timed("derivations", lambda: _derived(folder))
    graph = timed("graph", lambda: graph_of(derived.edges, derived.repositories))
    lineage = timed("model_lineage", lambda: model_lineage(graph, MONTH))
    weights = timed("origin_weights", lambda: origin_weights(graph, "equal_parts", MONTH))
    sizes = {
        "repositories": lineage.height,
        "edges": derived.edges.height,
        "weights": weights.height,
        "weights_by_namespace": weights.select("hub_id", "namespace").unique().height,
        "derivatives": lineage["is_derivative"].sum(),
        "merges": derived.edges.group_by("child").len().filter(pl.col("len") > 1).height,
        "cycles": int((graph.condensation.size > 1).sum()),
        "longest_chain": lineage["depth_longest"].max(),
        "most_roots": lineage["roots"].max(),
    }
    return {"parts": seconds, "sizes": sizes}


def _derived(folder: Path) -> Derived:
    snapshot = pl.scan_parquet(folder / "snapshot.parquet").set_sorted("hub_id")
    return derive(snapshot, renames=renames(), relations=relations())


def _graph(folder: Path) -> Graph:
    derived = _derived(folder)
    return graph_of(derived.edges, derived.repositories)


def graph_by_arrays(folder: Path) -> dict[str, float]:
    """Components, depths, roots and weights from arrays of edges, by us."""
    graph = _graph(folder)
    begin = time.perf_counter()
    our_graph_work(graph)
    return {"part_seconds": time.perf_counter() - begin}


def graph_by_networkx(folder: Path) -> dict[str, float]:
    """The same from the same arrays by networkx, which must agree."""
    graph = _graph(folder)
    begin = time.perf_counter()
    theirs = networkx_graph_work(graph)
    seconds = time.perf_counter() - begin
    for mine, other in zip(our_graph_work(graph), theirs, strict=True):
        assert np.allclose(mine, other), "networkx disagrees"
    return {"part_seconds": seconds}


def our_graph_work(graph: Graph) -> tuple[np.ndarray, ...]:
    """Shortest and longest depth, number of roots and largest weight of every node."""
    component = graph.condensation.component
    weights = graph.equal_parts
    row = weights.row[component]
    shortest, longest = graph.condensation.depths
    largest = weights.units.data[weights.heaviest] / UNITS
    return shortest[component], longest[component], np.diff(weights.units.indptr)[row], largest[row]


def networkx_graph_work(graph: Graph) -> tuple[np.ndarray, ...]:
    """The same by networkx: condensation, topological order, dictionaries of weights."""
    import networkx as nx  # noqa: PLC0415 - a yardstick, not a dependency

    whole = nx.DiGraph()
    whole.add_nodes_from(range(len(graph.row)))
    whole.add_edges_from(zip(graph.child.tolist(), graph.parent.tolist(), strict=True))
    condensed = nx.condensation(whole)
    component = condensed.graph["mapping"]
    shortest, longest, weights = {}, {}, {}
    for node in reversed(list(nx.topological_sort(condensed))):
        members = condensed.nodes[node]["members"]
        parents = {parent for member in members for parent in whole.successors(member)} - members
        if not parents:
            shortest[node], longest[node], weights[node] = 0, 0, {node: 1.0}
            continue
        above = [component[parent] for parent in parents]
        shortest[node] = min(shortest[parent] for parent in above) + 1
        longest[node] = max(longest[parent] for parent in above) + 1
        split = {}
        for parent in above:
            for root, weight in weights[parent].items():
                split[root] = split.get(root, 0.0) + weight / len(above)
        weights[node] = split
    measures = (shortest.get, longest.get, lambda node: len(weights[node]), lambda node: max(weights[node].values()))
    return tuple(np.array([measure(component[node]) for node in range(len(graph.row))]) for measure in measures)


STAGES = (
    Stage(
        "lineage",
        "derivations, model_lineage and origin_weights from the snapshot",
        write_snapshot,
        from_snapshot,
        at_most_seconds=10,
        at_most_gib=2.5,
        peers=(Peer("networkx, the graph part", graph_by_networkx, 40, ours=graph_by_arrays),),
    ),
)
