"""The sources by name, found in this package: source `x` is the class of that name in the module `x`."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pipeline.sources
from pipeline.errors import CensusError
from pipeline.sources.snapshots import SnapshotSource, SourceChoice

FORMER_NAMES = {"local": "folder"}
_FIRST_LINE = re.compile(r'"""Source `(?P<name>\w+)`: (?P<sentence>.+)\."""')


def described_sources() -> dict[str, str]:
    """The name of every source with a sentence, by the first lines of this package's modules: none is imported."""
    described = {}
    for path in sorted(path for folder in pipeline.sources.__path__ for path in Path(folder).glob("*.py")):
        with path.open(encoding="utf-8") as module:
            if found := _FIRST_LINE.match(module.readline()):
                described[found["name"]] = found["sentence"]
    return described


def open_source(choice: SourceChoice, cache: Path) -> SnapshotSource:
    """The chosen source.

    Raises:
        CensusError: there is no source of that name, or it lacks its settings.
    """
    name = FORMER_NAMES.get(choice.name, choice.name)
    if name not in described_sources():
        raise CensusError(f"there is no source {choice.name!r}: choose one of {', '.join(described_sources())}")
    module = importlib.import_module(f"{pipeline.sources.__name__}.{name}")
    found: type[SnapshotSource] = next(
        value for value in vars(module).values() if isinstance(value, type) and vars(value).get("name") == name
    )
    return found.opened(choice, cache)
