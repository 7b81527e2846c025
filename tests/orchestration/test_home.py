"""A census home is made ready once, and a home of an older version stays usable."""

import re

import dagster as dg
import pytest

from pipeline.errors import CensusError
from pipeline.lake.object_store import located
from pipeline.orchestration.home import prepare_home
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
