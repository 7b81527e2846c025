"""What Dagster shows beside a materialisation: what the month rests on, its coverage, pictures that are drawings."""

import base64
import re
from datetime import UTC, date, datetime
from xml.etree import ElementTree

import polars as pl
import pytest

from assets.listings.hub_snapshots import HUB_SNAPSHOTS
from assets.listings.model_downloads import MODEL_DOWNLOADS
from assets.shares.country_shares import COUNTRY_SHARES
from pipeline.definitions import CATALOGUE
from pipeline.lake.provenance import Provenance
from pipeline.lake.store import Lake
from pipeline.orchestration.display_metadata import largest_rows, lowest_coverage, month_pictures, shown_of_month
from tests.assets.rows import rows_of

JULY, AUGUST = date(2025, 7, 1), date(2025, 8, 1)
OBSERVED = datetime(2025, 9, 1, 3, tzinfo=UTC)


def rows(table, *given):
    """Rows of the table with the values given, and no others."""
    return rows_of(table, given).collect()


def share(month, member, value, **further):
    stated = {"population": "new", "attribution": "uploader", "period": "month", "basis": "all_time_delta"}
    counted = {"coverage": 0.9, "denominator": 10, "downloads": 5}
    return stated | counted | {"month": month, "member": member, "share": value} | further


@pytest.fixture
def lake(tmp_path):
    made = Lake(str(tmp_path / "lake"))
    listed = {"month": AUGUST, "source": "sample", "source_revision": "abc", "observed_at": OBSERVED}
    made.write(HUB_SNAPSHOTS, AUGUST, rows(HUB_SNAPSHOTS, listed))
    made.write(MODEL_DOWNLOADS, AUGUST, rows(MODEL_DOWNLOADS, {"basis": "all_time_delta", "quality": "exact"}))
    made.write(COUNTRY_SHARES, JULY, rows(COUNTRY_SHARES, share(JULY, "CN", 0.1), share(JULY, "US", 0.2)))
    return made


def test_a_mart_is_shown_with_the_snapshot_and_the_counter_that_it_rests_on(lake):
    inputs = {MODEL_DOWNLOADS.path: lake.digest(MODEL_DOWNLOADS, AUGUST)}
    known = Provenance(inputs, source="sample", source_revision="abc", observed_at=OBSERVED.isoformat())
    lake.write(COUNTRY_SHARES, AUGUST, rows(COUNTRY_SHARES, share(AUGUST, "CN", 0.1)), known)
    shown = shown_of_month(lake, CATALOGUE, COUNTRY_SHARES, AUGUST)
    assert shown["observed_at"].value == OBSERVED.timestamp()
    assert {name: shown[name] for name in ("source", "source_revision", "basis", "quality")} == {
        "source": "sample (synthetic: nothing in it was measured)",
        "source_revision": "abc",
        "basis": "all_time_delta",
        "quality": "exact",
    }


def test_the_coverage_shown_is_the_lowest_of_the_rows_about_everything():
    stated = rows(
        COUNTRY_SHARES,
        share(JULY, "CN", 0.1, population="all", coverage=0.8),
        share(JULY, "CN", 0.1, population="all", coverage=0.7),
        share(JULY, "CN", 0.1, population="new", coverage=0.5),
        share(JULY, "CN", 0.0, population="all", coverage=0.0, denominator=0),
    )
    assert lowest_coverage(stated.lazy(), COUNTRY_SHARES) == 0.7
    assert lowest_coverage(pl.LazyFrame(), MODEL_DOWNLOADS) is None


def test_the_pictures_of_a_mart_are_the_declared_figures_over_the_months_that_the_lake_holds(lake):
    known = Provenance(source="sample", source_revision="abc")
    now = rows(COUNTRY_SHARES, share(AUGUST, "CN", 0.3), share(AUGUST, "<script>", 0.25))
    lake.write(COUNTRY_SHARES, AUGUST, now, known)
    shown = {key: picture.value for key, picture in month_pictures(lake, CATALOGUE, COUNTRY_SHARES, AUGUST).items()}
    assert set(shown) == {"countries", "countries-over-time"}
    for markdown in shown.values():
        (encoded,) = re.findall(r"data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)", markdown)
        assert ElementTree.fromstring(base64.b64decode(encoded)).tag.endswith("svg")
        assert "<script>" not in markdown
        assert "Incidents" not in markdown
    assert "Period: 2025-08 \\(month\\)" in shown["countries"]
    assert "Period: 2025-07 to 2025-08" in shown["countries-over-time"]
    assert "Source: 2025-07: unknown; 2025-08: sample" in shown["countries-over-time"]
    assert "Basis: differences of cumulative counters. Quality: unknown" in shown["countries-over-time"]


def test_a_month_without_new_models_has_no_picture_of_their_shares(lake):
    lake.write(COUNTRY_SHARES, AUGUST, rows(COUNTRY_SHARES, share(AUGUST, "CN", 0.3, population="all")))
    assert "countries" not in month_pictures(lake, CATALOGUE, COUNTRY_SHARES, AUGUST)


def test_the_largest_rows_of_a_mart_show_each_member_once_as_the_headline_counts_it():
    kinds = [(population, attribution) for population in ("new", "all") for attribution in ("uploader", "origin")]
    stored = rows(
        COUNTRY_SHARES, *(share(AUGUST, "CN", 0.3, population=counted, attribution=to) for counted, to in kinds)
    )
    [row] = largest_rows(stored.lazy(), COUNTRY_SHARES).records
    assert (row.data["population"], row.data["attribution"]) == ("new", "uploader")
