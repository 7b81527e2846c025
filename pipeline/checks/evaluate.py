"""Evaluating a table: every declared check gets a result, and a check that cannot be run has failed.

Constraints, rules and measures become one row of numbers, computed lazily in one pass however large the table is, and
Great Expectations validates that row.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from pipeline.checks.constraints import Bounds
from pipeline.checks.declared import Check, declared_checks
from pipeline.checks.metrics import ConstraintCount, Metrics, Observed, metrics_of
from pipeline.checks.samples import Cell, inert, sample
from pipeline.checks.suite import validate
from pipeline.schema.declaration import MonthAbsentError, Rule, Table, TableFrames

MOST_CHARACTERS_OF_AN_ERROR = 2_000


@dataclass(frozen=True)
class Result:
    """What came of one check.

    `rows` are the rows that it judged and `failed_rows` those that fail, where it is about rows; `samples` are some of
    them. `error` says why the check (or the search for its samples) could not be run; it has failed then. A check that
    was not `judged`, because the month that it compares with is absent, stops nothing.
    """

    check: Check
    passed: bool
    observed: str
    rows: int | None = None
    failed_rows: int | None = None
    by_column: tuple[ConstraintCount, ...] = ()
    samples: list[dict[str, Cell]] = field(default_factory=list)
    error: str | None = None
    judged: bool = True

    @property
    def name(self) -> str:
        """The name of the check."""
        return self.check.name


@dataclass(frozen=True)
class Measured:
    """A check, what decides it, and the numbers read for it, or what kept them from being read."""

    check: Check
    metrics: Metrics | None
    numbers: Mapping[str, Any] | Exception

    def asked(self) -> dict[str, tuple[Any, Bounds]]:
        """The numbers that decide the check with their bounds, by names that no other check has."""
        return {} if self.metrics is None else self._within(self.metrics.bounds)

    def asked_in_full(self) -> dict[str, tuple[Any, Bounds]]:
        """The same with those that say where the deciding ones come from."""
        return {} if self.metrics is None else self._within({**self.metrics.bounds, **self.metrics.particulars})

    def _within(self, bounds: Mapping[str, Bounds]) -> dict[str, tuple[Any, Bounds]]:
        if isinstance(self.numbers, Exception):
            return {}
        return {f"{self.check.name}: {number}": (self.numbers[number], bound) for number, bound in bounds.items()}


def evaluate(table: Table, frames: TableFrames, names: Container[str] | None = None) -> list[Result]:
    """The result of every check of the table, or of those with these names, in the order of the declaration."""
    measured = measure(table, frames, names)
    asked = {name: number for one in measured for name, number in one.asked().items()}
    try:
        answers = validate(asked).answers
    except Exception as error:  # noqa: BLE001 (what keeps all of these checks from being decided fails all of them)
        answers = dict.fromkeys(asked, error)
    return [_result(one, [answers[name] for name in one.asked()]) for one in measured]


def measure(table: Table, frames: TableFrames, names: Container[str] | None = None) -> list[Measured]:
    """The numbers of every check of the table, or of those with these names, read in one pass."""
    checks = [check for check in declared_checks(table) if names is None or check.name in names]
    planned = [_planned(check, table, frames) for check in checks]
    rows = iter(_rows([plan.row for plan in planned if isinstance(plan, Metrics)]))
    return [
        Measured(check, plan, next(rows)) if isinstance(plan, Metrics) else Measured(check, None, plan)
        for check, plan in zip(checks, planned, strict=True)
    ]


def _planned(check: Check, table: Table, frames: TableFrames) -> Metrics | Exception:
    try:
        return metrics_of(check, table, frames)
    except Exception as error:  # noqa: BLE001 (a declared query may raise anything: it fails its own check only)
        return error


def _rows(queries: list[pl.LazyFrame]) -> list[Mapping[str, Any] | Exception]:
    """The only row of each query, or what kept it from being read."""
    try:
        return [row.row(0, named=True) for row in pl.collect_all(queries, engine="streaming")]
    except Exception as error:  # noqa: BLE001 (a declared query may raise anything: it fails its own check only)
        return [error] if len(queries) == 1 else [row for query in queries for row in _rows([query])]


def _result(measured: Measured, answers: list[bool | Exception]) -> Result:
    check, metrics, numbers = measured.check, measured.metrics, measured.numbers
    if isinstance(numbers, MonthAbsentError):
        return Result(check, passed=True, observed=f"not judged: {numbers}", judged=False)
    if metrics is None or isinstance(numbers, Exception):
        return _not_run(check, numbers)
    try:
        observed = metrics.observed(numbers)
    except ValueError as error:
        return _not_run(check, error)
    if errors := [answer for answer in answers if isinstance(answer, Exception)]:
        return _not_run(check, errors[0])
    passed = all(answers)
    samples, error_of_samples = ([], None) if passed else _samples(metrics, numbers)
    return Result(
        check,
        passed,
        _with_quoted(check, observed, samples),
        observed.rows,
        observed.failed_rows,
        observed.by_column,
        samples,
        error_of_samples,
    )


def _not_run(check: Check, error: object) -> Result:
    return Result(check, passed=False, observed="the check could not be run", error=_in_words(error))


def _with_quoted(check: Check, observed: Observed, samples: list[dict[str, Cell]]) -> str:
    """What was observed, with the first offending row in words where the rule names columns to quote."""
    if not (samples and isinstance(check.statement, Rule) and check.statement.quoted):
        return observed.words
    quoted = ((name, samples[0][name]) for name in check.statement.quoted if name in samples[0])
    words = (f"{name} {f'{cell:.4g}' if isinstance(cell, float) else cell}" for name, cell in quoted)
    return f"{observed.words}, the first: {', '.join(words)}"


def _samples(metrics: Metrics, numbers: Mapping[str, Any]) -> tuple[list[dict[str, Cell]], str | None]:
    try:
        offending = metrics.offending(numbers)
        return ([] if offending is None else sample(offending)), None
    except Exception as error:  # noqa: BLE001 (the result stands, whatever keeps its samples from being read)
        return [], f"the offending rows could not be read: {_in_words(error)}"


def _in_words(error: object) -> str:
    return inert(f"{type(error).__name__}: {error}", MOST_CHARACTERS_OF_AN_ERROR)
