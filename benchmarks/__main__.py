"""Measures every stage of the census at the size of the whole Hub, and prints what it costs.

    python -m benchmarks                                   # every stage at 3,000,000 models, the median of three runs
    python -m benchmarks --stage lineage --stage shares    # only these
    python -m benchmarks --growth --peers                  # also at a tenth and a hundredth, and beside other tools
    python -m benchmarks --stage backfill --backfill-models 3000000 --runs 1   # 24 months of the whole Hub

The first run at a size makes its input, which takes minutes, and keeps it in `--folder`. Figures go to `--json`; a
later run compares itself with them by `--against`.
"""

from __future__ import annotations

import argparse
import json
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from benchmarks import attribution, backfill, ingest, lineage, month, publish, quality, shares, site
from benchmarks.page import as_text
from benchmarks.stages import FULL_SIZE, Stage, growth, measure, measure_peer

STAGES: tuple[Stage, ...] = (
    *ingest.STAGES,
    *attribution.STAGES,
    *lineage.STAGES,
    *shares.STAGES,
    *quality.STAGES,
    *publish.STAGES,
    *site.STAGES,
    *month.STAGES,
)
MEASURED = "<!-- Below: measured, written by `make bench ASK='--page docs/performance.md'`. -->"


def main() -> None:
    """Runs what was asked for, prints it and keeps it."""
    asked = _arguments()
    stages = [stage for stage in STAGES if not asked.stage or stage.name in asked.stage]
    sizes = [asked.models // 100, asked.models // 10, asked.models] if asked.growth else [asked.models]
    found: dict[str, Any] = {"machine": _machine(), "stages": [], "growth": [], "peers": []}
    for stage in stages:
        measured = [measure(stage, asked.folder, models, asked.runs) for models in sizes]
        found["stages"].append(measured[-1])
        if asked.growth:
            found["growth"].append(growth(measured))
        if asked.peers:
            found["peers"] += [measure_peer(stage, peer, asked.folder, asked.models) for peer in stage.peers]
        _keep(found, asked.json)
    if not asked.stage or backfill.STAGE.name in asked.stage:
        found["stages"].append(measure(backfill.STAGE, asked.folder, asked.backfill_models, asked.runs))
        _keep(found, asked.json)
    against = json.loads(asked.against.read_text(encoding="utf-8")) if asked.against else None
    text = as_text(found, {stage.name: stage for stage in (*STAGES, backfill.STAGE)}, against)
    print(text)
    if asked.page:
        words, _, _ = asked.page.read_text(encoding="utf-8").partition(MEASURED)
        asked.page.write_text(f"{words}{MEASURED}\n\n{text}\n", encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=int, default=FULL_SIZE)
    parser.add_argument("--backfill-models", type=int, default=FULL_SIZE // 10)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--stage", action="append", choices=[stage.name for stage in (*STAGES, backfill.STAGE)])
    parser.add_argument("--growth", action="store_true")
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--folder", type=absolute, default=absolute(".census/benchmarks"))
    parser.add_argument("--json", type=Path, default=Path(".census/benchmarks/figures.json"))
    parser.add_argument("--against", type=Path)
    parser.add_argument("--page", type=Path, help="the page whose tables are to be these, docs/performance.md")
    return parser.parse_args()


def absolute(folder: str) -> Path:
    """The folder from the root on, for lakes are named by URL."""
    return Path(folder).resolve()


def _machine() -> dict[str, Any]:
    return {
        "measured_on": f"{datetime.now(UTC):%Y-%m-%d}",
        "processors": psutil.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "python": platform.python_version(),
        "system": platform.system(),
    }


def _keep(found: dict[str, Any], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
