"""`check_results`: what every check of every month found, so that "how good is this figure" is one query."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

import dagster as dg
import polars as pl

from assets.columns import MONTH
from assets.shares.periods import OF_MONTH
from pipeline.checks.asset_checks import check_keys, last_evaluations
from pipeline.schema.declaration import Column, Table
from pipeline.schema.published import PublishedMonths, PublishedTable


def _of_months(months: PublishedMonths) -> pl.LazyFrame:
    known = pl.concat([CHECK_RESULTS.table.schema.to_frame(), months.edition.check_results], how="diagonal")
    # A run may have been checked by what is declared no longer.
    declared = months.published("data_checks").select("table_name", "check_name")
    in_months = known.lazy().filter(pl.col("month").is_in(months.months))
    return in_months.join(declared, on=["table_name", "check_name"], how="semi")


CHECK_RESULTS = PublishedTable(
    Table(
        group="published",
        name="check_results",
        grain="month, table of the chain and check",
        description=(
            "What each check found in each month, by its latest evaluation. What a check expects in full is in "
            "`data_checks`. Empty where the publication was made without the record of the months' runs."
        ),
        columns=(
            MONTH,
            Column("table_name", pl.String, "The table that was checked, `group/name`."),
            Column("check_name", pl.String, "The check."),
            Column("passed", pl.Boolean, "Whether it passed; a check that could not be judged counts as passed."),
            Column("severity", pl.String, "`critical` stops publication, `warning` is shown."),
            Column("was_judged", pl.Boolean, "False where the month to compare with is missing."),
            Column("observed", pl.String, "What was found, in words."),
            Column("bounds", pl.String, "What was expected, in words."),
            Column("rows", pl.Int64, "Rows looked at; absent where none are counted.", "rows", nullable=True),
            Column("failed_rows", pl.Int64, "Rows that failed; absent where none are counted.", "rows", nullable=True),
        ),
        key=("month", "table_name", "check_name"),
        monthly=False,
        warnings=("A publication holds no month with a failed critical check: those that failed here are warnings.",),
    ),
    _of_months,
    {**OF_MONTH, "check_name": ("data_checks", "check_name")},
)


def recorded_results(
    instance: dg.DagsterInstance,
    tables: Iterable[Table],
    months: Sequence[date],
    later: Iterable[dg.AssetCheckEvaluation] = (),
) -> pl.DataFrame:
    """The rows of `check_results` of these months, as far as Dagster has a record of their checks.

    Evaluations of `later` count before those on record.
    """
    keys = check_keys(tables)
    known = {(month, key): one for month in months for key, one in last_evaluations(instance, keys, month).items()}
    for evaluation in later:
        known[date.fromisoformat(str(evaluation.partition)), evaluation.asset_check_key] = evaluation
    rows = [_row(month, evaluation) for (month, _), evaluation in known.items()]
    return pl.DataFrame(rows, schema=CHECK_RESULTS.table.schema)


def _row(month: date, evaluation: dg.AssetCheckEvaluation) -> dict[str, Any]:
    said = {name: value.value for name, value in evaluation.metadata.items()}
    return {
        "month": month,
        "table_name": "/".join(evaluation.asset_key.path),
        "check_name": evaluation.check_name,
        "passed": evaluation.passed,
        "severity": "critical" if evaluation.severity == dg.AssetCheckSeverity.ERROR else "warning",
        "was_judged": said.get("judged", True),
        "observed": said.get("observed", ""),
        "bounds": said.get("expected", ""),
        "rows": said.get("rows"),
        "failed_rows": said.get("failed_rows"),
    }
