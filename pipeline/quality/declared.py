"""The checks that a table's declaration amounts to: what is asked, under which name, how severely.

What does not belong here: how a check is run (see `judge`), Great Expectations and Dagster.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from pipeline.quality.kinds import Bounds, kind_of, require_supported
from pipeline.schema.declaration import Expectation, Measure, Rule, Severity, Table

CONSEQUENCES: dict[Severity, str] = {
    "critical": "Critical: stops everything downstream of this table",
    "warning": "Warning: shown and alerted, stops nothing",
}


@dataclass(frozen=True)
class StoredTypes:
    """The statement that every declared column is stored with its declared type."""

    schema: pl.Schema


@dataclass(frozen=True)
class RequiredValues:
    """The statement that no row lacks a value in these columns.

    It is one declaration (`nullable=False`) of many columns, and so one check: a table of twenty columns would
    otherwise show twenty that never differ.
    """

    columns: tuple[str, ...]


Statement = Expectation | StoredTypes | RequiredValues | Rule | Measure


@dataclass(frozen=True)
class Check:
    """One declared check: a stable name, its severity, what it expects in words, and the statement behind it."""

    name: str
    severity: Severity
    expected: str
    statement: Statement
    why: str = ""

    @property
    def description(self) -> str:
        """What is expected, why, and what happens otherwise, in words."""
        parts = (self.expected, self.why, CONSEQUENCES[self.severity])
        return " ".join(f"{part[0].upper()}{part[1:].rstrip('.')}." for part in parts if part)


def declared_checks(table: Table) -> tuple[Check, ...]:
    """Every check of the table, each under a name of its own, in the order of the declaration.

    Raises:
        ValueError: a declaration cannot be checked, says the same twice, or takes another check's name.
    """
    for expectation in table.all_expectations():
        require_supported(expectation, table)
    for measure in table.measures:
        _require_bounds(measure, table)
    checks = (
        *_expectation_checks(table),
        *_required_values(table),
        Check(
            "column_types",
            "critical",
            "every column must be stored with its declared type",
            StoredTypes(table.schema),
            "readers and later steps rely on the declared types",
        ),
        *(Check(rule.name, rule.severity, _rule_in_words(rule), rule) for rule in table.rules),
        *(Check(measure.name, measure.severity, _measure_in_words(measure), measure) for measure in table.measures),
    )
    if repeated := [name for name, count in Counter(check.name for check in checks).items() if count > 1]:
        raise ValueError(f"table {table.path} has several checks called {', '.join(repeated)}: rename its rules")
    return checks


def _required_values(table: Table) -> Iterable[Check]:
    if table.required:
        yield Check(
            "required_values_present",
            "critical",
            f"no row may lack a value in {', '.join(table.required)}",
            RequiredValues(table.required),
            "these are declared to be always known",
        )


def _expectation_checks(table: Table) -> Iterable[Check]:
    stated: list[tuple[str, dict[str, object]]] = []
    uses = Counter[str]()
    for expectation in table.all_expectations():
        statement = (expectation.kind, dict(expectation.arguments))
        if statement in stated:
            raise ValueError(f"table {table.path} declares {expectation.kind} twice with {statement[1]}: keep one")
        stated.append(statement)
        kind = kind_of(expectation)
        label = kind.label(expectation.arguments)
        uses[label] += 1
        name = label if uses[label] == 1 else f"{label}_{uses[label]}"
        yield Check(name, expectation.severity, kind.phrase(expectation.arguments), expectation, expectation.why)


def _require_bounds(measure: Measure, table: Table) -> None:
    if measure.minimum is None and measure.maximum is None:
        raise ValueError(f"table {table.path} declares the measure {measure.name} without bounds: give one or both")


def _rule_in_words(rule: Rule) -> str:
    allowed = f" ({rule.allowed:,} exceptions are allowed)" if rule.allowed else ""
    return rule.meaning.rstrip(".") + allowed


def _measure_in_words(measure: Measure) -> str:
    return f"{measure.meaning.rstrip('.')}: must be {bounds_of_measure(measure)}"


def bounds_of_measure(measure: Measure) -> Bounds:
    """The bounds that the measure must lie in."""
    return Bounds(measure.minimum, measure.maximum)
