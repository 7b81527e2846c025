"""Group `shares`: who holds which part of the month's downloads."""

import polars as pl

from assets.attribution.first_party import first_party
from assets.attribution.model_attribution import MODEL_ATTRIBUTION
from assets.attribution.root_attribution import ROOT_ATTRIBUTION
from assets.lineage.derivations import DERIVATIONS
from assets.lineage.model_lineage import MODEL_LINEAGE
from assets.lineage.origin_weights import ORIGIN_WEIGHTS
from pipeline.orchestration.table_assets import inputs, table_assets
from pipeline.reference.attributes import attribute_words
from pipeline.tables import attributes, families, listings, measures
from pipeline.tables import shares as tables
from pipeline.transform import shares
from pipeline.transform.adoption import adoption_marks
from pipeline.transform.attributes import attribute_shares
from pipeline.transform.concentration import concentration_of_members, concentration_of_models
from pipeline.transform.intermediaries import find_intermediaries, intermediaries, with_intermediaries
from pipeline.transform.lineage.families import derivation_marts
from pipeline.transform.releases import release_days
from pipeline.transform.sizes import model_sizes
from pipeline.transform.together import together
from pipeline.transform.traits import counted_models

COUNTED = [
    listings.MODEL_DOWNLOADS,
    MODEL_ATTRIBUTION,
    ORIGIN_WEIGHTS,
    ROOT_ATTRIBUTION,
]
DESCRIBED = [
    listings.HUB_SNAPSHOTS,
    listings.MODEL_DOWNLOADS,
    MODEL_ATTRIBUTION,
    ROOT_ATTRIBUTION,
    DERIVATIONS,
    MODEL_LINEAGE,
]


@table_assets(
    "member_shares",
    dict.fromkeys((tables.COUNTRY_SHARES, tables.ORGANIZATION_SHARES, measures.CONCENTRATION), COUNTED),
    ins=inputs(
        downloads=listings.MODEL_DOWNLOADS,
        attributed=MODEL_ATTRIBUTION,
        weights=ORIGIN_WEIGHTS,
        roots=ROOT_ATTRIBUTION,
    ),
)
def member_shares(
    downloads: pl.LazyFrame,
    attributed: pl.LazyFrame,
    weights: pl.LazyFrame,
    roots: pl.LazyFrame,
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Who holds which part of the downloads, and how concentrated they are."""
    countries, organizations = shares.member_shares(downloads, attributed, weights, roots)
    over = [concentration_of_members(countries), concentration_of_members(organizations)]
    return countries, organizations, pl.concat([concentration_of_models(downloads), *over], how="diagonal_relaxed")


@table_assets(
    "model_marts",
    {
        attributes.ATTRIBUTE_SHARES: DESCRIBED,
        measures.MODEL_SIZES: DESCRIBED,
        measures.RELEASE_DAYS: [*DESCRIBED, listings.OPENING_COUNTERS],
        measures.ADOPTION_MARKS: DESCRIBED,
        measures.INTERMEDIARIES: DESCRIBED,
    },
    ins=inputs(
        snapshot=listings.HUB_SNAPSHOTS,
        downloads=listings.MODEL_DOWNLOADS,
        attributed=MODEL_ATTRIBUTION,
        derivations=DERIVATIONS,
        placed=MODEL_LINEAGE,
        roots=ROOT_ATTRIBUTION,
        opening=listings.OPENING_COUNTERS,
    ),
)
def model_marts(  # noqa: PLR0917 - an asset's parameters are its inputs
    snapshot: pl.LazyFrame,
    downloads: pl.LazyFrame,
    attributed: pl.LazyFrame,
    derivations: pl.LazyFrame,
    placed: pl.LazyFrame,
    roots: pl.LazyFrame,
    opening: pl.LazyFrame,
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """What the downloaded models are, from one reading of what is known of each."""
    models = counted_models(snapshot, downloads, attributed, derivations, attribute_words())
    # Until `models/models` says it.
    placed = placed.join(first_party(derivations, attributed, roots), on="hub_id", how="left").with_columns(
        pl.col("is_first_party").fill_null(value=False)
    )
    found = find_intermediaries(models, placed)
    attributes_of_models, sizes = together(
        lambda: attribute_shares(with_intermediaries(models, found)), lambda: model_sizes(models)
    )
    return (
        attributes_of_models,
        sizes,
        release_days(models, placed, opening),
        adoption_marks(models),
        intermediaries(models, found),
    )


@table_assets(
    "derivation_marts",
    {
        families.FAMILY_SHARES: [DERIVATIONS, MODEL_LINEAGE, *COUNTED],
        families.DERIVATION_FLOWS: [DERIVATIONS, *COUNTED],
    },
    ins=inputs(
        derivations=DERIVATIONS,
        placed=MODEL_LINEAGE,
        weights=ORIGIN_WEIGHTS,
        downloads=listings.MODEL_DOWNLOADS,
        attributed=MODEL_ATTRIBUTION,
        roots=ROOT_ATTRIBUTION,
    ),
)
def family_shares_and_flows(
    derivations: pl.LazyFrame,
    placed: pl.LazyFrame,
    weights: pl.LazyFrame,
    downloads: pl.LazyFrame,
    attributed: pl.LazyFrame,
    roots: pl.LazyFrame,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Families by root repository and by root organisation, and who builds on whom, country by country."""
    return derivation_marts(derivations, placed, weights, downloads, attributed, roots)
