"""What a month needs of disk and memory: the whole chain through Dagster over a synthetic Hub of many models.

Runs one month and its publication as `census run` does, from the local Hub's archive, and states what each table of the
lake takes per million models, what is kept beside it, and the most memory that the run's process took. Names and tags
of synthetic models pack a little better than real ones.

    python -m benchmarks.needs                            # 300,000 models, some minutes
    python -m benchmarks.needs --models 3000000 --folder /somewhere/with/room
"""

from __future__ import annotations

import argparse
import os
import tempfile
from datetime import date
from pathlib import Path

from benchmarks.measuring import in_its_own_process
from pipeline.definitions import CATALOGUE
from pipeline.lake.store import Lake
from pipeline.months import next_month
from pipeline.orchestration.home import prepare_home
from pipeline.orchestration.launch import Launch, RunOutcome, run_all
from synthetic_hub.server import LocalHub
from synthetic_hub.world import WorldSettings, ensure_world

MONTH = date(2025, 8, 1)
MONTHS = 24


def size(path: Path) -> int:
    """Bytes of the files below the path, each once however many names it has."""
    files = {(found := entry.stat()).st_ino: found.st_size for entry in path.rglob("*") if entry.is_file()}
    return sum(files.values())


def ended(events) -> None:
    outcomes = [event for event in events if isinstance(event, RunOutcome)]
    assert all(outcome.succeeded for outcome in outcomes), outcomes


def month_from_archive(home: Path) -> None:
    """The month, from the archive of the Hub that the environment names."""
    os.environ |= {"CENSUS_HOME": str(home), "DAGSTER_HOME": ""}
    prepare_home()
    ended(run_all([Launch("monthly_census", MONTH, {"snapshot_source": {"source": "hub_stats"}})], 1))


def publication(home: Path) -> None:
    """What the lake holds, published."""
    os.environ |= {"CENSUS_HOME": str(home), "DAGSTER_HOME": ""}
    prepare_home()
    ended(run_all([Launch("publish")], 1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=int, default=300_000)
    parser.add_argument("--folder", type=Path, help="where worlds are kept between runs; default: nowhere")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        home = Path(temporary) / "home"
        boundaries = (MONTH, next_month(MONTH))
        world = ensure_world(
            (options.folder or Path(temporary)) / "worlds",
            WorldSettings(models=options.models, revisions=boundaries, truth=False),
        )
        with LocalHub(world) as hub:
            os.environ["HF_ENDPOINT"] = hub.endpoint
            month = in_its_own_process(month_from_archive, home)
            instance = size(home / "dagster")
            in_its_own_process(publication, home)
        lake = Lake(str(home / "lake"))
        models = lake.stored(CATALOGUE["listings/hub_snapshots"], MONTH).rows
        in_millions = models / 1e6
        print(f"{models:,} models at the close of {MONTH:%Y-%m}")
        print(f"the month took {month.seconds:.0f} s and {month.peak_gib:.2f} GiB\n")
        print(f"{'what':<36} {'bytes':>14} {'MB per million models':>22}")
        tables = {table.path: size(home / "lake" / table.path) for table in CATALOGUE.tables.values() if table.monthly}
        for path, taken in sorted(tables.items(), key=lambda item: -item[1]):
            print(f"{path:<36} {taken:>14,} {taken / 1e6 / in_millions:>22.2f}")
        whole = sum(tables.values())
        print(f"{'the lake, a month':<36} {whole:>14,} {whole / 1e6 / in_millions:>22.2f}")
        cache, published = size(home / "cache"), size(home / "published")
        print(f"{'the cache: the archive, two months':<36} {cache:>14,} {cache / 1e6 / in_millions:>22.2f}")
        print(f"{'what is published, a month':<36} {published:>14,}")
        print(f"{'the Dagster instance, a month':<36} {instance:>14,}")


if __name__ == "__main__":
    main()
