"""A month is published if it was finished and nothing has changed since."""

from dataclasses import replace

import polars as pl
import pytest

from assets.attribution.model_attribution import MODEL_ATTRIBUTION
from assets.listings.hub_snapshots import HUB_SNAPSHOTS
from assets.listings.model_downloads import MODEL_DOWNLOADS
from assets.listings.opening_counters import OPENING_COUNTERS
from pipeline.errors import CensusError
from pipeline.lake.provenance import Provenance
from pipeline.lake.store import Lake
from pipeline.publish.manifest import MONTH_MANIFEST, finished_months, made_by, manifest_of, manifest_rows, misfits
from pipeline.schema.catalogue import Catalogue
from tests.publish.scenario import AUGUST, CATALOGUE, JULY, JUNE, change_one_byte, finish, make_month, write


@pytest.fixture
def lake(tmp_path):
    return Lake(str(tmp_path))


def held_back(lake, month=AUGUST):
    return finished_months(lake, CATALOGUE).held_back[month]


def test_a_finished_month_may_be_published(lake):
    make_month(lake, AUGUST)
    assert finished_months(lake, CATALOGUE).publishable == [AUGUST]


def test_a_month_that_did_not_run_to_its_end_is_held_back_and_others_are_not(lake):
    write(lake, HUB_SNAPSHOTS, JULY)
    make_month(lake, AUGUST)
    months = finished_months(lake, CATALOGUE)
    assert months.publishable == [AUGUST]
    assert "did not run to its end" in months.held_back[JULY]


def test_what_is_held_back_comes_with_the_command_that_mends_it(lake):
    make_month(lake, AUGUST)
    lake.path(MONTH_MANIFEST, AUGUST).unlink()
    [reason] = finished_months(lake, CATALOGUE).reasons()
    assert reason.startswith("2025-08: published/month_manifest is missing")
    assert reason.endswith(": `census run --from 2025-08 --to 2025-08`")


def test_months_that_are_held_back_for_one_reason_are_told_together(lake):
    for month in (JUNE, JULY, AUGUST):
        write(lake, HUB_SNAPSHOTS, month)
    [reason] = finished_months(lake, CATALOGUE).reasons()
    assert reason.startswith("2025-06 to 2025-08: ")
    assert reason.endswith(": `census run --from 2025-06 --to 2025-08`")


def test_a_month_of_another_version_of_the_census_is_held_back_and_never_read_by_half(lake):
    make_month(lake, AUGUST)
    rows = lake.scan(MODEL_ATTRIBUTION, AUGUST).collect()
    rows.drop("country").write_parquet(str(lake.path(MODEL_ATTRIBUTION, AUGUST)))
    with pytest.raises(CensusError, match="has the columns of another version of the census: `census run"):
        lake.scan(MODEL_ATTRIBUTION, AUGUST)
    listed = manifest_rows(lake, AUGUST).with_columns(
        pl.when(table=MODEL_ATTRIBUTION.path)
        .then(pl.lit(lake.digest(MODEL_ATTRIBUTION, AUGUST)))
        .otherwise("sha256")
        .alias("sha256")
    )
    lake.write(MONTH_MANIFEST, AUGUST, listed)
    assert held_back(lake) == "attribution/model_attribution has the columns of another version of the census"


def test_a_table_written_again_afterwards_holds_the_month_back(lake):
    make_month(lake, AUGUST)
    write(lake, OPENING_COUNTERS, AUGUST, revision="r9")
    assert "listings/opening_counters has changed since the month was finished" in held_back(lake)


@pytest.mark.parametrize("table", [HUB_SNAPSHOTS, MODEL_ATTRIBUTION], ids=lambda table: table.name)
def test_one_changed_byte_holds_the_month_back(lake, table):
    make_month(lake, AUGUST)
    change_one_byte(lake.path(table, AUGUST))
    assert f"{table.path} has changed" in held_back(lake)


def test_a_missing_table_holds_the_month_back(lake):
    make_month(lake, AUGUST)
    lake.path(MODEL_DOWNLOADS, AUGUST).unlink()
    assert "listings/model_downloads is missing" in held_back(lake)


def test_a_table_that_the_manifest_does_not_list_holds_the_month_back(lake):
    make_month(lake, AUGUST)
    fewer = Catalogue({path: table for path, table in CATALOGUE.tables.items() if table is not MODEL_ATTRIBUTION})
    lake.write(MONTH_MANIFEST, AUGUST, manifest_of(lake, fewer, AUGUST))
    assert "attribution/model_attribution is not in the month's manifest" in held_back(lake)


def test_a_manifest_says_what_the_month_was_measured_from_and_made_by(lake):
    make_month(lake, AUGUST)
    rows = manifest_rows(lake, AUGUST)
    assert rows["source_revision"].unique().to_list() == ["r1"]
    assert made_by(lake, AUGUST) == {"registry": "a"}


def test_a_month_of_which_a_part_was_made_anew_cannot_be_finished(lake):
    make_month(lake, AUGUST)
    write(lake, HUB_SNAPSHOTS, AUGUST, revision="r9")
    with pytest.raises(CensusError, match="was made from another listings/hub_snapshots than the lake holds"):
        finish(lake, AUGUST)


def test_a_manifest_that_covers_a_stale_table_does_not_publish_it(lake):
    make_month(lake, AUGUST)
    write(lake, HUB_SNAPSHOTS, AUGUST, revision="r9")
    digests = {table.path: lake.digest(table, AUGUST) for table in CATALOGUE.monthly}
    forged = manifest_rows(lake, AUGUST).with_columns(pl.col("table").replace_strict(digests).alias("sha256"))
    lake.write(MONTH_MANIFEST, AUGUST, forged)
    assert "was made from another listings/hub_snapshots" in held_back(lake)


def test_tables_of_one_month_by_two_registries_cannot_be_finished(lake):
    make_month(lake, AUGUST)
    known = lake.provenance(MODEL_DOWNLOADS, AUGUST)
    frame = lake.scan(MODEL_DOWNLOADS, AUGUST).collect()
    lake.write(MODEL_DOWNLOADS, AUGUST, frame, replace(known, made_by={"registry": "b"}))
    with pytest.raises(CensusError, match="several versions of registry"):
        finish(lake, AUGUST)


def test_tables_of_one_month_from_two_observations_cannot_be_finished(lake):
    make_month(lake, AUGUST)
    known = lake.provenance(MODEL_DOWNLOADS, AUGUST)
    frame = lake.scan(MODEL_DOWNLOADS, AUGUST).collect()
    lake.write(MODEL_DOWNLOADS, AUGUST, frame, replace(known, source_revision="another"))
    with pytest.raises(CensusError, match="several observations"):
        finish(lake, AUGUST)


def test_a_month_that_opens_elsewhere_than_the_one_before_closes_is_stale(lake):
    make_month(lake, JULY, closed_by="r1")
    make_month(lake, AUGUST, opened_by="r1")
    assert misfits(lake, CATALOGUE, [JULY, AUGUST]) == {}
    make_month(lake, JULY, closed_by="r1-again")
    [[stale]] = misfits(lake, CATALOGUE, [JULY, AUGUST]).values()
    assert stale.is_stale
    assert "opens with revision r1 of s, but 2025-07 now closes with r1-again" in str(stale)


def test_months_of_different_sources_need_not_meet(lake):
    make_month(lake, JULY, source="another")
    make_month(lake, AUGUST)
    assert misfits(lake, CATALOGUE, [JULY, AUGUST]) == {}


def test_a_month_by_another_registry_than_the_latest_is_stale(lake):
    make_month(lake, JULY, registry="a")
    make_month(lake, AUGUST, opened_by="r1", registry="b")
    [(month, [stale])] = misfits(lake, CATALOGUE, [JULY, AUGUST]).items()
    assert month == JULY
    assert "is made by another registry than 2025-08" in str(stale)


def test_what_a_table_was_made_from_is_in_its_file_and_leaves_its_rows_as_they_are(lake):
    make_month(lake, AUGUST)
    known = lake.provenance(MODEL_DOWNLOADS, AUGUST)
    assert known.inputs == {table.path: lake.digest(table, AUGUST) for table in (HUB_SNAPSHOTS, OPENING_COUNTERS)}
    assert lake.provenance(MODEL_ATTRIBUTION, AUGUST).made_by == {"registry": "a"}
    assert lake.scan(MODEL_DOWNLOADS, AUGUST).collect_schema() == MODEL_DOWNLOADS.schema


def test_a_table_inherits_what_its_inputs_know_of_their_origin():
    snapshot = Provenance(source="hub", source_revision="r", observed_at="2025-08-31T23:00:00+00:00")
    attributed = Provenance({"a": "1"}, made_by={"registry": "d", "list": "old"}).after([snapshot])
    mart = Provenance({"b": "2"}, made_by={"list": "new"}).after([Provenance(), attributed])
    assert (mart.source, mart.source_revision) == ("hub", "r")
    assert mart.made_by == {"registry": "d", "list": "new"}
    assert mart.inputs == {"b": "2"}
