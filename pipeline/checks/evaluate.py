"""Evaluating a table: every declared check gets a result, and a check that cannot be run has failed.

Each becomes one row of numbers, which is counted lazily however large the table is (all constraints of a table in one
pass over it), and Great Expectations validates these numbers. It is imported inside functions, because importing it
takes seconds and memory that only a running check should pay. Its context is ephemeral: nothing is stored or sent.
"""

from __future__ import annotations

import logging
import math
import os
import warnings
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from functools import cache, partial
from typing import TYPE_CHECKING, Any, TypeVar

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
LARGEST_EXACT_NUMBER = 2**53
"""Beyond it a browser would show a number that is not the one stored."""
Cell = str | int | float | bool | None
Numbers = Mapping[str, Any]
T = TypeVar("T")


@dataclass(frozen=True)
class Observed:
    """What was found, in words and in rows; `by_column` has a row for each constraint."""

    words: str
    rows: int | None = None
    failed_rows: int | None = None
    by_column: Sequence[Mapping[str, str | int | None]] = ()


@dataclass(frozen=True)
class Result:
    """What came of one check.

    `decided_by` are the numbers that decided it with their bounds; `samples` are some of the rows that offend. `error`
    says why the check (or the search for its samples) could not be run; it has failed then. A check that was not
    `judged`, because the month that it compares with is absent, stops nothing.
    """

    check: Check
    passed: bool
    observed: Observed
    decided_by: Mapping[str, tuple[Any, Bounds]] = field(default_factory=dict)
    samples: Sequence[Mapping[str, Cell]] = ()
    error: str | None = None
    judged: bool = True


@dataclass(frozen=True)
class _Query:
    """The lazy `row` of numbers of one check, the bounds of those that decide it, what they say, rows that offend."""

    row: pl.LazyFrame
    bounds: Mapping[str, Bounds]
    observed: Callable[[Numbers], Observed]
    offending: Callable[[Observed], pl.LazyFrame | None]


def evaluate(table: Table, frames: TableFrames, names: Container[str] | None = None) -> list[Result]:
    """The result of every check of the table, or of those with these names, in the order of the declaration."""
    checks = [check for check in declared_checks(table) if names is None or check.name in names]
    queries = [_attempt(partial(_query, check, table, frames)) for check in checks]
    found = [
        _found(check, query) if isinstance(query, _Query) else _not_run(check, query)
        for check, query in zip(checks, queries, strict=True)
    ]
    asked = {f"{one.check.name}: {name}": number for one in found for name, number in one.decided_by.items()}
    answers = _attempt(lambda: answers_of(validate(asked)) if asked else {})
    if isinstance(answers, Exception):  # what keeps all of these checks from being decided fails all of them
        return [_not_run(one.check, answers) if one.decided_by else one for one in found]
    return [
        _decided(one, query, answers) if isinstance(query, _Query) and one.decided_by else one
        for one, query in zip(found, queries, strict=True)
    ]


def _attempt(compute: Callable[[], T]) -> T | Exception:
    """What comes of it, or what it raised: a declared query may raise anything, and fails its own check only."""
    try:
        return compute()
    except Exception as error:  # noqa: BLE001 - see above
        return error


def _found(check: Check, query: _Query) -> Result:
    """What the numbers say, before anything is decided by them."""

    def counted_and_said() -> tuple[Numbers, Observed]:
        row = query.row.collect(engine="streaming").row(0, named=True)
        return row, query.observed(row)

    found = _attempt(counted_and_said)
    if isinstance(found, Exception):
        return _not_run(check, found)
    row, observed = found
    decided_by = {name: (row[name], bounds) for name, bounds in query.bounds.items()}
    return Result(check, passed=False, observed=observed, decided_by=decided_by)


def _decided(found: Result, query: _Query, answers: Mapping[str, bool]) -> Result:
    if all(answers[f"{found.check.name}: {name}"] for name in found.decided_by):
        return replace(found, passed=True)
    offending = _attempt(lambda: query.offending(found.observed))
    samples = offending if isinstance(offending, Exception | None) else _attempt(lambda: sample(offending))
    if isinstance(samples, Exception):  # the result stands, whatever keeps its samples from being read
        return replace(found, error=f"the offending rows could not be read: {_in_words(samples)}")
    return replace(found, samples=samples or (), observed=_with_quoted(found, samples or ()))


def _not_run(check: Check, error: Exception) -> Result:
    if isinstance(error, MonthAbsentError):
        return Result(check, passed=True, observed=Observed(f"not evaluated: {error}"), judged=False)
    return Result(check, passed=False, observed=Observed("the check could not be run"), error=_in_words(error))


def _with_quoted(found: Result, samples: Sequence[Mapping[str, Cell]]) -> Observed:
    """What was observed, with the first offending row in words where the rule names columns to quote."""
    statement = found.check.statement
    if not (samples and isinstance(statement, Rule) and statement.quoted):
        return found.observed
    quoted = ((name, samples[0][name]) for name in statement.quoted)
    words = (f"{name} {f'{cell:.4g}' if isinstance(cell, float) else cell}" for name, cell in quoted)
    return replace(found.observed, words=f"{found.observed.words}, the first: {', '.join(words)}")


def _in_words(error: Exception) -> str:
    return inert(f"{type(error).__name__}: {error}", MOST_CHARACTERS_OF_AN_ERROR)


def _query(check: Check, table: Table, frames: TableFrames) -> _Query:
    match check.statement:
        case Rule() as rule:
            violations = rule.violations(frames)
            return _Query(
                violations.select(pl.len().alias("failed rows")),
                {"failed rows": Bounds(maximum=rule.allowed)},
                lambda row: Observed(f"{counted(row['failed rows'], 'row')} failed", None, row["failed rows"]),
                lambda _: violations,
            )
        case Measure() as measure:
            return _Query(
                measure.value(frames).select(pl.nth(0).first().alias("value"), pl.len().alias("cells")),
                {"value": Bounds(measure.minimum, measure.maximum)},
                _observed_of_measure,
                lambda _: measure.offending(frames) if measure.offending else None,
            )
        case constraints:
            return _of_constraints(constraints, table, frames.scan(table.path))


def _observed_of_measure(numbers: Numbers) -> Observed:
    value, cells = numbers["value"], numbers["cells"]
    if cells != 1:
        raise ValueError(f"a measure is one value, but this one came to {counted(cells, 'row')}")
    if not isinstance(value, int | float | Decimal) or value != value:  # noqa: PLR0124 (what is not a number differs)
        raise ValueError("there is no number: what it is computed from is absent or cancels out")
    return Observed(f"{value:,}" if isinstance(value, int) else f"{value:,.6g}")


def _of_constraints(declared: tuple[Constraint, ...], table: Table, stored: pl.LazyFrame) -> _Query:
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
            *(_count(one.columns, one.words, numbers[f"{one}: rows"], numbers[str(one)]) for one in constraints),
        ]
        words = f"{numbers['failed rows']:,} of {counted(numbers['rows'], 'row')} failed"
        broken = "; ".join(
            f"{one['column']} {one['constraint']}: {one['failed']}" for one in by_column if one["failed"]
        )
        return Observed(f"{words} ({broken})" if broken else words, numbers["rows"], numbers["failed rows"], by_column)

    def offending(found: Observed) -> pl.LazyFrame | None:
        broken = {(count["column"], count["constraint"]) for count in found.by_column if count["failed"]}
        return _rows_that_break([one for one in constraints if (one.columns, one.words) in broken], table.key, stored)

    nothing = Bounds(maximum=0)
    at_least = {} if table.may_be_empty else {"rows": Bounds(minimum=1)}
    return _Query(row, {**at_least, "columns that differ": nothing, "failed rows": nothing}, observed, offending)


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


def sample(offending: pl.LazyFrame) -> list[dict[str, Cell]]:
    """The first offending rows as they may be shown: few, short, and inert, as they hold untrusted input."""
    rows = offending.head(MOST_ROWS).collect(engine="streaming")
    return [{name: _cell(value) for name, value in row.items()} for row in rows.iter_rows(named=True)]


def inert(text: str, most_characters: int = MOST_CHARACTERS) -> str:
    """The text cut to a length, with everything escaped that does not print: controls, line breaks, turned text."""
    cut = text if len(text) <= most_characters else f"{text[: most_characters - 1]}…"
    return plain(cut)


def _cell(value: object) -> Cell:
    match value:
        case None | bool():
            return value
        case int():
            return value if abs(value) <= LARGEST_EXACT_NUMBER else str(value)
        case float() | Decimal():
            return float(value) if math.isfinite(value) else str(value)
        case date():
            return value.isoformat()
        case _:
            return inert(str(value))


def validate(numbers: Mapping[str, tuple[Any, Bounds]]) -> ExpectationSuiteValidationResult:
    """Great Expectations' report on numbers and the bounds that they must lie in, by name."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    # Some of its modules set the level of their own loggers, so that only the switch for all of them is heard.
    disabled = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _validated(numbers)
    finally:
        logging.disable(disabled)


def answers_of(report: ExpectationSuiteValidationResult) -> dict[str, bool]:
    """Whether each number lies within its bounds; one of which that could not be said does not."""
    configurations = ((result.expectation_config, result) for result in report.results)
    return {asked.kwargs["column"]: bool(result.success) for asked, result in configurations if asked is not None}


def _validated(numbers: Mapping[str, tuple[Any, Bounds]]) -> ExpectationSuiteValidationResult:
    import great_expectations as gx  # noqa: PLC0415 - see above
    import pandas as pd  # noqa: PLC0415 - see above
    from great_expectations.expectations.core.expect_column_max_to_be_between import (  # noqa: PLC0415
        ExpectColumnMaxToBeBetween,
    )

    # As an object, a whole number of any size stays exact. Of the only row the maximum is the value, and needs a third
    # of the metrics that a judgement of rows needs.
    row = pd.DataFrame({name: pd.Series([number], dtype=object) for name, (number, _) in numbers.items()})
    expectations = [
        ExpectColumnMaxToBeBetween(column=name, min_value=bounds.minimum, max_value=bounds.maximum)
        for name, (_, bounds) in numbers.items()
    ]
    batch = _rows().get_batch({"dataframe": row})
    return batch.validate(gx.ExpectationSuite("declared", expectations=expectations))


@cache
def _rows() -> BatchDefinition[Any]:
    """What a frame is handed to. One for the process: each context made costs more than most validations.

    It holds on to the last frame only, since every frame is the same batch to it.
    """
    import great_expectations as gx  # noqa: PLC0415 - see above
    from great_expectations.data_context.types.base import ProgressBarsConfig  # noqa: PLC0415

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    asset = context.data_sources.add_pandas("checked").add_dataframe_asset("rows")
    return asset.add_batch_definition_whole_dataframe("whole")
