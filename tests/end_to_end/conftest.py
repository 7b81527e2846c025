"""One census of the whole sample, made once as a user makes it, and looked at by every test here."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

CENSUS = Path(sys.executable).with_name("census")
SECONDS_ALLOWED = 420


def census_in(home, *arguments, **environment):
    """The finished `census` process with `home` as its home."""
    return subprocess.run(
        [CENSUS, *map(str, arguments)],
        env=os.environ | {"CENSUS_HOME": str(home), "DAGSTER_HOME": ""} | environment,
        capture_output=True,
        text=True,
        timeout=SECONDS_ALLOWED,
        check=False,
    )


@pytest.fixture(scope="session")
def census():
    """Runs the command: `census(home, "run", ...)`."""
    return census_in


@pytest.fixture(scope="session")
def sample(tmp_path_factory):
    """A home in which every month of the sample was run and published, with what the command reported."""
    home = tmp_path_factory.mktemp("sample")
    finished = census_in(home, "run", "--source", "sample", "--jobs", 2, "--json")
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return home, json.loads(finished.stdout)


@pytest.fixture(scope="session")
def census_path():
    """The command itself, for processes that go on running."""
    return CENSUS
