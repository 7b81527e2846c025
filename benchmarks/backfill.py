"""What a backfill of 24 months costs, publishing included, as `census run --from --to --jobs 2` makes it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from benchmarks.dumps import backfill_dumps
from benchmarks.stages import WRITTEN, Stage
from pipeline.months import add_months
from synthetic_hub.timeline import MONTHS

MONTHS_OF_A_BACKFILL = 24


def prepare(folder: Path, models: int) -> None:
    """A dump at each boundary of the months."""
    backfill_dumps(folder, models, MONTHS_OF_A_BACKFILL)


def by_command(folder: Path) -> None:
    """The months, two at a time, and their publication, in a new home."""
    home = folder / WRITTEN
    last = add_months(MONTHS[0], MONTHS_OF_A_BACKFILL - 1)
    months = ["--from", f"{MONTHS[0]:%Y-%m}", "--to", f"{last:%Y-%m}", "--jobs", "2"]
    subprocess.run(
        [
            Path(sys.executable).with_name("census"),
            "run",
            "--source",
            "folder",
            "--snapshots",
            folder / "dumps",
            *months,
        ],
        env={**os.environ, "CENSUS_HOME": str(home)},
        check=True,
    )


STAGE = Stage(
    "backfill", "24 months by two jobs, and publishing", prepare, by_command, at_most_seconds=360, limits_at=300_000
)
