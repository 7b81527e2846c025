"""What was changed behind our back is named, wherever it is; what was made from older files is, too."""

from contextlib import nullcontext

import pytest

from assets.listings.model_downloads import MODEL_DOWNLOADS
from assets.listings.opening_counters import OPENING_COUNTERS
from pipeline.errors import TemporaryError
from pipeline.publish import verify as verification
from pipeline.publish.folder import VERSIONS_KEPT, PublishedFolder
from pipeline.publish.manifest import MONTH_MANIFEST
from pipeline.publish.verify import file_states, lake_digests, require_unchanged, verify
from tests.publish.scenario import (
    AUGUST,
    CATALOGUE,
    JULY,
    change_one_byte,
    finish,
    make_month,
    publish,
    write,
    write_registry,
)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "published"


def findings(lake, folder):
    return [str(finding) for finding in verify(lake, CATALOGUE, folder).findings]


def files_in(*folders):
    return sorted(path for folder in folders for path in folder.rglob("*") if path.is_file() and path.name != ".lock")


@pytest.mark.parametrize("place", [0, *(1 - part / 20 for part in range(12))])
def test_one_changed_byte_in_any_file_of_lake_or_publication_is_found(lake, folder, place, tmp_path):
    make_month(lake, AUGUST)
    publish(lake, folder)
    files = files_in(tmp_path / "lake", folder / "versions")
    assert len(files) == 5 + 4
    for path in files:
        before = path.read_bytes()
        change_one_byte(path, place)
        assert findings(lake, folder), path
        path.write_bytes(before)
    assert findings(lake, folder) == []


@pytest.mark.parametrize("read", ["read_digests", "file_digests"])
def test_a_version_that_a_publisher_removes_meanwhile_is_not_missed(lake, folder, monkeypatch, read):
    make_month(lake, AUGUST)
    for _ in range(VERSIONS_KEPT + 1):
        publish(lake, folder)
    oldest, reads = PublishedFolder(folder).versions()[-1], getattr(verification, read)

    def meanwhile(path):
        if oldest in str(path) and oldest in PublishedFolder(folder).versions():
            publish(lake, folder)
        return reads(path)

    monkeypatch.setattr(verification, read, meanwhile)
    assert findings(lake, folder) == []
    assert oldest not in PublishedFolder(folder).versions()


def test_each_file_that_is_changed_missing_or_one_too_many_is_named(lake, folder):
    make_month(lake, AUGUST)
    publish(lake, folder)
    change_one_byte(lake.path(MODEL_DOWNLOADS, AUGUST))
    change_one_byte(folder / "report.html")
    (folder / "parquet" / "mart.parquet").unlink()
    (folder / "current" / "note.txt").write_text("from elsewhere")
    of_lake, *of_publication = findings(lake, folder)
    assert of_lake.startswith("2025-08: listings/model_downloads has changed since the month was finished: `census run")
    said = "\n".join(of_publication)
    assert "report.html has changed since it was published: publish again" in said
    assert "parquet/mart.parquet is missing" in said
    assert "note.txt was not published with it" in said


def another_report(lake, folder):
    (folder / "report.html").unlink()
    (folder / "report.html").write_text("another report")


def without_provenance(lake, folder):
    lake.write(MODEL_DOWNLOADS, AUGUST, lake.scan(MODEL_DOWNLOADS, AUGUST).collect())
    finish(lake, AUGUST)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (another_report, "report.html does not lead to the current version: `census restore"),
        (
            lambda lake, _: make_month(lake, AUGUST, closed_by="r2"),
            "was made from another published/month_manifest/month=2025-08-01/part-0.parquet than the lake holds: ",
        ),
        (
            lambda lake, _: write(lake, OPENING_COUNTERS, AUGUST, revision="r9"),
            "listings/model_downloads was made from another listings/opening_counters than the lake holds",
        ),
        (lambda lake, _: make_month(lake, JULY), "2025-08: listings/opening_counters opens with revision r0 of s, but"),
        (without_provenance, "listings/model_downloads does not say what it was made from"),
    ],
)
def test_what_does_not_match_is_named_and_what_does_is_not(lake, folder, change, said):
    make_month(lake, AUGUST)
    publish(lake, folder)
    assert findings(lake, folder) == []
    change(lake, folder)
    found = "\n".join(findings(lake, folder))
    assert said in found
    assert "attribution/model_attribution" not in found


def written_again(lake):
    """Its files are others, their bytes are not."""
    for table in CATALOGUE.monthly:
        content = lake.path(table, AUGUST).read_bytes()
        lake.path(table, AUGUST).unlink()
        lake.path(table, AUGUST).write_bytes(content)


@pytest.mark.parametrize(
    ("change", "is_refused"),
    [
        (written_again, False),
        (lambda lake: write(lake, OPENING_COUNTERS, AUGUST, revision="r9"), True),
        (lambda lake: lake.path(MODEL_DOWNLOADS, AUGUST).unlink(), True),
        (lambda lake: lake.write(MONTH_MANIFEST, AUGUST, lake.scan(MONTH_MANIFEST, AUGUST).head(1)), True),
        (lambda lake: write_registry(lake, "another"), True),
    ],
    ids=["the same bytes", "other rows", "no rows", "another manifest", "another registry"],
)
def test_what_is_written_meanwhile_is_refused_unless_its_bytes_are_the_same(lake, change, is_refused):
    make_month(lake, AUGUST)
    write_registry(lake, "a")
    states, digests = file_states(lake, CATALOGUE), lake_digests(lake, CATALOGUE, [AUGUST])
    change(lake)
    with pytest.raises(TemporaryError, match="was replaced while") if is_refused else nullcontext():
        require_unchanged(lake, CATALOGUE, states, digests)
