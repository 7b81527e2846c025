"""A home is made ready once; one of the sample has the sample's months, any other every month that has closed."""

import re

import dagster as dg
import pytest

from pipeline.errors import CensusError
from pipeline.lake.object_store import located
from pipeline.months import parse_month
from pipeline.orchestration.home import prepare_home
from pipeline.orchestration.partitions import mark_sample, offer_months_from, partitions
from pipeline.settings import lake_url


def test_a_new_home_has_an_instance_that_reports_nothing(home):
    prepare_home()
    assert dg.DagsterInstance.get().telemetry_enabled is False
    assert (home / "cache").is_dir()


@pytest.mark.parametrize(("name", "sign"), [("what?", "'?'"), ("a%20b", "'%20'"), ("[old]", "'['"), ("a*", "'*'")])
@pytest.mark.parametrize("variable", ["CENSUS_HOME", "DAGSTER_HOME"])
def test_a_home_that_libraries_take_for_another_path_is_refused_in_one_sentence(
    home, monkeypatch, variable, name, sign
):
    monkeypatch.setenv(variable, str(home / name))
    with pytest.raises(CensusError, match=f"{variable} cannot be .*, because of {re.escape(sign)} in the path"):
        prepare_home()


def test_a_home_that_cannot_be_made_is_one_sentence(home, monkeypatch):
    home.touch()
    monkeypatch.setenv("CENSUS_HOME", str(home / "within"))
    with pytest.raises(CensusError, match=r"home/within cannot be made \(Not a directory\): set CENSUS_HOME to"):
        prepare_home()


@pytest.mark.parametrize("name", ["of mine", "höme", "50%", "a#b", "it's"])
def test_the_lake_of_a_home_is_in_it_whatever_its_name(home, monkeypatch, name):
    monkeypatch.setenv("CENSUS_HOME", str(home / name))
    monkeypatch.delenv("CENSUS_LAKE_URL", raising=False)
    assert located(lake_url()).path == str(home / name / "lake")


def ends():
    months = partitions().get_partition_keys()
    return months[0], months[-1]


@pytest.mark.parametrize("url", [None, "s3://bucket/lake"])
def test_once_the_sample_is_in_its_lake_a_home_has_no_months_that_the_sample_lacks(home, url):
    (home / "lake").mkdir(parents=True)
    assert ends()[0] == "2024-08-01"
    assert ends()[1] > "2026"
    mark_sample(url or lake_url())
    assert ends()[0] == "2024-08-01"
    assert (ends()[1] == "2025-09-01") == (url is None)


def test_earlier_months_are_offered_once_one_was_run_or_the_deployment_says_so(home, monkeypatch):
    (home / "dagster").mkdir(parents=True)
    for run, first in (("2025-03", "2024-08-01"), ("2021-05", "2021-05-01"), ("2023-01", "2021-05-01")):
        offer_months_from(parse_month(run))
        assert ends()[0] == first
    monkeypatch.setenv("CENSUS_FIRST_MONTH", "2020-01")
    assert ends()[0] == "2020-01-01"
