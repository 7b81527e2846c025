"""What reading a month costs at the size of the whole Hub.

Pages as the listing API sends them, and the same models as an archive's Parquet file, are made from a synthetic world
of 100,000 models, repeated under other ids. Timed are: kept pages into the month's snapshot in the lake, the
archive's file into the same, and the objects of `HfApi.list_models` over the same pages.
"""

from __future__ import annotations

import datetime as dt
import gzip
import json
import multiprocessing
import re
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import polars as pl
from huggingface_hub import HfApi

from assets.listings.hub_snapshots import HUB_SNAPSHOTS, snapshot_rows
from benchmarks.stages import Peer, Stage
from pipeline.lake.store import Lake
from pipeline.sources.client import HubClient
from pipeline.sources.listing_crawl import EXPANDED_FIELDS, POSITION, ListingCrawl, Position, packed
from pipeline.sources.records import read_parquet
from pipeline.sources.snapshots import Snapshot
from synthetic_hub.listing import Listing, Query
from synthetic_hub.world import WorldSettings, ensure_world

MONTH = dt.date(2025, 9, 1)
WORLD = 100_000
PAGE = 1000
OBJECTS_OVER = 50_000
"""Models over which `list_models` is timed; its cost is the same for each."""
IDS = re.compile(rb'"_id":"(.{8})..')


def prepare(folder: Path, models: int) -> None:
    """Keeps the pages and writes the archive's file."""
    settings = WorldSettings(models=WORLD, pathologies=False, truth=False, revisions=(dt.date(2025, 10, 1),))
    world = ensure_world(folder / "worlds", settings)
    listing = Listing(world.listing(dt.date(2025, 10, 1)))
    repeats = -(-models // listing.repositories.height)
    bodies, cursor = [], None
    while cursor is not None or not bodies:
        page = listing.page(Query(PAGE, "createdAt", ascending=True, cursor=cursor, fields=EXPANDED_FIELDS))
        bodies.append(json.dumps(page.rows, ensure_ascii=False, separators=(",", ":")).encode())
        cursor = page.cursor
    kept, sent = folder / "pages", folder / "sent"
    for made in (kept, sent):
        made.mkdir(parents=True, exist_ok=True)
    for repeat in range(repeats):
        for place, body in enumerate(bodies):
            number = repeat * len(bodies) + place
            own = IDS.sub(rb'"_id":"%02x\1' % repeat, body)
            (kept / f"page-{number:06d}.json.zst").write_bytes(packed(own))
            (sent / f"page-{number:06d}.json.gz").write_bytes(gzip.compress(own, 1, mtime=0))
    (kept / POSITION).write_text(json.dumps(asdict(Position(repeats * len(bodies), models))))
    archived = pl.read_parquet(world.revisions["path"][-1])
    renumbered = [
        archived.with_columns(
            (pl.lit(f"{repeat:02x}") + pl.col("_id").str.slice(0, 8) + pl.col("_id").str.slice(10)).alias("_id")
        )
        for repeat in range(repeats)
    ]
    pl.concat(renumbered).write_parquet(folder / "models.parquet", compression="snappy", statistics=False)


def pages(folder: Path) -> dict[str, int]:
    """Kept pages into the lake."""
    return _into_the_lake(folder, ListingCrawl(HubClient("http://127.0.0.1:9"), folder / "pages").observed().rows)


def archive(folder: Path) -> dict[str, int]:
    """The archive's file into the lake."""
    return _into_the_lake(folder, read_parquet([folder / "models.parquet"]).rows)


def _into_the_lake(folder: Path, rows: pl.LazyFrame) -> dict[str, int]:
    snapshot = Snapshot(rows, dt.datetime(2025, 10, 1, tzinfo=dt.UTC), "benchmark", "1")
    return {"models": Lake(str(folder / "lake")).write(HUB_SNAPSHOTS, MONTH, snapshot_rows(snapshot, MONTH)).rows}


def objects(folder: Path) -> dict[str, int]:
    """`HfApi.list_models` over the first pages, sent by another process as the Hub sends them."""
    context = multiprocessing.get_context("spawn")
    port = context.Queue()
    server = context.Process(target=_serve, args=(folder / "sent", port), daemon=True)
    server.start()
    try:
        api = HfApi(endpoint=f"http://127.0.0.1:{port.get(timeout=60)}", token=False)
        return {"models": sum(1 for _ in api.list_models(expand=list(EXPANDED_FIELDS), limit=OBJECTS_OVER))}
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


STAGES = (
    Stage(
        "pages",
        "kept pages of the listing into the lake",
        prepare,
        pages,
        at_most_seconds=40,
        at_most_gib=4,
        peers=(Peer("HfApi.list_models, a model", objects, 8),),
    ),
    Stage(
        "archive",
        "an archive's Parquet into the lake",
        prepare,
        archive,
        at_most_seconds=15,
        at_most_gib=3,
        made_for="pages",
    ),
)
