"""What a stage of the census is to a benchmark, and how one is measured, over sizes and beside peers."""

from __future__ import annotations

import multiprocessing
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.measuring import Usage, Work, growth_exponent, in_its_own_process, median_usage

FULL_SIZE = 3_000_000
"""Models of a whole Hub."""
MOST_GROWTH = 1.1
"""The largest exponent by which a stage's seconds may grow up to that size."""
WRITTEN = "written"
"""The folder, beside its input, for what a run writes."""


@dataclass(frozen=True)
class Peer:
    """Another way to the same result over the same files; `ours` is the stage's own work unless only a part compares.

    Work that names its `models` was done on that many of them, and costs are compared a model; work that names
    `part_seconds` says itself what is to be compared.
    """

    name: str
    theirs: Work
    at_least_times: float
    ours: Work | None = None


@dataclass(frozen=True)
class Stage:
    """A piece of the chain: `prepare` makes what `work` reads in a folder, once, for a number of models.

    The limits hold at `limits_at` models, on two processors. A stage `made_for` another reads the same folder.
    """

    name: str
    what: str
    prepare: Callable[[Path, int], None]
    work: Work
    at_most_seconds: float | None = None
    at_most_gib: float | None = None
    limits_at: int = FULL_SIZE
    made_for: str | None = None
    peers: tuple[Peer, ...] = ()


def measure(stage: Stage, folder: Path, models: int, runs: int) -> dict[str, Any]:
    """Prepares the stage's input under `folder` if need be and runs it; figures of the median run, and the spread."""
    prepared = _prepared(stage, folder, models)
    usages = []
    # Where many files were just deleted, ext4 without a journal makes new ones five times as slowly: it is done last.
    with tempfile.TemporaryDirectory(dir=folder) as earlier:
        for run in range(runs):
            if (prepared / WRITTEN).exists():
                (prepared / WRITTEN).rename(Path(earlier) / str(run))
            usages.append(in_its_own_process(stage.work, prepared))
    seconds = [usage.seconds for usage in usages]
    return {
        "stage": stage.name,
        "models": models,
        "runs": runs,
        **asdict(median_usage(usages)),
        "lowest_seconds": min(seconds),
        "highest_seconds": max(seconds),
    }


def measure_peer(stage: Stage, peer: Peer, folder: Path, models: int) -> dict[str, Any]:
    """Both ways once, one after the other, and how many times as long the peer took."""
    prepared = _prepared(stage, folder, models)
    ours = in_its_own_process(peer.ours or stage.work, prepared)
    theirs = in_its_own_process(peer.theirs, prepared)
    return {
        "stage": stage.name,
        "peer": peer.name,
        "models": models,
        "ours_seconds": _compared(ours),
        "theirs_seconds": _compared(theirs),
        "times": _compared(theirs) / _compared(ours),
        "at_least_times": peer.at_least_times,
    }


def growth(measured: list[dict[str, Any]]) -> dict[str, Any]:
    """What a stage cost at each size measured, and the exponents by which that grows.

    Over all sizes, and from the last but one to the last: what is spent on starting weighs on the small ones.
    """
    sizes = [one["models"] for one in measured]
    costs = {of: [one[of] for one in measured] for of in ("seconds", "processor_seconds", "peak_gib")}
    return {
        "stage": measured[0]["stage"],
        "models": sizes,
        "costs": costs,
        "exponents": {of: growth_exponent(sizes, cost) for of, cost in costs.items()},
        "last_exponents": {of: growth_exponent(sizes[-2:], cost[-2:]) for of, cost in costs.items()},
    }


def _compared(usage: Usage) -> float:
    return usage.found.get("part_seconds", usage.seconds) / usage.found.get("models", 1)


def _prepared(stage: Stage, folder: Path, models: int) -> Path:
    """The stage's input, made in a process of its own, so that its memory does not count; whole or not at all."""
    prepared = folder / f"{stage.made_for or stage.name}-{models}"
    done = prepared / "prepared"
    if not done.exists():
        prepared.mkdir(parents=True, exist_ok=True)
        process = multiprocessing.get_context("spawn").Process(target=stage.prepare, args=(prepared, models))
        process.start()
        process.join()
        if process.exitcode:
            raise RuntimeError(f"the input of {stage.name} could not be made: exit code {process.exitcode}")
        done.touch()
    return prepared
