from __future__ import annotations

import re
import subprocess
import sys

import polars as pl
import pytest

from pipeline.definitions import CATALOGUE
from pipeline.quality.declared import declared_checks
from pipeline.quality.reads import tables_read
from pipeline.schema.declaration import Column, Expectation, Measure, Rule


def names(table) -> list[str]:
    return [check.name for check in declared_checks(table)]


@pytest.mark.parametrize("table", CATALOGUE.tables.values(), ids=lambda table: table.path)
def test_everything_that_a_table_of_the_census_declares_can_be_checked(table):
    checks = declared_checks(table)

    assert all(re.fullmatch(r"[a-z][A-Za-z0-9_]*", check.name) for check in checks)
    assert len({check.name for check in checks}) == len(checks)


@pytest.mark.parametrize("table", CATALOGUE.tables.values(), ids=lambda table: table.path)
def test_every_rule_and_measure_fits_the_declared_tables(table):
    assert table not in tables_read(table, CATALOGUE.tables)


def test_checks_are_named_after_what_they_ask(models_table):
    table = models_table(
        Expectation("ExpectColumnValuesToBeBetween", {"column": "likes", "min_value": 0}),
        Expectation("ExpectColumnValuesToNotBeNull", {"column": "likes", "mostly": 0.9}),
        Rule("no_spam", "Nothing is spam.", lambda frames: frames.scan("listings/models")),
    )

    assert names(table) == [
        "columns_in_order",
        "model_id_unique",
        "likes_between",
        "likes_mostly_not_null",
        "required_values_present",
        "column_types",
        "no_spam",
    ]


def test_two_expectations_of_one_kind_get_different_names(models_table):
    table = models_table(
        Expectation("ExpectColumnValuesToBeBetween", {"column": "likes", "min_value": 0}),
        Expectation("ExpectColumnValuesToBeBetween", {"column": "likes", "max_value": 10**9}, "warning"),
    )

    assert {"likes_between", "likes_between_2"} <= set(names(table))


def test_a_check_says_what_it_asks_why_and_what_follows(models_table):
    expectation = Expectation(
        "ExpectColumnValuesToNotBeNull", {"column": "likes", "mostly": 0.95}, "warning", "likes are shown"
    )
    check = declared_checks(models_table(expectation))[2]

    assert check.description == (
        "At least 95 % of the values of likes must be present. Likes are shown. "
        "Warning: shown and alerted, stops nothing."
    )


@pytest.mark.parametrize(
    ("kind", "arguments", "complaint"),
    [
        ("ExpectColumnMeanToBeBetween", {"column": "likes", "min_value": 0}, "not supported"),
        ("ExpectColumnValuesToBeBetween", {"column": "stars", "min_value": 0}, "no column 'stars'"),
        ("ExpectColumnValuesToBeBetween", {"column": "model_id", "min_value": 0}, "does not apply"),
        ("ExpectColumnValuesToBeBetween", {"column": "likes"}, "needs min_value"),
        ("ExpectColumnValuesToBeBetween", {"column": "likes", "min_value": "2024-01-01"}, "not values of the kind"),
        ("ExpectColumnValuesToBeBetween", {"column": "likes", "min_value": 2, "max_value": 1}, "above"),
        ("ExpectColumnValuesToBeBetween", {"column": "likes", "min_value": 2, "row_condition": "x"}, "row_condition"),
        ("ExpectColumnValuesToNotBeNull", {"column": "likes", "mostly": 1.5}, "mostly"),
        ("ExpectColumnValuesToBeInSet", {"column": "likes", "value_set": ["1"]}, "value_set"),
        ("ExpectColumnValuesToBeInSet", {"column": "likes", "value_set": []}, "empty"),
        ("ExpectColumnValuesToMatchRegex", {"column": "model_id", "regex": "(?i)a"}, "pattern"),
        ("ExpectColumnValuesToMatchRegex", {"column": "model_id"}, "regex"),
        ("ExpectCompoundColumnsToBeUnique", {"column_list": ["likes"]}, "fewer than two"),
        (
            "ExpectCompoundColumnsToBeUnique",
            {"column_list": ["likes", "model_id"], "ignore_row_if": "neither"},
            "ignore_row_if",
        ),
        ("ExpectColumnPairValuesAToBeGreaterThanB", {"column_A": "likes", "column_B": "model_id"}, "does not apply"),
    ],
)
def test_a_declaration_that_cannot_be_checked_is_refused(models_table, kind, arguments, complaint):
    with pytest.raises(ValueError, match=complaint):
        declared_checks(models_table(Expectation(kind, arguments)))


def test_comparing_whole_numbers_with_fractions_is_refused(models_table):
    columns = (
        Column("model_id", pl.String, "Name."),
        Column("likes", pl.Int64, "Likes."),
        Column("share", pl.Float64, "Share."),
    )
    pair = Expectation("ExpectColumnPairValuesAToBeGreaterThanB", {"column_A": "likes", "column_B": "share"})

    with pytest.raises(ValueError, match="one is Int64, the other Float64"):
        declared_checks(models_table(pair, columns=columns))


def test_an_expectation_of_a_list_beyond_its_presence_is_refused(models_table):
    columns = (Column("model_id", pl.String, "Name."), Column("tags", pl.List(pl.String), "Tags."))

    with pytest.raises(ValueError, match="does not apply to 'tags'"):
        declared_checks(models_table(Expectation("ExpectColumnValuesToBeUnique", {"column": "tags"}), columns=columns))


def test_saying_the_same_twice_is_refused(models_table):
    with pytest.raises(ValueError, match="twice"):
        declared_checks(models_table(Expectation("ExpectColumnValuesToBeUnique", {"column": "model_id"})))


def test_a_rule_that_takes_another_check_s_name_is_refused(models_table):
    with pytest.raises(ValueError, match="model_id_unique"):
        declared_checks(models_table(Rule("model_id_unique", "Again.", lambda frames: frames.scan("listings/models"))))


def test_a_measure_without_bounds_is_refused(models_table):
    with pytest.raises(ValueError, match="without bounds"):
        declared_checks(models_table(Measure("mean", "Mean likes", lambda frames: frames.scan("listings/models"))))


def test_a_rule_over_a_column_that_no_table_has_is_refused(models_table):
    table = models_table(
        Rule("no_stars", "No stars.", lambda frames: frames.scan("listings/models").filter(pl.col("stars") > 0))
    )

    with pytest.raises(ValueError, match="rule no_stars of table listings/models does not fit"):
        tables_read(table, {})


def test_the_tables_that_rules_look_at_are_known(models_table):
    other = models_table(name="others")
    table = models_table(
        Rule(
            "covered",
            "Every other is a model.",
            lambda frames: frames.scan("listings/others").join(
                frames.scan("listings/models"), on="model_id", how="anti"
            ),
        )
    )

    assert tables_read(table, {"listings/others": other}) == [other]


def test_what_is_declared_is_known_without_great_expectations_or_dagster():
    heavy = "{'great_expectations', 'dagster', 'pandas'}"
    script = f"import sys, pipeline.quality.declared; print({heavy} & set(sys.modules))"
    finished = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert finished.stdout.strip() == "set()"
