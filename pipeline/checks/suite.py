"""The only place that knows how Great Expectations is called: a row of numbers with their bounds, one suite, a report.

It is imported inside functions, because importing it takes seconds and memory that only a running check should pay.
Its context is ephemeral: nothing is stored, nothing is sent, nothing is printed.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from pipeline.checks.declared import Bounds

if TYPE_CHECKING:
    from great_expectations.core import ExpectationSuiteValidationResult
    from great_expectations.core.batch_definition import BatchDefinition


def validate(numbers: Mapping[str, tuple[Any, Bounds]]) -> ExpectationSuiteValidationResult:
    """Great Expectations' report on numbers and the bounds that they must lie in, by name."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    # Some of its modules set the level of their own loggers, so that only the switch for all of them is heard.
    disabled = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _validated(numbers)
    finally:
        logging.disable(disabled)


def answers_of(report: ExpectationSuiteValidationResult) -> dict[str, bool]:
    """Whether each number lies within its bounds; one of which that could not be said does not."""
    configurations = ((result.expectation_config, result) for result in report.results)
    return {asked.kwargs["column"]: bool(result.success) for asked, result in configurations if asked is not None}


def _validated(numbers: Mapping[str, tuple[Any, Bounds]]) -> ExpectationSuiteValidationResult:
    import great_expectations as gx  # noqa: PLC0415 (see the module's docstring)
    import pandas as pd  # noqa: PLC0415 (see the module's docstring)
    from great_expectations.expectations.core.expect_column_max_to_be_between import (  # noqa: PLC0415
        ExpectColumnMaxToBeBetween,
    )

    # As an object, a whole number of any size stays exact. Of the only row the maximum is the value, and needs a third
    # of the metrics that a judgement of rows needs.
    row = pd.DataFrame({name: pd.Series([number], dtype=object) for name, (number, _) in numbers.items()})
    expectations = [
        ExpectColumnMaxToBeBetween(column=name, min_value=bounds.minimum, max_value=bounds.maximum)
        for name, (_, bounds) in numbers.items()
    ]
    batch = _rows().get_batch({"dataframe": row})
    return batch.validate(gx.ExpectationSuite("declared", expectations=expectations))


@cache
def _rows() -> BatchDefinition[Any]:
    """What a frame is handed to. One for the process: each context made costs more than most validations.

    It holds on to the last frame only, since every frame is the same batch to it.
    """
    import great_expectations as gx  # noqa: PLC0415 (see the module's docstring)
    from great_expectations.data_context.types.base import ProgressBarsConfig  # noqa: PLC0415

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    asset = context.data_sources.add_pandas("checked").add_dataframe_asset("rows")
    return asset.add_batch_definition_whole_dataframe("whole")
