"""Whatever a Hub or a mirror of it answers: the same rows come of it, or one sentence, and the next attempt gets there.

Each case is asked for three times in the same place: undisturbed elsewhere, disturbed, and undisturbed again.
"""

import io
from collections.abc import Callable
from datetime import date
from typing import NamedTuple

import polars as pl
import pytest

from assets.listings.hub_snapshots import snapshot_rows
from pipeline.errors import CensusError
from pipeline.sources.client import HubClient
from pipeline.sources.hub_stats import HubStatsSource
from pipeline.sources.listing_crawl import ListingCrawl
from synthetic_hub.datasets import ARCHIVE_REPOSITORY
from tests.mirror import Misbehaviour, body, cut, half, next_page_at, redirect, rows, slow, status, wire

MONTH = date(2025, 3, 1)
LISTING, COMMITS, FILE = "/api/models?", f"/api/datasets/{ARCHIVE_REPOSITORY}/commits", "/datasets/"


def crawled(endpoint, folder):
    crawl = ListingCrawl(HubClient(endpoint, retries=2), folder / "crawl", page_size=250)
    crawl.run()
    return crawl.observed().rows.collect().sort("hub_id")


def archived(endpoint, folder):
    source = HubStatsSource(HubClient(endpoint, retries=2), folder / "archive", repository=ARCHIVE_REPOSITORY)
    snapshot = source.closing_snapshot(MONTH)
    return snapshot_rows(snapshot, MONTH).collect().sort("hub_id")


@pytest.fixture(scope="session")
def undisturbed(small_hub, tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    return {read: read(small_hub.endpoint, folder) for read in (crawled, archived)}


SURVIVES = "the same rows"
UNREADABLE = "cannot be read"
UNREADABLE_ANSWER = "gave an unreadable answer"

# What happens on which requests, and what comes of it: the same rows, the same but for some columns, a sentence that
# says so, or with None either.
ONCE = {
    "429 without headers": (status(429), SURVIVES),
    "429 with headers": (status(429, "RateLimit", '"api";r=0;t=1'), SURVIVES),
    "429 with headers that make no sense": (status(429, "RateLimit", '"api";r=-5;t=never'), SURVIVES),
    "500": (status(500), SURVIVES),
    "502": (status(502), SURVIVES),
    "503": (status(503), SURVIVES),
    "504": (status(504), SURVIVES),
    "a slow answer": (slow(0.01), SURVIVES),
    "a connection cut in the headers": (wire(b"HTTP/1.1 200 OK\r\nContent-Ty"), SURVIVES),
    "a connection cut before the headers": (wire(b""), SURVIVES),
    "a connection cut in the body": (cut(), SURVIVES),
    "an answer that is not HTTP": (wire(b"SSH-2.0-OpenSSH_9.7\r\n"), SURVIVES),
    "a chunked body that breaks off": (
        wire(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n[{}, \r\nZZ\r\n"),
        SURVIVES,
    ),
    "a body said to be compressed that is not": (lambda answer: answer.with_header("Content-Encoding", "gzip"), None),
}
ALWAYS = {
    "truncated JSON": (half, UNREADABLE),
    "malformed JSON": (body(b'[{"_id": "1", "id": }]'), UNREADABLE),
    "no JSON at all": (body(b"<html>maintenance</html>", "text/html"), UNREADABLE),
    "nothing": (body(b""), UNREADABLE),
    "an object in place of a list": (body(b'{"models": []}'), UNREADABLE),
    "a list of something else": (body(b'["a", 1, null]'), UNREADABLE),
    "bytes that are no text": (body(b'[{"_id": "\xff\xfe", "id": "a/b"}]'), UNREADABLE),
    "JSON a hundred thousand levels deep": (body(b"[" * 100_000 + b"]" * 100_000), UNREADABLE),
    "503 for good": (status(503), "status 503: it may pass, run again later"),
    "401 for good": (status(401), "status 401: check that it exists and that HF_TOKEN may read it"),
    "418 for good": (status(418), "status 418: check the address and the request"),
    "a redirect to itself": (redirect("/api/models?again"), "redirect|cannot be read"),
    "a redirect to a file": (redirect("file:///etc/passwd"), "redirect|cannot be reached|refusing"),
    "a redirect to a private address": (redirect("http://127.0.0.1:9/latest/meta-data"), "redirect|cannot be reached"),
}
OF_THE_LISTING = {
    "the content type of a page": (lambda answer: answer.with_header("Content-Type", "text/html"), SURVIVES),
    "a next link to a file": (next_page_at("file:///etc/passwd"), "refusing to follow it"),
    "a next link to another host": (next_page_at("http://hub.invalid/api/models"), "refusing to follow it"),
    "a next link to another scheme": (next_page_at("ftp://127.0.0.1/"), "refusing to follow it"),
    "a next link to a private address": (next_page_at("http://169.254.169.254/latest"), "refusing to follow it"),
    "a next link to the same page": (next_page_at("/api/models?limit=250"), "refusing to follow it"),
    "records without what names them": (rows(lambda row: {"likes": 1}), "not made of listing records"),
    "records with an id that is a list": (rows(lambda row: row | {"id": [1]}), "name no repository in a field `id`"),
    "every counter as text": (rows(lambda row: row | {"downloads": "many"}), "values of `downloads` cannot be read"),
    "creation times that are none": (rows(lambda row: row | {"createdAt": "soon"}), "not made of listing records"),
    "base models of every wrong shape": (
        rows(lambda row: row | {"baseModels": {"relation": ["x"], "models": "y"}}),
        ("base_model_relation", "base_models"),
    ),
    "a field of ten megabytes": (rows(lambda row: row | {"pipeline_tag": "x" * 40_000}), ("pipeline_tag",)),
}
OF_THE_COMMITS = {
    "commits without dates": (
        rows(lambda row: {"id": row["id"], "title": row["title"], "authors": []}),
        UNREADABLE_ANSWER,
    ),
    "commits at times that are none": (rows(lambda row: row | {"date": "soon"}), UNREADABLE_ANSWER),
    "no commits": (body(b"[]"), "it has no revisions at all"),
    "commits named by something else": (rows(lambda row: row | {"id": "../../etc"}), None),
}


def parquet_with(change):
    """The archive's file with its rows changed."""

    def changed(answer):
        if not answer.body.startswith(b"PAR1"):
            return answer
        buffer = io.BytesIO()
        change(pl.read_parquet(answer.body)).write_parquet(buffer)
        return answer.with_body(buffer.getvalue())

    return changed


def whole(change):
    """Changes the file where it is fetched whole; where it was looked into before, it is as it should be."""
    return lambda answer: change(answer) if answer.status == 200 else answer


DIGEST = "is not the file that the Hub says it is"
OF_THE_FILE = {
    "a file of zero bytes": (body(b"", "application/octet-stream"), None),
    "a file cut off": (lambda answer: answer.with_body(answer.body[:-200]), None),
    "a file with one byte changed": (whole(lambda answer: answer.with_body(_one_byte_changed(answer.body))), DIGEST),
    "another file of the same size": (lambda answer: answer.with_body(b"PAR1" + bytes(len(answer.body) - 4)), None),
    "a file with other counters": (
        whole(parquet_with(lambda frame: frame.with_columns(pl.col("downloads") * 2))),
        "did not send all of",
    ),
}


def _one_byte_changed(content):
    changed = bytearray(content)
    changed[len(changed) // 3] ^= 1
    return bytes(changed)


class Case(NamedTuple):
    """The kind of fault, what is read, how the answers to which requests are changed, and what comes of it."""

    kind: str
    read: Callable
    change: Callable
    path: str
    outcome: str | tuple[str, ...] | None
    requests: tuple[int, ...] = ()


CASES = {
    **{f"{read.__name__}, {name}, once": Case(name, read, change, path, outcome, (2,))
       for read, path in ((crawled, LISTING), (archived, COMMITS), (archived, FILE))
       for name, (change, outcome) in ONCE.items()},
    **{f"{read.__name__}, {name}": Case(name, read, change, path, outcome)
       for read, path in ((crawled, LISTING), (archived, COMMITS))
       for name, (change, outcome) in ALWAYS.items()},
    **{f"crawled, {name}": Case(name, crawled, change, LISTING, outcome)
       for name, (change, outcome) in OF_THE_LISTING.items()},
    **{f"archived, {name}": Case(name, archived, change, COMMITS, outcome)
       for name, (change, outcome) in OF_THE_COMMITS.items()},
    **{f"archived, {name}": Case(name, archived, change, FILE, outcome)
       for name, (change, outcome) in OF_THE_FILE.items()},
}  # fmt: skip


def is_long(name, case):
    """Of several alike, and of two ways of reading that the client treats the same, one stands for the others."""
    alike = any(part in name for part in ("502", "503", "504", "no JSON", "bytes that are no", "another scheme"))
    return (
        alike or "ten megabytes" in name or (case.read is archived and case.path == COMMITS and "commits" not in name)
    )


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=name, marks=[pytest.mark.faults] if is_long(name, case) else [])
        for name, case in CASES.items()
    ],
)
@pytest.mark.usefixtures("no_pauses")
def test_a_hub_that_misbehaves_gives_the_same_rows_or_one_sentence_and_the_next_attempt_gets_there(
    mirror_that, undisturbed, tmp_path, outcomes, case
):
    kind, read, change, path, outcome, requests = case
    mirror = mirror_that(Misbehaviour(change, path, requests))
    said, found = None, None
    try:
        found = read(mirror.endpoint, tmp_path)
    except CensusError as refused:
        said = str(refused)
    torn = list(tmp_path.rglob("*.tmp"))
    as_it_is = undisturbed[read]
    aside = outcome if isinstance(outcome, tuple) else ()
    wrong = found is not None and not found.drop(aside).equals(as_it_is.drop(aside))
    mirror.behave()
    lost = said is not None and not read(mirror.endpoint, tmp_path).equals(as_it_is)
    outcomes.unharmed(f"Hub: {kind}", [said] if said else [], lost=lost, torn=len(torn), wrong=wrong)
    if outcome is SURVIVES or aside:
        assert said is None
    elif outcome is not None:
        assert said is not None
        assert any(part in said for part in outcome.split("|")), said
