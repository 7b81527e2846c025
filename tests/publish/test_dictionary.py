"""Readers find every published table explained, as it is declared today."""

from pathlib import Path

import polars as pl
import pytest

from pipeline.publish.dictionary import DOCUMENTED_TABLES, page, pages
from pipeline.schema.declaration import Column, Table

KEPT = Path(__file__).parents[2] / "docs" / "tables"


def test_the_pages_in_docs_are_those_that_the_declarations_make():
    assert {path.name: path.read_text() for path in KEPT.glob("*.md")} == pages(), "run `make docs`"


@pytest.mark.parametrize("table", DOCUMENTED_TABLES, ids=lambda table: table.name)
def test_a_page_says_grain_description_warnings_and_every_column(table):
    text = page(table)
    assert f"One row per {table.grain}." in text
    for said in (table.description, *table.warnings):
        assert said in text
    for column in table.columns:
        assert f"| `{column.name}` |" in text


def test_a_bar_in_a_meaning_does_not_break_the_table():
    table = Table("g", "t", "thing", "Things.", (Column("a", pl.String, "This | that."),), ("a",), monthly=False)
    assert "| `a` | text |  | This \\| that. |" in page(table)
