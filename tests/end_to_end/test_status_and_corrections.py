"""After the first run: what is there, and making a month anew from a correction on."""

import json
from datetime import date

import polars as pl

from assets.listings.model_downloads import MODEL_DOWNLOADS
from assets.listings.reconciliation import DOWNLOAD_RECONCILIATION, MONTH_RECONCILIATION
from pipeline.definitions import CATALOGUE
from pipeline.lake.store import Lake
from tests.end_to_end.sample import MONTHS, lake_of, truth_of

MARCH, AUGUST = date(2025, 3, 1), date(2025, 8, 1)


def test_the_status_names_each_month_its_source_its_observation_and_its_checks(asked, sample):
    finished = asked(sample[0], "status", "--json")
    months = json.loads(finished.stdout)
    assert finished.returncode == 0
    assert [month["month"] for month in months] == [f"{month:%Y-%m}" for month in MONTHS]
    for month in months:
        assert (month["source"], month["tables"], month["tables_missing"]) == ("sample", len(CATALOGUE.monthly), [])
        assert (month["state"], month["held_back"], month["problems"]) == ("made", None, [])
        assert month["checks_passed"] > 60
    observed = pl.Series([month["observed_at"] for month in months]).str.to_datetime(time_zone="UTC")
    assert observed.to_list() == truth_of(sample, "months").sort("month")["closing_observed_at"].to_list()


def test_the_status_says_what_is_missing_and_why_a_month_is_held_back(asked, own_sample):
    lake = Lake(str(own_sample / "lake"))
    lake.path(MODEL_DOWNLOADS, AUGUST).unlink()
    for table in CATALOGUE.tables.values():
        if table.monthly:
            lake.path(table, MARCH).unlink()
    finished = asked(own_sample, "status")
    assert finished.returncode == 1
    assert (
        "not published: listings/model_downloads is missing: `census run --from 2025-08 --to 2025-08`"
        in finished.stdout
    )
    assert "missing: `census run --from 2025-03 --to 2025-03`" in finished.stdout
    assert "14 months, 2 with something wrong" in finished.stdout


def test_a_correction_of_a_month_that_was_never_read_is_refused(asked, own_sample):
    finished = asked(own_sample, "run", "--from-step", "shares", "--from", "2026-01", "--to", "2026-01")
    assert finished.returncode == 2
    assert "the lake does not hold what shares are made from in 2026-01: run them from the start" in finished.stderr


CASES = {
    "late_arrival": "late_arrival",
    "counter_reset": "counter_reset",
    "disappeared": "disappeared",
    "no_counter": "not_counted",
}


def test_every_planted_case_is_in_the_accounts_of_its_month(sample):
    planted = truth_of(sample, "months").sort("month")
    for month in planted.to_dicts():
        accounts = lake_of(sample).scan(DOWNLOAD_RECONCILIATION, month["month"]).collect()
        found = dict(accounts.select("flow_case", "models").iter_rows())
        whole = lake_of(sample).scan(MONTH_RECONCILIATION, month["month"]).collect().row(0, named=True)
        assert (whole["closed_at"], whole["opened_at"]) == (month["closing_observed_at"], month["opening_observed_at"])
        assert found["disappeared"] == month["disappeared"]
        if month["basis"] == "all_time":
            assert {case: found[name] for case, name in CASES.items()} == {case: month[case] for case in CASES}
            assert found["created"] == month["created"]
            assert accounts["downloads_lost"].sum() == month["lost_to_resets"]
