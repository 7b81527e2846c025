"""Group `published`: which months may be published, and the warehouse that readers open."""

from collections.abc import Iterator, Sequence

import dagster as dg
import polars as pl
from dagster_duckdb import DuckDBResource

from pipeline import settings
from pipeline.errors import CensusError
from pipeline.orchestration.partitions import month_of
from pipeline.orchestration.resources import LakeResource, OriginRuleResource
from pipeline.orchestration.table_assets import (
    BY_HAND,
    OWNERS,
    CatalogueAssets,
    asset_key,
    in_plain_words,
    table_asset,
)
from pipeline.publish import publication as publishing
from pipeline.publish.drift import headline_changes
from pipeline.publish.report_picture import Picture
from pipeline.publish.seals import misfits, seal
from pipeline.publish.store_copy import StoreCopy
from pipeline.schema.catalogue import Catalogue
from pipeline.tables import attribution
from pipeline.tables.published import MONTH_SEALS
from pipeline.version import __version__

PATHS = {
    "warehouse": "census.duckdb",
    "parquet_export": "parquet",
    "data_dictionary": "data_dictionary.html",
    "share_report": "report.html",
}


@dg.asset_check(
    asset=["published", "warehouse"],
    description="Months that are added up open where the one before closed, and are attributed by one registry.",
)
def months_fit_together(lake: LakeResource) -> dg.AssetCheckResult:
    """Warns of months made from older observations or another registry than those that the lake holds now."""
    found = misfits(lake.store(), lake.store().months(MONTH_SEALS))
    stale = [f"{month:%Y-%m} {defect}" for month, defects in found.items() for defect in defects]
    return _warning(
        stale, "every month opens where the one before closed, and all are attributed by one registry", "they are"
    )


@dg.asset_check(
    asset=["published", "warehouse"],
    description="The month of the last version's headline has the same shares in this one, to half a percentage point.",
)
def headline_stands() -> dg.AssetCheckResult:
    """Warns of a correction, or anything else, that moved a figure which had been published."""
    changes = headline_changes(settings.published_folder())
    return _warning(changes, "the shares that the last version published for the month of its headline", "they stand")


def _warning(found: Sequence[str], expected: str, sound: str) -> dg.AssetCheckResult:
    """Warns of what was found; without anything, `sound` is what was observed."""
    return dg.AssetCheckResult(
        passed=not found,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"expected": expected, "observed": "; ".join(found) or sound},
    )


@dg.asset(
    key=["published", "postgres_mart"],
    deps=[["published", "warehouse"]],
    group_name="published",
    kinds={"postgres"},
    owners=OWNERS,
    code_version=__version__,
    output_required=False,
)
def postgres_mart(context: dg.AssetExecutionContext) -> Iterator[dg.Output[None]]:
    """Schema `census` of the database at CENSUS_POSTGRES_URL: what is published, for tools that speak PostgreSQL only.

    Skipped where no database is configured.
    """
    url = settings.postgres_url()
    if not url:
        context.log.info("CENSUS_POSTGRES_URL is not set: nothing is loaded into PostgreSQL")
        return
    from pipeline.publish.postgres import load_postgres  # noqa: PLC0415 - its driver is loaded where there is a database

    rows = in_plain_words(load_postgres)(url, settings.published_folder(), publishing.PUBLISHED)
    yield dg.Output(None, metadata={"schema": "census", "rows": rows})


@dg.asset(
    key=["published", "store_copy"],
    deps=[["published", "warehouse"]],
    group_name="published",
    kinds={"s3"},
    owners=OWNERS,
    code_version=__version__,
    output_required=False,
)
def store_copy(context: dg.AssetExecutionContext) -> Iterator[dg.Output[None]]:
    """The publication at CENSUS_PUBLISHED_URL, for readers on other machines than the one that made it.

    Skipped where no place is configured.
    """
    url = settings.published_url()
    if not url:
        context.log.info("CENSUS_PUBLISHED_URL is not set: the publication stays in CENSUS_HOME")
        return
    version = in_plain_words(StoreCopy(url).take)(settings.published_folder())
    yield dg.Output(None, metadata={"version": version, "path": dg.MetadataValue.path(url)})


def of_every_table(catalogue: Catalogue) -> Sequence[dg.AssetsDefinition]:
    """The assets that look at every table of the census."""

    @table_asset(MONTH_SEALS, deps=catalogue.monthly)
    def month_seals(context: dg.AssetExecutionContext, lake: LakeResource) -> pl.DataFrame:
        """Digests of every table of the month, once all blocking checks have passed."""
        return seal(lake.store(), catalogue.monthly, month_of(context))

    @dg.multi_asset(
        name="publication",
        specs=[
            dg.AssetSpec(
                ["published", name],
                deps=[asset_key(MONTH_SEALS), asset_key(attribution.ORGANIZATIONS)],
                description=description,
                group_name="published",
                kinds=kinds,
                owners=OWNERS,
                code_version=__version__,
            )
            for name, description, kinds in (
                (
                    "warehouse",
                    "`published/census.duckdb`: dimensions, facts, marts and a flat view of each.",
                    {"duckdb"},
                ),
                (
                    "parquet_export",
                    "`published/parquet` and `published/csv`: the same tables as files.",
                    {"parquet", "csv"},
                ),
                ("data_dictionary", "What every published table and column means, and how it is checked.", {"html"}),
                ("share_report", "`published/report.html`: the figures with what they are of, in one file.", {"html"}),
            )
        ],
    )
    @in_plain_words
    def publication(
        context: dg.AssetExecutionContext, lake: LakeResource, duckdb: DuckDBResource, origin_rule: OriginRuleResource
    ) -> tuple[
        dg.MaterializeResult[None], dg.MaterializeResult[None], dg.MaterializeResult[None], dg.MaterializeResult[None]
    ]:
        """Every month that passed its checks, with windows over months, as one version of everything that is published.

        Built beside the version before and switched to in one step: readers are never blocked and never see half.
        """
        rule = origin_rule.choice()
        made = publishing.publish(
            lake.store(), catalogue, settings.published_folder(), duckdb.get_connection, rule, context.run_id
        )
        for month, reason in made.held_back.items():
            context.log.warning(f"{month:%Y-%m} is not published: {reason}")

        def result(name: str, pictures: Sequence[Picture] = ()) -> dg.MaterializeResult[None]:
            return dg.MaterializeResult(
                asset_key=["published", name],
                metadata={
                    "version": made.version,
                    "months": [f"{month:%Y-%m}" for month in made.months],
                    "held_back": {f"{month:%Y-%m}": reason for month, reason in made.held_back.items()},
                    "rows": made.rows,
                    "origin_rule": rule,
                    "path": dg.MetadataValue.path(str(settings.published_folder() / PATHS[name])),
                    **{picture.key: dg.MetadataValue.md(picture.as_markdown()) for picture in pictures},
                },
            )

        return (
            result("warehouse"),
            result("parquet_export"),
            result("data_dictionary"),
            result("share_report", made.pictures),
        )

    @dg.asset(
        key=["published", "data_docs"],
        deps=[asset_key(MONTH_SEALS)],
        group_name="published",
        kinds={"html", "greatexpectations"},
        tags=dict([BY_HAND]),
        owners=OWNERS,
        code_version=__version__,
    )
    @in_plain_words
    def data_docs(lake: LakeResource) -> dg.MaterializeResult[None]:
        """Great Expectations' own Data Docs of the latest sealed month, in `CENSUS_HOME/data_docs`.

        No job makes them: materialise them by hand when somebody wants to read them. Their pages load styles from the
        network.
        """
        store = lake.store()
        sealed = store.months(MONTH_SEALS)
        if not sealed:
            raise CensusError("no month is sealed yet, so there are no Data Docs to write: run a month first")
        from pipeline.checks.data_docs import write_data_docs  # noqa: PLC0415 - loads Great Expectations

        shown = write_data_docs(store, catalogue.monthly, sealed[-1], settings.data_docs_folder())
        return dg.MaterializeResult(
            metadata={
                "month": f"{sealed[-1]:%Y-%m}",
                "expectations": shown,
                "path": dg.MetadataValue.path(str(settings.data_docs_folder() / "index.html")),
            }
        )

    return [month_seals, publication, data_docs]


OF_EVERY_TABLE = CatalogueAssets(of_every_table)
