"""Evaluating a table: every declared check gets a result, and a check that cannot be run has failed.

Each becomes one row of numbers, which is counted lazily however large the table is (all constraints of a table in one
pass over it), and Great Expectations validates these numbers. It is imported inside functions, because importing it
takes seconds and memory that only a running check should pay. Its context is ephemeral: nothing is stored or sent.
"""

import logging
import math
import os
import warnings
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any

import polars as pl

from pipeline.checks.declared import Bounds, Check, Constraint, declared_checks
from pipeline.schema.declaration import Measure, MonthAbsentError, Rule, Table, TableFrames
from pipeline.text import plain
from pipeline.wording import counted

if TYPE_CHECKING:
    from great_expectations.core import ExpectationSuiteValidationResult
    from great_expectations.core.batch_definition import BatchDefinition

MOST_ROWS, MOST_CHARACTERS, MOST_CHARACTERS_OF_AN_ERROR = 20, 200, 2_000
"""Of what is shown of offending rows and errors."""
Cell = str | int | float | bool | None


@dataclass(frozen=True)
class Result:
    """What came of one check: what was `observed`, in words, and whether that passes.

    `decided_by` are the numbers that decided it with their bounds; `by_column` has a row for each constraint; `samples`
    are some of the `offending` rows. `error` says why the check (or the search for its samples) could not be run; it
    has failed then. A check that was not `judged`, because the month that it compares with is absent, stops nothing.
    """

    check: Check
    observed: str
    passed: bool = False
    decided_by: Mapping[str, tuple[Any, Bounds]] = field(default_factory=dict)
    rows: int | None = None
    failed_rows: int | None = None
    by_column: Sequence[Mapping[str, str | int | None]] = ()
    offending: Callable[[], pl.LazyFrame] | None = None
    samples: Sequence[Mapping[str, Cell]] = ()
    error: str | None = None
    judged: bool = True


def evaluate(table: Table, frames: TableFrames, names: Container[str] | None = None) -> list[Result]:
    """The result of every check of the table, or of those with these names, in the order of the declaration."""
    checks = [check for check in declared_checks(table) if names is None or check.name in names]
    found = [_counted(check, table, frames) for check in checks]
    asked = {f"{one.check.name}: {name}": number for one in found for name, number in one.decided_by.items()}
    try:
        results = validate(asked).results if asked else []
        answers = {one.expectation_config.kwargs["column"]: one.success for one in results if one.expectation_config}
    except Exception as error:  # noqa: BLE001 - what keeps all of these checks from being decided fails all of them
        return [_not_run(one.check, error) if one.decided_by else one for one in found]
    return [_decided(one, answers) if one.decided_by else one for one in found]


def _counted(check: Check, table: Table, frames: TableFrames) -> Result:
    """What the numbers say, before anything is decided by them."""
    try:
        match check.statement:
            case Rule() as rule:
                return _of_rule(check, rule, frames)
            case Measure() as measure:
                return _of_measure(check, measure, frames)
            case constraints:
                return _of_constraints(check, constraints, table, frames.scan(table.path))
    except MonthAbsentError as error:
        return Result(check, f"not evaluated: {error}", passed=True, judged=False)
    except Exception as error:  # noqa: BLE001 - a declared query may raise anything, and fails its own check only
        return _not_run(check, error)


def _not_run(check: Check, error: Exception) -> Result:
    return Result(check, "the check could not be run", error=_in_words(error))


def _decided(found: Result, answers: Mapping[str, bool | None]) -> Result:
    """The result; a number of which it could not be said whether it lies within its bounds does not."""
    if all(answers[f"{found.check.name}: {name}"] for name in found.decided_by):
        return replace(found, passed=True)
    try:
        samples = sample(found.offending()) if found.offending else []
    except Exception as error:  # noqa: BLE001 - the result stands, whatever keeps its samples from being read
        return replace(found, error=f"the offending rows could not be read: {_in_words(error)}")
    words = found.observed
    if samples and isinstance(found.check.statement, Rule) and found.check.statement.quoted:
        quoted = ((name, samples[0][name]) for name in found.check.statement.quoted)
        cells = (f"{name} {f'{cell:.4g}' if isinstance(cell, float) else cell}" for name, cell in quoted)
        words += f", the first: {', '.join(cells)}"
    return replace(found, observed=words, samples=samples)


def _in_words(error: Exception) -> str:
    return inert(f"{type(error).__name__}: {error}", MOST_CHARACTERS_OF_AN_ERROR)


def _numbers(query: pl.LazyFrame) -> dict[str, Any]:
    return query.collect(engine="streaming").row(0, named=True)


def _of_rule(check: Check, rule: Rule, frames: TableFrames) -> Result:
    violations = rule.violations(frames)
    failed = _numbers(violations.select(failed=pl.len()))["failed"]
    decided_by = {"failed rows": (failed, Bounds(maximum=rule.allowed))}
    words = f"{counted(failed, 'row')} failed"
    return Result(check, words, decided_by=decided_by, failed_rows=failed, offending=lambda: violations)


def _of_measure(check: Check, measure: Measure, frames: TableFrames) -> Result:
    row = _numbers(measure.value(frames).select(value=pl.nth(0).first(), cells=pl.len()))
    value, cells = row["value"], row["cells"]
    if cells != 1:
        raise ValueError(f"a measure is one value, but this one came to {counted(cells, 'row')}")
    if not isinstance(value, int | float | Decimal) or value != value:  # noqa: PLR0124 (what is not a number differs)
        raise ValueError("there is no number: what it is computed from is absent or cancels out")
    words = f"{value:,}" if isinstance(value, int) else f"{value:,.6g}"
    offending = measure.offending
    return Result(
        check,
        words,
        decided_by={"value": (value, Bounds(measure.minimum, measure.maximum))},
        offending=(lambda: offending(frames)) if offending else None,
    )


def _of_constraints(check: Check, declared: tuple[Constraint, ...], table: Table, stored: pl.LazyFrame) -> Result:
    schema = stored.collect_schema()
    differences = _differences(table, schema)
    sound = {name for name, dtype in table.schema.items() if schema.get(name) == dtype}
    constraints = [one for one in declared if sound.issuperset(one.breaks.meta.root_names())]
    breaks = [pl.col(str(one)) for one in constraints]
    # In two steps, so that what is counted in several ways is looked for once.
    numbers = _numbers(
        stored.with_columns(one.breaks.alias(str(one)) for one in constraints).select(
            pl.len().alias("rows"),
            pl.any_horizontal(pl.lit(value=False), *breaks).sum().alias("failed rows"),
            *(one.sum() for one in breaks),
            *(one.count().name.suffix(": rows") for one in breaks),
        )
    )
    rows, failed_rows = numbers["rows"], numbers["failed rows"]
    by_column = [
        *differences,
        *(_count(one.columns, one.words, numbers[f"{one}: rows"], numbers[str(one)]) for one in constraints),
    ]
    words = f"{failed_rows:,} of {counted(rows, 'row')} failed"
    if broken := [f"{one['column']} {one['constraint']}: {one['failed']}" for one in by_column if one["failed"]]:
        words += f" ({'; '.join(broken)})"
    nothing = Bounds(maximum=0)
    decided_by = {"columns that differ": (len(differences), nothing), "failed rows": (failed_rows, nothing)}
    if not table.may_be_empty:
        decided_by["rows"] = rows, Bounds(minimum=1)
    offends = [one for one in constraints if numbers[str(one)]]
    offending = (lambda: _rows_that_break(offends, table.key, stored)) if offends else None
    return Result(
        check,
        words,
        decided_by=decided_by,
        rows=rows,
        failed_rows=failed_rows,
        by_column=by_column,
        offending=offending,
    )


def _differences(table: Table, stored: pl.Schema) -> list[dict[str, str | int | None]]:
    different = [
        _count(name, f"is stored as {dtype}, not as {stored.get(name, 'nothing')}", None, 1)
        for name, dtype in table.schema.items()
        if stored.get(name) != dtype
    ]
    if different or table.schema.names() == stored.names():
        return different
    return [_count(", ".join(table.schema), f"are in this order, not {', '.join(stored)}", None, 1)]


def _count(column: str, constraint: str, rows: int | None, failed: int) -> dict[str, str | int | None]:
    return {"column": column, "constraint": constraint, "rows": rows, "failed": failed}


def _rows_that_break(broken: Sequence[Constraint], key: tuple[str, ...], stored: pl.LazyFrame) -> pl.LazyFrame:
    """As many rows for each constraint, each by its key, in an order that depends on the rows alone."""
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


def sample(offending: pl.LazyFrame) -> list[dict[str, Cell]]:
    """The first offending rows as they may be shown: few, short, and inert, as they hold untrusted input."""
    rows = offending.head(MOST_ROWS).collect(engine="streaming")
    return [{name: _cell(value) for name, value in row.items()} for row in rows.iter_rows(named=True)]


def inert(text: str, most_characters: int = MOST_CHARACTERS) -> str:
    """The text cut to a length, with everything escaped that does not print: controls, line breaks, turned text."""
    return plain(text if len(text) <= most_characters else f"{text[: most_characters - 1]}…")


def _cell(value: object) -> Cell:
    match value:
        case None | bool():
            return value
        case int():
            return value if abs(value) <= 2**53 else str(value)  # beyond it a browser shows another number
        case float() | Decimal():
            return float(value) if math.isfinite(value) else str(value)
        case date():
            return value.isoformat()
        case _:
            return inert(str(value))


def validate(numbers: Mapping[str, tuple[Any, Bounds]]) -> "ExpectationSuiteValidationResult":
    """Great Expectations' report on numbers and the bounds that they must lie in, by name."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    # Some of its modules set the level of their own loggers, so that only the switch for all of them is heard.
    disabled = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(action="ignore"):
            import great_expectations as gx  # noqa: PLC0415 - see above
            import pandas as pd  # noqa: PLC0415 - see above
            from great_expectations.expectations.core.expect_column_max_to_be_between import (  # noqa: PLC0415
                ExpectColumnMaxToBeBetween,
            )

            # As an object, a whole number of any size stays exact. Of the only row the maximum is the value, and needs
            # a third of the metrics that a judgement of rows needs.
            row = pd.DataFrame({name: pd.Series([number], dtype=object) for name, (number, _) in numbers.items()})
            expectations = [
                ExpectColumnMaxToBeBetween(column=name, min_value=bounds.minimum, max_value=bounds.maximum)
                for name, (_, bounds) in numbers.items()
            ]
            batch = _rows().get_batch({"dataframe": row})
            return batch.validate(gx.ExpectationSuite("declared", expectations=expectations))
    finally:
        logging.disable(disabled)


@cache
def _rows() -> "BatchDefinition[Any]":
    """What a frame is handed to. One for the process: each context made costs more than most validations.

    It holds on to the last frame only, since every frame is the same batch to it.
    """
    import great_expectations as gx  # noqa: PLC0415 - see above
    from great_expectations.data_context.types.base import ProgressBarsConfig  # noqa: PLC0415

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    asset = context.data_sources.add_pandas("checked").add_dataframe_asset("rows")
    return asset.add_batch_definition_whole_dataframe("whole")
