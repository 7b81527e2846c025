"""A census home of the test's own, and its Dagster instance."""

import os
import shutil
from unittest.mock import patch

import dagster as dg
import pytest

from pipeline.orchestration.home import prepare_home


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("CENSUS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DAGSTER_HOME", "")
    return tmp_path / "home"


@pytest.fixture(scope="session")
def new_instance(tmp_path_factory):
    """The folder of an instance that has seen nothing yet: making its databases takes longer than a small test."""
    new = tmp_path_factory.mktemp("new")
    with patch.dict(os.environ, {"CENSUS_HOME": str(new), "DAGSTER_HOME": ""}):
        prepare_home()
        dg.DagsterInstance.get().dispose()
    return new / "dagster"


@pytest.fixture
def instance(home, new_instance):
    shutil.copytree(new_instance, home / "dagster")
    prepare_home()
    with dg.DagsterInstance.get() as opened:
        yield opened
