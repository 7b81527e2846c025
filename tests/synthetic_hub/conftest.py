"""The small synthetic world that sources are tested with."""

from tests.sources.conftest import world  # noqa: F401 - a fixture
