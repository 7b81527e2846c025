"""A month has one digest, whatever machine it is run on: those who check a figure have other processors.

The long form, by `make test-faults`: threads cut a table in other places only where it is large.
"""

import hashlib
from datetime import date

import pytest

from synthetic_hub.server import LocalHub
from synthetic_hub.world import WorldSettings, ensure_world

MODELS = 300_000
AUGUST, SEPTEMBER = date(2025, 8, 1), date(2025, 9, 1)


def digests_in(folder):
    """By path: every Parquet file but the one that says when the publication was made."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*.parquet")
        if path.parent.name != "_census"
    }


@pytest.mark.faults
def test_a_month_and_its_publication_are_the_same_bytes_on_one_two_and_sixteen_processors(census, tmp_path):
    world = ensure_world(tmp_path / "worlds", WorldSettings(models=MODELS, revisions=(AUGUST, SEPTEMBER), truth=False))
    made = []
    with LocalHub(world) as hub:
        for threads in ("1", "2", "16"):
            home = tmp_path / threads
            month = ("run", "--source", "hub_stats", "--from", "2025-08", "--to", "2025-08")
            finished = census(home, *month, HF_ENDPOINT=hub.endpoint, POLARS_MAX_THREADS=threads)
            assert finished.returncode == 0, finished.stdout + finished.stderr
            made.append((digests_in(home / "lake"), digests_in((home / "published" / "current").resolve())))
    assert made[0][0]
    assert made[0][1]
    assert made[1] == made[0]
    assert made[2] == made[0]
