"""The published warehouse: complete, explained, swapped in whole."""

import duckdb
import polars as pl
import pytest

from pipeline.publish.warehouse import write_warehouse
from pipeline.tables.columns import HUB_ID
from pipeline.tables.declaration import TIMESTAMP, Column, Table

COUNTS = Table(
    "shares",
    "counts",
    "model",
    "What's counted.",
    (HUB_ID, Column("n", pl.Int64, "Number's worth.", "models"), Column("at", TIMESTAMP, "When.", nullable=True)),
    ("hub_id",),
    monthly=False,
)


def publish(folder, hub_ids):
    frame = pl.LazyFrame(
        {"hub_id": hub_ids, "n": [1] * len(hub_ids), "at": [None] * len(hub_ids)}, schema=COUNTS.schema
    )
    return write_warehouse(folder, {COUNTS: frame}, lambda: duckdb.connect(":memory:"))


def read(folder, query):
    with duckdb.connect(str(folder / "census.duckdb"), read_only=True) as connection:
        return connection.sql(query).fetchall()


def test_tables_are_written_with_their_declared_types_and_comments(tmp_path):
    assert publish(tmp_path, ["a", "b"]) == {"counts": 2}
    assert read(
        tmp_path, "select column_name, data_type, comment from duckdb_columns() where table_name = 'counts'"
    ) == [
        ("hub_id", "VARCHAR", HUB_ID.meaning),
        ("n", "BIGINT", "Number's worth. [models]"),
        ("at", "TIMESTAMP WITH TIME ZONE", "When."),
    ]
    assert read(tmp_path, "select comment from duckdb_tables()") == [("One row per model. What's counted.",)]


@pytest.mark.parametrize("name", ["'; drop table counts; --", "<b>bold</b>", "\u202eright to left", "a" * 300, "🤗"])
def test_hostile_names_are_plain_text(tmp_path, name):
    publish(tmp_path, [name])
    assert read(tmp_path, "select hub_id from counts") == [(name,)]


def test_a_reader_keeps_its_version_while_a_new_one_is_published(tmp_path):
    publish(tmp_path, ["a"])
    with duckdb.connect(str(tmp_path / "census.duckdb"), read_only=True) as reader:
        publish(tmp_path, ["a", "b"])
        assert reader.sql("select count(*) from counts").fetchall() == [(1,)]
    assert read(tmp_path, "select count(*) from counts") == [(2,)]


def test_a_publication_that_fails_leaves_the_old_one_and_no_litter(tmp_path):
    publish(tmp_path, ["a"])
    with pytest.raises(duckdb.Error):
        publish(tmp_path, [None])
    assert read(tmp_path, "select hub_id from counts") == [("a",)]
    assert [path.name for path in tmp_path.iterdir()] == ["census.duckdb"]
