"""The published folder shows one whole version, whatever happens to the next."""

import os

import pytest
from click.testing import CliRunner

from pipeline.cli.commands import census
from pipeline.errors import CensusError


def publish(folder, **files):
    with folder.new_version() as (version, draft):
        for name, content in files.items():
            (draft / name).write_text(content)
    return version


def read(folder, name):
    return (folder.path / name).read_text()


def test_what_a_version_holds_and_nothing_else_is_reached_under_paths_that_do_not_change(folder):
    publish(folder, warehouse="one", extra="one")
    publish(folder, warehouse="two", report="new")
    assert read(folder, "warehouse") == "two"
    assert read(folder, "report") == "new"
    assert not os.path.lexists(folder.path / "extra")


def test_a_version_that_fails_leaves_the_one_before_and_no_litter(folder):
    publish(folder, warehouse="one")
    with pytest.raises(IsADirectoryError), folder.new_version() as (_, draft):  # noqa: PT012
        (draft / "warehouse").write_text("half")
        draft.write_text("what fails")
    assert read(folder, "warehouse") == "one"
    assert len(list((folder.path / "versions").iterdir())) == 1


def test_three_versions_are_kept_beside_the_current_one_and_a_file_that_a_reader_has_open(folder):
    made = [publish(folder, warehouse="first")]
    with (folder.path / "warehouse").open() as reader:
        made += [publish(folder, warehouse=str(number)) for number in range(5)]
        assert reader.read() == "first"
    assert folder.versions() == made[:1:-1]


def test_a_file_of_an_earlier_layout_gives_way_to_the_pointer(folder):
    folder.path.mkdir()
    (folder.path / "warehouse").write_text("before versions")
    publish(folder, warehouse="one")
    assert read(folder, "warehouse") == "one"


def test_litter_of_a_killed_publisher_is_removed_and_what_others_leave_is_neither_listed_nor_removed(folder):
    first = publish(folder, warehouse="one")
    (folder.path / "versions" / ".20240101T000000000000Z.tmp").mkdir()
    (folder.path / "versions" / ".DS_Store").write_text("")
    (folder.path / "versions" / "notes.txt").write_text("mine")
    (folder.path / "versions" / ".saved.tmp").write_text("mine")
    (folder.path / "versions" / "20250101").mkdir()
    second = publish(folder, warehouse="two")
    assert folder.versions() == [second, first]
    assert (folder.path / "versions" / "notes.txt").read_text() == "mine"
    assert not (folder.path / "versions" / ".20240101T000000000000Z.tmp").exists()


def test_a_folder_in_the_place_of_a_pointer_is_refused_by_name(folder):
    (folder.path / "warehouse").mkdir(parents=True)
    with pytest.raises(CensusError, match="move it away"):
        publish(folder, warehouse="one")


def test_the_command_lists_kept_versions_and_restores_one(folder, monkeypatch):
    monkeypatch.setenv("CENSUS_HOME", str(folder.path.parent))
    first, second = publish(folder, warehouse="one"), publish(folder, warehouse="two")
    assert CliRunner().invoke(census, ["restore"]).output == f"{second}  current\n{first}\n"
    assert CliRunner().invoke(census, ["restore", first]).output == f"{second}\n{first}  current\n"
    assert read(folder, "warehouse") == "one"
    with pytest.raises(CensusError, match="is not kept"):
        CliRunner().invoke(census, ["restore", "20200101"], catch_exceptions=False)
