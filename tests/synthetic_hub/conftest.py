"""A small synthetic world and a local Hub over it, for every test that speaks with one."""

import os

os.environ |= {"HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}

import pytest

from synthetic_hub.server import LocalHub
from synthetic_hub.world import WorldSettings, ensure_world


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    return ensure_world(tmp_path_factory.getbasetemp() / "worlds", WorldSettings(models=5_000))


@pytest.fixture
def hub_of(world):
    """Starts a local Hub over the world, with the faults and limits asked for; it ends with the test."""
    running = []

    def start(*faults, **limits):
        running.append(LocalHub(world, faults=faults, **limits).__enter__())
        return running[-1]

    yield start
    for hub in running:
        hub.__exit__(None, None, None)
