"""What is published: one version in every form, never half of one, whatever models are called."""

import csv
import json
import os
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

import duckdb
import polars as pl
import psycopg
import pytest

from assets.shares.country_shares import COUNTRY_SHARES
from pipeline.definitions import CATALOGUE
from pipeline.errors import CensusError, TemporaryError
from pipeline.lake.store import Lake
from pipeline.publish.folder import PublishedFolder
from pipeline.publish.postgres import load_postgres
from pipeline.publish.publication import publish
from pipeline.publish.sql import references_of
from pipeline.report import site
from pipeline.schema.published import Edition
from tests.end_to_end.dumps import HOSTILE_NAMES
from tests.end_to_end.sample import found_in, rows_of

BIN = Path(sys.executable).parent


PUBLISHED_TABLES = [made.table for made in CATALOGUE.published.values()]


@pytest.fixture(scope="module")
def home(own_dumps):
    """The home of hostile names."""
    return own_dumps[0]


@pytest.fixture(scope="module")
def loaded(home, postgres):
    """The URL of a PostgreSQL that holds what that home published."""
    load_postgres(postgres, home / "published", CATALOGUE.published)
    return postgres


def test_the_warehouse_holds_what_the_lake_does(sample):
    measured = found_in(sample, "listings/model_downloads").group_by("month").agg(pl.col("downloads").sum())
    expected = dict(measured.select("month", "downloads").iter_rows())
    for facts in ("model_month", "model_origin_month"):
        found = dict(rows_of(sample[0], f"select month, sum(downloads) from {facts} group by month"))
        assert found == expected


def test_every_mart_has_a_flat_view_and_one_of_its_latest_month_that_explain_themselves(sample):
    views = {name for (name,) in rows_of(sample[0], "select view_name from duckdb_views() where not internal")}
    for name in [*(table.name for table in CATALOGUE.monthly), "model_month", "model_origin_month"]:
        assert name not in CATALOGUE.published or {f"flat_{name}", f"latest_{name}"} <= views
    assert rows_of(
        sample[0],
        "select distinct member, member_code from flat_country_shares where member_code in ('CN', 'unmapped')",
    )
    assert not rows_of(
        sample[0],
        "select table_name, column_name from duckdb_columns() where not internal and comment is null "
        "union all select table_name, '' from duckdb_tables() where comment is null",
    )


def test_what_columns_refer_to_is_there_once(sample):
    for made in CATALOGUE.published.values():
        for reference in references_of(made, CATALOGUE.published):
            on = " and ".join(f'd."{target}" = t."{column}"' for column, target in reference.on)
            only = f"and dimension = '{reference.dimension}'" if reference.dimension else ""
            found = rows_of(
                sample[0],
                f'''
                select (select count(*) from "{reference.target.name}" d where {on}) as there, count(*)
                from (select distinct {", ".join(f'"{column}"' for column, _ in reference.on)} from "{made.name}"
                    where "{reference.column}" is not null {only}) t
                group by there
                ''',
            )
            assert [there for there, _ in found] == [1], (made.name, reference.column)


def test_the_publication_names_the_run_that_made_each_month(sample):
    assert all(run_id for (run_id,) in rows_of(sample[0], "select run_id from _census"))


def test_postgres_refuses_to_lose_a_view_and_keeps_what_it_has(home, loaded):
    with psycopg.connect(loaded) as database:
        database.execute("create view public.mine as select * from census.dim_month")
    try:
        with pytest.raises(CensusError, match=r"public\.mine"):
            load_postgres(loaded, home / "published", CATALOGUE.published)
    finally:
        with psycopg.connect(loaded) as database:
            assert database.execute("select count(*) from census.dim_month").fetchone() == (2,)
            database.execute("drop view public.mine")


def test_postgres_lets_a_reader_finish_and_a_role_created_later_has_the_readers_rights(home, loaded):
    with psycopg.connect(loaded) as reader:
        before = reader.execute("select distinct version from census._census").fetchall()
        load_postgres(loaded, home / "published", CATALOGUE.published)
        reader.execute("create role dashboard in role census_reader")
        reader.commit()
        reader.execute("set role dashboard")
        assert reader.execute("select distinct version from census._census").fetchall() == before


def test_hostile_names_are_plain_text_in_every_form_and_keep_their_families(home, loaded):
    published = home / "published"
    with psycopg.connect(loaded) as database, (published / "csv" / "dim_model.csv").open(newline="") as file:
        forms = {
            "warehouse": {name for (name,) in rows_of(home, "select model_id from dim_model")},
            "view": {name for (name,) in rows_of(home, "select model from latest_model_month")},
            "parquet": set(pl.read_parquet(published / "parquet" / "dim_model" / "*.parquet")["model_id"]),
            "csv": {row["model_id"] for row in csv.DictReader(file)},
            "postgres": {name for (name,) in database.execute("select model_id from census.dim_model")},
            "view in postgres": {name for (name,) in database.execute("select model from census.latest_model_month")},
        }
    assert {form: set(HOSTILE_NAMES) - names for form, names in forms.items()} == {form: set() for form in forms}
    families = {family for (family,) in rows_of(home, "select distinct family from model_origin_month")}
    assert {name for name in HOSTILE_NAMES if name.startswith(("maker/", "🤗"))} <= families


def test_hostile_names_are_explained_without_steering_the_terminal(asked, home):
    arguments = ["--month", "2026-05", "--country", "unmapped", "--period", "month", "--population", "all"]
    printed = asked(home, "explain", *arguments, "--top", 100).stdout
    assert not set(printed) & {"\x1b", "\u202e"}
    assert "maker/\\x1b[31mred" in printed
    rows = json.loads(asked(home, "explain", *arguments, "--json").stdout)["levels"]["models"]
    assert set(HOSTILE_NAMES) <= {row["name"] for row in rows}


FIGURES = [
    ["--country", "CN", "--period", "month", "--population", "all"],
    ["--country", "CN"],
    ["--country", "unmapped", "--attribution", "origin", "--period", "trailing_12_months", "--population", "new"],
    ["--organization", "Alibaba", "--period", "cumulative", "--population", "all"],
    ["--organization", "Meta", "--attribution", "origin", "--period", "month", "--population", "all"],
]


@pytest.mark.parametrize("arguments", FIGURES, ids=" ".join)
def test_an_explanation_adds_up_to_the_published_figure_and_so_does_its_sql(asked, sample, arguments):
    explanation = json.loads(asked(sample[0], "explain", "--month", "2025-08", *arguments, "--json").stdout)
    figure = explanation["figure"]
    [(published,)] = rows_of(
        sample[0],
        f"""select downloads from {figure["dimension"]}_shares where month = '2025-08-01'
        and period = '{figure["period"]}' and population = '{figure["population"]}'
        and attribution = '{figure["attribution"]}' and member = '{figure["member"]}'""",
    )
    assert published > 0
    for level, query in explanation["sql"].items():
        given = sum(float(row[0]) for row in rows_of(sample[0], f"select downloads from ({query})"))
        assert given == pytest.approx(float(published), abs=0.01), level
        assert sum(row["downloads"] for row in explanation["levels"][level]) == pytest.approx(
            float(published), abs=0.01
        )
    assert {snapshot["source_revision"] for snapshot in explanation["snapshots"]}


def test_the_dictionary_explains_every_column_and_lists_the_checks_behind_it(home):
    page = (home / "published" / "data_dictionary.html").read_text()
    for table in PUBLISHED_TABLES:
        assert f'<section id="{table.name}">' in page
    assert "shares_sum_to_one" in page
    columns = dict(rows_of(home, "select table_name, count(*) from data_dictionary group by 1"))
    assert columns == {table.name: len(table.columns) for table in PUBLISHED_TABLES}


def test_the_metadata_pass_their_own_validators(home):
    version = (home / "published" / "current").resolve()
    for command in (
        [BIN / "frictionless", "validate", "datapackage.json"],
        [BIN / "mlcroissant", "validate", "--jsonld", "croissant.json"],
    ):
        finished = subprocess.run(command, cwd=version, capture_output=True, text=True, timeout=300, check=False)
        assert finished.returncode == 0, finished.stdout + finished.stderr


READER = """
import sys, time, duckdb
path, stop = sys.argv[1], sys.argv[2]
print("ready", duckdb.__version__, flush=True)
import os
import re
looks, versions = 0, set()
while not os.path.exists(stop):
    with duckdb.connect(path, read_only=True) as reader:
        [(version, months)] = reader.sql("select min(version), count(*) from _census").fetchall()
        assert reader.sql("select count(distinct version) from _census").fetchall() == [(1,)]
        for table in ("dim_month", "country_shares", "model_month", "latest_country_shares"):
            assert reader.sql(f"select count(distinct month) from {table}").fetchall()[0][0] in (months, 1), table
        [(worst,)] = reader.sql(
            'select max(abs(total - 1)) from (select sum(share) as total from country_shares '
            'group by month, period, population, attribution)'
        ).fetchall()
        assert worst < 1e-6
        versions.add(version)
    looks += 1
print(looks, len(versions), flush=True)
"""


def publish_into(home, folder):
    lake = Lake(str(home / "lake"))
    return publish(lake, CATALOGUE, folder, lambda: duckdb.connect(":memory:"), Edition("equal_parts"))


@pytest.mark.parametrize("publications", [2, pytest.param(20, marks=pytest.mark.faults)])
def test_readers_of_old_and_new_duckdb_see_whole_versions_while_new_ones_are_published(
    home, tmp_path, publications, monkeypatch
):
    monkeypatch.setattr(site, "write_pages", lambda *_: [])
    folder, stop = tmp_path / "published", tmp_path / "stop"
    publish_into(home, folder)
    old = Path(sys.prefix) / "duckdb-1.4"
    environments = [os.environ, *([os.environ | {"PYTHONPATH": str(old)}] if old.is_dir() else [])]
    readers = [
        subprocess.Popen(
            [sys.executable, "-c", READER, str(folder / "census.duckdb"), str(stop)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for environment in environments
    ]
    try:
        started = [reader.stdout.readline().split()[1] for reader in readers]
        for _ in range(publications):
            publish_into(home, folder)
    finally:
        stop.touch()
    assert started[0].startswith("2.")
    for reader in readers:
        said, error = reader.communicate(timeout=60)
        assert reader.returncode == 0, error
        looks, versions = map(int, said.split())
        assert looks > 0
        assert versions >= min(2, looks)


def test_a_month_that_is_replaced_while_it_is_published_is_not(home, tmp_path, monkeypatch):
    shutil.copytree(home / "lake", tmp_path / "lake")

    def replaced_while_pages_are_drawn(*_):
        lake, may = Lake(str(tmp_path / "lake")), date(2026, 5, 1)
        lake.write(COUNTRY_SHARES, may, lake.scan(COUNTRY_SHARES, may).collect().head(1))
        return []

    monkeypatch.setattr(site, "write_pages", replaced_while_pages_are_drawn)
    with pytest.raises(TemporaryError, match="was replaced while it was published: wait until"):
        publish_into(tmp_path, tmp_path / "published")
    assert PublishedFolder(tmp_path / "published").versions() == []
