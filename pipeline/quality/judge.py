"""Judging a table: every declared check gets a verdict, and a check that cannot be run has failed.

The table's size decides the way: a small one goes to Great Expectations as it is (`frames`), a large one is reduced to
facts first (`facts`). Both give the same verdict. Rules and measures are about several tables or about sets of rows, so
they always go by facts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import polars as pl

from pipeline.quality import facts as by_facts
from pipeline.quality import frames as by_frames
from pipeline.quality.declared import Check, declared_checks
from pipeline.quality.evidence import Evidence, evidence_of
from pipeline.quality.outcomes import Finding, Outcome
from pipeline.quality.samples import Cell, inert, sample
from pipeline.schema.declaration import Expectation, Rule, Severity, Table, TableFrames

MOST_CHARACTERS_OF_AN_ERROR = 2_000


@dataclass(frozen=True)
class Verdict:
    """What came of one check.

    `rows` are the rows that it judged and `failed_rows` those that fail, where it is about rows; `samples` are some of
    them. `error` says why the check (or the search for its samples) could not be run; it has failed then.
    """

    name: str
    passed: bool
    severity: Severity
    expected: str
    observed: str | float
    rows: int | None = None
    failed_rows: int | None = None
    failed_share: float | None = None
    samples: list[dict[str, Cell]] = field(default_factory=list)
    error: str | None = None


def judge(table: Table, frames: TableFrames, *, row_limit_for_frames: int = 100) -> list[Verdict]:
    """A verdict on every declared check of the table, in the order of the declaration."""
    checks = declared_checks(table)
    try:
        stored = frames.scan(table.path)
        rows = stored.select(pl.len()).collect().item()
    except Exception as error:  # noqa: BLE001 (whatever keeps the table from being read keeps every check from passing)
        return [_verdict(check, error, None) for check in checks]
    evidence: dict[str, Evidence] = {}
    findings: dict[str, Finding] = {}
    for check in checks:
        try:
            evidence[check.name] = evidence_of(check, table, stored, frames)
        except Exception as error:  # noqa: BLE001 (a declared query may raise anything: it fails its own check only)
            findings[check.name] = error
    whole = _expectations(checks, evidence) if rows <= row_limit_for_frames else {}
    reduced = {name: item for name, item in evidence.items() if name not in whole}
    findings |= _attempted(lambda: by_frames.decide(stored, whole), whole)
    findings |= _attempted(lambda: by_facts.decide(reduced), reduced)
    return [_verdict(check, findings[check.name], evidence.get(check.name)) for check in checks]


def _attempted(decide: Callable[[], dict[str, Finding]], names: Iterable[str]) -> dict[str, Finding]:
    try:
        return decide()
    except Exception as error:  # noqa: BLE001 (what keeps all of these checks from being decided fails all of them)
        return dict.fromkeys(names, error)


def _expectations(checks: tuple[Check, ...], evidence: Mapping[str, Evidence]) -> dict[str, Expectation]:
    return {
        check.name: check.statement
        for check in checks
        if isinstance(check.statement, Expectation) and check.name in evidence
    }


def _verdict(check: Check, finding: Finding, evidence: Evidence | None) -> Verdict:
    if isinstance(finding, Exception):
        error = _in_words(finding)
        observed = "the check could not be run"
        return Verdict(check.name, False, check.severity, check.expected, observed, error=error)  # noqa: FBT003
    samples, error_of_samples = ([], None) if finding.passed else _samples(evidence)
    return Verdict(
        check.name,
        finding.passed,
        check.severity,
        check.expected,
        _observed(check, finding, samples),
        finding.rows,
        finding.failed_rows,
        _failed_share(finding),
        samples,
        error_of_samples,
    )


def _observed(check: Check, finding: Outcome, samples: list[dict[str, Cell]]) -> str | float:
    """What was observed, with the first offending row in words where the rule names columns to quote."""
    if not (samples and isinstance(check.statement, Rule) and check.statement.quoted):
        return finding.observed
    quoted = ((name, samples[0][name]) for name in check.statement.quoted if name in samples[0])
    words = (f"{name} {f'{cell:.4g}' if isinstance(cell, float) else cell}" for name, cell in quoted)
    return f"{finding.observed}, the first: {', '.join(words)}"


def _failed_share(outcome: Outcome) -> float | None:
    if outcome.rows is None or outcome.failed_rows is None:
        return None
    return outcome.failed_rows / outcome.rows if outcome.rows else 0.0


def _samples(evidence: Evidence | None) -> tuple[list[dict[str, Cell]], str | None]:
    if evidence is None or evidence.offending is None:
        return [], None
    try:
        return sample(evidence.offending), None
    except Exception as error:  # noqa: BLE001 (the verdict stands, whatever keeps its samples from being read)
        return [], f"the offending rows could not be read: {_in_words(error)}"


def _in_words(error: Exception) -> str:
    return inert(f"{type(error).__name__}: {error}", MOST_CHARACTERS_OF_AN_ERROR)
