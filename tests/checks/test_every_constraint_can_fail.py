"""Each constraint that a table of the census declares is broken by a row made for it, and by that alone."""

import math
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from pipeline.checks.declared import constraints_of
from pipeline.definitions import CATALOGUE
from pipeline.schema.declaration import Column, Table
from tests.checks.scenario import broken, checked
from tests.checks.sound import sound_rows

TABLES = pytest.mark.parametrize("table", CATALOGUE.tables.values(), ids=lambda table: table.path)


def breaking(table: Table) -> Iterator[tuple[str, pl.DataFrame]]:
    """Each constraint in words with rows of which some break it."""
    rows = sound_rows(table)
    for constraint in constraints_of(table):
        column = table.column(constraint.columns) if constraint.columns in table.schema else None
        if constraint.words.startswith("occur"):
            yield str(constraint), pl.concat([rows, rows]).sort(table.key)
        elif constraint.words.endswith("in order"):
            yield str(constraint), rows.reverse()
        elif constraint.words == "is present":
            yield str(constraint), rows.with_columns(pl.lit(None, table.schema[column.name]).alias(column.name))
        else:
            for value in beyond(column, table):
                yield str(constraint), rows.with_columns(value.cast(table.schema[column.name]).alias(column.name))


def beyond(column: Column, table: Table) -> Iterator[pl.Expr]:
    """Values just beyond each end of a column's bounds, or that are none of its values."""
    dtype = table.schema[column.name]
    for bound, sign in ((column.minimum, -1), (column.maximum, 1)):
        if isinstance(bound, str):
            yield pl.col(bound) + sign
        elif bound is not None:
            yield pl.lit(just_beyond(bound, sign, dtype))
    if column.values:
        yield pl.lit("none of them") if isinstance(column.values[0], str) else pl.lit(max(column.values) + 1)
    if column.pattern:
        yield pl.lit(next(text for text in ("Not/a\nname", " ") if not re.search(column.pattern, text)))


def just_beyond(bound: float, sign: int, dtype: pl.DataType) -> Any:
    if dtype.is_float():
        return math.nextafter(bound, sign * math.inf)
    if isinstance(dtype, pl.Decimal):
        return Decimal(str(bound)) + sign * Decimal(1).scaleb(-dtype.scale)
    return bound + sign


@TABLES
def test_rows_made_from_the_declaration_fulfil_it(table):
    result = checked(table, sound_rows(table))
    assert (result.passed, broken(result)) == (True, {})


@TABLES
def test_every_constraint_of_a_table_can_fail(table):
    seen: set[str] = set()
    for constraint, rows in breaking(table):
        result = checked(table, rows)
        assert not result.passed, constraint
        assert constraint in broken(result), constraint
        seen.add(constraint)
    assert seen == {str(constraint) for constraint in constraints_of(table)}


@TABLES
def test_what_is_stored_in_another_shape_fails(table):
    rows = sound_rows(table)
    last = table.columns[-1].name
    shapes: dict[str, Any] = {
        "without a column": rows.drop(last),
        "with one more": rows.with_columns(pl.lit(1).alias("more")),
        "in another order": rows.select(reversed(rows.columns)),
        "of another type": rows.with_columns(pl.lit(b"x", pl.Binary).alias(last)),
        **({} if table.may_be_empty else {"without rows": rows.clear()}),
    }
    assert {name for name, stored in shapes.items() if checked(table, stored).passed} == set()
    assert checked(table, rows.clear()).passed == table.may_be_empty


EVERY_COLUMN = [(table.path, column) for table in CATALOGUE.tables.values() for column in table.columns]


def test_no_amount_may_be_negative_and_no_part_larger_than_its_whole():
    minimums = {(path, column.name): column.minimum for path, column in EVERY_COLUMN}
    assert not {place for place, least in minimums.items() if isinstance(least, int | float) and least < 0}
    fractions = {(path, column.name): column.minimum for path, column in EVERY_COLUMN if column.unit == "fraction"}
    assert not {place for place, least in fractions.items() if isinstance(least, int | float) and least > 1e-6}
    parts = {(path, column.name): column.maximum for path, column in EVERY_COLUMN if column.unit == "fraction"}
    assert not {place for place, most in parts.items() if isinstance(most, int | float) and not 0 < most < 1 + 1e-6}
