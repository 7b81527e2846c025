"""Sources are found, and know no table of the census."""

import pytest

import pipeline.sources
from assets.listings.hub_snapshots import HUB_SNAPSHOTS
from pipeline.errors import CensusError
from pipeline.sources.snapshots import OBSERVATION_SCHEMA, SourceChoice, described_sources, open_source


def test_every_source_is_opened_by_the_name_by_which_it_describes_itself(tmp_path):
    described = described_sources()
    assert {"folder", "hub", "hub_stats", "sample", "weekly"} <= described.keys()
    assert [open_source(SourceChoice(name, tmp_path), tmp_path).name for name in described] == list(described)


def test_a_module_with_a_named_class_is_all_that_a_source_needs(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(
        '"""Source `mine`: what is mine."""\n\nfrom pipeline.sources.folder import FolderSource\n\n'
        "class Mine(FolderSource):\n    name = 'mine'\n"
    )
    monkeypatch.setattr(pipeline.sources, "__path__", [*pipeline.sources.__path__, str(tmp_path)])
    assert type(open_source(SourceChoice("mine", tmp_path), tmp_path)).__name__ == "Mine"


def test_the_folder_can_be_asked_for_by_its_former_name(tmp_path):
    source = open_source(SourceChoice("local", tmp_path), tmp_path)
    assert (source.name, source.folder) == ("folder", tmp_path)


def test_a_source_that_is_not_there_is_refused_with_those_that_are(tmp_path):
    with pytest.raises(CensusError, match=f"no source 'x': choose one of {', '.join(described_sources())}"):
        open_source(SourceChoice("x"), tmp_path)


def test_what_a_source_observes_is_kept_in_the_same_types():
    kept = HUB_SNAPSHOTS.schema
    assert {name: kept[name] for name in OBSERVATION_SCHEMA} == dict(OBSERVATION_SCHEMA)
