"""What decides a check: a lazy row of numbers, the bounds that they must lie in, and the rows that offend.

Nothing is computed here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from pipeline.checks.constraints import Bounds, Constraint
from pipeline.checks.declared import Check, Declaration, rows_in_words
from pipeline.schema.declaration import Measure, Rule, Table, TableFrames

Numbers = Mapping[str, Any]
MOST_ROWS = 20
"""The offending rows that are shown of one check."""


@dataclass(frozen=True)
class ConstraintCount:
    """How many rows one constraint judged, and how many of them break it; neither is known of a type."""

    column: str
    constraint: str
    rows: int | None
    failed: int


@dataclass(frozen=True)
class Observed:
    """What the numbers say to a reader."""

    words: str
    rows: int | None = None
    failed_rows: int | None = None
    by_column: tuple[ConstraintCount, ...] = ()


@dataclass(frozen=True)
class Metrics:
    """The lazy `row` of numbers of one check, the bounds of those that decide it, and what they say.

    `particulars` bounds the numbers that say where the deciding ones come from.
    `offending` returns up to `MOST_ROWS` rows that speak against the check, by the numbers.
    """

    row: pl.LazyFrame
    bounds: Mapping[str, Bounds]
    observed: Callable[[Numbers], Observed]
    offending: Callable[[Numbers], pl.LazyFrame | None]
    particulars: Mapping[str, Bounds] = field(default_factory=dict)


class NoValueError(ValueError):
    """What a check looks at has no value, so nothing can be said about it."""

    def __init__(self) -> None:
        super().__init__("there is no value: what it is computed from is absent or cancels out")


def metrics_of(check: Check, table: Table, frames: TableFrames) -> Metrics:
    """What decides a check of the table.

    Raises:
        MonthAbsentError: the check compares with a month that the lake does not hold.
        Exception: whatever a rule or a measure raises while it is put together.
    """
    match check.statement:
        case Declaration() as declaration:
            return _of_declaration(declaration, frames.scan(table.path))
        case Rule() as rule:
            return _of_rule(rule, frames)
        case Measure() as measure:
            return _of_measure(measure, frames)


def _of_declaration(declaration: Declaration, stored: pl.LazyFrame) -> Metrics:
    table, schema = declaration.table, stored.collect_schema()
    differences = tuple(_differences(table, schema))
    sound = {name for name, dtype in table.schema.items() if schema.get(name) == dtype}
    judged = {str(one): one for one in declaration.constraints if sound.issuperset(one.reads)}
    counts = {name: one.breaks.sum() for name, one in judged.items()}
    rows_of = {f"{name}: rows": one.breaks.count() for name, one in judged.items()}
    failed = pl.any_horizontal(pl.lit(value=False), *(one.breaks for one in judged.values())).sum()
    others = {"rows": pl.len(), "failed rows": failed, "columns that differ": pl.lit(len(differences))}
    row = stored.select(number.alias(name) for name, number in (others | rows_of | counts).items())
    bounds = {
        **({} if table.may_be_empty else {"rows": Bounds(minimum=1)}),
        "columns that differ": Bounds(maximum=0),
        "failed rows": Bounds(maximum=0),
    }

    def observed(numbers: Numbers) -> Observed:
        counted = (
            ConstraintCount(", ".join(one.columns), one.words, numbers[f"{name}: rows"], numbers[name])
            for name, one in judged.items()
        )
        by_column = (*differences, *counted)
        words = _broken_in_words(numbers["failed rows"], numbers["rows"], by_column)
        return Observed(words, numbers["rows"], numbers["failed rows"], by_column)

    def offending(numbers: Numbers) -> pl.LazyFrame | None:
        return _offending([one for name, one in judged.items() if numbers[name]], table, stored)

    return Metrics(row, bounds, observed, offending, dict.fromkeys(judged, Bounds(maximum=0)))


def _differences(table: Table, stored: pl.Schema) -> list[ConstraintCount]:
    different = [
        ConstraintCount(name, f"is stored as {dtype}, not as {stored.get(name, 'nothing')}", None, 1)
        for name, dtype in table.schema.items()
        if stored.get(name) != dtype
    ]
    if not different and table.schema.names() != stored.names():
        order = f"are in this order, not {', '.join(stored)}"
        different.append(ConstraintCount(", ".join(table.schema), order, None, 1))
    return different


def _broken_in_words(failed: int, rows: int, by_column: tuple[ConstraintCount, ...]) -> str:
    broken = "; ".join(
        f"{count.column} {count.constraint}" + (f": not in {rows_in_words(count.failed)}" if count.rows else "")
        for count in by_column
        if count.failed
    )
    return f"{failed:,} of {rows_in_words(rows)} failed" + (f" ({broken})" if broken else "")


def _offending(broken: list[Constraint], table: Table, stored: pl.LazyFrame) -> pl.LazyFrame | None:
    """As many rows for each constraint, each by its key, in an order that depends on the rows alone."""
    if not broken:
        return None
    schema = stored.collect_schema()
    key = [name for name in table.key if name in schema]

    def rows_of(constraint: Constraint) -> pl.LazyFrame:
        value = pl.concat_str([_as_text(name, schema) for name in constraint.reads], separator=", ", ignore_nulls=True)
        return (
            stored.filter(constraint.breaks)
            .select(*key, pl.lit(str(constraint)).alias("must hold"), value.alias("value"))
            .sort(*key, "value")
            .head(max(1, MOST_ROWS // len(broken)))
        )

    return pl.concat([rows_of(constraint) for constraint in broken]).head(MOST_ROWS)


def _as_text(name: str, schema: pl.Schema) -> pl.Expr:
    return pl.lit("") if schema[name].is_nested() else pl.col(name).cast(pl.String)


def _of_rule(rule: Rule, frames: TableFrames) -> Metrics:
    violations = rule.violations(frames)
    return Metrics(
        violations.select(pl.len().alias("failed rows")),
        {"failed rows": Bounds(maximum=rule.allowed)},
        lambda numbers: Observed(f"{rows_in_words(numbers['failed rows'])} failed", None, numbers["failed rows"]),
        lambda _: violations.head(MOST_ROWS),
    )


def _of_measure(measure: Measure, frames: TableFrames) -> Metrics:
    offending = measure.offending
    return Metrics(
        measure.value(frames).select(pl.nth(0).first().alias("value"), pl.len().alias("cells")),
        {"value": Bounds(measure.minimum, measure.maximum)},
        _observed_of_measure,
        lambda _: None if offending is None else offending(frames).head(MOST_ROWS),
    )


def _observed_of_measure(numbers: Numbers) -> Observed:
    value, cells = numbers["value"], numbers["cells"]
    if cells != 1:
        raise ValueError(f"a measure is one value, but this one came to {rows_in_words(cells)}")
    if value is None or value != value:  # noqa: PLR0124 (only what is not a number differs from itself)
        raise NoValueError
    return Observed(f"{value:,}" if isinstance(value, int) else f"{value:,.6g}")
