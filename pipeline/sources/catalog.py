"""The sources by name, found in this package."""

from __future__ import annotations

import importlib
import pkgutil
import re
from pathlib import Path

import pipeline.sources
from pipeline.errors import CensusError
from pipeline.sources.snapshots import SnapshotSource, SourceChoice

_FIRST_LINE = re.compile(r'"""Source `(?P<name>\w+)`: (?P<sentence>.+)\."""')


def described_sources() -> dict[str, str]:
    """The name of every source with a sentence, by the first lines of this package's modules: none is imported."""
    described = {}
    for path in sorted(Path(__file__).parent.glob("*.py")):
        with path.open(encoding="utf-8") as module:
            if found := _FIRST_LINE.match(module.readline()):
                described[found["name"]] = found["sentence"]
    return described


def source_classes() -> dict[str, type[SnapshotSource]]:
    """The class of every source, by the name by which it is chosen; in the order of the names."""
    found = {}
    for module in pkgutil.iter_modules(pipeline.sources.__path__, f"{pipeline.sources.__name__}."):
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, type) and issubclass(value, SnapshotSource) and "name" in vars(value):
                found[value.name] = value
    return dict(sorted(found.items()))


def open_source(choice: SourceChoice, cache: Path) -> SnapshotSource:
    """The chosen source.

    Raises:
        CensusError: there is no source of that name, or it lacks its settings.
    """
    sources = source_classes()
    for source in sources.values():
        if choice.name in (source.name, *source.aliases):
            return source.opened(choice, cache)
    raise CensusError(f"there is no source {choice.name!r}: choose one of {', '.join(sources)}")
