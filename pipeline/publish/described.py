"""The publication's tables about itself: what it is made of, what its columns mean, what was checked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime

import polars as pl

from pipeline.checks.declared import declared_checks
from pipeline.lake.store import Lake
from pipeline.publish.relations import key_of, reference_of
from pipeline.publish.warehouse import duckdb_type
from pipeline.schema.catalogue import Catalogue
from pipeline.schema.declaration import Table
from pipeline.tables.published import DATA_CHECKS, DATA_DICTIONARY, MONTH_SEALS, SCHEMA_VERSION
from pipeline.version import __version__


def census_rows(
    lake: Lake, monthly: Sequence[Table], months: Sequence[date], version: str, run_id: str | None
) -> pl.LazyFrame:
    """`_census`: one row per published month, all of one version."""
    published_at = datetime.now(UTC)
    seals = [_seal(lake, month) for month in months]
    return pl.concat(seals).with_columns(
        pl.lit(version).alias("version"),
        pl.lit(SCHEMA_VERSION).alias("schema_version"),
        pl.lit(__version__).alias("code_version"),
        pl.lit(run_id, pl.String).alias("run_id"),
        pl.lit(published_at).alias("published_at"),
        pl.lit(_blocking_checks(monthly)).alias("checks_passed"),
    )


def _seal(lake: Lake, month: date) -> pl.LazyFrame:
    return (
        lake.scan(MONTH_SEALS, month)
        .group_by("month", "source", "source_revision", pl.col("code_version").alias("month_code_version"))
        .agg(pl.len().cast(pl.Int64).alias("tables_sealed"))
        .with_columns(pl.lit(lake.modified(MONTH_SEALS, month)).alias("checked_at"))
    )


def _blocking_checks(monthly: Sequence[Table]) -> int:
    return sum(check.severity == "critical" for table in monthly for check in declared_checks(table))


def dictionary_rows(tables: Sequence[Table]) -> pl.DataFrame:
    """`data_dictionary` of the published tables."""
    rows = [
        {
            "table_name": table.name,
            "position": position,
            "column_name": column.name,
            "type": duckdb_type(column),
            "unit": column.unit,
            "meaning": column.meaning,
            "may_be_absent": column.nullable,
            "is_key": column.name in key_of(table),
            "refers_to": f"{target[0].name}.{target[1]}" if (target := reference_of(table, column.name)) else None,
            "grain": table.grain,
            "table_description": table.description,
            "warnings": "\n".join(table.warnings) or None,
        }
        for table in tables
        for position, column in enumerate(table.columns)
    ]
    return pl.DataFrame(rows, schema=DATA_DICTIONARY.schema)


def check_rows(catalogue: Catalogue) -> pl.DataFrame:
    """`data_checks`: the checks of every table of the chain."""
    rows = [
        {
            "table_name": table.path,
            "check_name": check.name,
            "severity": check.severity,
            "expected": check.in_full,
        }
        for table in catalogue.tables.values()
        for check in declared_checks(table)
    ]
    return pl.DataFrame(rows, schema=DATA_CHECKS.schema)
