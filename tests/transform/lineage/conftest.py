"""The builders of the lineage tests, for what is added up over families."""

import pytest

from tests.assets.lineage import scenarios


@pytest.fixture(scope="session")
def snapshot():
    return scenarios.snapshot


@pytest.fixture(scope="session")
def lineage():
    return scenarios.lineage_of
