"""The publication's copy in an object store: whole, never back, and no more versions than are kept."""

import pytest

from pipeline.errors import CensusError
from pipeline.publish.copies import StoreCopy
from pipeline.publish.folder import VERSIONS_KEPT, PublishedFolder
from tests.lake.object_store import ObjectStoreServer, unavailable


@pytest.fixture
def store(monkeypatch):
    with ObjectStoreServer() as server:
        yield server.new_bucket(monkeypatch)


@pytest.fixture(params=["s3", "folder"])
def copy(request, store, tmp_path):
    return StoreCopy(f"s3://{store.bucket}/published" if request.param == "s3" else str(tmp_path / "copy"))


def publish(folder, text):
    with PublishedFolder(folder).new_version() as (version, draft):
        (draft / "parquet").mkdir()
        (draft / "parquet" / "shares.parquet").write_text(text)
        (draft / "SHA256SUMS").write_text(text)
    return version


def test_the_copy_holds_the_current_version_and_names_it(copy, tmp_path):
    assert copy.current() is None
    first = publish(tmp_path / "published", "first")
    assert copy.take(tmp_path / "published") == first == copy.current()
    second = publish(tmp_path / "published", "second")
    copy.take(tmp_path / "published")
    assert copy.current() == second
    assert copy.versions() == [second, first]


def test_older_versions_than_are_kept_go_and_a_later_one_of_another_machine_stays_current(copy, tmp_path):
    publish(tmp_path / "slow", "begun first")
    for number in range(VERSIONS_KEPT + 2):
        latest = publish(tmp_path / "published", str(number))
        copy.take(tmp_path / "published")
    assert len(copy.versions()) == VERSIONS_KEPT + 1
    copy.take(tmp_path / "slow")
    assert copy.current() == latest


def test_a_store_that_fails_in_the_middle_leaves_the_version_before(store, tmp_path):
    copy, folder = StoreCopy(f"s3://{store.bucket}/published"), tmp_path / "published"
    first = publish(folder, "first")
    copy.take(folder)
    publish(folder, "second")
    with (
        store.failing(lambda number, environ: unavailable if environ["REQUEST_METHOD"] == "PUT" else None),
        pytest.raises(CensusError, match="the object store does not answer"),
    ):
        copy.take(folder)
    assert copy.current() == first


def test_nothing_to_copy_is_told(tmp_path):
    with pytest.raises(CensusError, match="nothing is published"):
        StoreCopy(str(tmp_path / "copy")).take(tmp_path / "published")
