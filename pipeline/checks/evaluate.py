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


def evaluate(table: Table, frames: TableFrames, names: Container[str] | None = None) -> list[Result]:
    """The result of every check of the table, or of those with these names, in the order of the declaration."""
    results: dict[str, Result] = {}
    metrics: dict[str, Metrics] = {}
    checks = {check.name: check for check in declared_checks(table) if names is None or check.name in names}
    for name, check in checks.items():
        try:
            metrics[name] = metrics_of(check, table, frames)
        except MonthAbsentError as absent:
            results[name] = Result(check, passed=True, observed=f"not judged: {absent}", judged=False)
        except Exception as error:  # noqa: BLE001 (a declared query may raise anything: it fails its own check only)
            results[name] = _not_run(check, error)
    numbers = _numbers(metrics)
    answers = _answers(metrics, numbers)
    for name, metric in metrics.items():
        results[name] = _result(checks[name], metric, numbers[name], answers.get(name, {}))
    return [results[name] for name in checks]


Numbers = Mapping[str, Any] | Exception
Answers = Mapping[str, bool | Exception]


def _numbers(metrics: Mapping[str, Metrics]) -> dict[str, Numbers]:
    """The numbers of every check, or what kept them from being read."""
    try:
        rows = pl.collect_all([metric.row for metric in metrics.values()], engine="streaming")
    except Exception as error:  # noqa: BLE001 (a declared query may raise anything: it fails its own check only)
        if len(metrics) == 1:
            return dict.fromkeys(metrics, error)
        return {name: _numbers({name: metric})[name] for name, metric in metrics.items()}
    return {name: row.row(0, named=True) for name, row in zip(metrics, rows, strict=True)}


def _answers(metrics: Mapping[str, Metrics], numbers: Mapping[str, Numbers]) -> dict[str, Answers]:
    """For each check, whether each of its deciding numbers lies within its bounds."""
    asked: dict[str, tuple[Any, Bounds]] = {}
    for name, metric in metrics.items():
        if not isinstance(found := numbers[name], Exception):
            asked |= {f"{name}: {number}": (found[number], bounds) for number, bounds in metric.bounds.items()}
    try:
        answers = validate(asked)
    except Exception as error:  # noqa: BLE001 (what keeps all of these checks from being decided fails all of them)
        answers = dict.fromkeys(asked, error)
    return {
        name: {number: answers[f"{name}: {number}"] for number in metric.bounds}
        for name, metric in metrics.items()
        if not isinstance(numbers[name], Exception)
    }


def _result(check: Check, metrics: Metrics, numbers: Numbers, answers: Answers) -> Result:
    if isinstance(numbers, Exception):
        return _not_run(check, numbers)
    try:
        observed = metrics.observed(numbers)
    except ValueError as error:
        return _not_run(check, error)
    if errors := [answer for answer in answers.values() if isinstance(answer, Exception)]:
        return _not_run(check, errors[0])
    passed = all(answers.values())
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


def _not_run(check: Check, error: Exception) -> Result:
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


def _in_words(error: Exception) -> str:
    return inert(f"{type(error).__name__}: {error}", MOST_CHARACTERS_OF_AN_ERROR)
