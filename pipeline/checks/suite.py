"""The only place that knows how Great Expectations is called: one row of numbers, one suite, one answer a number.

It is imported inside functions, because importing it takes seconds and memory that only a running check should pay.
Its context is ephemeral: nothing is stored, nothing is sent, nothing is printed.
"""

from __future__ import annotations

import gc
import logging
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from pipeline.checks.constraints import Bounds

if TYPE_CHECKING:
    from great_expectations.core import ExpectationSuiteValidationResult, ExpectationValidationResult
    from great_expectations.core.batch_definition import BatchDefinition
    from great_expectations.expectations.expectation import Expectation


@dataclass(frozen=True)
class Validation:
    """Whether each number lies within its bounds, or what kept that from being said, and the report that says so."""

    answers: Mapping[str, bool | Exception]
    report: ExpectationSuiteValidationResult | None = None


class NotValidatedError(Exception):
    """Great Expectations could not say whether an expectation is met."""


def validate(numbers: Mapping[str, tuple[Any, Bounds]]) -> Validation:
    """What Great Expectations says of numbers and their bounds, by name."""
    if not numbers:
        return Validation({})
    with _quiet():
        _load()
        return _validated(numbers)


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


def _validated(numbers: Mapping[str, tuple[Any, Bounds]]) -> Validation:
    import great_expectations as gx  # noqa: PLC0415 (see the module's docstring)
    import pandas as pd  # noqa: PLC0415 (see the module's docstring)

    # As an object, a whole number of any size stays exact.
    row = pd.DataFrame({name: pd.Series([number], dtype=object) for name, (number, _) in numbers.items()})
    batch = _rows().get_batch({"dataframe": row})
    suite = gx.ExpectationSuite(
        "declared", expectations=[_expectation(name, bounds) for name, (_, bounds) in numbers.items()]
    )
    report = batch.validate(suite, result_format={"result_format": "BASIC", "partial_unexpected_count": 0})
    return Validation({_number_name(result): _answer(result) for result in report.results}, report)


def _expectation(name: str, bounds: Bounds) -> Expectation:
    """Of the only row the maximum is the value, and needs a third of the metrics that a judgement of rows needs."""
    from great_expectations.expectations.core.expect_column_max_to_be_between import (  # noqa: PLC0415
        ExpectColumnMaxToBeBetween,
    )

    return ExpectColumnMaxToBeBetween(
        column=name, min_value=bounds.minimum, max_value=bounds.maximum, meta={"number": name}
    )


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


def _number_name(result: ExpectationValidationResult) -> str:
    configuration = result.expectation_config
    if configuration is None or not configuration.meta:
        raise NotValidatedError("Great Expectations returned a result without saying of which expectation")
    return str(configuration.meta["number"])


def _answer(result: ExpectationValidationResult) -> bool | Exception:
    problem = _problem(result.exception_info)
    return NotValidatedError(problem) if problem else bool(result.success)


def _problem(exception_info: Mapping[str, Any]) -> str | None:
    """The message of what an expectation raised: stated directly, or once for every metric that it needed."""
    for information in (exception_info, *exception_info.values()):
        if isinstance(information, Mapping) and information.get("raised_exception"):
            return str(information.get("exception_message") or "Great Expectations raised an error without a message")
    return None
