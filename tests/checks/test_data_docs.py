"""Great Expectations' own pages show what was expected and found, and no untrusted input."""

from dataclasses import replace
from datetime import date

import polars as pl

from assets.columns import HUB_ID, MONTH
from pipeline.checks.data_docs import write_data_docs
from pipeline.lake.store import Lake
from pipeline.schema.declaration import Column, Table

AUGUST = date(2025, 8, 1)
THINGS = Table(
    "listings/things",
    "thing",
    "Things.",
    (MONTH, HUB_ID, Column("downloads", pl.Int64, "Downloads.", "downloads", minimum=0)),
    key=("hub_id",),
)


def test_a_page_of_great_expectations_states_each_expectation_and_whether_it_is_met(tmp_path):
    lake, folder = Lake(str(tmp_path / "lake")), tmp_path / "data_docs"
    hostile = "<script>alert(1)</script>"
    lake.write(THINGS, AUGUST, pl.DataFrame({"month": AUGUST, "hub_id": ["a", hostile], "downloads": [1, -5]}))
    folder.mkdir()
    (folder / "of-the-month-before.html").touch()
    folder.with_name("data_docs.unfinished").mkdir()
    shown = write_data_docs(lake, [replace(THINGS, path="listings/not_there"), THINGS], AUGUST, folder)
    assert shown == 9
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("data_docs")] == ["data_docs"]
    assert sorted(page.name for page in folder.iterdir()) == ["index.html", "listings-things.html"]
    assert '<a href="listings-things.html">listings/things</a></td><td>7/9' in (folder / "index.html").read_text()
    page = (folder / "listings-things.html").read_text()
    assert "downloads is at least 0" in page
    assert "maximum value must be less than or equal to" in page
    assert hostile not in page
