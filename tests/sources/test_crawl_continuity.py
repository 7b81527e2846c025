"""A crawl of a server of the documented protocol lists every model, or says where it was skipped."""

import shutil
from dataclasses import dataclass, field
from itertools import count

import pytest

from pipeline.errors import UnusableSnapshotError
from pipeline.sources.client import CursorRefusedError, HubClient
from pipeline.sources.listing_crawl import POSITION, ListingCrawl
from tests.faults.steps import killed_before
from tests.sources.listing_server import ListingServer, model, serving

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
@pytest.mark.parametrize("opaque", [False, True])
def test_every_model_is_listed_once_in_order_whatever_the_pages_and_cursors(tmp_path, page_size, opaque):
    assert crawled(tmp_path, ListingServer(MODELS, opaque=opaque), page_size) == names(MODELS)


def test_models_created_at_one_moment_are_told_apart_by_their_ids(tmp_path):
    assert crawled(tmp_path, ListingServer(OF_ONE_MOMENT), 7) == names(OF_ONE_MOMENT)


@pytest.mark.parametrize("count", [0, 1, 3, 20])
def test_a_short_listing_is_whole(tmp_path, count):
    assert crawled(tmp_path, ListingServer(MODELS[:count])) == names(MODELS[:count])


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


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (skips, f"skips models after {MODELS[19]['_id']}, created {MODELS[19]['createdAt']}"),
        (is_stale, f"goes round in circles: what follows {MODELS[19]['_id']} was listed before"),
        (is_unsorted, "is not in the order of creation"),
    ],
    ids=["skips", "is stale", "is unsorted"],
)
def test_what_stays_away_is_refused_and_no_month_is_made_of_the_rest(tmp_path, answer, said):
    with pytest.raises(UnusableSnapshotError, match=said):
        crawled(tmp_path, ListingServer(MODELS, answer))
    with pytest.raises(UnusableSnapshotError, match="do not lead to the end of the listing"):
        ListingCrawl(HubClient("http://127.0.0.1:9"), tmp_path, 20).observed()


def test_pages_that_lead_back_are_refused_where_cursors_say_nothing(tmp_path):
    def leads_back(number, records, cursor):
        return records, "after-19" if number > 1 else cursor

    with pytest.raises(UnusableSnapshotError, match=r"goes round in circles: .* and start again"):
        crawled(tmp_path, ListingServer(MODELS, leads_back, opaque=True))


def test_a_model_that_is_removed_between_two_pages_stops_nothing(tmp_path):
    server = ListingServer(list(MODELS))

    def removes(number, records, cursor):
        if number == 1:
            server.models = [one for one in MODELS if one is not MODELS[19]]
        return records, cursor

    server.answer = removes
    assert crawled(tmp_path, server) == names(MODELS)


def test_records_that_do_not_say_when_they_were_created_are_refused(tmp_path):
    nameless = [{"id": one["id"]} for one in MODELS]
    with pytest.raises(UnusableSnapshotError, match="not made of listing records, which have `_id` and `createdAt`"):
        crawled(tmp_path, ListingServer(nameless, lambda number, records, cursor: (records, None)), 100)


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
