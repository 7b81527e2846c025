"""The live Hub closes the month that has just ended, and no other."""

from datetime import UTC, date, datetime, timedelta

import dagster as dg
import polars as pl
import pytest
from click.testing import CliRunner

from pipeline.cli.commands import census
from pipeline.errors import MonthNotServedError
from pipeline.orchestration import jobs
from pipeline.sources.client import HubClient
from pipeline.sources.hub import HubSource
from pipeline.sources.listing_crawl import PAGES_OF_POPULAR, popular_counters
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
        return HubSource(HubClient(hub.endpoint), tmp_path / "hub", tell=told, clock=lambda: now)

    return at


def test_the_month_just_closed_is_crawled_and_observed_when_the_crawl_ends(source_at):
    told = []
    snapshot = source_at(SOON_AFTER, told.append).closing_snapshot(SEPTEMBER)
    assert snapshot.observed_at == SOON_AFTER
    assert (snapshot.source, snapshot.source_revision) == ("hub (synthetic)", "listing:2025-10-01T00:20:00+00:00")
    assert snapshot.rows.select(pl.col("hub_id").is_unique().all()).collect().item()
    assert told[0].startswith("crawl: 1 page, 1,000 models of about 4,")
    assert told[-1].startswith("crawl ended: 6 pages")


@pytest.mark.parametrize(
    ("month", "said"),
    [
        (date(2025, 8, 1), "cannot be asked about the past; use source hub_stats"),
        (date(2025, 10, 1), "cannot close 2025-10, which has not ended"),
    ],
)
def test_the_past_and_a_month_that_has_not_ended_are_refused_with_the_remedy(source_at, month, said):
    with pytest.raises(MonthNotServedError, match=said):
        source_at(SOON_AFTER).closing_snapshot(month)
    with pytest.raises(MonthNotServedError, match="cannot be asked about the past; use source hub_stats"):
        months_to_read(source_at(SOON_AFTER), month, month)


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


def test_a_look_lists_the_counters_of_popular_repositories_and_no_more(source_at, hub):
    assert source_at(SOON_AFTER).list_counters().startswith("the counters of 4,")
    asked = [record.query for record in hub.requests if record.path == "/api/models"]
    assert len(asked) <= PAGES_OF_POPULAR
    assert all("sort=downloads&direction=-1&expand=downloadsAllTime" in query for query in asked)
    assert not any("expand=cardData" in query for query in asked)


def test_a_look_ends_after_so_many_pages_with_the_most_downloaded(hub):
    few, all_of_them = (popular_counters(HubClient(hub.endpoint), pages) for pages in (1, 50))
    assert few["hub_id"].to_list() == all_of_them["hub_id"].to_list()[:1_000]
    assert few["downloads_all_time"].sum() > 0.9 * all_of_them["downloads_all_time"].sum()


def test_a_month_read_again_a_day_later_is_looked_at_once_more_and_then_read_from_what_is_kept(source_at, hub):
    def read(days):
        source = source_at(SOON_AFTER + timedelta(days=days))
        asked = len(hub.requests)
        around = list(source.counters_around(SEPTEMBER, source.closing_snapshot(SEPTEMBER).source_revision))
        return [observation.observed_at for observation in around], len(hub.requests) > asked

    later = SOON_AFTER + timedelta(days=2)
    assert read(0) == ([], True)
    assert read(0.5) == ([], False)
    assert read(2) == ([later], True)
    assert read(2.5) == ([later], False)
    assert read(90) == ([later], False)


def test_a_look_far_from_any_close_is_refused_with_the_day_from_which_it_helps(source_at):
    with pytest.raises(MonthNotServedError, match="list counters from two days before 2025-11-01 on"):
        source_at(SOON_AFTER + timedelta(days=10)).list_counters()


def test_a_month_that_closes_by_a_wednesday_says_that_it_should_be_read_again(source_at):
    assert "run it again" in source_at(SOON_AFTER).closing_snapshot(SEPTEMBER).notes["second_look"]
    assert "second_look" not in source_at(SOON_AFTER + timedelta(days=2)).closing_snapshot(SEPTEMBER).notes


def test_the_job_and_the_command_list_counters(source_at, monkeypatch, tmp_path):
    source = source_at(SOON_AFTER - timedelta(days=1))
    monkeypatch.setattr(HubSource, "opened", lambda *_: source)
    monkeypatch.setenv("CENSUS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home" / "dagster"))
    assert CliRunner().invoke(census, ["list-counters"]).output.startswith("the counters of 4,")
    assert jobs.popular_counters.execute_in_process().success
    assert list((tmp_path / "hub" / "2025-09").glob("counters-*.parquet"))


@pytest.mark.parametrize(("day", "is_asked"), [(28, False), (29, True), (30, True)])
def test_counters_are_listed_on_the_last_two_days_of_a_month(day, is_asked):
    tick = dg.build_schedule_context(scheduled_execution_time=datetime(2025, 9, day, 0, 20, tzinfo=UTC))
    assert isinstance(jobs.counters_schedule(tick), dg.RunRequest) == is_asked
