"""What reading a month costs at the size of the whole Hub.

Pages as the listing API sends them, and the same models as an archive's Parquet file, are made from a synthetic world
of 100,000 models, repeated under other ids. Timed are: spooled pages into the month's snapshot in the lake, the
archive's file into the same, and the objects of `HfApi.list_models` over the same pages; each in a process of its own,
with its peak resident memory. CPU time is shown beside the clock's, for machines that have other things to do.

    python -m benchmarks.ingest                         # 3,000,000 models
    python -m benchmarks.ingest --models 300000 --folder /somewhere/with/room
"""

from __future__ import annotations

import argparse
import datetime as dt
import gzip
import json
import multiprocessing
import re
import resource
import tempfile
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import polars as pl
from huggingface_hub import HfApi

from pipeline.hub.client import HubClient
from pipeline.hub.local_hub.listing import Listing, Query
from pipeline.hub.local_hub.world import WorldSettings, ensure_world
from pipeline.hub.opening import snapshot_rows
from pipeline.hub.sources.base import Snapshot
from pipeline.hub.sources.dialects import read_parquet
from pipeline.hub.sources.listing import EXPANDED_FIELDS, ListingCrawl, packed
from pipeline.lake.store import Lake
from pipeline.tables.listings import HUB_SNAPSHOTS

MONTH = dt.date(2025, 9, 1)
WORLD = 100_000
PAGE = 1000
OBJECTS_OVER = 50_000
"""Models over which `list_models` is timed; its cost is the same for each."""
LIMITS = {"pages": (40, 2.0), "archive": (15, 3.0)}
TIMES_FASTER = 8
IDS = re.compile(rb'"_id":"(.{8})..')


def prepare(folder: Path, models: int) -> None:
    """Spools the pages and writes the archive's file, unless they are there."""

    done = folder / "made"
    if done.exists():
        return
    settings = WorldSettings(models=WORLD, pathologies=False, truth=False, revisions=(dt.date(2025, 10, 1),))
    world = ensure_world(folder / "worlds", settings)
    listing = Listing(world.listing(dt.date(2025, 10, 1)))
    repeats = -(-models // listing.repositories.height)
    bodies, cursor = [], None
    while cursor is not None or not bodies:
        page = listing.page(Query(PAGE, "createdAt", ascending=True, cursor=cursor, fields=EXPANDED_FIELDS))
        bodies.append(json.dumps(page.rows, ensure_ascii=False, separators=(",", ":")).encode())
        cursor = page.cursor
    spool, sent = folder / "spool", folder / "sent"
    for made in (spool, sent):
        made.mkdir(parents=True, exist_ok=True)
    for repeat in range(repeats):
        for place, body in enumerate(bodies):
            number = repeat * len(bodies) + place
            own = IDS.sub(rb'"_id":"%02x\1' % repeat, body)
            (spool / f"page-{number:06d}.json.zst").write_bytes(packed(own))
            (sent / f"page-{number:06d}.json.gz").write_bytes(gzip.compress(own, 1, mtime=0))
    archived = pl.read_parquet(world.revisions["path"][-1])
    renumbered = [
        archived.with_columns(
            (pl.lit(f"{repeat:02x}") + pl.col("_id").str.slice(0, 8) + pl.col("_id").str.slice(10)).alias("_id")
        )
        for repeat in range(repeats)
    ]
    pl.concat(renumbered).write_parquet(folder / "models.parquet", compression="snappy", statistics=False)
    done.touch()


def pages(folder: Path) -> int:
    """Spooled pages into the lake, without the columns that an earlier run kept of them."""
    for kept in (folder / "spool").glob("columns-*"):
        kept.unlink()
    return _into_the_lake(folder, ListingCrawl(HubClient("http://127.0.0.1:9"), folder / "spool").rows())


def archive(folder: Path) -> int:
    """The archive's file into the lake."""

    return _into_the_lake(folder, read_parquet(folder / "models.parquet"))


def _into_the_lake(folder: Path, rows: pl.LazyFrame) -> int:

    snapshot = Snapshot(rows, dt.datetime(2025, 10, 1, tzinfo=dt.UTC), "benchmark", "1")
    return Lake(str(folder / "lake")).write(HUB_SNAPSHOTS, MONTH, snapshot_rows(snapshot, MONTH)).rows


def objects(folder: Path) -> int:
    """`HfApi.list_models` over the first pages, sent by another process as the Hub sends them."""

    context = multiprocessing.get_context("spawn")
    port = context.Queue()
    server = context.Process(target=_serve, args=(folder / "sent", port), daemon=True)
    server.start()
    try:
        api = HfApi(endpoint=f"http://127.0.0.1:{port.get(timeout=60)}", token=False)
        return sum(1 for _ in api.list_models(expand=list(EXPANDED_FIELDS), limit=OBJECTS_OVER))
    finally:
        server.kill()


def _serve(sent: Path, port) -> None:
    found = sorted(sent.glob("page-*.json.gz"))

    class Pages(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            number = int(parse_qs(urlsplit(self.path).query).get("cursor", ["0"])[0])
            body = found[number].read_bytes()
            self.send_response(200)
            self.send_header("Content-Encoding", "gzip")
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            if number + 1 < len(found):
                own = f"http://127.0.0.1:{self.server.server_port}/api/models?cursor={number + 1}"
                self.send_header("Link", f'<{own}>; rel="next"')
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    port.put(server.server_port)
    server.serve_forever()


STAGES = {"pages": pages, "archive": archive, "objects": objects}


def measured(stage: str, folder: Path) -> dict[str, float]:
    """One stage in a process of its own: models, seconds, seconds of CPU, gigabytes at the peak."""
    context = multiprocessing.get_context("spawn")
    answer = context.Queue()
    process = context.Process(target=_measure, args=(stage, folder, answer))
    process.start()
    found = answer.get()
    process.join()
    return found


def _measure(stage: str, folder: Path, answer) -> None:
    began, cpu = time.perf_counter(), time.process_time()
    models = STAGES[stage](folder)
    answer.put(
        {
            "models": models,
            "seconds": time.perf_counter() - began,
            "cpu": time.process_time() - cpu,
            "gigabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        }
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=int, default=3_000_000)
    parser.add_argument("--folder", type=Path, help="Where the input is made and kept.  [default: a temporary folder]")
    parser.add_argument("--stage", action="append", choices=STAGES, help="Only this one; may be repeated.")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="census-ingest-") as temporary:
        folder = asked.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        prepare(folder, asked.models)
        found = {stage: measured(stage, folder) for stage in asked.stage or STAGES}
    print(f"{'stage':10} {'models':>10} {'seconds':>9} {'CPU s':>9} {'peak GB':>9} {'microseconds of CPU a model':>28}")
    for stage, figures in found.items():
        each = figures["cpu"] / figures["models"] * 1e6
        print(
            f"{stage:10} {figures['models']:10,} {figures['seconds']:9.1f} {figures['cpu']:9.1f} "
            f"{figures['gigabytes']:9.2f} {each:28.1f}"
        )
        if stage in LIMITS and figures["models"] >= 2_900_000:
            seconds, gigabytes = LIMITS[stage]
            kept = figures["seconds"] <= seconds and figures["gigabytes"] <= gigabytes
            print(f"{'':10} at most {seconds} s and {gigabytes} GB: {'kept' if kept else 'NOT KEPT'}")
    if {"pages", "objects"} <= found.keys():
        times = {
            unit: (found["objects"][unit] / found["objects"]["models"])
            / (found["pages"][unit] / found["pages"]["models"])
            for unit in ("seconds", "cpu")
        }
        kept = times["seconds"] >= TIMES_FASTER
        print(
            f"pages are {times['seconds']:.1f} times faster than objects by the clock, {times['cpu']:.1f} times by CPU "
            f"time; at least {TIMES_FASTER} times by the clock: {'kept' if kept else 'NOT KEPT'}"
        )


if __name__ == "__main__":
    main()
