"""A process killed before every single change that it makes: what is listed is whole, and the next process heals."""

from importlib.resources import files
from itertools import count

import pytest

from pipeline.orchestration.home import home_environment, prepare_home
from pipeline.publish.copies import StoreCopy
from pipeline.publish.folder import VERSIONS_KEPT, PublishedFolder
from tests.faults.steps import killed_before

NAMES = ("SHA256SUMS", "census.duckdb", "parquet/coverage.parquet", "parquet/country_shares.parquet")
INSTANCE = files("pipeline.orchestration").joinpath("dagster.yaml").read_text()
NEW_NAMES = (*NAMES, "report.html")


def publish(folder, text, names=NAMES):
    with folder.new_version() as (version, draft):
        (draft / "parquet").mkdir()
        for name in names:
            (draft / name).write_text(text)
    return version


def files_of(version):
    return {path.relative_to(version).as_posix(): path.read_text() for path in version.rglob("*") if path.is_file()}


def is_whole(files):
    """Every file of one publication or the other, and all of the same."""
    return set(files) in (set(NAMES), set(NEW_NAMES)) and len(set(files.values())) == 1


@pytest.fixture
def folder(tmp_path):
    """With as many versions as are kept, so that the next one removes the oldest."""
    folder = PublishedFolder(tmp_path / "published")
    for number in range(VERSIONS_KEPT + 1):
        publish(folder, f"before {number}")
    return folder


def test_a_publication_killed_before_any_of_its_changes_leaves_whole_versions_alone(folder, outcomes):
    versions = folder.path / "versions"
    for step in count(1):
        before = folder.versions()
        killed = killed_before(step, lambda: publish(folder, "new", NEW_NAMES))
        kept = {version: files_of(versions / version) for version in folder.versions()}
        current = kept[folder.current()]
        outcomes.unharmed(
            "process: killed before each change of a publication",
            lost=len(set(before) - set(kept)) > 1,
            torn=sum(not is_whole(files) for files in kept.values()),
            wrong={name: (folder.path / name).read_text() for name in current} != current,
        )
        latest = publish(folder, "next")
        assert folder.current() == latest
        assert len(folder.versions()) == VERSIONS_KEPT + 1
        assert list(versions.glob(".*")) == []
        assert not (folder.path / "report.html").is_symlink()
        if not killed:
            break
    assert step > len(NEW_NAMES)


def test_a_copy_killed_before_any_of_its_changes_leaves_whole_versions_alone(folder, tmp_path, outcomes):
    copy, made = StoreCopy(str(tmp_path / "copy")), folder.path / "versions"
    for number in range(VERSIONS_KEPT + 1):
        publish(folder, f"before {number}")
        copy.take(folder.path)
    for step in count(1):
        before = copy.versions()
        publish(folder, f"new {step}")
        killed = killed_before(step, lambda: copy.take(folder.path))
        kept = {version: files_of(tmp_path / "copy" / "versions" / version) for version in copy.versions()}
        outcomes.unharmed(
            "process: killed before each change of a copy",
            lost=len(set(before) - set(kept)) > 1 or copy.current() not in kept,
            torn=sum(not is_whole(files) for files in kept.values()),
            wrong=any(kept[version] != files_of(made / version) for version in set(kept) & set(folder.versions())),
        )
        latest = publish(folder, f"next {step}")
        assert copy.take(folder.path) == latest == copy.current()
        assert len(copy.versions()) == VERSIONS_KEPT + 1
        if not killed:
            break
    assert step > len(NAMES)


def test_a_home_whose_making_was_killed_before_any_change_is_made_whole_by_the_next(tmp_path, monkeypatch, outcomes):
    for variable in home_environment(tmp_path):
        monkeypatch.setenv(variable, "")
    for step in count(1):
        home = tmp_path / str(step)
        monkeypatch.setenv("CENSUS_HOME", str(home))
        monkeypatch.setenv("DAGSTER_HOME", str(home / "dagster"))
        killed = killed_before(step, prepare_home)
        prepare_home()
        said = (home / "dagster" / "dagster.yaml").read_text()
        outcomes.unharmed("process: killed before each change of a home that is made", torn=said != INSTANCE)
        if not killed:
            break
    assert step > 3
