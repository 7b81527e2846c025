"""Deciding expectations by frames: a small table is handed to Great Expectations as it is.

Columns become pandas columns that keep every value and in which an absent value compares as false. Texts, fractions
and moments do in pandas' own types. Whole numbers must go as Python objects: beside a gap or a fraction pandas would
round them, and their sum could overflow; over its nullable types a comparison with a gap is neither true nor false,
which Great Expectations fails to count.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import polars as pl

from pipeline.quality import patterns
from pipeline.quality.evidence import NoValueError, columns_in_words, rows_in_words
from pipeline.quality.kinds import bounds_of, comparable, kind_of
from pipeline.quality.outcomes import Finding, Outcome
from pipeline.quality.suite import Answer, Question, validate
from pipeline.schema.declaration import Expectation

if TYPE_CHECKING:
    import pandas as pd


def decide(stored: pl.LazyFrame, expectations: Mapping[str, Expectation]) -> dict[str, Finding]:
    """The finding of each expectation of the stored table, by the name of its check."""
    answers = validate(
        _pandas(stored, _columns_read(expectations)),
        [
            Question(name, expectation.kind, for_pandas(expectation.arguments))
            for name, expectation in expectations.items()
        ],
    )
    return {name: _finding(answer) for name, answer in answers.items()}


def for_pandas(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """An expectation's arguments as Great Expectations must be given them for the same meaning over pandas."""
    bounds = bounds_of(arguments)
    respelled = {"min_value": bounds.minimum, "max_value": bounds.maximum}
    if "regex" in arguments:
        respelled["regex"] = patterns.for_python(arguments["regex"])
    return {name: respelled.get(name, value) for name, value in arguments.items()}


def _columns_read(expectations: Mapping[str, Expectation]) -> frozenset[str]:
    return frozenset(
        column
        for expectation in expectations.values()
        for column in kind_of(expectation).columns(expectation.arguments)
    )


def _pandas(stored: pl.LazyFrame, read: frozenset[str]) -> pd.DataFrame:
    """All stored columns, so that their order can be judged; those that nothing reads are left empty."""
    import pandas as pd  # noqa: PLC0415 (only a running check needs it)

    schema = stored.collect_schema()
    frame = stored.select(
        comparable(name, schema).alias(name) if name in read else pl.lit(None).alias(name) for name in schema
    ).collect()
    return pd.DataFrame({column.name: _series(column) for column in frame})


def _series(column: pl.Series) -> pd.Series:
    import pandas as pd  # noqa: PLC0415 (only a running check needs it)

    if column.dtype.is_float() or column.dtype in (pl.String, pl.Datetime):
        return column.to_pandas()
    return pd.Series(column.to_list(), dtype=object)


def _finding(answer: Answer | Exception) -> Finding:
    if isinstance(answer, Exception):
        return answer
    if "unexpected_count" in answer.result:
        failed = answer.result["unexpected_count"]
        rows = answer.result["element_count"] - answer.result.get("missing_count", 0)
        return Outcome(answer.passed, rows_in_words(failed, rows), rows, failed)
    observed = answer.result["observed_value"]
    if observed is None:
        return NoValueError()
    if isinstance(observed, list):
        return Outcome(answer.passed, columns_in_words(len(answer.result.get("details", {}).get("mismatched", ()))))
    return Outcome(answer.passed, observed)
