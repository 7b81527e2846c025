"""The whole chain over the synthetic sample gives what was planted in it."""

import json

import polars as pl
import pytest

from tests.end_to_end.sample import MONTHS, differences, each_month, found_in, rows_of, truth_of


def with_unknown_accounts_together(frame):
    """Persons and unmapped organisations as one member.

    Which of the two a namespace is, is asked of the Hub only until 99 % of the downloads are known; the others count
    as unmapped although the planted truth knows better.
    """
    unknown = pl.col("member").is_in(["unaffiliated", "unmapped"])
    named = frame.with_columns(pl.when(unknown).then(pl.lit("unknown")).otherwise("member").alias("member"))
    return named.group_by("population", "attribution", "member").agg(pl.col("downloads").sum())


@pytest.mark.parametrize("member", ["country", "organization"])
@each_month(MONTHS)
def test_each_country_and_organisation_has_the_downloads_planted_for_it(sample, month, member):
    planted = truth_of(sample, f"{member}_downloads").filter(pl.col("month") == month).rename({member: "member"})
    found = found_in(sample, f"shares/{member}_shares", month)
    found, planted = with_unknown_accounts_together(found), with_unknown_accounts_together(planted)
    assert differences(found, planted, ["population", "attribution", "member"]).is_empty()


@each_month(MONTHS)
def test_each_repository_is_measured_as_planted(sample, month):
    planted = truth_of(sample, "model_months").filter(pl.col("month") == month)
    found = found_in(sample, "listings/model_downloads", month)
    listed = planted.filter(pl.col("case") != "disappeared")
    assert differences(found, listed, ["hub_id"]).is_empty()
    assert found.height == listed.height


def test_every_month_ran_was_published_and_matches_its_digests(asked, sample):
    home, report = sample
    months = [f"{month:%Y-%m}" for month in MONTHS]
    assert sorted(run["month"] for run in report["runs"] if run["month"]) == months
    assert report["runs"][-1]["month"] is None
    assert rows_of(home, "select month from dim_month order by month") == [(month,) for month in MONTHS]
    finished = asked(home, "verify", "--json")
    said = json.loads(finished.stdout)
    assert (finished.returncode, said["findings"], said["months"], len(said["versions"])) == (0, [], months, 1)
