"""Sources are found, and know no table of the census."""

import ast
from pathlib import Path

import pytest

import pipeline.sources
from assets.listings.hub_snapshots import HUB_SNAPSHOTS
from pipeline.errors import CensusError
from pipeline.sources.catalog import open_source, source_classes
from pipeline.sources.observations import OBSERVATION_SCHEMA
from pipeline.sources.snapshots import SourceChoice

PACKAGE = Path(pipeline.sources.__file__).parent


def test_the_sources_are_those_of_the_package_by_their_names():
    assert list(source_classes()) == ["folder", "hub", "hub_stats", "sample", "weekly"]


def test_a_module_with_a_named_class_is_all_that_a_source_needs(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(
        "from pipeline.sources.folder import FolderSource\n\nclass Mine(FolderSource):\n    name = 'mine'\n"
    )
    monkeypatch.setattr(pipeline.sources, "__path__", [*pipeline.sources.__path__, str(tmp_path)])
    assert type(open_source(SourceChoice("mine", tmp_path), tmp_path)).__name__ == "Mine"


@pytest.mark.parametrize("name", ["folder", "local"])
def test_the_folder_has_kept_its_former_name(tmp_path, name):
    source = open_source(SourceChoice(name, tmp_path), tmp_path)
    assert (source.name, source.folder) == ("folder", tmp_path)


def test_a_source_that_is_not_there_is_refused_with_those_that_are(tmp_path):
    with pytest.raises(CensusError, match="no source 'csv': choose one of folder, hub, hub_stats, sample, weekly"):
        open_source(SourceChoice("csv"), tmp_path)


def test_what_a_source_observes_is_kept_in_the_same_types():
    kept = HUB_SNAPSHOTS.schema
    assert {name: kept[name] for name in OBSERVATION_SCHEMA} == dict(OBSERVATION_SCHEMA)


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("*.py")), ids=lambda path: path.stem)
def test_sources_import_nothing_of_the_census(path):
    imported = {node.module for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)}
    of_the_census = ("assets", "pipeline.schema", "pipeline.lake")
    assert not [name for name in imported if name.startswith(of_the_census)]
