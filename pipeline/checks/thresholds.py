"""Thresholds of warnings that an operator sets, for a run or a deployment, in place of the declared ones.

A warning can be set where its declaration states one number: how many rows may break a rule, the bound of a measure.
Critical checks protect what is published and cannot be set.
"""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pipeline.errors import CensusError
from pipeline.schema.declaration import Measure, Rule, Table

Thresholds = Mapping[str, Mapping[str, float]]
"""The chosen numbers by table (`group/name`) and check."""
NUMBERS = {"allowed": "rows that may fail", "minimum": "at least", "maximum": "at most"}
"""The fields of a rule or a measure that hold its threshold, in words."""


def settable(table: Table) -> dict[str, tuple[Rule | Measure, str]]:
    """The table's warnings whose threshold may be set, by name, each with the field that holds it."""
    found: dict[str, tuple[Rule | Measure, str]] = {}
    for statement in table.statements:
        stated = [field for field in NUMBERS if getattr(statement, field, None) is not None]
        if statement.severity == "warning" and len(stated) == 1:
            found[statement.name] = statement, stated[0]
    return found


def with_thresholds(table: Table, chosen: Mapping[str, float]) -> Table:
    """The table's declaration with the chosen numbers (by check) in place of the declared ones.

    Raises:
        CensusError: a check is none of the table's warnings that can be set, or the number makes no sense for it.
    """
    found = settable(table)
    if unknown := sorted(set(chosen) - set(found)):
        raise CensusError(
            f"{', '.join(f'{table.path}/{check}' for check in unknown)} has no threshold that can be set: "
            f"{table.path} has {', '.join(found) or 'none'}"
        )
    changed: dict[str, Any] = {}
    for check, number in chosen.items():
        statement, field = found[check]
        if field == "allowed" and (number < 0 or number != int(number)):
            raise CensusError(
                f"{table.path}/{check} is set to {number}: give the number of rows that may fail, 0 or more"
            )
        set_to: Any = int(number) if field == "allowed" else number
        changed[check] = replace(statement, **{field: set_to})
    return replace(
        table,
        rules=tuple(changed.get(rule.name, rule) for rule in table.rules),
        measures=tuple(changed.get(measure.name, measure) for measure in table.measures),
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
    """Refuses thresholds of which one is of no table or warning, or makes no sense for it."""
    for path, of_checks in chosen.items():
        if path not in tables:
            raise CensusError(f"there is no table {path} whose thresholds could be set: name one of the census' tables")
        with_thresholds(tables[path], of_checks)
