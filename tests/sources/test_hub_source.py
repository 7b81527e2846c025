"""The live Hub closes the month that has just ended, and no other."""

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from pipeline.errors import MonthNotServedError
from pipeline.sources.accounts import AccountDirectory
from pipeline.sources.client import HubClient
from pipeline.sources.hub import HubSource
from pipeline.sources.snapshots import months_to_read

SEPTEMBER = date(2025, 9, 1)
SOON_AFTER = datetime(2025, 10, 1, 0, 20, tzinfo=UTC)


@pytest.fixture
def hub(hub_of):
    return hub_of()


@pytest.fixture
def source_at(hub, tmp_path):
    """The source as it is at a time, all over one cache."""

    def at(now, told=lambda _: None):
        directory = AccountDirectory(tmp_path / "accounts.parquet")
        return HubSource(HubClient(hub.endpoint), tmp_path / "hub", directory, tell=told, clock=lambda: now)

    return at


def test_the_month_just_closed_is_crawled_and_observed_when_the_crawl_ends(source_at):
    told = []
    snapshot = source_at(SOON_AFTER, told.append).closing_snapshot(SEPTEMBER)
    assert snapshot.observed_at == SOON_AFTER
    assert (snapshot.source, snapshot.source_revision) == ("hub (synthetic)", "listing:2025-10-01T00:20:00+00:00")
    assert snapshot.rows.select(pl.col("hub_id").is_unique().all()).collect().item()
    assert told[0].startswith("crawl: 1 page, 1,000 models of about 4,")
    assert told[-1].startswith("crawl ended: 6 pages")


@pytest.mark.parametrize("month", [date(2025, 8, 1), date(2024, 9, 1)])
def test_the_past_is_refused_with_the_remedy(source_at, month):
    source = source_at(SOON_AFTER)
    for ask in (source.closing_snapshot, lambda asked: months_to_read(source, asked, asked)):
        with pytest.raises(MonthNotServedError, match="cannot be asked about the past; use source hub_stats"):
            ask(month)


def test_a_month_that_has_not_ended_is_refused(source_at):
    with pytest.raises(MonthNotServedError, match="cannot close 2025-10, which has not ended"):
        source_at(SOON_AFTER).closing_snapshot(date(2025, 10, 1))


def test_the_month_is_served_as_long_as_the_tolerance_lasts(source_at):
    served = [source_at(SOON_AFTER + timedelta(days=days)).months() for days in (0, 3, 4)]
    assert served == [[SEPTEMBER], [SEPTEMBER], []]


def test_a_crawl_that_was_finished_can_be_read_again_later(source_at, hub):
    first = source_at(SOON_AFTER).closing_snapshot(SEPTEMBER)
    asked = len(hub.requests)
    later = source_at(SOON_AFTER + timedelta(days=90))
    again = later.closing_snapshot(SEPTEMBER)
    assert later.months() == [SEPTEMBER]
    assert len(hub.requests) == asked
    assert (again.observed_at, again.source_revision) == (first.observed_at, first.source_revision)
    assert again.rows.collect().equals(first.rows.collect())


def test_accounts_are_asked_of_the_hub_and_remembered(source_at, hub):
    assert source_at(SOON_AFTER).accounts(["Qwen"])["account_type"].to_list() == ["organization"]
    asked = len(hub.requests)
    source_at(SOON_AFTER).accounts(["Qwen"])
    assert len(hub.requests) == asked
