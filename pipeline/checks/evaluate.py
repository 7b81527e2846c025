"""Evaluating a table: every declared check gets a result, and a check that cannot be run has failed.

Constraints, rules and measures become one row of numbers, computed lazily in one pass however large the table is, and
Great Expectations validates that row.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import polars as pl

from pipeline.checks.constraints import Bounds
from pipeline.checks.declared import Check, declared_checks
from pipeline.checks.metrics import Metrics, Observed, metrics_of
from pipeline.checks.samples import Cell, inert, sample
from pipeline.checks.suite import answers_of, validate
from pipeline.schema.declaration import MonthAbsentError, Rule, Table, TableFrames

MOST_CHARACTERS_OF_AN_ERROR = 2_000


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


def evaluate(table: Table, frames: TableFrames, names: Container[str] | None = None) -> list[Result]:
    """The result of every check of the table, or of those with these names, in the order of the declaration."""
    checks = [check for check in declared_checks(table) if names is None or check.name in names]
    planned = [_planned(check, table, frames) for check in checks]
    rows = iter(_rows([plan.row for plan in planned if isinstance(plan, Metrics)]))
    found = [
        _found(check, plan, next(rows)) if isinstance(plan, Metrics) else _not_run(check, plan)
        for check, plan in zip(checks, planned, strict=True)
    ]
    asked = {f"{one.check.name}: {name}": number for one in found for name, number in one.decided_by.items()}
    try:
        answers = answers_of(validate(asked)) if asked else {}
    except Exception as error:  # noqa: BLE001 (what keeps all of these checks from being decided fails all of them)
        return [_not_run(one.check, error) if one.decided_by else one for one in found]
    return [_decided(one, plan, answers) for one, plan in zip(found, planned, strict=True)]


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


def _found(check: Check, plan: Metrics, row: Mapping[str, Any] | Exception) -> Result:
    """What the numbers say, before anything is decided by them."""
    if isinstance(row, Exception):
        return _not_run(check, row)
    try:
        observed = plan.observed(row)
    except ValueError as error:
        return _not_run(check, error)
    decided_by = {name: (row[name], bounds) for name, bounds in plan.bounds.items()}
    return Result(check, passed=False, observed=observed, decided_by=decided_by)


def _decided(found: Result, plan: Metrics | Exception, answers: Mapping[str, bool]) -> Result:
    if isinstance(plan, Exception) or not found.decided_by:
        return found
    if all(answers[f"{found.check.name}: {name}"] for name in found.decided_by):
        return replace(found, passed=True)
    try:
        offending = plan.offending(found.observed)
        samples = [] if offending is None else sample(offending)
    except Exception as error:  # noqa: BLE001 (the result stands, whatever keeps its samples from being read)
        return replace(found, error=f"the offending rows could not be read: {_in_words(error)}")
    return replace(found, samples=samples, observed=_with_quoted(found, samples))


def _not_run(check: Check, error: Exception) -> Result:
    if isinstance(error, MonthAbsentError):
        return Result(check, passed=True, observed=Observed(f"not judged: {error}"), judged=False)
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
