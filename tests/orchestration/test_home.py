"""A census home is made ready once, and a home of an older version stays usable."""

import re

import dagster as dg
import pytest

from pipeline.errors import CensusError
from pipeline.orchestration.home import prepare_home


@pytest.fixture
def home(monkeypatch, tmp_path):
    monkeypatch.setenv("CENSUS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DAGSTER_HOME", "")
    return tmp_path / "home"


def test_a_new_home_has_an_instance_that_reports_nothing(home):
    prepare_home()
    assert dg.DagsterInstance.get().telemetry_enabled is False
    assert (home / "cache").is_dir()


@pytest.mark.parametrize(("name", "sign"), [("what?", "'?'"), ("a%20b", "'%20'")])
def test_a_home_in_which_dagster_cannot_keep_databases_is_refused_in_one_sentence(tmp_path, monkeypatch, name, sign):
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    monkeypatch.setenv("CENSUS_HOME", str(tmp_path / name))
    with pytest.raises(CensusError, match=f"cannot keep its databases in .*, because of {re.escape(sign)} in the path"):
        prepare_home()
