"""Measures a piece of work in a process of its own: time, processor time and memory, children included.

Work is a module-level function of a folder; what it returns is kept beside its figures. Memory is the resident memory
of the process and everything it started, summed twenty times a second; pages that two processes share count twice.
"""

from __future__ import annotations

import multiprocessing
import resource
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import psutil

SAMPLED_EVERY_SECONDS = 0.05

Work = Callable[[Path], dict[str, Any] | None]


@dataclass(frozen=True)
class Usage:
    """What one run of a piece of work cost.

    `processor_seconds` counts user and system time of the process and of the children that it waited for; `found` is
    what the work returned.
    """

    seconds: float
    processor_seconds: float
    peak_gib: float
    found: dict[str, Any] = field(default_factory=dict)


def in_its_own_process(work: Work, folder: Path) -> Usage:
    """Runs the work in a fresh process; start-up and imports at module level are not timed.

    Raises:
        RuntimeError: the work's process ended without an answer; what it printed says why.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_run, args=(work, folder, theirs))
    process.start()
    theirs.close()
    try:
        ours.recv()
        with _PeakMemory(process.pid) as memory:
            ours.send(None)
            seconds, processor_seconds, found = ours.recv()
    except EOFError as ended:
        process.join()
        raise RuntimeError(f"the work {work.__name__} ended with exit code {process.exitcode} and no answer") from ended
    process.join()
    return Usage(seconds, processor_seconds, memory.peak_gib, found)


def _run(work: Work, folder: Path, answer: Connection) -> None:
    answer.send(None)
    answer.recv()
    begin, used = time.perf_counter(), _processor_seconds()
    found = work(folder)
    answer.send((time.perf_counter() - begin, _processor_seconds() - used, found or {}))


def _processor_seconds() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


class _PeakMemory:
    """Watches a process and its descendants from its beginning to its end."""

    def __init__(self, pid: int | None) -> None:
        self._process = psutil.Process(pid)
        self._ended = threading.Event()
        self._watch = threading.Thread(target=self._sample, daemon=True)
        self.peak_gib = 0.0

    def __enter__(self) -> _PeakMemory:
        self._watch.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._watch.join()

    def _sample(self) -> None:
        while not self._ended.wait(SAMPLED_EVERY_SECONDS):
            self.peak_gib = max(self.peak_gib, sum(map(_resident_bytes, self._family())) / 2**30)

    def _family(self) -> list[psutil.Process]:
        try:
            return [self._process, *self._process.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []


def _resident_bytes(process: psutil.Process) -> int:
    try:
        return process.memory_info().rss
    except psutil.NoSuchProcess:
        return 0


def median_usage(usages: Sequence[Usage]) -> Usage:
    """The run whose time is the median of all; of an even number, the lower of the middle two."""
    median = statistics.median_low(usage.seconds for usage in usages)
    return next(usage for usage in usages if usage.seconds == median)


def growth_exponent(sizes: Sequence[int], costs: Sequence[float]) -> float:
    """The `e` of costs ~ sizes^e, by least squares over logarithms."""
    return float(np.polyfit(np.log(sizes), np.log(costs), 1)[0])
