"""A crawl of the listing through the real client: complete, without duplicates, whatever the Hub and the machine do."""

import json
from datetime import UTC, date, datetime

import pytest

from assets.listings.hub_snapshots import snapshot_rows
from pipeline.errors import CensusError, TemporaryError, UnusableSnapshotError
from pipeline.sources.client import HubClient
from pipeline.sources.listing_crawl import POSITION, ListingCrawl
from pipeline.sources.snapshots import Snapshot
from tests.mirror import Misbehaviour, cut, half, shown_again, status

PAGE_SIZE = 250


@pytest.fixture(scope="module")
def listed(world):
    return set(world.listing(world.months[-1].replace(month=10))["_id"])


def crawl_of(hub, folder, *, page_size=PAGE_SIZE, retries=1):
    return ListingCrawl(HubClient(hub.endpoint, retries=retries), folder, page_size)


def rows_of(crawl):
    """The crawl as the month's snapshot."""
    snapshot = Snapshot(crawl.observed().rows, datetime(2025, 10, 1, tzinfo=UTC), "hub", "1")
    return snapshot_rows(snapshot, date(2025, 9, 1)).collect()


def listing_requests(hub):
    return [request for request in hub.requests if request.path == "/api/models"]


def test_every_model_is_listed_once_oldest_first_and_nothing_more_is_asked_for(hub_of, listed, tmp_path):
    hub = hub_of()
    crawl = crawl_of(hub, tmp_path)
    ended = crawl.run()
    rows = crawl.observed().rows.collect()
    assert rows["hub_id"].is_unique().all()
    assert set(rows["hub_id"]) == listed
    assert rows["created_at"].is_sorted()
    # Every page but the first shows three models of the one before again, and the end is asked for twice.
    pages = -(-(len(listed) - 3) // (PAGE_SIZE - 3)) + 1
    assert len(listing_requests(hub)) == pages
    assert ended == f"{pages} pages, {len(listed):,} models of about {len(listed):,}"
    assert "sort=createdAt&direction=1" in listing_requests(hub)[0].query


def test_the_progress_says_how_far_it_is_and_how_long_it_takes(hub_of, tmp_path):
    told = []
    crawl_of(hub_of(requests_per_window=1000), tmp_path).run(told.append)
    assert [said.split()[0] for said in told] == [str(page) for page in range(1, len(told) + 1)]
    assert ", 999 requests left in this window, about " in told[0]
    assert told[-1].endswith("about 0 min to go")
    assert told[3].startswith("4 pages, 991 models of about ")


def test_a_quota_is_kept_so_that_no_request_is_refused(hub_of, listed, tmp_path):
    hub = hub_of(requests_per_window=8, window_seconds=1)
    crawl = crawl_of(hub, tmp_path)
    crawl.run()
    assert set(rows_of(crawl)["hub_id"]) == listed
    assert {request.status for request in hub.requests} == {200}


INTERRUPTED = {
    "put off, failed and cut": [
        Misbehaviour(status(429, "RateLimit", '"api";r=0;t=0'), requests=(2,)),
        Misbehaviour(status(503), requests=(4, 9)),
        Misbehaviour(cut(), requests=(11,)),
    ],
    "rows shown again": [Misbehaviour(shown_again(40))],
    "the cursor refused": [Misbehaviour(status(410), requests=(5,))],
    "every later cursor refused once": [Misbehaviour(status(400), requests=(5, 6))],
}


@pytest.mark.parametrize("trouble", INTERRUPTED)
def test_a_hub_in_trouble_costs_no_row_and_gives_no_duplicate(hub_of, listed, tmp_path, outcomes, trouble):
    crawl = crawl_of(hub_of(*INTERRUPTED[trouble]), tmp_path, retries=2)
    crawl.run()
    rows = rows_of(crawl)
    lost, twice = len(listed - set(rows["hub_id"])), rows.height - rows["hub_id"].n_unique()
    outcomes.unharmed(f"Hub: pages of the listing, {trouble}", lost=lost, wrong=twice)


@pytest.mark.parametrize(
    ("code", "requests", "said"),
    [
        (403, 1, "status 403: check that it exists and that HF_TOKEN may read it"),
        (503, 2, "status 503: it may pass"),
    ],
)
def test_what_will_not_pass_fails_at_once_and_what_may_pass_within_the_retries(hub_of, tmp_path, code, requests, said):
    hub = hub_of(Misbehaviour(status(code)))
    with pytest.raises(CensusError, match=said):
        crawl_of(hub, tmp_path).run()
    assert len(listing_requests(hub)) == requests


def test_a_listing_that_ends_too_early_is_refused(hub_of, tmp_path, outcomes):
    hub = hub_of(Misbehaviour(half, requests=tuple(range(11, 99))))
    crawl = crawl_of(hub, tmp_path)
    with pytest.raises(TemporaryError):
        crawl.run()
    position = tmp_path / POSITION
    position.write_text(json.dumps(json.loads(position.read_text()) | {"urls": []}))
    with pytest.raises(
        UnusableSnapshotError, match=r"ended after 2,473 models, but the Hub says that it has"
    ) as refused:
        crawl.run()
    outcomes.add("Hub: pages of the listing, missing at its end", [str(refused.value)])
