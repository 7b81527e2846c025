"""Makes a census home ready: its folders and its Dagster instance."""

import os
from importlib.resources import files
from pathlib import Path

from pipeline import settings
from pipeline.atomic_file import write_atomically
from pipeline.errors import CensusError


def prepare_home() -> Path:
    """Creates what is missing in `CENSUS_HOME` and fixes its place for this process and those it starts.

    An instance's `dagster.yaml` that is already there is left as it is; so is `workspace.yaml`, by which Dagster finds
    the census.

    Raises:
        CensusError: the home cannot be made.
    """
    home, dagster = settings.census_home(), settings.dagster_folder()
    try:
        for folder in (home, dagster, settings.cache_folder()):
            folder.mkdir(parents=True, exist_ok=True)
    except (FileNotFoundError, FileExistsError, NotADirectoryError) as error:
        raise CensusError(
            f"{error.filename} cannot be made ({os.strerror(error.errno or 0)}): set CENSUS_HOME to a folder that you "
            "may write to"
        ) from error
    for name in ("dagster.yaml", "workspace.yaml"):
        if not (dagster / name).exists():
            write_atomically(dagster / name, files("pipeline.orchestration").joinpath(name).read_bytes())
    os.environ.update(home_environment(home))
    return home


def home_environment(home: Path) -> dict[str, str]:
    """The variables by which every process finds the home, and no library reports usage."""
    return {
        "CENSUS_HOME": str(home),
        "DAGSTER_HOME": str(settings.dagster_folder()),
        "DAGSTER_DISABLE_TELEMETRY": "1",
        "GX_ANALYTICS_ENABLED": "false",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        # Polars' allocator keeps what it frees for ten seconds, in large pages, instead of half a second in small ones:
        # a month of the whole Hub takes an eighth less time, most of it the kernel's, and holds half a gibibyte more.
        "_RJEM_MALLOC_CONF": os.environ.get(
            "_RJEM_MALLOC_CONF", "thp:always,metadata_thp:auto,dirty_decay_ms:10000,muzzy_decay_ms:10000"
        ),
    }
