"""A month is published if it was finished and nothing has changed since."""

import os
from dataclasses import replace
from datetime import UTC, datetime

import polars as pl
import pytest

from assets.attribution.model_attribution import MODEL_ATTRIBUTION
from assets.listings.hub_snapshots import HUB_SNAPSHOTS
from assets.listings.model_downloads import MODEL_DOWNLOADS
from assets.listings.opening_counters import OPENING_COUNTERS
from assets.published.about import CENSUS
from pipeline.checks.declared import declared_checks
from pipeline.errors import CensusError
from pipeline.lake.provenance import Provenance
from pipeline.publish.export import LakeMonths
from pipeline.publish.manifest import (
    MONTH_MANIFEST,
    defects,
    digest_as_listed,
    finished_months,
    made_by,
    manifest_of,
    manifest_rows,
    misfits,
)
from pipeline.schema.catalogue import Catalogue
from pipeline.schema.published import Edition
from tests.publish.scenario import AUGUST, CATALOGUE, JULY, JUNE, change_one_byte, finish, make_month, write


@pytest.fixture
def august(lake):
    """A lake with one finished month."""
    make_month(lake, AUGUST)
    return lake


def held_back(lake, month=AUGUST):
    return finished_months(lake, CATALOGUE).held_back.get(month)


def test_months_that_did_not_run_to_their_end_are_held_back_together_with_the_command_that_mends_them(august):
    for month in (JUNE, JULY):
        write(august, HUB_SNAPSHOTS, month)
    found = finished_months(august, CATALOGUE)
    assert found.publishable == [AUGUST]
    [reason] = found.reasons()
    assert reason.startswith(
        "2025-06 to 2025-07: published/month_manifest is missing: the month did not run to its end"
    )
    assert reason.endswith(": `census run --from 2025-06 --to 2025-07`")


def rewritten(lake):
    write(lake, OPENING_COUNTERS, AUGUST, revision="r9")


def without_a_table(lake):
    lake.path(MODEL_DOWNLOADS, AUGUST).unlink()


def with_a_table_that_is_not_listed(lake):
    fewer = Catalogue({path: table for path, table in CATALOGUE.tables.items() if table is not MODEL_ATTRIBUTION})
    lake.write(MONTH_MANIFEST, AUGUST, manifest_of(lake, fewer, AUGUST))


def of_another_version(lake):
    rows = lake.scan(MODEL_ATTRIBUTION, AUGUST).collect()
    rows.drop("country").write_parquet(str(lake.path(MODEL_ATTRIBUTION, AUGUST)))
    list_as_they_are(lake)
    with pytest.raises(CensusError, match="has the columns of another version of the census: `census run"):
        lake.scan(MODEL_ATTRIBUTION, AUGUST)


def with_a_stale_table_that_is_listed(lake):
    write(lake, HUB_SNAPSHOTS, AUGUST, revision="r9")
    list_as_they_are(lake)


def list_as_they_are(lake):
    """A manifest with the digests that the tables have now, whatever they were made from."""
    digests = {table.path: lake.digest(table, AUGUST) for table in CATALOGUE.monthly}
    forged = manifest_rows(lake, AUGUST).with_columns(pl.col("table").replace_strict(digests).alias("sha256"))
    lake.write(MONTH_MANIFEST, AUGUST, forged)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (rewritten, "listings/opening_counters has changed since the month was finished"),
        (lambda lake: change_one_byte(lake.path(HUB_SNAPSHOTS, AUGUST)), "listings/hub_snapshots has changed"),
        (lambda lake: change_one_byte(lake.path(MODEL_ATTRIBUTION, AUGUST)), "model_attribution has changed"),
        (without_a_table, "listings/model_downloads is missing"),
        (with_a_table_that_is_not_listed, "attribution/model_attribution is not in the month's manifest"),
        (of_another_version, "attribution/model_attribution has the columns of another version of the census"),
        (with_a_stale_table_that_is_listed, "was made from another listings/hub_snapshots"),
    ],
)
def test_a_month_that_is_not_as_it_was_finished_is_held_back(august, change, reason):
    assert held_back(august) is None
    change(august)
    assert reason in held_back(august)
    assert next(defects(august, CATALOGUE, AUGUST)).is_stale == reason.startswith("was made from")


def test_a_month_without_a_manifest_is_told_with_every_table_that_it_lacks_besides(lake):
    write(lake, HUB_SNAPSHOTS, AUGUST)
    told = [defect.table for defect in defects(lake, CATALOGUE, AUGUST)]
    assert told == ["published/month_manifest", *(t.path for t in CATALOGUE.monthly if t is not HUB_SNAPSHOTS)]


def test_a_quick_look_passes_a_month_as_it_was_finished_and_tells_of_stale_tables_where_one_was_written_since(august):
    assert not list(defects(august, CATALOGUE, AUGUST, digest_as_listed(august)))
    write(august, HUB_SNAPSHOTS, AUGUST, revision="r9")
    later = august.modified(MONTH_MANIFEST, AUGUST).timestamp() + 1
    os.utime(august.path(HUB_SNAPSHOTS, AUGUST), (later, later))
    quick, whole = (list(defects(august, CATALOGUE, AUGUST, look)) for look in (digest_as_listed(august), None))
    assert quick == whole
    assert any(defect.is_stale for defect in quick)


@pytest.mark.parametrize(("seconds", "hashed"), [(-1, False), (0, False), (1, True)])
def test_a_quick_look_reads_only_the_files_that_were_written_after_the_manifest(august, seconds, hashed):
    finished_at = august.modified(MONTH_MANIFEST, AUGUST).timestamp()
    change_one_byte(august.path(HUB_SNAPSHOTS, AUGUST))
    os.utime(august.path(HUB_SNAPSHOTS, AUGUST), (finished_at + seconds, finished_at + seconds))
    listed = dict(manifest_rows(august, AUGUST).select("table", "sha256").iter_rows())[HUB_SNAPSHOTS.path]
    assert (digest_as_listed(august)(HUB_SNAPSHOTS, AUGUST) != listed) == hashed


def test_a_manifest_says_what_the_month_was_measured_from_and_made_by(august):
    assert manifest_rows(august, AUGUST)["source_revision"].unique().to_list() == ["r1"]
    assert made_by(august, AUGUST) == {"registry": "a"}


def test_a_publication_says_of_each_month_what_was_checked_and_by_how_many_blocking_checks(august, tmp_path):
    make_month(august, JULY, source="weekly")
    edition = Edition("v1", datetime(2025, 9, 1, tzinfo=UTC), "equal_parts")
    found = CENSUS.make(LakeMonths(august, CATALOGUE, (JULY, AUGUST), edition, tmp_path)).collect()
    of_months = [(JULY, "weekly", "r1", len(CATALOGUE.monthly)), (AUGUST, "s", "r1", len(CATALOGUE.monthly))]
    assert found.select("month", "source", "source_revision", "tables_checked").rows() == of_months
    checks = [check for table in CATALOGUE.monthly for check in declared_checks(table)]
    blocking = [check for check in checks if check.severity == "critical"]
    assert set(found["checks_passed"]) == {len(blocking)}
    assert found["checked_at"].to_list() == [august.modified(MONTH_MANIFEST, month) for month in (JULY, AUGUST)]


def test_a_month_of_which_a_part_was_made_anew_cannot_be_finished(august):
    write(august, HUB_SNAPSHOTS, AUGUST, revision="r9")
    with pytest.raises(CensusError, match="was made from another listings/hub_snapshots than the lake holds"):
        finish(august, AUGUST)


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        ({"made_by": {"registry": "b"}}, "several versions of registry"),
        ({"source_revision": "x"}, "several observations"),
    ],
)
def test_tables_of_one_month_that_do_not_belong_together_cannot_be_finished(august, other, reason):
    known, frame = august.provenance(MODEL_DOWNLOADS, AUGUST), august.scan(MODEL_DOWNLOADS, AUGUST).collect()
    august.write(MODEL_DOWNLOADS, AUGUST, frame, replace(known, **other))
    with pytest.raises(CensusError, match=reason):
        finish(august, AUGUST)


@pytest.mark.parametrize(
    ("july", "stale"),
    [
        ({"closed_by": "r0"}, []),
        ({"closed_by": "r2"}, [(AUGUST, "opens with revision r0 of s, but 2025-07 now closes with r2")]),
        ({"source": "another"}, []),
        ({"closed_by": "r0", "registry": "b"}, [(JULY, "is made by another registry than 2025-08")]),
    ],
    ids=["as they meet", "opens elsewhere than the one before closes", "of another source", "by another registry"],
)
def test_a_month_that_does_not_fit_the_others_is_stale(august, july, stale):
    make_month(august, JUNE, closed_by="r0")
    make_month(august, JULY, **july)
    misfitting = misfits(august, CATALOGUE, [JUNE, JULY, AUGUST])
    found = [(month, defect) for month, those in misfitting.items() for defect in those]
    assert [month for month, _ in found] == [month for month, _ in stale]
    for (_, defect), (_, said) in zip(found, stale, strict=True):
        assert defect.is_stale
        assert said in str(defect)


def test_a_table_inherits_what_its_inputs_know_of_their_origin():
    snapshot = Provenance(source="hub", source_revision="r", observed_at="2025-08-31T23:00:00+00:00")
    attributed = Provenance({"a": "1"}, made_by={"registry": "d", "list": "old"}).after([snapshot])
    mart = Provenance({"b": "2"}, made_by={"list": "new"}).after([Provenance(), attributed])
    assert (mart.source, mart.source_revision) == ("hub", "r")
    assert mart.made_by == {"registry": "d", "list": "new"}
    assert mart.inputs == {"b": "2"}
