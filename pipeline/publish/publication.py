"""One publication: every sealed month, its windows and dimensions, as one version of the published folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl

from pipeline.databases import confine
from pipeline.errors import CensusError
from pipeline.lake.store import Lake
from pipeline.publish import marts
from pipeline.publish.described import census_rows, check_rows, dictionary_rows
from pipeline.publish.digests import lake_digests, write_digests
from pipeline.publish.export import ParquetExport, write_csv
from pipeline.publish.folder import PublishedFolder
from pipeline.publish.metadata import write_metadata
from pipeline.publish.models import export_models
from pipeline.publish.origin_rule import by_one_rule
from pipeline.publish.relations import reference_of
from pipeline.publish.report_picture import Picture
from pipeline.publish.seals import sealed_months
from pipeline.publish.steady_lake import file_states, require_unchanged
from pipeline.publish.warehouse import (
    FILE_NAME,
    Connect,
    identifier,
    number_columns,
    quoted,
    require_same,
    sums_of_numbers,
    write_warehouse,
)
from pipeline.publish.windowed import windowed_marts
from pipeline.schema.catalogue import Catalogue
from pipeline.schema.declaration import Table
from pipeline.tables import attribution, families, listings, published, shares
from pipeline.tables.windowed import WINDOWED_TABLES

MARTS: tuple[Table, ...] = (*WINDOWED_TABLES, *families.TABLES)
"""What is published of every month: tables over windows, and those that are published as the lake has them."""

PUBLISHED: tuple[Table, ...] = (*MARTS, *published.PUBLISHED_TABLES)
"""Every table that readers see."""


@dataclass(frozen=True)
class Publication:
    """What was published, and which months were not and why."""

    path: Path
    version: str
    months: list[date]
    held_back: dict[date, str]
    rows: dict[str, int]
    pictures: list[Picture]


def publish(
    lake: Lake, catalogue: Catalogue, folder: Path, connect: Connect, origin_rule: str, run_id: str | None = None
) -> Publication:
    """Publishes every sealed month of the lake whose derivatives are split by `origin_rule` into `folder`.

    Warehouse, Parquet, CSV, metadata and report are one version, which replaces the one before at once.

    Raises:
        CensusError: no month is sealed, or what was written is not what the lake holds; what was published before
            stays.
        TemporaryError: a month was run meanwhile; what was published before stays.
    """
    from pipeline.publish.report import write_report  # noqa: PLC0415 - it draws: a second of imports, needed here alone

    with PublishedFolder(folder).new_version() as draft:
        states = file_states(lake, catalogue.monthly)
        sealed = by_one_rule(lake, sealed_months(lake, catalogue.monthly), origin_rule)
        if not sealed.publishable:
            reasons = "; ".join(f"{month:%Y-%m}: {reason}" for month, reason in sealed.held_back.items())
            raise CensusError(f"no month can be published ({reasons or 'the lake is empty'}): run one first")
        made_from = lake_digests(lake, sealed.publishable)
        export = ParquetExport(draft.path / "parquet")
        _export_marts(export, lake, sealed.publishable)
        export_models(export, lake, sealed.publishable)
        _export_dimensions(export, lake, sealed.publishable, origin_rule)
        export.add(published.CENSUS, census_rows(lake, catalogue.monthly, sealed.publishable, draft.version, run_id))
        described = [exported.table for exported in export.tables()]
        export.add(published.DATA_CHECKS, check_rows(catalogue))
        described += [published.DATA_CHECKS, published.DATA_DICTIONARY]
        export.add(published.DATA_DICTIONARY, dictionary_rows(described))
        tables = export.tables()
        write_warehouse(draft.path / FILE_NAME, tables, connect)
        _verify_against_lake(draft.path / FILE_NAME, lake, catalogue.monthly, sealed.publishable, connect)
        csv = write_csv(draft.path / "csv", tables)
        write_metadata(draft, tables, csv, catalogue)
        pictures = write_report(draft.path)
        require_unchanged(lake, catalogue, states, made_from)
        write_digests(draft.path, made_from)
    return Publication(
        folder / FILE_NAME,
        draft.version,
        sealed.publishable,
        sealed.held_back,
        {exported.table.name: exported.rows for exported in tables},
        pictures,
    )


def _export_marts(export: ParquetExport, lake: Lake, months: Sequence[date]) -> None:
    def of_all_months(table: Table) -> pl.LazyFrame:
        return pl.concat([lake.scan(table, month) for month in months])

    for table, frame in windowed_marts(of_all_months).items():
        export.add(table, frame)
    for table in families.TABLES:
        export.add_months(table, {month: lake.scan(table, month) for month in months})


def _export_dimensions(export: ParquetExport, lake: Lake, months: Sequence[date], origin_rule: str) -> None:
    accounts = pl.concat(lake.scan(listings.DOWNLOAD_ACCOUNTS, month) for month in months)
    covered = pl.concat(lake.scan(attribution.ATTRIBUTION_COVERAGE, month) for month in months)
    export.add(published.COVERAGE, marts.coverage(accounts, covered))
    measured = pl.concat(lake.scan(listings.MONTH_ACCOUNTS, month) for month in months)
    export.add(published.DIM_MONTH, marts.dim_month(measured, covered, origin_rule))
    export.add(published.DIM_ORGANIZATION, marts.dim_organization(lake.scan(attribution.ORGANIZATIONS)))
    export.add(published.DIM_COUNTRY, marts.dim_country(_countries(export)))


def _countries(export: ParquetExport) -> list[str]:
    """Every country, and member that is no country, that an exported table names."""
    named = [
        pl.scan_parquet(exported.files).select(pl.col(name).alias("country"))
        for exported in export.tables()
        for name in exported.table.schema.names()
        if (target := reference_of(exported.table, name)) is not None and target[0] is published.DIM_COUNTRY
    ]
    members = pl.scan_parquet(export.files(shares.COUNTRY_SHARES)).select(pl.col("member").alias("country"))
    every = pl.concat([*named, members]).drop_nulls().unique().sort("country").collect()
    return every["country"].to_list()


def _verify_against_lake(
    path: Path, lake: Lake, monthly: Sequence[Table], months: Sequence[date], connect: Connect
) -> None:
    """Holds the warehouse to the lake it was made from: the marts' rows and sums, and every download.

    Raises:
        CensusError: they differ.
    """
    with connect() as connection:
        confine(connection, path.parent)
        connection.sql(f"attach '{quoted(str(path))}' as census (read_only)")
        for table in monthly:
            published_as = {mart.name: mart for mart in MARTS}.get(table.name)
            if published_as is None or not set(table.schema.names()) <= set(published_as.schema.names()):
                continue
            stored = pl.concat(lake.scan(table, month) for month in months)
            expected = stored.select(pl.len(), *sums_of_numbers(table)).collect()
            parts = ", ".join(["count(*)", *(f"sum({identifier(name)})" for name in number_columns(table))])
            of_months = "where \"window\" = 'month'" if "window" in table.schema.names() else ""
            [found] = connection.sql(
                f"select {parts} from census.{identifier(table.name)} {of_months}"  # noqa: S608 - declared names
            ).fetchall()
            require_same(f"the warehouse's {table.name}", dict(zip(expected.columns, found, strict=True)), expected)
        measured = pl.concat(lake.scan(listings.MODEL_DOWNLOADS, month) for month in months)
        expected = measured.select(pl.col("downloads").sum()).collect()
        for facts in (published.MODEL_MONTH, published.MODEL_ORIGIN_MONTH):
            [found] = connection.sql(f"select sum(downloads) from census.{facts.name}").fetchall()  # noqa: S608
            require_same(f"the warehouse's {facts.name}", dict(zip(expected.columns, found, strict=True)), expected)
