"""The assets that finish a month and publish all: its manifest, a publication's forms and where it goes."""

from collections.abc import Container, Iterator, Mapping, Sequence
from datetime import date
from typing import TypedDict

import dagster as dg
import polars as pl
from dagster_duckdb import DuckDBResource

from assets.published.about import recorded_results
from pipeline import settings
from pipeline.checks.asset_checks import changes_judged_again
from pipeline.checks.thresholds import Thresholds
from pipeline.errors import CensusError
from pipeline.months import run_again
from pipeline.orchestration.display_metadata import metadata_table
from pipeline.orchestration.partitions import month_of
from pipeline.orchestration.resources import AllowancesResource, LakeResource, OriginRuleResource
from pipeline.orchestration.table_assets import (
    BY_HAND,
    OWNERS,
    CatalogueAssets,
    asset_key,
    column_schema,
    description,
    in_plain_words,
    table_asset,
)
from pipeline.publish.copies import StoreCopy
from pipeline.publish.manifest import MONTH_MANIFEST, Defect, manifest_of, misfits
from pipeline.publish.publication import Publication, publish
from pipeline.publish.warehouse import FILE_NAME
from pipeline.report.figures import REPORT_NAME, SITE
from pipeline.schema.catalogue import Catalogue
from pipeline.schema.published import Edition, PublishedTable
from pipeline.version import __version__

FORMS = {
    "warehouse": (FILE_NAME, {"duckdb"}, "`published/census.duckdb`: dimensions, facts, marts, a flat view of each."),
    "parquet_export": (
        "parquet",
        {"parquet", "csv"},
        "`published/parquet` and `published/csv`: the same tables as files.",
    ),
    "data_dictionary": (
        "data_dictionary.html",
        {"html"},
        "What every published table and column means, and how it is checked.",
    ),
    "share_report": (REPORT_NAME, {"html"}, "`published/report.html`: the figures with what they are of, in one file."),
    "site": (
        SITE,
        {"html"},
        "`published/site`: a page for each figure, country, organisation, family and month, and each version's own.",
    ),
}
"""The forms of a publication: where each is, what it is, and what it holds."""
WAREHOUSE = ["published", "warehouse"]


class _Facts(TypedDict):
    group_name: str
    owners: Sequence[str]
    code_version: str


_FACTS: _Facts = {"group_name": "published", "owners": OWNERS, "code_version": __version__}
FITTING = "Every month of the lake is published, and each opens where the one before closed"


def _manifest_of(catalogue: Catalogue) -> Sequence[dg.AssetsDefinition]:
    @table_asset(MONTH_MANIFEST, deps=catalogue.monthly)
    def month_manifest(context: dg.AssetExecutionContext, lake: LakeResource) -> pl.DataFrame:
        """Digests of every table of the month, once all blocking checks have passed."""
        return manifest_of(lake.store(), catalogue, month_of(context))

    return [month_manifest]


def _publication_of(catalogue: Catalogue) -> Sequence[dg.AssetsDefinition]:
    without_months = [asset_key(table) for table in catalogue.tables.values() if not table.monthly]

    @dg.multi_asset(
        specs=[
            dg.AssetSpec(
                ["published", name],
                deps=[asset_key(MONTH_MANIFEST), *without_months],
                description=about,
                kinds=kinds,
                **_FACTS,
            )
            for name, (_, kinds, about) in FORMS.items()
        ]
        + [_table_spec(found) for found in catalogue.published.values()],
        check_specs=[dg.AssetCheckSpec("months_fit_together", asset=WAREHOUSE, description=f"{FITTING}.")],
    )
    def publication(
        context: dg.AssetExecutionContext,
        lake: LakeResource,
        duckdb: DuckDBResource,
        origin_rule: OriginRuleResource,
        allowances: AllowancesResource,
        check_thresholds: dg.ResourceParam[Thresholds],
    ) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
        """Every month that passed its checks, with periods over months, as one version of everything that is published.

        Built beside the version before and switched to in one step: readers are never blocked and never see half.
        Checks that compare with a month that was made later are judged again, so that the order changes no result.
        """
        store = lake.store()
        finished = store.months(MONTH_MANIFEST)
        whole = [month for month in finished if all(store.holds(table, month) for table in catalogue.monthly)]
        again = list(changes_judged_again(store, catalogue.tables, whole, check_thresholds, context.instance))
        results = recorded_results(context.instance, catalogue.monthly, whole, again)
        edition, folder = Edition(origin_rule.choice(), context.run_id, results), settings.published_folder()
        make = in_plain_words(publish)
        made = make(store, catalogue, folder, duckdb.get_connection, edition, allowances.allowed())
        published = {month.isoformat() for month in made.months}
        for evaluation in again:
            if evaluation.partition in published:
                context.log_event(evaluation)
        stale = misfits(store, catalogue, made.months)
        main = {figure.key for figure in catalogue.figures if figure.is_pictured}
        yield from (_form(name, made, edition.origin_rule, main if name == "share_report" else ()) for name in FORMS)
        yield from (_published_table(found, made) for found in catalogue.published.values())
        yield _months_fit(made, stale)

    return [publication]


def _postgres_of(catalogue: Catalogue) -> Sequence[dg.AssetsDefinition]:
    @dg.asset(key=["published", "postgres_mart"], deps=[WAREHOUSE], kinds={"postgres"}, output_required=False, **_FACTS)
    def postgres_mart(context: dg.AssetExecutionContext) -> Iterator[dg.Output[None]]:
        """Schema `census` of the database at CENSUS_POSTGRES_URL: what is published, for tools that speak PostgreSQL.

        Skipped where no database is configured.
        """
        url = settings.postgres_url()
        if not url:
            context.log.info("CENSUS_POSTGRES_URL is not set: nothing is loaded into PostgreSQL")
            return
        from pipeline.publish.postgres import load_postgres  # noqa: PLC0415 - its driver is not needed without one

        rows = in_plain_words(load_postgres)(url, settings.published_folder(), catalogue.published)
        yield dg.Output(None, metadata={"schema": "census", "rows": rows})

    return [postgres_mart]


def _data_docs_of(catalogue: Catalogue) -> Sequence[dg.AssetsDefinition]:
    @dg.asset(
        key=["published", "data_docs"],
        deps=[asset_key(MONTH_MANIFEST)],
        kinds={"html", "greatexpectations"},
        tags=dict([BY_HAND]),
        **_FACTS,
    )
    @in_plain_words
    def data_docs(lake: LakeResource) -> dg.MaterializeResult[None]:
        """Great Expectations' own Data Docs of the latest finished month, in `CENSUS_HOME/data_docs`.

        No job makes them: materialise them by hand when somebody wants to read them. Their pages load styles from the
        network.
        """
        store = lake.store()
        finished = store.months(MONTH_MANIFEST)
        if not finished:
            raise CensusError("no month is finished yet, so there are no Data Docs to write: run a month first")
        from pipeline.checks.data_docs import write_data_docs  # noqa: PLC0415 - loads Great Expectations

        shown = write_data_docs(store, catalogue.monthly, finished[-1], settings.data_docs_folder())
        return dg.MaterializeResult(
            metadata={
                "month": f"{finished[-1]:%Y-%m}",
                "expectations": shown,
                "path": dg.MetadataValue.path(str(settings.data_docs_folder() / "index.html")),
            }
        )

    return [data_docs]


def _months_fit(made: Publication, stale: Mapping[date, Sequence[Defect]]) -> dg.AssetCheckResult:
    """Warns of months that are held back, and of those made from other observations than the lake holds now."""
    found = [f"not published: {reason}" for reason in made.held_back]
    found += [f"{month:%Y-%m} {defect}: {run_again(month)}" for month, those in stale.items() for defect in those]
    return dg.AssetCheckResult(
        asset_key=dg.AssetKey(WAREHOUSE),
        check_name="months_fit_together",
        passed=not found,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"expected": FITTING, "observed": "; ".join(found) or "they do"},
    )


def _table_spec(found: PublishedTable) -> dg.AssetSpec:
    return dg.AssetSpec(
        ["published", "tables", found.name],
        deps=[WAREHOUSE],
        description=f"As readers see it, in the warehouse and as Parquet. {description(found.table)}",
        kinds={"duckdb", "parquet"},
        **_FACTS,
        metadata={"dagster/column_schema": column_schema(found.table), "dagster/table_name": f"main.{found.name}"},
    )


def _published_table(found: PublishedTable, made: Publication) -> dg.MaterializeResult[None]:
    pictures = [one for one in made.pictures if one.table in (found.name, found.entry_of)]
    file = min((settings.published_folder() / "parquet" / found.name).glob("*.parquet"))
    return dg.MaterializeResult(
        asset_key=["published", "tables", found.name],
        metadata={
            "version": made.version,
            "dagster/row_count": made.rows[found.name],
            "first_rows": metadata_table(pl.read_parquet(file, n_rows=5, glob=False)),
            **{one.key: dg.MetadataValue.md(one.as_markdown()) for one in pictures},
        },
    )


def _form(name: str, made: Publication, origin_rule: str, pictured: Container[str]) -> dg.MaterializeResult[None]:
    return dg.MaterializeResult(
        asset_key=["published", name],
        metadata={
            "version": made.version,
            "months": [f"{month:%Y-%m}" for month in made.months],
            "held_back": made.held_back,
            "rows": made.rows,
            "origin_rule": origin_rule,
            "path": dg.MetadataValue.path(str(settings.published_folder() / FORMS[name][0])),
            **{one.key: dg.MetadataValue.md(one.as_markdown()) for one in made.pictures if one.key in pictured},
        },
    )


@dg.asset(key=["published", "store_copy"], deps=[WAREHOUSE], kinds={"s3"}, output_required=False, **_FACTS)
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


OF_THE_CATALOGUE = [*map(CatalogueAssets, (_manifest_of, _publication_of, _postgres_of, _data_docs_of))]
