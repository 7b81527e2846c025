"""A census home of the test's own, and its Dagster instance."""

import dagster as dg
import pytest

from pipeline.orchestration.home import prepare_home


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("CENSUS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DAGSTER_HOME", "")
    return tmp_path / "home"


@pytest.fixture
def instance(home):
    prepare_home()
    with dg.DagsterInstance.get() as opened:
        yield opened
