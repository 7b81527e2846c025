"""A bad night cannot have changed a number: kills at random moments, random worlds under random faults.

The long form, by `make test-faults`; what it counted goes into `docs/reliability.json`.
"""

import json
import os
import random
import shutil
import time
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import polars as pl
import pytest

from pipeline.hub.local_hub.faults import Fault, Faults
from pipeline.hub.local_hub.server import LocalHub
from pipeline.hub.local_hub.world import WorldSettings, ensure_world
from pipeline.lake.store import Lake
from pipeline.publish.folder import PublishedFolder
from pipeline.publish.verify import verify
from pipeline.tables.catalog import SEALED_TABLES
from pipeline.tables.published import MONTH_SEALS

MONTH = date(2025, 3, 1)
OPENING_AND_CLOSING = (MONTH, date(2025, 4, 1))
KILLS = int(os.environ.get("FAULTS_KILLS", "100"))
WORLDS = int(os.environ.get("FAULTS_WORLDS", "20"))
SECONDS_ALLOWED = int(os.environ.get("FAULTS_SECONDS", "1800"))
"""How long each of these tests goes on: on a slow machine it counts fewer, and says how many."""
FIGURES = Path(__file__).parents[2] / "docs" / "reliability.json"
BEGIN, END = "<!-- figures: written by `make test-faults` -->", "<!-- end of figures -->"

pytestmark = pytest.mark.faults


def world_of(folder, seed):
    return ensure_world(
        folder / "worlds", WorldSettings(models=1_000, seed=seed, revisions=OPENING_AND_CLOSING, truth=False)
    )


def digests_of(home):
    """The digest of every file that the lake holds of the month, by table."""
    lake = Lake(str(home / "lake"))
    return {
        table.path: lake.digest(table, MONTH) for table in (*SEALED_TABLES, MONTH_SEALS) if lake.holds(table, MONTH)
    }


def torn_files(home):
    """Files under their final names that no reader can open."""
    torn = []
    for path in (home / "lake").rglob("part-0.parquet"):
        try:
            pl.read_parquet(path)
        except pl.exceptions.PolarsError:
            torn.append(path)
    return torn


def write_figures(**figures):
    """Into `docs/reliability.json`, and as a table into the page beside it."""
    known = (json.loads(FIGURES.read_text()) if FIGURES.exists() else {}) | {
        name: {**counted, "date": f"{datetime.now(UTC):%Y-%m-%d}"} for name, counted in figures.items()
    }
    FIGURES.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")
    lines = [f"| {in_words(run)} | {in_words(what)} | {n} |" for run in sorted(known) for what, n in known[run].items()]
    page = FIGURES.with_suffix(".md")
    before, _, rest = page.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    table = "\n".join(["| run | counted | |", "|---|---|---|", *lines])
    page.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}")


def within_the_time(times):
    """Counts so far as the time allows, once at least."""
    ends = time.monotonic() + SECONDS_ALLOWED
    for number in range(times):
        if number and time.monotonic() > ends:
            return
        yield number


def in_words(name):
    return name.replace("_", " ")


def test_a_month_killed_a_hundred_times_at_random_moments_is_the_undisturbed_one_run_again(worker_in, tmp_path):
    moments = random.Random(10)
    counted = Counter()
    with LocalHub(world_of(tmp_path, seed=1)) as hub:
        with worker_in(tmp_path / "undisturbed", hub.endpoint) as worker:
            worker.run("monthly_census", MONTH)
            began = time.monotonic()
            assert worker.run("monthly_census", MONTH)["status"] == 0
            lasts = time.monotonic() - began
        undisturbed = digests_of(tmp_path / "undisturbed")
        home = tmp_path / "killed"
        with worker_in(home, hub.endpoint) as worker:
            for kill in within_the_time(KILLS):
                if kill % 2 == 0:
                    shutil.rmtree(home / "lake", ignore_errors=True)
                if kill % 10 == 0:
                    shutil.rmtree(home / "cache", ignore_errors=True)
                counted["killed"] += worker.killed_after(moments.uniform(0, lasts), "monthly_census", MONTH)
                counted["torn_files"] += len(torn_files(home))
                left = digests_of(home)
                counted["files_left_whole"] += len(left)
                counted["wrong_files"] += sum(digest != undisturbed[table] for table, digest in left.items())
                if kill % 4 == 3:
                    assert worker.run("monthly_census", MONTH)["failures"] == []
                    counted["run_again"] += 1
                    counted["not_the_same_bytes"] += digests_of(home) != undisturbed
            assert worker.run("monthly_census", MONTH)["failures"] == []
    counted["not_the_same_bytes"] += digests_of(home) != undisturbed
    write_figures(killed_months=dict(counted))
    assert counted["torn_files"] == counted["wrong_files"] == counted["not_the_same_bytes"] == 0
    assert counted["killed"] > counted["run_again"]


def published_content(home):
    """What a publication says, apart from when it was made."""
    folder = home / "published"
    with duckdb.connect(str(folder / "census.duckdb"), read_only=True) as warehouse:
        tables = [name for (name,) in warehouse.sql("select table_name from duckdb_tables()").fetchall()]
        return {
            name: warehouse.sql(f'select * from "{name}" order by all').fetchall()
            for name in sorted(tables)
            if name != "_census"
        }


def test_a_publication_killed_a_hundred_times_at_random_moments_is_whole_and_the_undisturbed_one(worker_in, tmp_path):
    moments = random.Random(11)
    counted = Counter()
    home = tmp_path / "home"
    with LocalHub(world_of(tmp_path, seed=1)) as hub, worker_in(home, hub.endpoint) as worker:
        assert worker.run("monthly_census", MONTH)["failures"] == []
        assert worker.run("publish")["failures"] == []
        began = time.monotonic()
        assert worker.run("publish")["failures"] == []
        lasts = time.monotonic() - began
        undisturbed = published_content(home)
        for kill in within_the_time(KILLS):
            before = PublishedFolder(home / "published").current()
            counted["killed"] += worker.killed_after(moments.uniform(0, lasts), "publish")
            found = verify(Lake(str(home / "lake")), SEALED_TABLES, home / "published")
            counted["torn_files"] += len(found.findings)
            counted["wrong_publications"] += published_content(home) != undisturbed
            counted["new_versions"] += PublishedFolder(home / "published").current() != before
            if kill % 5 == 4:
                assert worker.run("publish")["failures"] == []
                counted["run_again"] += 1
                counted["not_the_same"] += published_content(home) != undisturbed
        assert worker.run("publish")["failures"] == []
    counted["left_behind"] = len(list((home / "published" / "versions").glob(".*")))
    write_figures(killed_publications=dict(counted))
    assert counted["torn_files"] == counted["wrong_publications"] == counted["not_the_same"] == 0
    assert counted["left_behind"] == 0
    assert counted["killed"] > counted["run_again"]


KINDS = {
    "too_many_requests": lambda chance: Fault(
        "too_many_requests", hits(chance), path(chance), chance.choice([0, None])
    ),
    "server_error": lambda chance: Fault(
        "server_error", hits(chance), path(chance), chance.choice([500, 502, 503, 504, 403, 404])
    ),
    "cut": lambda chance: Fault("cut", hits(chance), path(chance), chance.random()),
    "slow": lambda chance: Fault("slow", hits(chance), path(chance), 0.2),
    "truncated_json": lambda chance: Fault("truncated_json", hits(chance), "/api/datasets"),
    "redirect": lambda chance: Fault(
        "redirect", hits(chance), path(chance), chance.choice(["http://127.0.0.1:9/", "file:///etc/passwd"])
    ),
}


def path(chance):
    return chance.choice(["/api/datasets", "/datasets", "/"])


def hits(chance):
    return tuple(sorted(chance.sample(range(1, 12), k=chance.randint(1, 4))))


def test_twenty_random_worlds_under_random_faults_end_in_the_same_marts_or_in_a_refusal(worker_in, tmp_path):
    counted, faults_by_kind = Counter(), Counter()
    unclear = []
    for seed in within_the_time(WORLDS):
        counted["worlds"] += 1
        chance = random.Random(1000 + seed)
        world = world_of(tmp_path, seed=2000 + seed)
        kinds = chance.choices(sorted(KINDS), k=chance.randint(2, 5))
        faults_by_kind.update(kinds)
        with LocalHub(world) as hub, worker_in(tmp_path / f"{seed}-undisturbed", hub.endpoint) as worker:
            assert worker.run("monthly_census", MONTH)["failures"] == []
        undisturbed = digests_of(tmp_path / f"{seed}-undisturbed")
        home = tmp_path / f"{seed}-disturbed"
        faults = Faults(tuple(KINDS[kind](chance) for kind in kinds))
        with LocalHub(world, faults=faults) as hub, worker_in(home, hub.endpoint) as worker:
            ended = worker.run("monthly_census", MONTH, WITHOUT_PAUSES="yes")
        counted["refused" if ended["status"] else "survived"] += 1
        unclear += [said for said in ended["failures"] if not is_clear(said)]
        counted["different_files"] += sum(digest != undisturbed[table] for table, digest in digests_of(home).items())
        counted["torn_files"] += len(torn_files(home))
        with LocalHub(world) as hub, worker_in(home, hub.endpoint) as worker:
            assert worker.run("monthly_census", MONTH)["failures"] == []
        counted["not_converged"] += digests_of(home) != undisturbed
        shutil.rmtree(home)
        shutil.rmtree(tmp_path / f"{seed}-undisturbed")
    of_faults = {f"faults_{kind}": number for kind, number in sorted(faults_by_kind.items())}
    write_figures(random_worlds={**counted, "unclear_messages": len(unclear), **of_faults})
    assert unclear == []
    assert counted["different_files"] == counted["torn_files"] == counted["not_converged"] == 0


def is_clear(said):
    """One sentence that names the thing, the cause and, after a colon, the remedy."""
    return "\n" not in said and "Traceback" not in said and said.count(":") >= 2
