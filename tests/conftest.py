"""What holds for every test."""

import pytest
from hypothesis import settings

from tests.faults.figures import Outcomes, keep

# A busy machine is no defect: how fast things are is measured in `benchmarks/`.
settings.register_profile("census", deadline=None)
settings.load_profile("census")

INJECTED = Outcomes()


@pytest.fixture(scope="session")
def outcomes():
    """Where a test that injects a fault says how it ended: `outcomes.add(kind, said)`."""
    return INJECTED


def pytest_sessionfinish(session):
    if not session.testsfailed:
        keep("faults", INJECTED.by_kind)
