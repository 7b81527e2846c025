"""The only place that knows how Great Expectations is called: one frame, one suite, one answer a question.

It is imported inside functions, because importing it takes seconds and memory that only a running check should pay.
Its context is ephemeral: nothing is stored, nothing is sent, nothing is printed.
"""

from __future__ import annotations

import gc
import logging
import os
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    from great_expectations.core import ExpectationSuiteValidationResult, ExpectationValidationResult
    from great_expectations.core.batch_definition import BatchDefinition
    from great_expectations.expectations.expectation import Expectation


@dataclass(frozen=True)
class Question:
    """An expectation to be validated, under the name of its check."""

    name: str
    kind: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True)
class Answer:
    """Whether the expectation is met, and what Great Expectations reports about it."""

    passed: bool
    result: Mapping[str, Any]


_REPORTS: ContextVar[list[ExpectationSuiteValidationResult] | None] = ContextVar("_REPORTS", default=None)


@contextmanager
def reports() -> Iterator[list[ExpectationSuiteValidationResult]]:
    """Great Expectations' own reports of what is validated within, as they come."""
    found: list[ExpectationSuiteValidationResult] = []
    before = _REPORTS.set(found)
    try:
        yield found
    finally:
        _REPORTS.reset(before)


class NotValidatedError(Exception):
    """Great Expectations could not say whether an expectation is met."""


def validate(frame: pd.DataFrame, questions: Iterable[Question]) -> dict[str, Answer | Exception]:
    """The answer to each question about the frame, or what kept Great Expectations from answering it."""
    with _quiet():
        _load()
        answers: dict[str, Answer | Exception] = {}
        expectations = []
        for question in questions:
            try:
                expectations.append(_expectation(question))
            except Exception as error:  # noqa: BLE001 (one that cannot be built must not hide the others)
                answers[question.name] = error
        return answers | _validated(frame, expectations)


@contextmanager
def _quiet() -> Iterator[None]:
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    # Some of its modules set the level of their own loggers, so that only the switch for all of them is heard.
    disabled = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)


@cache
def _load() -> None:
    """Imports Great Expectations, without the searches for garbage that would be a third of its seconds.

    Nor is what has been imported searched ever again, which would be half a second of a run.
    By the thread that needs it: of modules that import each other, one that two threads import at once may be used
    by the other before it is whole.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        import great_expectations  # noqa: F401, PLC0415 (see the module's docstring)
    finally:
        gc.freeze()
        if collects:
            gc.enable()


def _expectation(question: Question) -> Expectation:
    from great_expectations import expectations  # noqa: PLC0415 (see the module's docstring)

    kind: type[Expectation] = getattr(expectations, question.kind)
    return kind(**question.arguments, meta={"check": question.name})


def _validated(frame: pd.DataFrame, expectations: Sequence[Expectation]) -> dict[str, Answer | Exception]:
    if not expectations:
        return {}
    import great_expectations as gx  # noqa: PLC0415 (see the module's docstring)

    batch = _rows().get_batch({"dataframe": frame})
    suite = gx.ExpectationSuite("declared", expectations=list(expectations))
    report = batch.validate(suite, result_format={"result_format": "BASIC", "partial_unexpected_count": 0})
    if (heard := _REPORTS.get()) is not None:
        heard.append(report)
    return {_check_name(result): _answer(result) for result in report.results}


@cache
def _rows() -> BatchDefinition[Any]:
    """What a frame is handed to. One for the process: each context made costs more than most validations.

    It holds on to the last frame only, since every frame is the same batch to it.
    """
    import great_expectations as gx  # noqa: PLC0415 (see the module's docstring)
    from great_expectations.data_context.types.base import ProgressBarsConfig  # noqa: PLC0415

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False, metric_calculations=False)
    asset = context.data_sources.add_pandas("checked").add_dataframe_asset("rows")
    return asset.add_batch_definition_whole_dataframe("whole")


def _check_name(result: ExpectationValidationResult) -> str:
    configuration = result.expectation_config
    if configuration is None or not configuration.meta:
        raise NotValidatedError("Great Expectations returned a result without saying of which expectation")
    return str(configuration.meta["check"])


def _answer(result: ExpectationValidationResult) -> Answer | Exception:
    if problem := _problem(result.exception_info):
        return NotValidatedError(problem)
    return Answer(bool(result.success), result.result)


def _problem(exception_info: Mapping[str, Any]) -> str | None:
    """The message of what an expectation raised: stated directly, or once for every metric that it needed."""
    for information in (exception_info, *exception_info.values()):
        if isinstance(information, Mapping) and information.get("raised_exception"):
            return str(information.get("exception_message") or "Great Expectations raised an error without a message")
    return None
