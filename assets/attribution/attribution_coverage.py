"""`attribution/attribution_coverage`: how much of the month rests on which rule of attribution."""

import dagster as dg
import polars as pl

from assets.attribution.model_attribution import DEVELOPER, METHOD, MODEL_ATTRIBUTION, UNMAPPED
from assets.columns import MONTH, count, downloads, fraction
from assets.expressions import ratio
from assets.listings.model_downloads import MODEL_DOWNLOADS
from pipeline import settings
from pipeline.checks.rules import change
from pipeline.orchestration.display_metadata import metadata_table
from pipeline.orchestration.table_assets import table_asset
from pipeline.schema.declaration import Measure, Rule, Table, TableFrames

LARGEST_SHOWN = 10
LARGEST_FALL = 0.02
LARGE_SHARE = 0.01
"""A namespace with this share of a month's downloads moves a country's figure by as much."""
FEW_ACCOUNTS = 1_000
"""So few accounts are somebody's own selection. The Hub has hundreds of thousands, and extracts of it thousands."""
USUALLY_ATTRIBUTED = 0.5
"""More than this share of the Hub's downloads goes to accounts in the registry and to persons. Below it, the registry
or the accounts were not read, and shares of countries say nothing."""


ATTRIBUTED_SHARE = 1.0 - ratio(pl.col("downloads").filter(method=UNMAPPED).sum(), pl.col("downloads").sum())
"""Share of the month's downloads that are not `unmapped`; 1 where nothing was downloaded."""


def _too_little_attributed(frames: TableFrames) -> pl.LazyFrame:
    """The attributed share and the least that is asked for, where it is less."""
    share = frames.scan("attribution/attribution_coverage").select(attributed_share=ATTRIBUTED_SHARE)
    is_few = pl.col("namespace").approx_n_unique() < FEW_ACCOUNTS
    usual, asked = pl.when(is_few).then(0.0).otherwise(USUALLY_ATTRIBUTED), settings.least_attributed()
    floor = frames.scan("attribution/model_attribution").select(least=usual if asked is None else pl.lit(asked))
    return share.join(floor, how="cross").filter(pl.col("attributed_share") < pl.col("least"))


def unmapped_namespaces(downloads: pl.LazyFrame, attribution: pl.LazyFrame) -> pl.LazyFrame:
    """Namespaces, and models without one, of which nothing is known, with their models, downloads and share."""
    unmapped = attribution.filter(method=UNMAPPED).select("hub_id", namespace=pl.coalesce("namespace", "model_id"))
    return (
        unmapped.join(downloads.select("hub_id", "downloads"), on="hub_id")
        .group_by("namespace")
        .agg(pl.col("downloads").sum(), models=pl.len())
        .join(downloads.select(whole=pl.col("downloads").sum()), how="cross")
        .select("namespace", "models", "downloads", share_of_downloads=ratio(pl.col("downloads"), pl.col("whole")))
    )


def _newly_large_unmapped(frames: TableFrames) -> pl.LazyFrame:
    """Unmapped namespaces with a large share of this month's downloads that had none as large in the month before."""
    paths = "listings/model_downloads", "attribution/model_attribution"
    is_large = pl.col("share_of_downloads") >= LARGE_SHARE
    large = unmapped_namespaces(*map(frames.scan, paths)).filter(is_large)
    before = unmapped_namespaces(*map(frames.scan_previous, paths)).filter(is_large)
    return large.join(before, on="namespace", how="anti")


ATTRIBUTION_COVERAGE = Table(
    "attribution/attribution_coverage",
    grain="attribution method and developer kind",
    description="How much of the month each rule of attribution decides.",
    columns=(
        MONTH,
        METHOD,
        DEVELOPER[-1],
        count("models", "Repositories.", minimum=0),
        downloads("Downloads in the month."),
        fraction("share_of_downloads", "Share of the month's downloads."),
    ),
    key=("method", "kind"),
    rules=(
        Rule(
            "enough_is_attributed",
            f"At least {USUALLY_ATTRIBUTED:.0%} of the downloads are attributed, or as much as CENSUS_LEAST_ATTRIBUTED "
            f"says. Months of fewer than {FEW_ACCOUNTS:,} accounts are exempt, unless it is set.",
            _too_little_attributed,
            quoted=("attributed_share", "least"),
        ),
        Rule(
            "no_newly_large_unmapped_namespace",
            f"No unmapped namespace newly has {LARGE_SHARE:.0%} of the month's downloads. Add it to the registry.",
            _newly_large_unmapped,
            severity="warning",
        ),
    ),
    measures=(
        Measure(
            "attributed_share_of_downloads",
            "Share of the month's downloads whose developer is known to be an organisation or a person.",
            lambda frames: frames.scan("attribution/attribution_coverage").select(ATTRIBUTED_SHARE),
            minimum=USUALLY_ATTRIBUTED,
            severity="warning",
        ),
        Measure(
            "change_in_attributed_share",
            "Change of the attributed share of downloads since the month before.",
            lambda frames: change(frames, "attribution/attribution_coverage", ATTRIBUTED_SHARE),
            minimum=-LARGEST_FALL,
            severity="warning",
        ),
    ),
)


def coverage_of(downloads: pl.LazyFrame, attribution: pl.LazyFrame) -> pl.LazyFrame:
    """`attribution/attribution_coverage`: models and downloads by the rule and kind of developer."""
    return (
        downloads.select("month", "hub_id", "downloads")
        .join(attribution.select("hub_id", "method", "kind"), on="hub_id")
        .group_by("month", "method", "kind")
        .agg(pl.len().cast(pl.Int64).alias("models"), pl.col("downloads").sum())
        .with_columns(ratio(pl.col("downloads"), pl.col("downloads").sum()).alias("share_of_downloads"))
    )


@table_asset(ATTRIBUTION_COVERAGE, downloads=MODEL_DOWNLOADS, attributed=MODEL_ATTRIBUTION)
def attribution_coverage(
    context: dg.AssetExecutionContext, downloads: pl.LazyFrame, attributed: pl.LazyFrame
) -> pl.DataFrame:
    """How much of the month rests on which rule."""
    coverage = coverage_of(downloads, attributed).collect()
    ranked = unmapped_namespaces(downloads, attributed).sort("downloads", "namespace", descending=[True, False])
    largest = ranked.head(LARGEST_SHOWN).collect()
    context.add_output_metadata({"largest_unmapped_namespaces": metadata_table(largest)})
    return coverage
