"""The processors and the memory that this process may use: the container's limits where there are any."""

from __future__ import annotations

import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
PART_FOR_DUCKDB = 0.5
"""DuckDB's part of the memory; Python, Polars and what is passed between them need the rest."""


def duckdb_settings() -> dict[str, str]:
    """`threads` and `memory_limit` for DuckDB: by itself it takes most of the machine, whatever the container may."""
    return {"threads": str(processors()), "memory_limit": f"{int(_memory_bytes() * PART_FOR_DUCKDB / 2**20)}MiB"}


def processors() -> int:
    """How many processors this process may use."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota, _, period = _read("cpu.max").partition(" ")
    return max(1, min(available, int(quota) // int(period))) if quota.isdigit() and period.isdigit() else available


def _memory_bytes() -> int:
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = _read("memory.max")
    return min(physical, int(limit)) if limit.isdigit() else physical


def _read(name: str) -> str:
    try:
        return (CGROUP / name).read_text().strip()
    except OSError:
        return ""
