"""What was changed behind our back is named, wherever it is; what was made from older files is, too."""

from dataclasses import replace
from datetime import date

import polars as pl
import pytest

from pipeline.errors import CensusError
from pipeline.lake.provenance import Provenance
from pipeline.lake.store import Lake
from pipeline.publish import digests
from pipeline.publish import verify as verification
from pipeline.publish.digests import lake_digests, write_digests
from pipeline.publish.folder import VERSIONS_KEPT, PublishedFolder
from pipeline.publish.seals import misfits, seal, sealed_months
from pipeline.publish.verify import verify
from pipeline.schema.catalogue import Catalogue
from pipeline.tables.attribution import MODEL_ATTRIBUTION, ORGANIZATIONS
from pipeline.tables.listings import HUB_SNAPSHOTS, MODEL_DOWNLOADS, OPENING_COUNTERS
from pipeline.tables.published import MONTH_SEALS

JULY, AUGUST = date(2025, 7, 1), date(2025, 8, 1)
TABLES = (HUB_SNAPSHOTS, OPENING_COUNTERS, MODEL_DOWNLOADS, MODEL_ATTRIBUTION)
CATALOGUE = Catalogue({table.path: table for table in (*TABLES, ORGANIZATIONS, MONTH_SEALS)})
MADE_FROM = {MODEL_DOWNLOADS: (HUB_SNAPSHOTS, OPENING_COUNTERS), MODEL_ATTRIBUTION: (HUB_SNAPSHOTS,)}


@pytest.fixture
def lake(tmp_path):
    return Lake(str(tmp_path / "lake"))


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "published"


def write(lake, table, month, *, revision="r1", registry="a", **values):
    row = dict.fromkeys(table.schema) | {"month": month, "hub_id": "m", "source": "s", "source_revision": revision}
    rows = [{name: value for name, value in (row | values).items() if name in table.schema}]
    inputs = {upstream.path: lake.digest(upstream, month) for upstream in MADE_FROM.get(table, ())}
    digest = registry if table is MODEL_ATTRIBUTION else None
    lake.write(table, month, pl.LazyFrame(rows, schema=table.schema), Provenance(inputs, registry_digest=digest))


def make_month(lake, month, *, opened_by="r0", closed_by="r1", registry="a"):
    write(lake, HUB_SNAPSHOTS, month, revision=closed_by)
    write(lake, OPENING_COUNTERS, month, revision=opened_by)
    write(lake, MODEL_DOWNLOADS, month)
    write(lake, MODEL_ATTRIBUTION, month, registry=registry)
    seal_month(lake, month)


def seal_month(lake, month):
    lake.write(MONTH_SEALS, month, seal(lake, TABLES, month), Provenance())


def publish(lake, folder):
    with PublishedFolder(folder).new_version() as draft:
        (draft.path / "parquet").mkdir()
        (draft.path / "parquet" / "mart.parquet").write_bytes(b"a mart")
        (draft.path / "report.html").write_text("a report")
        write_digests(draft.path, lake_digests(lake, sealed_months(lake, TABLES).publishable))


def change_one_byte(path, place=0.5):
    content = bytearray(path.read_bytes())
    content[int((len(content) - 1) * place)] ^= 1
    path.write_bytes(bytes(content))


def findings(lake, folder):
    return [str(finding) for finding in verify(lake, CATALOGUE, folder).findings]


def files_in(*folders):
    return sorted(path for folder in folders for path in folder.rglob("*") if path.is_file() and path.name != ".lock")


def test_what_nobody_touched_matches(lake, folder):
    make_month(lake, JULY)
    make_month(lake, AUGUST, opened_by="r1")
    publish(lake, folder)
    found = verify(lake, CATALOGUE, folder)
    assert (found.findings, found.months, len(found.versions)) == ([], [JULY, AUGUST], 1)


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
    oldest, reads = PublishedFolder(folder).versions()[-1], getattr(digests, read)

    def meanwhile(path):
        if oldest in str(path) and oldest in PublishedFolder(folder).versions():
            publish(lake, folder)
        return reads(path)

    monkeypatch.setattr(verification, read, meanwhile)
    assert findings(lake, folder) == []
    assert oldest not in PublishedFolder(folder).versions()


def test_each_changed_file_is_named(lake, folder):
    make_month(lake, AUGUST)
    publish(lake, folder)
    change_one_byte(lake.path(MODEL_DOWNLOADS, AUGUST))
    change_one_byte(folder / "report.html")
    [of_lake, of_publication] = findings(lake, folder)
    assert of_lake == "2025-08: listings/model_downloads has changed since it was sealed: run the month again"
    assert "report.html has changed since it was published: publish again" in of_publication


def test_a_file_that_is_missing_and_one_too_many_are_named(lake, folder):
    make_month(lake, AUGUST)
    publish(lake, folder)
    (folder / "report.html").resolve().unlink()
    (folder / "current" / "note.txt").write_text("from elsewhere")
    said = "\n".join(findings(lake, folder))
    assert "report.html is missing" in said
    assert "note.txt was not published with it" in said


def test_a_file_in_the_place_of_a_pointer_is_named(lake, folder):
    make_month(lake, AUGUST)
    publish(lake, folder)
    (folder / "report.html").unlink()
    (folder / "report.html").write_text("another report")
    assert "does not lead to the current version: `census restore" in findings(lake, folder)[0]


def test_what_was_published_from_an_older_month_than_the_lakes_is_named(lake, folder):
    make_month(lake, AUGUST)
    publish(lake, folder)
    make_month(lake, AUGUST, closed_by="r2")
    [said] = findings(lake, folder)
    assert "was made from another published/month_seals/month=2025-08-01" in said
    assert "publish again" in said


def test_a_mart_that_is_older_than_what_it_was_made_from_is_named_with_all_that_follow_from_it(lake, folder):
    make_month(lake, AUGUST)
    write(lake, OPENING_COUNTERS, AUGUST, revision="r9")
    said = "\n".join(findings(lake, folder))
    assert "listings/model_downloads was made from another listings/opening_counters than the lake holds" in said
    assert "attribution/model_attribution" not in said


def test_a_month_of_which_a_part_was_made_anew_cannot_be_sealed(lake):
    make_month(lake, AUGUST)
    write(lake, HUB_SNAPSHOTS, AUGUST, revision="r9")
    with pytest.raises(CensusError, match="was made from another listings/hub_snapshots than the lake holds"):
        seal_month(lake, AUGUST)


def test_a_seal_that_covers_a_stale_table_does_not_publish_it(lake, monkeypatch):
    make_month(lake, AUGUST)
    write(lake, HUB_SNAPSHOTS, AUGUST, revision="r9")
    forged = lake.scan(MONTH_SEALS, AUGUST).collect()
    digests = {table.path: lake.digest(table, AUGUST) for table in TABLES}
    lake.write(MONTH_SEALS, AUGUST, forged.with_columns(pl.col("table").replace_strict(digests).alias("sha256")))
    months = sealed_months(lake, TABLES)
    assert months.publishable == []
    assert "was made from another listings/hub_snapshots" in months.held_back[AUGUST]


def test_tables_of_one_month_by_two_registries_cannot_be_sealed(lake):
    make_month(lake, AUGUST)
    other = lake.provenance(MODEL_DOWNLOADS, AUGUST)
    frame = lake.scan(MODEL_DOWNLOADS, AUGUST).collect()
    lake.write(MODEL_DOWNLOADS, AUGUST, frame, replace(other, registry_digest="b"))
    with pytest.raises(CensusError, match="were not all attributed by one registry"):
        seal_month(lake, AUGUST)


def test_a_month_that_opens_elsewhere_than_the_one_before_closes_is_stale(lake, folder):
    make_month(lake, JULY, closed_by="r1")
    make_month(lake, AUGUST, opened_by="r1")
    assert misfits(lake, [JULY, AUGUST]) == {}
    make_month(lake, JULY, closed_by="r1-again")
    [[stale]] = misfits(lake, [JULY, AUGUST]).values()
    assert stale.is_stale
    assert "opens with revision r1 of s, but 2025-07 now closes with r1-again: run the month again" in str(stale)
    assert any(said.startswith("2025-08: listings/opening_counters") for said in findings(lake, folder))


def test_months_of_different_sources_need_not_meet(lake):
    make_month(lake, JULY)
    write(lake, HUB_SNAPSHOTS, JULY, revision="other", source="another")
    make_month(lake, AUGUST)
    assert misfits(lake, [AUGUST]) == {}


def test_a_month_by_another_registry_than_the_latest_is_stale(lake):
    make_month(lake, JULY, registry="a")
    make_month(lake, AUGUST, opened_by="r1", registry="b")
    [(month, [stale])] = misfits(lake, [JULY, AUGUST]).items()
    assert month == JULY
    assert "was made by another registry than 2025-08" in str(stale)


def test_a_table_that_does_not_say_what_it_was_made_from_is_named(lake, folder):
    make_month(lake, AUGUST)
    lake.write(MODEL_DOWNLOADS, AUGUST, lake.scan(MODEL_DOWNLOADS, AUGUST).collect())
    seal_month(lake, AUGUST)
    [said] = findings(lake, folder)
    assert "listings/model_downloads does not say what it was made from" in said


def test_what_a_table_was_made_from_is_in_its_file_and_leaves_its_rows_as_they_are(lake):
    make_month(lake, AUGUST)
    known = lake.provenance(MODEL_DOWNLOADS, AUGUST)
    assert known.inputs == {table.path: lake.digest(table, AUGUST) for table in MADE_FROM[MODEL_DOWNLOADS]}
    assert lake.provenance(MODEL_ATTRIBUTION, AUGUST).registry_digest == "a"
    assert lake.scan(MODEL_DOWNLOADS, AUGUST).collect_schema() == MODEL_DOWNLOADS.schema


def test_a_table_inherits_what_its_inputs_know_of_their_origin():
    snapshot = Provenance(source="hub", source_revision="r", observed_at="2025-08-31T23:00:00+00:00")
    attributed = Provenance({"a": "1"}, registry_digest="d").after([snapshot])
    mart = Provenance({"b": "2"}).after([Provenance(), attributed])
    assert (mart.source, mart.source_revision, mart.registry_digest) == ("hub", "r", "d")
    assert mart.inputs == {"b": "2"}
