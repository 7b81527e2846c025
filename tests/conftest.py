"""What holds for every test."""

from pathlib import Path

import pytest
from hypothesis import settings

from tests.faults.figures import Outcomes, keep

# A busy machine is no defect: how fast things are is measured in `benchmarks/`.
settings.register_profile("census", deadline=None)
settings.load_profile("census")

WHOLE_CENSUSES = Path(__file__).parent / "end_to_end"
LONGEST = (
    "test_dagster_services.py",
    "test_census_command.py",
    "test_publication.py",
    "test_status_and_corrections.py",
)


def pytest_collection_modifyitems(items):
    """Whole censuses come first, the longest first of all: short files fill up the end, so that no worker idles."""
    items.sort(key=lambda item: _place(item.path))


def _place(path):
    if path.parent != WHOLE_CENSUSES:
        return len(LONGEST) + 1
    return LONGEST.index(path.name) if path.name in LONGEST else len(LONGEST)


INJECTED = Outcomes()


@pytest.fixture(scope="session")
def outcomes():
    """Where a test that injects a fault says how it ended: `outcomes.add(kind, said)`."""
    return INJECTED


def pytest_sessionfinish(session):
    if not session.testsfailed:
        keep("faults", INJECTED.by_kind)
