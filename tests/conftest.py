"""What holds for every test."""

from pathlib import Path

import pytest
from hypothesis import settings

from pipeline.lake.store import Lake
from synthetic_hub.world import WorldSettings, ensure_world
from tests.faults.figures import Outcomes, keep

# A busy machine is no defect: how fast things are is measured in `benchmarks/`.
settings.register_profile("census", deadline=None)
settings.load_profile("census")

WHOLE_CENSUSES = Path(__file__).parent / "end_to_end"
LONGEST = (
    "test_dagster_services.py",
    "test_census_command.py",
    "test_publication.py",
    "test_stopped_commands.py",
)


def pytest_collection_modifyitems(items):
    """Whole censuses come first, the longest first of all: short files fill up the end, so that no worker idles."""
    items.sort(key=lambda item: _place(item.path))


def _place(path):
    if path.parent != WHOLE_CENSUSES:
        return len(LONGEST) + 1
    return LONGEST.index(path.name) if path.name in LONGEST else len(LONGEST)


@pytest.fixture
def lake(tmp_path):
    """An empty lake."""
    return Lake(str(tmp_path / "lake"))


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    """A small synthetic world."""
    return ensure_world(tmp_path_factory.getbasetemp() / "worlds", WorldSettings(models=5_000))


INJECTED = Outcomes()


@pytest.fixture(scope="session")
def outcomes():
    """Where a test that injects a fault says how it ended: `outcomes.add(kind, said)`."""
    return INJECTED


def pytest_sessionfinish(session):
    if not session.testsfailed:
        keep("faults", INJECTED.by_kind)
