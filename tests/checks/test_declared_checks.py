import re
import subprocess
import sys
from types import SimpleNamespace

import polars as pl
import pytest

from pipeline.checks.declared import checks_of_change, declared_checks, tables_read
from pipeline.checks.rules import mostly, mostly_known, rarely
from pipeline.definitions import CATALOGUE
from pipeline.schema.declaration import Column, Measure, Rule
from tests.checks.scenario import models_table


def models(frames):
    return frames.scan("listings/models")


@pytest.mark.parametrize("table", CATALOGUE.tables.values(), ids=lambda table: table.path)
def test_everything_that_a_table_of_the_census_declares_can_be_checked_and_fits_the_declared_tables(table):
    checks = declared_checks(table)
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", check.name) for check in checks)
    assert len({check.name for check in checks}) == len(checks)
    assert table not in tables_read(table, CATALOGUE.tables)


def test_the_check_of_columns_says_each_constraint_in_words():
    columns = (
        Column("model_id", pl.String, "Name.", pattern="^a"),
        Column("low", pl.Float64, "Least.", minimum=0, maximum="high"),
        Column("high", pl.Float64, "Most.", nullable=True, maximum=1_000),
        Column("kind", pl.String, "Kind.", nullable=True, values=("x", "y"), unique=True),
    )
    table = models_table(columns=columns, key=("model_id", "kind"), may_be_empty=False)
    assert declared_checks(table)[0].in_full.split("; ") == [
        "there is at least one row, columns and key are as declared: model_id, kind occur once together",
        "model_id, kind are in order",
        "model_id is present",
        "model_id matches ^a",
        "low is present",
        "low is at least 0 and at most high",
        "high is at most 1,000",
        "kind is one of x, y",
        "kind occurs once",
    ]


def test_a_check_says_what_it_expects_and_what_follows():
    assert [
        check.description for check in declared_checks(models_table(mostly_known("listings/models", "likes", 0.95)))
    ][1] == ("Share of rows with a value in likes: must be at least 0.95. Warning: shown and alerted, stops nothing.")


@pytest.mark.parametrize(("measure", "of_nothing"), [(mostly, 1.0), (rarely, 0.0)])
def test_of_no_rows_every_one_holds_and_none_does_what_is_rare(measure, of_nothing):
    empty = SimpleNamespace(scan=lambda _: pl.LazyFrame(schema={"likes": pl.Int64}))
    share = measure("listings/models", "liked", "Likes.", pl.col("likes") > 0, 0.5).value(empty)
    assert share.collect().item() == of_nothing


def test_two_checks_of_one_name_are_refused():
    with pytest.raises(ValueError, match="several checks called as_declared: rename"):
        declared_checks(models_table(Rule("as_declared", "Again.", models)))


def test_a_rule_over_a_column_that_no_table_has_is_refused():
    table = models_table(Rule("no_stars", "No stars.", lambda frames: models(frames).filter(pl.col("stars") > 0)))
    with pytest.raises(ValueError, match="rule no_stars of table listings/models does not fit"):
        tables_read(table, {})


def test_the_checks_that_compare_with_the_month_before_are_known():
    grown = Measure(
        "growth",
        "Growth.",
        lambda frames: models(frames).select(pl.len()).join(frames.scan_previous("listings/models"), how="cross"),
        minimum=0,
    )
    assert checks_of_change(models_table(Rule("no_spam", "None.", models), grown), {}) == ("growth",)
    assert {path: checks_of_change(CATALOGUE.tables[path], CATALOGUE.tables) for path in CATALOGUE.tables} == {
        **dict.fromkeys(CATALOGUE.tables, ()),
        "attribution/attribution_coverage": ("no_newly_large_unmapped_namespace", "change_in_attributed_share"),
        "shares/country_shares": ("no_jumps",),
        "shares/organization_shares": ("no_jumps",),
        "shares/family_shares": ("derivative_share_of_new_models_change",),
    }


def test_what_is_declared_is_known_without_great_expectations_or_dagster():
    heavy = "{'great_expectations', 'dagster', 'pandas'}"
    script = f"import sys, pipeline.checks.declared; print({heavy} & set(sys.modules))"
    finished = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert finished.stdout.strip() == "set()"
