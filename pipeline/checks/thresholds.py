"""Thresholds of warnings that an operator sets, for a run or a deployment, in place of the declared ones.

A warning can be set where its declaration states one number: how many rows may break a rule, the bound of a measure.
Critical checks protect what is published and cannot be set.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pipeline.checks.declared import Check, Statement, declared_checks
from pipeline.errors import CensusError
from pipeline.schema.declaration import Measure, Rule, Table

Thresholds = Mapping[str, Mapping[str, float]]
"""The chosen numbers by table (`group/name`) and check."""


@dataclass(frozen=True)
class Threshold:
    """The one number of a warning, as declared."""

    check: str
    declared: float
    meaning: str
    statement: Statement


def settable(table: Table) -> dict[str, Threshold]:
    """The thresholds of the table's warnings that may be set, by check."""
    return {found.check: found for found in _thresholds(table)}


def with_thresholds(table: Table, chosen: Mapping[str, float]) -> Table:
    """The table's declaration with the chosen numbers (by check) in place of the declared ones.

    Raises:
        CensusError: a check is none of the table's warnings that can be set, or the number makes no sense for it.
    """
    if not chosen:
        return table
    found = settable(table)
    if unknown := sorted(set(chosen) - set(found)):
        raise CensusError(
            f"{', '.join(f'{table.path}/{check}' for check in unknown)} is no warning whose threshold can be set: "
            f"{table.path} has {', '.join(found) or 'none'}"
        )
    changed: dict[int, Any] = {
        id(threshold.statement): _set_to(threshold.statement, chosen[check], f"{table.path}/{check}")
        for check, threshold in found.items()
        if check in chosen
    }
    return replace(
        table,
        rules=tuple(changed.get(id(one), one) for one in table.rules),
        measures=tuple(changed.get(id(one), one) for one in table.measures),
    )


def parse_thresholds(written: str) -> Thresholds:
    """Thresholds written as `group/table/check=number`, separated by commas.

    Raises:
        CensusError: something is written otherwise.
    """
    chosen: dict[str, dict[str, float]] = {}
    for piece in filter(None, (piece.strip() for piece in written.split(","))):
        name, _, number = piece.partition("=")
        table, _, check = name.strip().rpartition("/")
        try:
            value = float(number)
        except ValueError:
            value = math.nan
        if not table or not check or not math.isfinite(value):
            raise CensusError(f"{piece!r} sets no threshold: write group/table/check=number, separated by commas")
        chosen.setdefault(table, {})[check] = value
    return chosen


def require_settable(chosen: Thresholds, tables: Mapping[str, Table]) -> None:
    """Refuses thresholds of which one cannot be set.

    Raises:
        CensusError: there is no such table or warning, or the number makes no sense for it.
    """
    for path, of_checks in chosen.items():
        if path not in tables:
            raise CensusError(f"there is no table {path} whose thresholds could be set: name one of the census' tables")
        with_thresholds(tables[path], of_checks)


def _thresholds(table: Table) -> Iterator[Threshold]:
    for check in declared_checks(table):
        if check.severity == "warning" and (number := _number_of(check.statement)) is not None:
            declared, meaning = number
            yield Threshold(check.name, declared, _in_words(check, meaning), check.statement)


def _number_of(statement: Statement) -> tuple[float, str] | None:
    """The one number that the statement turns on and what it is; None where it has none, or two."""
    match statement:
        case Rule(allowed=allowed):
            return allowed, "rows that may fail"
        case Measure(minimum=None, maximum=float() | int() as maximum):
            return maximum, "at most"
        case Measure(minimum=float() | int() as minimum, maximum=None):
            return minimum, "at least"
    return None


def _set_to(statement: Statement, number: float, name: str) -> Statement:
    match statement:
        case Rule() if number >= 0 and number == int(number):
            return replace(statement, allowed=int(number))
        case Rule():
            raise CensusError(f"{name} is set to {number}: give the number of rows that may fail, 0 or more")
        case Measure(minimum=None):
            return replace(statement, maximum=number)
        case Measure():
            return replace(statement, minimum=number)
    raise CensusError(f"{name} states no number that could be set")


def _in_words(check: Check, meaning: str) -> str:
    return f"{check.expected[0].upper()}{check.expected[1:]}. The number: {meaning}."
