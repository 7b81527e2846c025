"""The publication's tables about itself: what it is made of, what its columns and words mean, what was checked.

`check_results` says what every check of every month found, so that "how good is this figure" is one query.
"""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

import dagster as dg
import polars as pl

from assets.columns import MONTH, PROVENANCE, boolean, count, text
from assets.published.headline import DEFINITION, DEFINITION_OF_FAMILIES
from assets.shares.share_table import COLUMNS
from pipeline.checks.asset_checks import check_keys, last_evaluations
from pipeline.checks.declared import declared_checks
from pipeline.publish.manifest import MONTH_MANIFEST
from pipeline.publish.sql import refers_to, type_names
from pipeline.reference.countries import MEMBER_NAMES
from pipeline.schema.declaration import TIMESTAMP, Column, Table
from pipeline.schema.published import PublishedMonths, published_table
from pipeline.schema.shares import POPULATIONS
from pipeline.version import SCHEMA_VERSION, __version__


def _census(months: PublishedMonths) -> pl.LazyFrame:
    edition = months.edition
    checks = sum(check.severity == "critical" for table in months.catalogue.monthly for check in declared_checks(table))
    by_month = (
        month.scan(MONTH_MANIFEST)
        .group_by("month", "source", "source_revision", month_code_version="code_version")
        .agg(tables_checked=pl.len().cast(pl.Int64), checked_at=pl.lit(month.written_at(MONTH_MANIFEST)))
        for month in months.each()
    )
    return pl.concat(by_month).with_columns(
        version=pl.lit(edition.version),
        schema_version=pl.lit(SCHEMA_VERSION),
        code_version=pl.lit(__version__),
        run_id=pl.lit(edition.run_id, pl.String),
        published_at=pl.lit(edition.published_at),
        checks_passed=pl.lit(checks),
    )


CENSUS = published_table(
    "_census",
    _census,
    grain="published month",
    description="What this version of the publication is: who made it, when, from what, and what was checked.",
    columns=(
        text("version", "The version of the publication; all its files carry the same."),
        text("schema_version", "The version of the tables' shape; see the changelog."),
        text("code_version", "Version of the distribution that made the publication."),
        text("run_id", "Dagster's run that made it; absent outside of Dagster.", nullable=True),
        Column("published_at", TIMESTAMP, "When the publication was made.", "UTC"),
        MONTH,
        *PROVENANCE,
        text("month_code_version", "Version of the distribution that made the month."),
        count("tables_checked", "Tables of the month that match its manifest.", "tables"),
        count("checks_passed", "Blocking checks on the month's tables, all of which passed.", "checks"),
        Column("checked_at", TIMESTAMP, "When the last check had passed and the month was finished.", "UTC"),
    ),
    key=("month",),
)


def _dictionary(months: PublishedMonths) -> pl.LazyFrame:
    rows = []
    for made in months.catalogue.published.values():
        table = made.table
        refers = refers_to(made, months.catalogue.published)
        rows += [
            {
                "table_name": table.name,
                "position": position,
                "column_name": column.name,
                "type": type_names(column).duckdb,
                "unit": column.unit,
                "meaning": column.meaning,
                "may_be_absent": column.nullable,
                "is_key": column.name in made.key,
                "refers_to": refers.get(column.name),
                "grain": made.grain,
                "table_description": table.description,
                "warnings": "\n".join(table.warnings) or None,
            }
            for position, column in enumerate(table.columns)
        ]
    return pl.LazyFrame(rows, schema=DATA_DICTIONARY.table.schema)


DATA_DICTIONARY = published_table(
    "data_dictionary",
    _dictionary,
    grain="published table and column",
    description="Every column of every published table: type, unit, meaning, and the table's grain and key.",
    columns=(
        text("table_name", "The table."),
        Column("position", pl.Int32, "The column's place in the table, from 0."),
        text("column_name", "The column."),
        text("type", "The column's type in the warehouse."),
        text("unit", "The column's unit, where it has one.", nullable=True),
        text("meaning", "What the column says."),
        boolean("may_be_absent", "Whether a row may lack the value."),
        boolean("is_key", "Whether the column is part of the table's key; no two rows have the same key."),
        text("refers_to", "The table and column that explain its values, if any.", nullable=True),
        text("grain", "What one row of the table is."),
        text("table_description", "What the table is."),
        text("warnings", "Common mistakes with the table.", nullable=True),
    ),
    key=("table_name", "column_name"),
)


def _checks(months: PublishedMonths) -> pl.LazyFrame:
    rows = [
        (table.path, check.name, check.severity, check.in_full)
        for table in months.catalogue.tables.values()
        for check in declared_checks(table)
    ]
    return pl.LazyFrame(rows, schema=DATA_CHECKS.table.schema, orient="row")


DATA_CHECKS = published_table(
    "data_checks",
    _checks,
    grain="table of the chain and check",
    description="Every check that a month's tables must pass before the month is published, and those that only warn.",
    columns=(
        text("table_name", "The table."),
        text("check_name", "The check."),
        text("severity", "`critical` stops publication, `warning` is shown."),
        text("expected", "What is expected, in words."),
    ),
    key=("table_name", "check_name"),
)


def _of_months(months: PublishedMonths) -> pl.LazyFrame:
    known = pl.concat([CHECK_RESULTS.table.schema.to_frame(), months.edition.check_results], how="diagonal")
    # A run may have been checked by what is declared no longer.
    declared = months.published("data_checks").select("table_name", "check_name")
    in_months = known.lazy().filter(pl.col("month").is_in(months.months))
    return in_months.join(declared, on=["table_name", "check_name"], how="semi")


CHECK_RESULTS = published_table(
    "check_results",
    _of_months,
    grain="month, table of the chain and check",
    description="What each check last found in each month, as far as the months' runs are on record.",
    columns=(
        MONTH,
        text("table_name", "The table that was checked, `group/name`."),
        text("check_name", "The check.", refers_to="data_checks"),
        boolean("passed", "Whether it passed; a check that could not be judged counts as passed."),
        text("severity", "`critical` stops publication, `warning` is shown."),
        boolean("was_judged", "False where the month to compare with is missing."),
        text("observed", "What was found, in words."),
        text("bounds", "What was expected, in words."),
        count("rows", "Rows looked at; absent where none are counted.", "rows", nullable=True),
        count("failed_rows", "Rows that failed; absent where none are counted.", "rows", nullable=True),
    ),
    key=("month", "table_name", "check_name"),
    warnings=("A publication holds no month with a failed critical check: those that failed here are warnings.",),
)


def recorded_results(
    instance: dg.DagsterInstance,
    tables: Iterable[Table],
    months: Sequence[date],
    later: Iterable[dg.AssetCheckEvaluation] = (),
) -> pl.DataFrame:
    """The rows of `check_results` of these months, by what Dagster has on record and, before that, by `later`."""
    keys = check_keys(tables)
    known = {(month, key): one for month in months for key, one in last_evaluations(instance, keys, month).items()}
    known |= {(date.fromisoformat(str(one.partition)), one.asset_check_key): one for one in later}
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


_MEANINGS = {
    "headline": {
        "headline_country": DEFINITION,
        "headline_organization": DEFINITION,
        "headline_family": DEFINITION_OF_FAMILIES,
    },
    "period": {
        "month": "The month alone.",
        "trailing_12_months": "The twelve months that end with `month`.",
        "year_to_date": "From January to `month`.",
        "cumulative": "From the first published month to `month`.",
    },
    "attribution": {
        "uploader": "Downloads belong to the account that published the repository.",
        "origin": "Downloads of a derivative belong to the models that it goes back to, by weight.",
    },
    "basis": {
        "all_time_delta": "Downloads are differences of the Hub's cumulative counters.",
        "rolling_30d": "Downloads are estimated from the Hub's counters of 30 days.",
        "mixed": "The period's months differ.",
    },
    "quality": {
        "exact": "95 % of the counters at both boundaries are known within 36 hours of them.",
        "scaled": "Counters were observed farther from a boundary, and their downloads are scaled to the month.",
        "estimated": "Downloads are estimated from counters of 30 days.",
        "mixed": "The period's months differ.",
    },
    "method": {
        "registry": "The reviewed registry has the account.",
        "canonical_models": "The reviewed list has the model, whose name has no account.",
        "account": "The Hub says that the account is a person's.",
        "unmapped": "An organisation's account that is not in the registry.",
    },
    "share": {
        column.name: column.meaning
        for column in COLUMNS
        if column.name in ("share", "share_low", "share_high", "share_of_attributed", "coverage")
    },
    "population": {population.name: f"Of {population.meaning}." for population in POPULATIONS},
    "member": {member: f"{name}." for member, name in MEMBER_NAMES.items()},
}
_DEFINITIONS = [(term, value, meaning) for term, meanings in _MEANINGS.items() for value, meaning in meanings.items()]
DIM_DEFINITION = published_table(
    "dim_definition",
    lambda _: pl.LazyFrame(_DEFINITIONS, schema=["term", "value", "meaning"], orient="row"),
    grain="term and value",
    description="What the values of `period`, `population`, `attribution`, `basis` and other words mean.",
    columns=(
        text("term", "The column or group of tables that is explained."),
        text("value", "The value, or the table's name."),
        text("meaning", "What it means, in a sentence."),
    ),
    key=("term", "value"),
)
