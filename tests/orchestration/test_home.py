"""A census home is made ready once, and a home of an older version stays usable."""

import dagster as dg
import pytest

from pipeline.orchestration.home import OWN_EVENT_LOG, prepare_home


@pytest.fixture
def home(monkeypatch, tmp_path):
    monkeypatch.setenv("CENSUS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DAGSTER_HOME", "")
    return tmp_path / "home"


def test_a_new_home_has_an_instance_that_reports_nothing(home):
    prepare_home()
    assert dg.DagsterInstance.get().telemetry_enabled is False
    assert (home / "cache").is_dir()


def test_an_instance_of_an_older_version_is_opened_and_keeps_what_was_set_in_it(home):
    (home / "dagster").mkdir(parents=True)
    stated = "telemetry:\n  enabled: false\n"
    (home / "dagster" / "dagster.yaml").write_text(f"{stated}{OWN_EVENT_LOG}nux:\n  enabled: false\n")
    prepare_home()
    assert (home / "dagster" / "dagster.yaml").read_text() == f"{stated}nux:\n  enabled: false\n"
    assert dg.DagsterInstance.get().all_asset_keys() == []
