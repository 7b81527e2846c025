"""The publication's tables about itself: what it is made of, what its columns mean, what was checked."""

from functools import partial

import polars as pl

from assets.columns import MONTH, SOURCE, SOURCE_REVISION
from pipeline.checks.declared import declared_checks
from pipeline.publish.manifest import MONTH_MANIFEST
from pipeline.publish.sql import refers_to, type_names
from pipeline.schema.declaration import TIMESTAMP, Column, Table
from pipeline.schema.published import PublishedMonths, PublishedTable
from pipeline.version import SCHEMA_VERSION, __version__

_table = partial(Table, group="published", monthly=False)


def _census(months: PublishedMonths) -> pl.LazyFrame:
    edition = months.edition
    checks = sum(check.severity == "critical" for table in months.catalogue.monthly for check in declared_checks(table))
    return pl.concat([_month(month) for month in months.each()]).with_columns(
        pl.lit(edition.version).alias("version"),
        pl.lit(SCHEMA_VERSION).alias("schema_version"),
        pl.lit(__version__).alias("code_version"),
        pl.lit(edition.run_id, pl.String).alias("run_id"),
        pl.lit(edition.published_at).alias("published_at"),
        pl.lit(checks).alias("checks_passed"),
    )


def _month(month: PublishedMonths) -> pl.LazyFrame:
    return (
        month.scan(MONTH_MANIFEST)
        .group_by("month", "source", "source_revision", pl.col("code_version").alias("month_code_version"))
        .agg(pl.len().cast(pl.Int64).alias("tables_checked"))
        .with_columns(pl.lit(month.written_at(MONTH_MANIFEST)).alias("checked_at"))
    )


CENSUS = PublishedTable(
    _table(
        name="_census",
        grain="published month",
        description="What this version of the publication is: who made it, when, from what, and what was checked.",
        columns=(
            Column("version", pl.String, "The version of the publication; all its files carry the same."),
            Column("schema_version", pl.String, "The version of the tables' shape; see the changelog."),
            Column("code_version", pl.String, "Version of the distribution that made the publication."),
            Column("run_id", pl.String, "Dagster's run that made it; absent outside of Dagster.", nullable=True),
            Column("published_at", TIMESTAMP, "When the publication was made.", "UTC"),
            MONTH,
            SOURCE,
            SOURCE_REVISION,
            Column("month_code_version", pl.String, "Version of the distribution that made the month."),
            Column("tables_checked", pl.Int64, "Tables of the month that match its manifest.", "tables"),
            Column("checks_passed", pl.Int64, "Blocking checks on the month's tables, all of which passed.", "checks"),
            Column("checked_at", TIMESTAMP, "When the last check had passed and the month was finished.", "UTC"),
        ),
        key=("month",),
    ),
    _census,
    references={"month": ("dim_month", "month")},
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


DATA_DICTIONARY = PublishedTable(
    _table(
        name="data_dictionary",
        grain="published table and column",
        description="Every column of every published table: type, unit, meaning, and the table's grain and key.",
        columns=(
            Column("table_name", pl.String, "The table."),
            Column("position", pl.Int32, "The column's place in the table, from 0."),
            Column("column_name", pl.String, "The column."),
            Column("type", pl.String, "The column's type in the warehouse."),
            Column("unit", pl.String, "The column's unit, where it has one.", nullable=True),
            Column("meaning", pl.String, "What the column says."),
            Column("may_be_absent", pl.Boolean, "Whether a row may lack the value."),
            Column(
                "is_key", pl.Boolean, "Whether the column is part of the table's key; no two rows have the same key."
            ),
            Column("refers_to", pl.String, "The table and column that explain its values, if any.", nullable=True),
            Column("grain", pl.String, "What one row of the table is."),
            Column("table_description", pl.String, "What the table is."),
            Column("warnings", pl.String, "Common mistakes with the table.", nullable=True),
        ),
        key=("table_name", "column_name"),
    ),
    _dictionary,
)


def _checks(months: PublishedMonths) -> pl.LazyFrame:
    rows = [
        (table.path, check.name, check.severity, check.in_full)
        for table in months.catalogue.tables.values()
        for check in declared_checks(table)
    ]
    return pl.LazyFrame(rows, schema=DATA_CHECKS.table.schema, orient="row")


DATA_CHECKS = PublishedTable(
    _table(
        name="data_checks",
        grain="table of the chain and check",
        description=(
            "Every check that a month's tables must pass before the month is published, and those that only warn."
        ),
        columns=(
            Column("table_name", pl.String, "The table."),
            Column("check_name", pl.String, "The check."),
            Column("severity", pl.String, "`critical` stops publication, `warning` is shown."),
            Column("expected", pl.String, "What is expected, in words."),
        ),
        key=("table_name", "check_name"),
    ),
    _checks,
)
