"""The checks that a table's declaration amounts to: what is asked, under which name, how severely.

What does not belong here: how a check is run (see `evaluate`), Great Expectations and Dagster.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from pipeline.checks.constraints import Bounds, Constraint, constraints_of
from pipeline.schema.declaration import Measure, Rule, Severity, Table

AS_DECLARED = "as_declared"
"""The check of a table's columns, its key and that it has rows at all."""
CONSEQUENCES: dict[Severity, str] = {
    "critical": "Critical: stops everything downstream of this table",
    "warning": "Warning: shown and alerted, stops nothing",
}


@dataclass(frozen=True)
class Check:
    """One declared check: a stable name, its severity, what it expects in words, and the statement behind it."""

    name: str
    severity: Severity
    expected: str
    statement: tuple[Constraint, ...] | Rule | Measure

    @property
    def in_full(self) -> str:
        """What it expects, with every constraint."""
        constraints = self.statement if isinstance(self.statement, tuple) else ()
        return ": ".join(filter(None, (self.expected, "; ".join(map(str, constraints)))))

    @property
    def description(self) -> str:
        """What is expected and what happens otherwise, in words."""
        return f"{self.in_full[0].upper()}{self.in_full[1:].rstrip('.')}. {CONSEQUENCES[self.severity]}."


def declared_checks(table: Table) -> tuple[Check, ...]:
    """Every check of the table, each under a name of its own, in the order of the declaration.

    Raises:
        ValueError: two checks have one name.
    """
    rows = "" if table.may_be_empty else "there is at least one row, "
    checks = (
        Check(AS_DECLARED, "critical", f"{rows}columns and key are as declared", constraints_of(table)),
        *(Check(rule.name, rule.severity, _rule_in_words(rule), rule) for rule in table.rules),
        *(Check(measure.name, measure.severity, _measure_in_words(measure), measure) for measure in table.measures),
    )
    if repeated := [name for name, count in Counter(check.name for check in checks).items() if count > 1]:
        raise ValueError(f"table {table.path} has several checks called {', '.join(repeated)}: rename its rules")
    return checks


def _rule_in_words(rule: Rule) -> str:
    return rule.meaning.rstrip(".") + (f" ({rows_in_words(rule.allowed)} may fail)" if rule.allowed else "")


def _measure_in_words(measure: Measure) -> str:
    return f"{measure.meaning.rstrip('.')}: must be {Bounds(measure.minimum, measure.maximum)}"


def rows_in_words(rows: int) -> str:
    """The number of rows, with the noun that agrees with it."""
    return f"{rows:,} {'row' if rows == 1 else 'rows'}"
