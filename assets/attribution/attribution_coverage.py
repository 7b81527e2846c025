"""`attribution/attribution_coverage`: how much of the month rests on which rule of attribution."""

import dagster as dg
import polars as pl

from assets.attribution.model_attribution import DEVELOPER, METHOD, MODEL_ATTRIBUTION, UNMAPPED
from assets.columns import MONTH
from assets.expressions import ratio
from assets.listings.model_downloads import MODEL_DOWNLOADS
from pipeline import settings
from pipeline.orchestration.display_metadata import metadata_table
from pipeline.orchestration.table_assets import table_asset
from pipeline.schema.declaration import DECIMAL, Column, Measure, Rule, Table, TableFrames

LARGEST_SHOWN = 10
LARGEST_FALL = 0.02
LARGE_SHARE = 0.01
"""A namespace with this share of a month's downloads moves a country's figure by as much."""
FEW_ACCOUNTS = 1_000
"""So few accounts are somebody's own selection. The Hub has hundreds of thousands, and extracts of it thousands."""
USUALLY_ATTRIBUTED = 0.5
"""More than this share of the Hub's downloads goes to accounts in the registry and to persons. Below it, the registry
or the accounts were not read, and shares of countries say nothing."""


def attributed_share(coverage: pl.LazyFrame) -> pl.LazyFrame:
    """Share of the month's downloads that are not `unmapped` (1 where nothing was downloaded); one cell."""
    unmapped = pl.col("downloads").filter(pl.col("method") == UNMAPPED).sum()
    total = pl.col("downloads").sum()
    return coverage.select((1.0 - ratio(unmapped, total)).alias("attributed_share"))


def _too_little_attributed(frames: TableFrames) -> pl.LazyFrame:
    """The attributed share and the least that is asked for, where it is less."""
    least = settings.least_attributed()
    share = attributed_share(frames.scan("attribution/attribution_coverage"))
    if least is None:
        few = frames.scan("attribution/model_attribution").select(pl.col("namespace").approx_n_unique() < FEW_ACCOUNTS)
        floor = few.select(pl.when(pl.first()).then(0.0).otherwise(USUALLY_ATTRIBUTED).alias("least"))
    else:
        floor = pl.LazyFrame({"least": [least]})
    return pl.concat([share, floor], how="horizontal").filter(pl.col("attributed_share") < pl.col("least"))


def _change_in_attributed_share(frames: TableFrames) -> pl.LazyFrame:
    path = "attribution/attribution_coverage"
    now, before = attributed_share(frames.scan(path)), attributed_share(frames.scan_previous(path))
    return pl.concat([now, before.rename({"attributed_share": "earlier"})], how="horizontal").select(
        (pl.col("attributed_share") - pl.col("earlier")).alias("change")
    )


def unmapped_namespaces(downloads: pl.LazyFrame, attribution: pl.LazyFrame) -> pl.LazyFrame:
    """Namespaces, and models without one, of which nothing is known, with their models, downloads and share."""
    total = downloads.select(pl.col("downloads").sum().alias("total"))
    return (
        attribution.filter(pl.col("method") == UNMAPPED)
        .select("hub_id", pl.coalesce("namespace", "model_id").alias("namespace"))
        .join(downloads.select("hub_id", "downloads"), on="hub_id")
        .group_by("namespace")
        .agg(pl.len().alias("models"), pl.col("downloads").sum())
        .join(total, how="cross")
        .with_columns(share_of_downloads=ratio(pl.col("downloads"), pl.col("total")))
        .drop("total")
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
        Column("models", pl.Int64, "Repositories.", "repositories", minimum=0),
        Column("downloads", DECIMAL, "Downloads in the month.", "downloads", minimum=0),
        Column("share_of_downloads", pl.Float64, "Share of the month's downloads.", "fraction", minimum=0, maximum=1),
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
            lambda frames: attributed_share(frames.scan("attribution/attribution_coverage")),
            minimum=USUALLY_ATTRIBUTED,
            severity="warning",
        ),
        Measure(
            "change_in_attributed_share",
            "Change of the attributed share of downloads since the month before.",
            _change_in_attributed_share,
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
