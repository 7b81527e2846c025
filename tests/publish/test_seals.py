"""A month is published if it was sealed and nothing has changed since."""

from datetime import date

import polars as pl
import pytest

from pipeline.lake.store import Lake
from pipeline.publish.seals import seal, sealed_months
from pipeline.schema.declaration import Table
from pipeline.tables.columns import HUB_ID, MONTH
from pipeline.tables.listings import HUB_SNAPSHOTS
from pipeline.tables.published import MONTH_SEALS

AUGUST, SEPTEMBER = date(2025, 8, 1), date(2025, 9, 1)
MART = Table("shares", "mart", "repository", "A mart.", (MONTH, HUB_ID), ("hub_id",))
TABLES = (HUB_SNAPSHOTS, MART)


@pytest.fixture
def lake(tmp_path):
    return Lake(str(tmp_path))


def make_month(lake, month, hub_id="a"):
    row = dict.fromkeys(HUB_SNAPSHOTS.schema) | {
        "month": month,
        "hub_id": hub_id,
        "source": "s",
        "source_revision": "r",
    }
    lake.write(HUB_SNAPSHOTS, month, pl.LazyFrame([row], schema=HUB_SNAPSHOTS.schema))
    lake.write(MART, month, pl.LazyFrame({"month": [month], "hub_id": [hub_id]}))


def seal_month(lake, month):
    lake.write(MONTH_SEALS, month, seal(lake, TABLES, month))


def test_a_sealed_month_may_be_published(lake):
    make_month(lake, AUGUST)
    seal_month(lake, AUGUST)
    assert sealed_months(lake, TABLES).publishable == [AUGUST]


def test_a_month_that_was_never_sealed_is_held_back_and_others_are_not(lake):
    make_month(lake, AUGUST)
    make_month(lake, SEPTEMBER)
    seal_month(lake, SEPTEMBER)
    months = sealed_months(lake, TABLES)
    assert months.publishable == [SEPTEMBER]
    assert "not sealed" in months.held_back[AUGUST]


def test_a_table_written_again_after_the_seal_holds_the_month_back(lake):
    make_month(lake, AUGUST)
    seal_month(lake, AUGUST)
    make_month(lake, AUGUST, hub_id="b")
    assert "has changed since it was sealed: run the month again" in sealed_months(lake, TABLES).held_back[AUGUST]


def test_one_changed_byte_holds_the_month_back(lake):
    make_month(lake, AUGUST)
    seal_month(lake, AUGUST)
    path = lake.path(MART, AUGUST)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    assert "shares/mart has changed" in sealed_months(lake, TABLES).held_back[AUGUST]


def test_a_missing_table_holds_the_month_back(lake):
    make_month(lake, AUGUST)
    seal_month(lake, AUGUST)
    lake.path(MART, AUGUST).unlink()
    assert "shares/mart is missing" in sealed_months(lake, TABLES).held_back[AUGUST]


def test_a_table_that_came_later_than_the_seal_holds_the_month_back(lake):
    make_month(lake, AUGUST)
    lake.write(MONTH_SEALS, AUGUST, seal(lake, (HUB_SNAPSHOTS,), AUGUST))
    assert "shares/mart is not in its seal" in sealed_months(lake, TABLES).held_back[AUGUST]
