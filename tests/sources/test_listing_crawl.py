"""A crawl lists every model once, whatever the Hub and the machine do, or says where some were skipped."""

import json
import shutil
from dataclasses import dataclass, field
from itertools import count

import pytest

from pipeline.errors import CensusError, TemporaryError, UnusableSnapshotError
from pipeline.sources.client import CursorRefusedError, HubClient
from pipeline.sources.listing_crawl import POSITION, ListingCrawl
from tests.assets.listings.scenario import snapshot_of
from tests.faults.steps import killed_before
from tests.mirror import Misbehaviour, cut, half, shown_again, status
from tests.sources.listing_server import ListingServer, model, serving

PAGE_SIZE = 250


@pytest.fixture(scope="module")
def listed(world):
    return set(world.listing(world.months[-1].replace(month=10))["_id"])


def crawl_of(hub, folder, *, page_size=PAGE_SIZE, retries=1):
    return ListingCrawl(HubClient(hub.endpoint, retries=retries), folder, page_size)


def rows_of(crawl):
    """The crawl as the month's snapshot."""
    return snapshot_of(*crawl.observed().rows.collect().to_dicts())


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


MODELS = [model(number) for number in range(60)]
OF_ONE_MOMENT = [one | {"createdAt": MODELS[20]["createdAt"]} if 20 <= n < 45 else one for n, one in enumerate(MODELS)]


def crawled(folder, server, page_size=20, models=MODELS):
    """The names listed, in order, and the crawl."""
    with serving(server) as address:
        crawl = ListingCrawl(HubClient(address, retries=1), folder, page_size)
        crawl.run()
        return crawl.observed().rows.collect()["model_id"].to_list()


def names(models):
    return [one["id"] for one in models]


@pytest.mark.parametrize("page_size", [1, 2, 7, 19, 20, 59, 60, 61, 1000])
@pytest.mark.parametrize(
    ("models", "opaque"),
    [(MODELS, False), (MODELS, True), (OF_ONE_MOMENT, False), *((MODELS[:few], False) for few in (0, 1, 3, 20))],
    ids=["usual", "of opaque cursors", "created at one moment", "none", "one", "three", "twenty"],
)
def test_every_model_is_listed_once_in_order_whatever_the_pages_and_cursors(tmp_path, page_size, models, opaque):
    assert crawled(tmp_path, ListingServer(models, opaque=opaque), page_size) == names(models)


def skips(number, records, cursor):
    """From the second request on, the answer is that of a third of the listing later."""
    return ([MODELS[(MODELS.index(one) + 20) % 60] for one in records], None) if number > 1 else (records, cursor)


def skips_within(number, records, cursor):
    return (records[:1] + records[9:] if number == 2 else records), cursor


def ends_early(number, records, cursor):
    return records, None if number == 1 else cursor


def is_cut(number, records, cursor):
    """The second answer ends in the middle, but its link leads to where it should have ended."""
    return (records[:9] if number == 2 else records), cursor


def is_stale(number, records, cursor):
    """Every later request gets the first page again, with a link."""
    return (MODELS[:20], "stale") if number > 1 else (records, cursor)


def is_unsorted(number, records, cursor):
    return records[::-1], cursor


@pytest.mark.parametrize("answer", [skips_within, ends_early, is_cut], ids=lambda answer: answer.__name__)
def test_what_was_left_out_once_is_asked_for_again(tmp_path, answer):
    assert crawled(tmp_path, ListingServer(MODELS, answer)) == names(MODELS)


def leads_back(number, records, cursor):
    """Every later link leads to the second page, by a cursor that says nothing."""
    return records, "after-19" if number > 1 else cursor


def is_of_names_alone(number, records, cursor):
    return [{"id": one["id"]} for one in records], None


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (skips, f"skips models after {MODELS[19]['_id']}, created {MODELS[19]['createdAt']}"),
        (is_stale, f"goes round in circles: what follows {MODELS[19]['_id']} was listed before"),
        (leads_back, "goes round in circles: .* and start again"),
        (is_unsorted, "is not in the order of creation"),
        (is_of_names_alone, "not made of listing records, which have `_id` and `createdAt`"),
    ],
    ids=lambda given: getattr(given, "__name__", ""),
)
def test_what_stays_away_is_refused_and_no_month_is_made_of_the_rest(tmp_path, answer, said):
    with pytest.raises(UnusableSnapshotError, match=said):
        crawled(tmp_path, ListingServer(MODELS, answer, opaque=answer is leads_back))
    with pytest.raises(UnusableSnapshotError, match="do not lead to the end of the listing"):
        ListingCrawl(HubClient("http://127.0.0.1:9"), tmp_path, 20).observed()


def test_a_model_that_is_removed_between_two_pages_stops_nothing(tmp_path):
    server = ListingServer(list(MODELS))

    def removes(number, records, cursor):
        if number == 1:
            server.models = [one for one in MODELS if one is not MODELS[19]]
        return records, cursor

    server.answer = removes
    assert crawled(tmp_path, server) == names(MODELS)


@pytest.mark.parametrize("name", ["page-000000.json.zst", "page-000002.json.zst", POSITION])
def test_pages_are_asked_for_once_unless_one_is_gone_or_their_position_is_cut(tmp_path, name):
    server = ListingServer(MODELS)
    with serving(server) as address:
        crawl = ListingCrawl(HubClient(address), tmp_path, 20)
        crawl.run()
        asked = len(server.requests)
        crawl.run()
        assert len(server.requests) == asked
        spoilt = tmp_path / name
        spoilt.write_text(spoilt.read_text()[:20]) if name == POSITION else spoilt.unlink()
        with pytest.raises(UnusableSnapshotError, match=r"do not lead to the end of the listing .* and start again"):
            crawl.observed()
        crawl.run()
        assert crawl.observed().rows.collect()["model_id"].to_list() == names(MODELS)


@dataclass(frozen=True)
class OfAHubThatForgot(HubClient):
    """Asks a Hub that knows neither where the crawl was nor what comes after the last model seen."""

    refusals: list = field(default_factory=lambda: ["after the last model", "where it was", "just before"])

    def page(self, url):
        if self.refusals:
            raise CursorRefusedError(f"the Hub does not know {self.refusals.pop()}")
        return super().page(url)


@pytest.mark.parametrize(("client", "then"), [(HubClient, "goes on"), (OfAHubThatForgot, "begins anew")])
def test_a_crawl_killed_before_any_of_its_changes_ends_with_the_same_rows(tmp_path, outcomes, client, then):
    def cut_off(_):
        raise KeyboardInterrupt

    with serving(ListingServer(MODELS)) as address:
        with pytest.raises(KeyboardInterrupt):
            ListingCrawl(HubClient(address), tmp_path / "begun", 30).run(cut_off)
        for step in count(1):
            folder = shutil.copytree(tmp_path / "begun", tmp_path / str(step))
            killed = killed_before(step, ListingCrawl(client(address), folder, 30).run)
            crawl = ListingCrawl(HubClient(address), folder, 30)
            crawl.run()
            listed = crawl.observed().rows.collect()["model_id"].to_list()
            kind = f"process: killed before each change of a crawl that {then}"
            outcomes.unharmed(kind, wrong=listed != names(MODELS))
            if not killed:
                break
    assert step > 4
