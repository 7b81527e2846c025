"""A census home is made ready once, and a home of an older version stays usable."""

import dagster as dg
import pytest

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
