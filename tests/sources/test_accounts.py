"""Whether accounts are persons' or organisations': asked politely, remembered with the date, resumable."""

import time
from datetime import UTC, date, datetime

import polars as pl
import pytest

from pipeline.errors import CensusError
from pipeline.sources.accounts import AccountDirectory, most_downloaded_namespaces
from pipeline.sources.client import HubClient
from pipeline.sources.hub_stats import HubStatsSource
from pipeline.sources.snapshots import SourceChoice, open_source
from tests.mirror import Misbehaviour, status


@pytest.fixture
def directory(tmp_path):
    return AccountDirectory(tmp_path / "accounts.parquet")


class Hub:
    """Answers by heart and keeps what it was asked."""

    def __init__(self, **types):
        self.types = types
        self.asked = []

    def account_type(self, namespace):
        self.asked.append(namespace)
        found = self.types.get(namespace, "organization")
        if found == "refusal":
            raise CensusError("the Hub refused")
        return found


def types_in(answers):
    return dict(answers.select("namespace", "account_type").iter_rows())


def test_the_local_hub_is_asked_as_the_real_one_and_unknown_is_unknown(hub_of, directory):
    asked = ["TheBloke", "google", "nobody-of-this-name"]
    answers = directory.ask(asked, HubClient(hub_of().endpoint).account_type)
    assert types_in(answers) == {"TheBloke": "person", "google": "organization", "nobody-of-this-name": "unknown"}
    assert answers["checked_on"].unique().to_list() == [datetime.now(UTC).date()]


def test_what_is_known_is_not_asked_again_and_keeps_its_date(directory):
    long_ago = pl.DataFrame({"namespace": ["jane"], "account_type": ["person"], "checked_on": [date(2025, 1, 1)]})
    long_ago.write_parquet(directory.file)
    hub = Hub()
    answers = directory.ask(["jane", "lab"], hub.account_type)
    assert hub.asked == ["lab"]
    assert answers.filter(pl.col("namespace") == "jane")["checked_on"].to_list() == [date(2025, 1, 1)]


def test_the_budget_counts_requests_and_the_next_call_goes_on_where_it_ended(directory):
    hub = Hub(jane="person")
    assert types_in(directory.ask(["jane", "a", "b"], hub.account_type, budget=3)) == {
        "jane": "person",
        "a": "organization",
    }
    directory.ask(["jane", "a", "b"], hub.account_type, budget=2)
    assert hub.asked == ["jane", "a", "b"]


def test_the_budget_is_the_environments(tmp_path, directory, monkeypatch):
    monkeypatch.setenv("CENSUS_ACCOUNT_REQUESTS", "1")
    source, hub = open_source(SourceChoice("hub"), tmp_path), Hub()
    monkeypatch.setattr(HubClient, "account_type", lambda _, namespace: hub.account_type(namespace))
    source.accounts(["a", "b"], directory)
    assert hub.asked == ["a"]
    monkeypatch.setenv("CENSUS_ACCOUNT_REQUESTS", "many")
    with pytest.raises(CensusError, match="is 'many', not a number of requests: write 0 or more"):
        open_source(SourceChoice("hub"), tmp_path)


def test_a_refusal_loses_no_answer_that_came_before(directory):
    hub = Hub(b="refusal")
    with pytest.raises(CensusError, match="refused"):
        directory.ask(["a", "b", "c"], hub.account_type)
    assert types_in(directory.known()) == {"a": "organization"}
    hub.types["b"] = "person"
    assert types_in(directory.ask(["a", "b"], hub.account_type)) == {"a": "organization", "b": "person"}
    assert hub.asked == ["a", "b", "b"]


def test_a_killed_process_loses_at_most_one_batch(directory, monkeypatch):
    monkeypatch.setattr("pipeline.sources.accounts.ASKED_BETWEEN_SAVES", 2)
    names = ["a", "b", "c", "d", "e"]
    hub = Hub()

    def killed(namespace):
        if namespace == "d":
            kept.append(types_in(directory.known()))
        return hub.account_type(namespace)

    kept = []
    directory.ask(names, killed)
    assert set(kept[0]) == {"a", "b"}


def test_when_the_hub_says_too_many_it_is_left_alone_until_its_window_ends(hub_of, directory):
    hub = hub_of(Misbehaviour(status(429, "RateLimit", '"api";r=0;t=1'), "/api/organizations", (2,)))
    begin = time.monotonic()
    answers = directory.ask(["google", "Qwen", "meta-llama"], HubClient(hub.endpoint).account_type)
    assert time.monotonic() - begin >= 1
    assert (answers.height, len(hub.requests)) == (3, 4)


def test_sources_that_cannot_ask_use_what_was_remembered(directory, tmp_path):
    directory.ask(["a"], Hub().account_type)
    archive = HubStatsSource(None, tmp_path)
    assert types_in(archive.accounts(["a", "never-asked"], directory)) == {"a": "organization"}


def test_namespaces_are_asked_most_downloaded_first_until_99_percent_are_covered():
    snapshot = pl.LazyFrame(
        {"namespace": ["a", "b", "b", "c", None, "d"], "downloads_30d": [300, 400, 250, 45, 99_999, 5]},
    )
    assert most_downloaded_namespaces(snapshot) == ["b", "a", "c"]
