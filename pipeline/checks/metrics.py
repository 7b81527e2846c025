"""What decides a check: a lazy row of numbers, the bounds that they must lie in, and the rows that offend.

Nothing is computed here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import polars as pl

from pipeline.checks.constraints import Bounds, Constraint
from pipeline.checks.declared import Check, rows_in_words
from pipeline.checks.samples import MOST_ROWS
from pipeline.schema.declaration import Measure, Rule, Table, TableFrames

Numbers = Mapping[str, Any]


@dataclass(frozen=True)
class Observed:
    """What was found, in words and in rows; `by_column` has a row for each constraint."""

    words: str
    rows: int | None = None
    failed_rows: int | None = None
    by_column: Sequence[Mapping[str, str | int | None]] = ()


@dataclass(frozen=True)
class Metrics:
    """The lazy `row` of numbers of one check, the bounds of those that decide it, and what they say.

    `offending` returns rows that speak against the check, by what was observed.
    """

    row: pl.LazyFrame
    bounds: Mapping[str, Bounds]
    observed: Callable[[Numbers], Observed]
    offending: Callable[[Observed], pl.LazyFrame | None]


def metrics_of(check: Check, table: Table, frames: TableFrames) -> Metrics:
    """What decides a check of the table.

    Raises:
        MonthAbsentError: the check compares with a month that the lake does not hold.
        Exception: whatever a rule or a measure raises while it is put together.
    """
    match check.statement:
        case Rule() as rule:
            return _of_rule(rule, frames)
        case Measure() as measure:
            return _of_measure(measure, frames)
        case constraints:
            return _of_constraints(constraints, table, frames.scan(table.path))


def _of_constraints(declared: tuple[Constraint, ...], table: Table, stored: pl.LazyFrame) -> Metrics:
    schema = stored.collect_schema()
    differences = _differences(table, schema)
    sound = {name for name, dtype in table.schema.items() if schema.get(name) == dtype}
    constraints = [one for one in declared if sound.issuperset(one.breaks.meta.root_names())]
    breaks = [pl.col(str(one)) for one in constraints]
    # In two steps, so that what is counted in several ways is looked for once.
    row = stored.with_columns(one.breaks.alias(str(one)) for one in constraints).select(
        pl.len().alias("rows"),
        pl.any_horizontal(pl.lit(value=False), *breaks).sum().alias("failed rows"),
        pl.lit(len(differences)).alias("columns that differ"),
        *(one.sum() for one in breaks),
        *(one.count().name.suffix(": rows") for one in breaks),
    )

    def observed(numbers: Numbers) -> Observed:
        by_column = [
            *differences,
            *(_counted(one.columns, one.words, numbers[f"{one}: rows"], numbers[str(one)]) for one in constraints),
        ]
        words = f"{numbers['failed rows']:,} of {rows_in_words(numbers['rows'])} failed"
        broken = "; ".join(
            f"{one['column']} {one['constraint']}: {one['failed']}" for one in by_column if one["failed"]
        )
        return Observed(f"{words} ({broken})" if broken else words, numbers["rows"], numbers["failed rows"], by_column)

    def offending(found: Observed) -> pl.LazyFrame | None:
        broken = {(count["column"], count["constraint"]) for count in found.by_column if count["failed"]}
        return _rows_that_break([one for one in constraints if (one.columns, one.words) in broken], table.key, stored)

    nothing = Bounds(maximum=0)
    at_least = {} if table.may_be_empty else {"rows": Bounds(minimum=1)}
    return Metrics(row, {**at_least, "columns that differ": nothing, "failed rows": nothing}, observed, offending)


def _differences(table: Table, stored: pl.Schema) -> list[dict[str, str | int | None]]:
    different = [
        _counted(name, f"is stored as {dtype}, not as {stored.get(name, 'nothing')}", None, 1)
        for name, dtype in table.schema.items()
        if stored.get(name) != dtype
    ]
    if different or table.schema.names() == stored.names():
        return different
    return [_counted(", ".join(table.schema), f"are in this order, not {', '.join(stored)}", None, 1)]


def _counted(column: str, constraint: str, rows: int | None, failed: int) -> dict[str, str | int | None]:
    return {"column": column, "constraint": constraint, "rows": rows, "failed": failed}


def _rows_that_break(broken: Sequence[Constraint], key: tuple[str, ...], stored: pl.LazyFrame) -> pl.LazyFrame | None:
    """As many rows for each constraint, each by its key, in an order that depends on the rows alone."""
    if not broken:
        return None
    schema = stored.collect_schema()
    by = [name for name in key if name in schema]

    def rows_of(constraint: Constraint) -> pl.LazyFrame:
        read = dict.fromkeys(constraint.breaks.meta.root_names())
        value = [pl.col(name).cast(pl.String) for name in read if not schema[name].is_nested()] or [pl.lit("")]
        offending = stored.filter(constraint.breaks).select(
            *by,
            pl.lit(str(constraint)).alias("must hold"),
            pl.concat_str(value, separator=", ", ignore_nulls=True).alias("value"),
        )
        return offending.sort(*by, "value").head(max(1, MOST_ROWS // len(broken)))

    return pl.concat([rows_of(constraint) for constraint in broken])


def _of_rule(rule: Rule, frames: TableFrames) -> Metrics:
    violations = rule.violations(frames)
    return Metrics(
        violations.select(pl.len().alias("failed rows")),
        {"failed rows": Bounds(maximum=rule.allowed)},
        lambda numbers: Observed(f"{rows_in_words(numbers['failed rows'])} failed", None, numbers["failed rows"]),
        lambda _: violations,
    )


def _of_measure(measure: Measure, frames: TableFrames) -> Metrics:
    offending = measure.offending
    return Metrics(
        measure.value(frames).select(pl.nth(0).first().alias("value"), pl.len().alias("cells")),
        {"value": Bounds(measure.minimum, measure.maximum)},
        _observed_of_measure,
        lambda _: None if offending is None else offending(frames),
    )


def _observed_of_measure(numbers: Numbers) -> Observed:
    value, cells = numbers["value"], numbers["cells"]
    if cells != 1:
        raise ValueError(f"a measure is one value, but this one came to {rows_in_words(cells)}")
    if not isinstance(value, int | float | Decimal) or value != value:  # noqa: PLR0124 (what is not a number differs)
        raise ValueError("there is no number: what it is computed from is absent or cancels out")
    return Observed(f"{value:,}" if isinstance(value, int) else f"{value:,.6g}")
