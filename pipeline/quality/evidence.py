"""What decides a check: numbers to be read off some rows, the fact that they make, and the rows that offend.

Nothing is computed here: the evidence of a check is lazy. Checks that look at the same rows share their `source`, so
that one pass answers all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import polars as pl

from pipeline.quality.declared import Check, RequiredValues, StoredTypes, bounds_of_measure
from pipeline.quality.kinds import (
    Bounds,
    ColumnsReading,
    Reading,
    RowReading,
    ValueReading,
    is_missing,
    kind_of,
)
from pipeline.schema.declaration import Expectation, Measure, Rule, Table, TableFrames

Numbers = Mapping[str, Any]
FAILED = "failed"
"""The number of rows that fail, in checks that are about rows."""


class NoValueError(ValueError):
    """What a check looks at has no value, so nothing can be said about it."""

    def __init__(self) -> None:
        super().__init__("there is no value: what it is computed from is absent or cancels out")


@dataclass(frozen=True)
class Fact:
    """One value, and the bounds that decide its check; `observed` says the same to a reader.

    `rows` were judged and `failed_rows` of them fail, where the check is about rows.
    """

    value: float
    bounds: Bounds
    observed: str | float
    rows: int | None = None
    failed_rows: int | None = None


@dataclass(frozen=True)
class Evidence:
    """Where a check's `numbers` are read, the fact that they make, and the rows that offend, if it has any.

    Where the one value of `proof`, read off the same rows, or the one cell of `proven_by` is true, the number `failed`
    is 0 and need not be read.
    """

    source: pl.LazyFrame
    numbers: Mapping[str, pl.Expr]
    fact: Callable[[Numbers], Fact]
    offending: pl.LazyFrame | None = None
    proof: pl.Expr | None = None
    proven_by: pl.LazyFrame | None = None


def evidence_of(check: Check, table: Table, stored: pl.LazyFrame, frames: TableFrames) -> Evidence:
    """The evidence for a check of the table, of which `stored` is what the lake holds.

    Raises:
        LookupError: the check looks at a column that is not stored.
        Exception: whatever a rule or a measure raises while it is put together.
    """
    match check.statement:
        case Expectation() as expectation:
            return _of_expectation(expectation, table, stored)
        case RequiredValues(columns):
            return _of_required_values(columns, table, stored)
        case StoredTypes(declared):
            return _of_differences(_type_differences(declared, stored.collect_schema()))
        case Rule() as rule:
            return _of_rule(rule, frames)
        case Measure() as measure:
            return _of_measure(measure, frames)


def share_of_rows(failed: int, rows: int) -> float:
    """The share of the judged rows that do not fail; all, where there are none."""
    return (float(rows) - float(failed)) / float(rows) if rows else 1.0


def rows_in_words(failed: int, rows: int) -> str:
    """How many of the judged rows fail."""
    return f"{failed:,} of {rows:,} rows fail" if failed else f"none of {rows:,} rows fails"


def columns_in_words(different: int) -> str:
    """How many columns are not as declared."""
    return f"{different} columns differ from the declaration"


def _of_expectation(expectation: Expectation, table: Table, stored: pl.LazyFrame) -> Evidence:
    schema = stored.collect_schema()
    kind = kind_of(expectation)
    columns = kind.columns(expectation.arguments)
    if absent := [column for column in columns if column not in schema]:
        raise LookupError(f"{', '.join(absent)} is not stored: the table has {', '.join(schema)}")
    return _of_reading(kind.reading(expectation.arguments, schema), columns, table, stored)


def _of_reading(reading: Reading, columns: tuple[str, ...], table: Table, stored: pl.LazyFrame) -> Evidence:
    match reading:
        case RowReading():
            return _of_rows(reading, columns, table, stored)
        case ValueReading(value, bounds):
            return Evidence(stored, {"value": value}, lambda numbers: _fact_of_value(numbers["value"], bounds))
        case ColumnsReading(names):
            return _of_differences(_order_differences(names, stored.collect_schema()))


def _of_rows(reading: RowReading, columns: tuple[str, ...], table: Table, stored: pl.LazyFrame) -> Evidence:
    schema = stored.collect_schema()
    offends = reading.judged & reading.violated
    shown = [name for name in dict.fromkeys((*columns, *table.key)) if name in schema]
    return Evidence(
        stored,
        # Counting those that are left out works for a condition that holds for every row, which is a single literal.
        {"rows": pl.len() - (~reading.judged).sum(), FAILED: offends.sum()},
        lambda numbers: _fact_of_rows(numbers[FAILED], numbers["rows"], reading.mostly),
        # Sorted, so that the members of a duplicate stand together and the same table shows the same rows.
        stored.filter(offends).select(shown).sort([name for name in shown if not schema[name].is_nested()]),
        reading.proof,
    )


def _of_required_values(columns: tuple[str, ...], table: Table, stored: pl.LazyFrame) -> Evidence:
    schema = stored.collect_schema()
    if absent := [column for column in columns if column not in schema]:
        raise LookupError(f"{', '.join(absent)} is not stored: the table has {', '.join(schema)}")
    lacking = pl.any_horizontal(is_missing(column, schema) for column in columns)
    shown = [name for name in dict.fromkeys((*table.key, *columns)) if not schema[name].is_nested()]
    return Evidence(
        stored,
        {"rows": pl.len(), FAILED: lacking.sum()} | {column: is_missing(column, schema).sum() for column in columns},
        lambda numbers: Fact(
            numbers[FAILED],
            Bounds(maximum=0),
            _lacking_in_words(numbers, columns),
            rows=numbers["rows"],
            failed_rows=numbers[FAILED],
        ),
        stored.filter(lacking).select(shown).sort(shown),
    )


def _lacking_in_words(numbers: Numbers, columns: tuple[str, ...]) -> str:
    by_column = ", ".join(f"{column} in {numbers[column]:,}" for column in columns if numbers[column])
    said = rows_in_words(numbers[FAILED], numbers["rows"])
    return f"{said}: {by_column}" if by_column else said


def _of_differences(differences: pl.LazyFrame) -> Evidence:
    return Evidence(
        differences,
        {FAILED: pl.len()},
        lambda numbers: Fact(numbers[FAILED], Bounds(maximum=0), columns_in_words(numbers[FAILED])),
        differences,
    )


def _of_rule(rule: Rule, frames: TableFrames) -> Evidence:
    violations = rule.violations(frames)
    return Evidence(
        violations,
        {FAILED: pl.len()},
        lambda numbers: Fact(
            numbers[FAILED],
            Bounds(maximum=rule.allowed),
            f"{numbers[FAILED]:,} exceptions",
            failed_rows=numbers[FAILED],
        ),
        violations,
        proven_by=None if rule.proof is None else rule.proof(frames),
    )


def _of_measure(measure: Measure, frames: TableFrames) -> Evidence:
    return Evidence(
        measure.value(frames),
        {"value": pl.nth(0).first(), "cells": pl.len()},
        lambda numbers: _fact_of_measure(numbers, measure),
    )


def _fact_of_rows(failed: int, rows: int, mostly: float) -> Fact:
    return Fact(share_of_rows(failed, rows), Bounds(minimum=mostly), rows_in_words(failed, rows), rows, failed)


def _fact_of_value(value: float | None, bounds: Bounds) -> Fact:
    if value is None or value != value:  # noqa: PLR0124 (only what is not a number differs from itself)
        raise NoValueError
    return Fact(value, bounds, value)


def _fact_of_measure(numbers: Numbers, measure: Measure) -> Fact:
    if numbers["cells"] != 1:
        raise ValueError(f"a measure is one value, but this one came to {numbers['cells']} rows")
    return _fact_of_value(numbers["value"], bounds_of_measure(measure))


def _order_differences(declared: tuple[str, ...], stored: pl.Schema) -> pl.LazyFrame:
    pairs = zip_longest(declared, stored.names())
    different = [
        {"position": position, "declared": expected, "stored": found}
        for position, (expected, found) in enumerate(pairs, start=1)
        if expected != found
    ]
    return pl.LazyFrame(different, schema={"position": pl.Int64, "declared": pl.String, "stored": pl.String})


def _type_differences(declared: pl.Schema, stored: pl.Schema) -> pl.LazyFrame:
    different = [
        {"column": name, "declared": str(dtype), "stored": str(stored[name]) if name in stored else None}
        for name, dtype in declared.items()
        if stored.get(name) != dtype
    ]
    return pl.LazyFrame(different, schema={"column": pl.String, "declared": pl.String, "stored": pl.String})
