"""The published warehouse: complete, explained, refused where it is not what was exported."""

from dataclasses import replace
from datetime import date

import duckdb
import polars as pl
import pytest

from pipeline.errors import CensusError
from pipeline.lake.store import Lake
from pipeline.publish.export import LakeMonths
from pipeline.publish.warehouse import write_warehouse
from pipeline.schema.catalogue import Catalogue
from pipeline.schema.declaration import TIMESTAMP, Column, Table
from pipeline.schema.published import Edition, PublishedTable

AUGUST = date(2025, 8, 1)
COUNTS = Table(
    "listings/counts",
    "model",
    "What's counted.",
    (
        Column("model", pl.String, "The model."),
        Column("n", pl.Int64, "Number's worth.", "models"),
        Column("at", TIMESTAMP, "When.", nullable=True),
    ),
    ("model",),
    monthly=False,
)


EDITION = Edition("equal_parts")


@pytest.fixture
def exported(tmp_path):
    def export(models, table=COUNTS, count=1):
        rows = {"model": models, "n": [count] * len(models), "at": [None] * len(models)}
        made = PublishedTable(table, lambda _: pl.LazyFrame(rows, schema=table.schema))
        catalogue = Catalogue(published={table.name: made})
        return [LakeMonths(Lake(""), catalogue, (AUGUST,), EDITION, tmp_path / "parquet").exported(table.name)]

    return export


@pytest.fixture
def read(tmp_path):
    def from_warehouse(tables, query):
        path = tmp_path / "census.duckdb"
        write_warehouse(path, tables, lambda: duckdb.connect(":memory:"))
        with duckdb.connect(str(path), read_only=True) as connection:
            return connection.sql(query).fetchall()

    return from_warehouse


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (
            "select column_name, data_type, comment from duckdb_columns() where table_name = 'counts'",
            [
                ("model", "VARCHAR", "The model."),
                ("n", "BIGINT", "Number's worth. [models]"),
                ("at", "TIMESTAMP WITH TIME ZONE", "When."),
            ],
        ),
        ("select comment from duckdb_tables()", [("One row per model. What's counted. Key: model.",)]),
        (
            "from duckdb_constraints() select constraint_text where constraint_type like 'PRIMARY%'",
            [("PRIMARY KEY(model)",)],
        ),
    ],
)
def test_a_table_has_its_declared_types_comments_and_if_it_is_small_its_key(exported, read, query, found):
    assert read(exported(["a", "b"]), query) == found


def test_a_key_that_occurs_twice_is_refused(exported, read):
    with pytest.raises((CensusError, duckdb.ConstraintException)):
        read(exported(["a", "a"]), "select 1")


@pytest.mark.parametrize(("width", "largest"), [(pl.Int32, 2**31 - 1), (pl.Int64, 2**63 - 1)])
def test_whole_numbers_whose_sum_their_type_cannot_hold_are_published(exported, read, width, largest):
    model, count, at = COUNTS.columns
    table = replace(COUNTS, columns=(model, replace(count, type=width), at))
    assert read(exported(["a", "b"], table, largest), "select sum(n) from counts") == [(2 * largest,)]


def test_a_warehouse_that_lacks_exported_rows_is_refused(exported, read):
    [whole] = exported(["a", "b"])
    with pytest.raises(CensusError, match="counts"):
        read([replace(whole, rows=3)], "select 1")
