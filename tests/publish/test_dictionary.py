"""Readers find every published table explained, as it is declared today."""

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from pipeline.definitions import CATALOGUE
from pipeline.errors import CensusError
from pipeline.publish.metadata import pages, schema_page
from pipeline.schema.declaration import Column, Table
from pipeline.schema.published import PublishedTable

DOCS = Path(__file__).parents[2] / "docs"
SCHEMA_PAGE = (DOCS / "published-schema.md").read_text()


def test_the_pages_in_docs_are_those_that_the_declarations_make():
    kept = {path.name: path.read_text() for path in (DOCS / "tables").glob("*.md")}
    assert kept == pages(CATALOGUE.published), "run `make docs`"


def test_a_bar_in_a_meaning_does_not_break_the_table():
    table = Table("g/t", "thing", "Things.", (Column("a", pl.String, "This | that."),), ("a",), monthly=False)
    assert "| `a` | text |  | This \\| that. |" in pages({"t": PublishedTable(table, lambda _: pl.LazyFrame())})["t.md"]


def test_the_published_shape_is_the_one_that_the_changelog_states():
    assert schema_page(SCHEMA_PAGE, CATALOGUE.published) == SCHEMA_PAGE, "run `make docs`"


def without_a_column():
    made = CATALOGUE.published["dim_month"]
    table = replace(made.table, columns=made.table.columns[:-1])
    return {**CATALOGUE.published, "dim_month": replace(made, table=table, shown={})}


def test_another_shape_under_the_same_version_is_refused():
    released = SCHEMA_PAGE.replace(" (in preparation)", "")
    with pytest.raises(CensusError, match=r"raise SCHEMA_VERSION .* and say in the page what changed"):
        schema_page(released, without_a_column())


def test_another_shape_under_another_version_is_written_once_the_changelog_says_what_changed(monkeypatch):
    monkeypatch.setattr("pipeline.publish.metadata.SCHEMA_VERSION", "7.0")
    with pytest.raises(CensusError, match=r"no section 7\.0 at its top"):
        schema_page(SCHEMA_PAGE, without_a_column())
    page_after = schema_page(SCHEMA_PAGE.replace("## 2.0", "## 7.0\n\n## 2.0", 1), without_a_column())
    assert "Version 7.0." in page_after
