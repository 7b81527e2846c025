"""What the derivation graph costs at the size of the whole Hub.

Generates a snapshot (`hub`, or `stress`: 7 % merges of several parents, chains to 71, hundreds of cycles, families of
50,000), writes it as Parquet, and times derivations, model_lineage and origin_weights from that file, each run in a
process of its own, with that process's peak resident memory. networkx does the same graph work on the same edges.

    python -m benchmarks.lineage --shape stress                 # 3,000,000 repositories, the median of three runs
    python -m benchmarks.lineage --shape stress --networkx      # and networkx on the same graph, some minutes
    python -m benchmarks.lineage --shape stress --growth        # 300,000, 1,000,000 and 3,000,000, and the exponents
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import multiprocessing
import resource
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

from pipeline.transform.lineage.graph import place
from pipeline.transform.lineage.nodes import DerivationGraph
from pipeline.transform.lineage.parse import derive
from pipeline.transform.lineage.weights import equal_parts, origin_weights
from pipeline.transform.normalise import lineage_tags

REFERENCE = Path(__file__).parents[1] / "pipeline" / "reference"
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
        .sample(fraction=1.0, shuffle=True, seed=seed)
    )


def _hub_id(number: pl.Expr) -> pl.Expr:
    return (number * 2654435761 % 1000000007 * 10**9 + number).cast(pl.String).str.zfill(24)


def _name(number: pl.Expr) -> pl.Expr:
    return pl.format("author-{}/model-{}-7B-Instruct", number * 7919 % 611_000, number)


def write_snapshot(path: Path, repositories: int, shape: str) -> None:
    snapshot(repositories, SHAPES[shape]).write_parquet(path)


def from_snapshot(path: Path, answer: multiprocessing.Queue) -> None:
    """The three tables from the file; puts seconds by step and the process's peak memory."""
    seconds = {}

    def timed(step, work):
        begin = time.perf_counter()
        result = work()
        seconds[step] = time.perf_counter() - begin
        return result

    begin = time.process_time()
    snapshots = pl.scan_parquet(path)
    renames, relations = pl.scan_csv(REFERENCE / "renames.csv"), pl.scan_csv(REFERENCE / "relations.csv")
    owners = pl.LazyFrame(schema={"model_id": pl.String, "organization": pl.String})
    derived = timed("derivations", lambda: derive(snapshots, renames=renames, relations=relations))
    graph = derived.graph
    split = timed("weights", lambda: equal_parts(graph))
    lineage = timed("model_lineage", lambda: place(graph, split, derived.listing, owners))
    weights = timed("origin_weights", lambda: origin_weights(graph, split, "equal_parts"))
    timings = {"seconds": sum(seconds.values()), "processor_seconds": time.process_time() - begin, "steps": seconds}
    sizes = {
        "repositories": lineage.height,
        "edges": derived.derivations.height,
        "weights": weights.height,
        "weights_by_namespace": weights.select("hub_id", "namespace").unique().height,
        "derivatives": lineage["is_derivative"].sum(),
        "merges": derived.derivations.group_by("child_hub_id").len().filter(pl.col("len") > 1).height,
        "cycles": int((np.bincount(graph.condensation.representative) > 1).sum()),
        "longest_chain": lineage["depth_longest"].max(),
        "most_roots": lineage["roots"].max(),
        "largest_family": lineage["descendants"].max(),
    }
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    answer.put(timings | {"peak_gib": peak, "sizes": sizes})


def graph_part(path: Path, answer: multiprocessing.Queue) -> None:
    """Components, depths, roots and weights from the same arrays of edges, by us and by networkx.

    Puts seconds of processor time: both use one processor, and other work on the machine does not count.
    """
    renames, relations = pl.scan_csv(REFERENCE / "renames.csv"), pl.scan_csv(REFERENCE / "relations.csv")
    graph = derive(pl.scan_parquet(path), renames=renames, relations=relations).graph
    begin = time.process_time()
    ours = our_graph_work(graph)
    arrays = time.process_time() - begin
    begin = time.process_time()
    theirs = networkx_graph_work(graph)
    objects = time.process_time() - begin
    for mine, other in zip(ours, theirs, strict=True):
        assert np.allclose(mine, other), "networkx disagrees"
    answer.put({"arrays_seconds": arrays, "networkx_seconds": objects, "times_slower": objects / arrays})


def our_graph_work(graph: DerivationGraph) -> tuple[np.ndarray, ...]:
    """Shortest and longest depth, number of roots and largest weight of every node."""
    condensed = graph.condensation
    weights = equal_parts(graph)
    row = weights.row[condensed.representative]
    largest = np.maximum.reduceat(weights.weight, weights.first[:-1])
    depths = condensed.depth_shortest[condensed.representative], condensed.depth_longest[condensed.representative]
    return *depths, weights.roots[row], largest[row]


def networkx_graph_work(graph: DerivationGraph) -> tuple[np.ndarray, ...]:
    """The same by networkx: condensation, topological order, dictionaries of weights."""
    import networkx as nx  # noqa: PLC0415 - a yardstick, not a dependency

    whole = nx.DiGraph()
    whole.add_nodes_from(range(graph.nodes))
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
    return tuple(np.array([measure(component[node]) for node in range(graph.nodes)]) for measure in measures)


def in_its_own_process(work, *arguments):
    """Runs the work in a fresh process, so that its memory is its own, and returns what it puts."""
    context = multiprocessing.get_context("spawn")
    answer = context.Queue()
    process = context.Process(target=work, args=(*arguments, answer))
    process.start()
    result = answer.get()
    process.join()
    return result


def measure(folder: Path, repositories: int, shape: str, runs: int) -> dict:
    path = folder / f"{shape}_{repositories}.parquet"
    if not path.exists():
        generator = multiprocessing.get_context("spawn").Process(
            target=write_snapshot, args=(path, repositories, shape)
        )
        generator.start()
        generator.join()
    results = [in_its_own_process(from_snapshot, path) for _ in range(runs)]
    median = statistics.median(result["seconds"] for result in results)
    chosen = min(results, key=lambda result: abs(result["seconds"] - median))
    print(json.dumps({"shape": shape, "repositories": repositories, **chosen}), flush=True)
    return chosen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repositories", type=int, default=3_000_000)
    parser.add_argument("--shape", choices=sorted(SHAPES), default="stress")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--networkx", action="store_true")
    parser.add_argument("--growth", action="store_true")
    parser.add_argument("--folder", type=Path, help="where snapshots are kept between runs; default: nowhere")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        sizes = [300_000, 1_000_000, 3_000_000] if options.growth else [options.repositories]
        results = [measure(folder, size, options.shape, options.runs) for size in sizes]
        if options.growth:
            exponents = {
                timed: round(float(np.polyfit(np.log(sizes), np.log([result[timed] for result in results]), 1)[0]), 3)
                for timed in ("seconds", "processor_seconds")
            }
            print(json.dumps({"shape": options.shape, "exponents": exponents}))
        if options.networkx:
            path = folder / f"{options.shape}_{sizes[-1]}.parquet"
            print(json.dumps({"repositories": sizes[-1], **in_its_own_process(graph_part, path)}))


if __name__ == "__main__":
    main()
