"""DuckDB reads what it is given, and nothing else."""

import ast
from pathlib import Path

import duckdb
import pytest

from pipeline.databases import NO_EXTENSIONS, confine, open_files, open_published

ROOT = Path(__file__).parents[1]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "other.jsonl").write_text('{"id": "other"}\n')
    tmp_path = tmp_path / "own"
    tmp_path.mkdir()
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as connection:
        connection.sql("create table mart as select 1 as share")
    (tmp_path / "given.jsonl").write_text('{"id": "given"}\n')
    return tmp_path


def attempts(folder):
    outside = folder.parent / "outside"
    return [
        f"select * from read_json('{folder.parent}/other.jsonl')",
        "select * from read_text('/etc/hostname')",
        f"copy (select 1) to '{outside}.csv'",
        f"attach '{outside}.duckdb'",
        "install httpfs",
        "load httpfs",
        "select * from read_csv('http://127.0.0.1:9/x.csv')",
        "set enable_external_access = true",
        "set autoload_known_extensions = true",
    ]


def assert_nothing_else_opens(connection, folder):
    for attempt in attempts(folder):
        with pytest.raises(duckdb.Error):
            connection.sql(attempt).fetchall()
    assert not list(folder.parent.glob("outside*"))


def test_a_published_warehouse_is_read_and_nothing_beside_it(folder):
    with open_published(folder / "warehouse.duckdb") as connection:
        assert connection.sql("select share from mart").fetchall() == [(1,)]
        with pytest.raises(duckdb.Error):
            connection.sql("delete from mart")
        assert_nothing_else_opens(connection, folder)


def test_a_published_warehouse_adds_shares_up_to_the_same_last_digit_each_time(tmp_path):
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as connection:
        connection.sql("create table mart as select 1 / (number + 1) as share from range(1000000) as rows (number)")
    with open_published(tmp_path / "warehouse.duckdb") as connection:
        assert len({connection.sql("select sum(share) from mart").fetchall()[0] for _ in range(9)}) == 1


def test_untrusted_files_are_read_one_by_one_and_no_others(folder):
    with open_files([folder / "given.jsonl"]) as connection:
        assert connection.sql(f"select id from read_json('{folder}/given.jsonl')").fetchall() == [("given",)]
        assert_nothing_else_opens(connection, folder)


def test_a_confined_connection_stays_in_its_folder(folder):
    with duckdb.connect(config=NO_EXTENSIONS) as connection:
        confine(connection, folder)
        connection.sql(f"attach '{folder}/new.duckdb' as new")
        assert connection.sql(f"select id from read_json('{folder}/given.jsonl')").fetchall() == [("given",)]
        assert_nothing_else_opens(connection, folder)


def test_there_is_no_other_way_to_open_one():
    opened_in = [
        str(path.relative_to(ROOT))
        for folder in ("pipeline", "assets", "synthetic_hub")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "duckdb.connect"
    ]
    assert set(opened_in) == {"pipeline/databases.py"}
