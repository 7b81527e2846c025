"""Deciding checks by facts: each check is reduced to one number, and Great Expectations validates the row of numbers.

This is the way for tables of any size: numbers that are read off the same rows are computed in one streamed pass, so
that millions of rows never become a frame of Python objects.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import polars as pl
from polars.exceptions import PolarsError

from pipeline.quality.evidence import FAILED, Evidence, Fact
from pipeline.quality.outcomes import Finding, Outcome
from pipeline.quality.suite import Answer, Question, validate

Batch = Mapping[str, Evidence]
PROOF = "proof"
"""Beside the numbers of a check, whether no row fails."""


def decide(evidence: Mapping[str, Evidence]) -> dict[str, Finding]:
    """The finding of each check, by name."""
    facts: dict[str, Fact] = {}
    findings: dict[str, Finding] = {}
    for batch in _with_common_source(_without_proven(evidence)):
        for name, fact in _facts(batch).items():
            if isinstance(fact, Exception):
                findings[name] = fact
            else:
                facts[name] = fact
    return findings | _validated(facts)


def _without_proven(evidence: Mapping[str, Evidence]) -> Mapping[str, Evidence]:
    """The evidence, of which the number `failed` is not read where a frame proves it to be 0.

    A proof that cannot be run proves nothing.
    """
    proofs = {name: item.proven_by for name, item in evidence.items() if item.proven_by is not None}
    try:
        cells = pl.collect_all(proofs.values(), engine="streaming")
    except PolarsError:
        return evidence
    proven = [name for name, cell in zip(proofs, cells, strict=True) if cell.item() is True]
    return {**evidence, **{name: _unread(evidence[name]) for name in proven}}


def _unread(item: Evidence) -> Evidence:
    numbers = {number: expression for number, expression in item.numbers.items() if number != FAILED}
    return replace(item, numbers=numbers, fact=lambda read: item.fact({**read, FAILED: 0}))


def _with_common_source(evidence: Mapping[str, Evidence]) -> Iterable[Batch]:
    batches: dict[int, dict[str, Evidence]] = defaultdict(dict)
    for name, item in evidence.items():
        batches[id(item.source)][name] = item
    return batches.values()


def _facts(batch: Batch) -> dict[str, Fact | Exception]:
    try:
        numbers = _numbers(batch)
    except Exception as error:  # noqa: BLE001 (a declared query may raise anything: it fails its own check only)
        if len(batch) == 1:
            return dict.fromkeys(batch, error)
        return {name: _facts({name: item})[name] for name, item in batch.items()}
    return {name: _fact(item, numbers[name]) for name, item in batch.items()}


def _numbers(batch: Batch) -> dict[str, dict[str, Any]]:
    source = next(iter(batch.values())).source
    at_first = {
        name: {**_unread(item).numbers, PROOF: item.proof} if item.proof is not None else item.numbers
        for name, item in batch.items()
    }
    found = _read(source, at_first)
    unproven = {
        name: {FAILED: batch[name].numbers[FAILED]} for name in found if found[name].get(PROOF, True) is not True
    }
    later = _read(source, unproven)
    return {name: {FAILED: 0, **numbers, **later.get(name, {})} for name, numbers in found.items()}


def _read(source: pl.LazyFrame, wanted: Mapping[str, Mapping[str, pl.Expr]]) -> dict[str, dict[str, Any]]:
    """The wanted numbers by check, in one pass."""
    expressions = [
        expression.alias(f"{name}/{number}")
        for name, numbers in wanted.items()
        for number, expression in numbers.items()
    ]
    row = source.select(expressions).collect(engine="streaming").row(0, named=True) if expressions else {}
    return {name: {number: row[f"{name}/{number}"] for number in numbers} for name, numbers in wanted.items()}


def _fact(item: Evidence, numbers: Mapping[str, Any]) -> Fact | Exception:
    try:
        return item.fact(numbers)
    except ValueError as error:
        return error


def _validated(facts: Mapping[str, Fact]) -> dict[str, Finding]:
    import pandas as pd  # noqa: PLC0415 (only a running check needs it)

    # As an object, a whole number of any size stays exact.
    row = pd.DataFrame({name: pd.Series([fact.value], dtype=object) for name, fact in facts.items()})
    answers = validate(row, [_question(name, fact) for name, fact in facts.items()])
    return {name: _finding(facts[name], answer) for name, answer in answers.items()}


def _question(name: str, fact: Fact) -> Question:
    """Of the only row the maximum is the value, and needs a third of the metrics that a judgement of rows needs."""
    return Question(
        name,
        "ExpectColumnMaxToBeBetween",
        {
            "column": name,
            "min_value": fact.bounds.minimum,
            "max_value": fact.bounds.maximum,
            "strict_min": fact.bounds.strict_minimum,
            "strict_max": fact.bounds.strict_maximum,
        },
    )


def _finding(fact: Fact, answer: Answer | Exception) -> Finding:
    if isinstance(answer, Exception):
        return answer
    return Outcome(answer.passed, fact.observed, fact.rows, fact.failed_rows)
