"""The checks that a table's declaration amounts to: what is asked, under which name, how severely.

What does not belong here: how a check is run (see `evaluate`), Great Expectations and Dagster.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
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
class Declaration:
    """The statement that the table is stored as declared: columns, types, constraints."""

    table: Table
    constraints: tuple[Constraint, ...]


Statement = Declaration | Rule | Measure


@dataclass(frozen=True)
class Check:
    """One declared check: a stable name, its severity, what it expects in words, and the statement behind it.

    `particulars` are the parts of what it expects, where it has several.
    """

    name: str
    severity: Severity
    expected: str
    statement: Statement
    particulars: tuple[str, ...] = ()

    @property
    def in_full(self) -> str:
        """What it expects, with every particular."""
        return ": ".join(filter(None, (self.expected, "; ".join(self.particulars))))

    @property
    def description(self) -> str:
        """What is expected and what happens otherwise, in words."""
        return f"{self.in_full[0].upper()}{self.in_full[1:].rstrip('.')}. {CONSEQUENCES[self.severity]}."


def declared_checks(table: Table) -> tuple[Check, ...]:
    """Every check of the table, each under a name of its own, in the order of the declaration.

    Raises:
        ValueError: two checks have one name.
    """
    checks = (
        _check_of_declaration(table),
        *(Check(rule.name, rule.severity, _rule_in_words(rule), rule) for rule in table.rules),
        *(Check(measure.name, measure.severity, _measure_in_words(measure), measure) for measure in table.measures),
    )
    if repeated := [name for name, count in Counter(check.name for check in checks).items() if count > 1]:
        raise ValueError(f"table {table.path} has several checks called {', '.join(repeated)}: rename its rules")
    return checks


def _check_of_declaration(table: Table) -> Check:
    declaration = Declaration(table, constraints_of(table))
    return Check(
        AS_DECLARED,
        "critical",
        "columns, values and key are as declared",
        declaration,
        tuple(_particulars(declaration)),
    )


def _particulars(declaration: Declaration) -> Iterator[str]:
    table = declaration.table
    yield "the columns have their declared order and types"
    if not table.may_be_empty:
        yield "there is at least one row"
    if table.required:
        yield f"every row has {', '.join(table.required)}"
    yield from (str(constraint) for constraint in declaration.constraints if constraint.words != "is present")


def _rule_in_words(rule: Rule) -> str:
    allowed = f" ({rows_in_words(rule.allowed)} may fail)" if rule.allowed else ""
    return rule.meaning.rstrip(".") + allowed


def _measure_in_words(measure: Measure) -> str:
    return f"{measure.meaning.rstrip('.')}: must be {Bounds(measure.minimum, measure.maximum)}"


def rows_in_words(rows: int) -> str:
    """The number of rows, with the noun that agrees with it."""
    return f"{rows:,} {'row' if rows == 1 else 'rows'}"
