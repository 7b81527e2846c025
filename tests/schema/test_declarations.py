"""Every table says all that is derived from it."""

from collections import defaultdict

import polars as pl
import pytest

from assets.columns import HUB_ID, MONTH
from pipeline.definitions import CATALOGUE
from pipeline.schema.declaration import Column, Measure, Table, conform

LAKE_TABLES = tuple(CATALOGUE.tables.values())
PUBLISHED_ONLY = tuple(made.table for made in CATALOGUE.published.values() if made.table not in LAKE_TABLES)
EVERY_TABLE = pytest.mark.parametrize("table", [*LAKE_TABLES, *PUBLISHED_ONLY], ids=lambda table: table.path)


@EVERY_TABLE
def test_a_table_states_its_grain_its_method_and_each_columns_meaning(table):
    assert table.grain
    assert table.description.endswith(".")
    for column in table.columns:
        assert column.meaning.strip(), column.name
        assert column.meaning[0].isupper() or column.meaning.startswith("`"), column.name


@EVERY_TABLE
def test_a_monthly_table_begins_with_its_month(table):
    assert not table.monthly or (table.columns[0].name, table.columns[0].type) == (MONTH.name, MONTH.type)


def test_a_column_holds_the_same_kind_of_value_in_the_same_unit_wherever_it_stands():
    kinds = defaultdict(set)
    for table in (*LAKE_TABLES, *PUBLISHED_ONLY):
        for column in table.columns:
            kinds[column.name].add((kind_of_value(table.schema[column.name]), column.unit))
    assert {name: found for name, found in kinds.items() if len(found) > 1} == {}


def kind_of_value(dtype):
    """A number is one, however exact, and so is a text, from however small a set."""
    if dtype.is_numeric():
        return "number"
    return "text" if dtype in (pl.String, pl.Categorical, pl.Enum) else str(dtype)


def test_a_manifest_is_of_every_monthly_table_but_itself():
    assert {table.path for table in CATALOGUE.monthly} == {
        table.path for table in CATALOGUE.tables.values() if table.monthly
    } - {"published/month_manifest"}


@pytest.mark.parametrize(
    ("columns", "problem"),
    [
        ((MONTH,), "does not declare"),
        ((HUB_ID, HUB_ID), "twice"),
        ((HUB_ID, Column("low", pl.Int64, "Low.", maximum="high")), r"bounds low by columns that it lacks: \['high'\]"),
    ],
)
def test_a_table_has_its_key_each_column_once_and_what_bounds_it(columns, problem):
    with pytest.raises(ValueError, match=problem):
        Table("g/t", "thing", "Things.", columns, key=("hub_id",))


def test_a_frame_is_brought_to_the_declared_columns_types_and_order_and_refused_without_one_of_them():
    table = Table("g/t", "thing", "Things.", (HUB_ID, Column("n", pl.Int64, "N.")), key=("hub_id",), monthly=False)
    frame = pl.LazyFrame({"extra": [0, 0], "n": pl.Series([2, 1], dtype=pl.Int8), "hub_id": ["b", "a"]})
    assert conform(frame, table).collect().to_dict(as_series=False) == {"hub_id": ["a", "b"], "n": [1, 2]}
    with pytest.raises(ValueError, match=r"g/t cannot be written without its declared columns \['n'\]"):
        conform(frame.drop("n"), table)


@pytest.mark.parametrize(
    ("type_", "constraint", "problem"),
    [
        (pl.String, {"minimum": 0}, "bounds, which do not apply to String"),
        (pl.Date, {"maximum": 1.5}, "bounds, which do not apply to Date"),
        (pl.List(pl.String), {"minimum": "other"}, r"bounds, which do not apply to List\(String\)"),
        (pl.Int64, {"minimum": 2, "maximum": 1}, "the minimum 2 above the maximum 1"),
        (pl.Float64, {"values": (1,)}, "a list of values, which does not apply to Float64"),
        (pl.Int64, {"pattern": "^1"}, "a pattern, which does not apply to Int64"),
    ],
)
def test_a_constraint_that_does_not_fit_its_column_is_refused(type_, constraint, problem):
    with pytest.raises(ValueError, match=f"column n is declared with {problem}"):
        Column("n", type_, "N.", **constraint)


def test_a_measure_without_bounds_is_refused():
    with pytest.raises(ValueError, match="the measure mean is declared without bounds"):
        Measure("mean", "Mean likes", lambda frames: frames.scan("g/t"))
