"""A local Hub over the small synthetic world, for every test that speaks with one."""

from contextlib import ExitStack

import pytest

from synthetic_hub.server import LocalHub
from tests.mirror import Mirror


@pytest.fixture
def hub_of(world):
    """Starts a local Hub over the world, behind a mirror where it misbehaves; it ends with the test."""
    running = ExitStack()

    def start(*misbehaviours, **limits):
        hub = running.enter_context(LocalHub(world, **limits))
        return running.enter_context(Mirror(hub.endpoint, misbehaviours)) if misbehaviours else hub

    with running:
        yield start
