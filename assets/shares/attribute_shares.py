"""`shares/attribute_shares`: what the downloaded models are, one dimension after the other."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import polars as pl

from assets.columns import DEVELOPER_KINDS, RELATIONS, WITHIN
from assets.expressions import first_case
from assets.models.attributes import LICENCES, MODALITIES, NUMERIC_FORMATS
from assets.models.models import INTERMEDIARY_KINDS, MODELS
from assets.shares.periods import published_shares
from assets.shares.share_table import COLUMNS, FLAGS, GROUP, WHOLE, by_population, in_month, share_rules, with_shares
from pipeline.orchestration.table_assets import table_asset
from pipeline.schema.declaration import Table, TableFrames, rule
from pipeline.schema.figure import AMOUNTS, SHARE, Chart, Figure, Shown


@dataclass(frozen=True)
class Dimension:
    """One way to divide the downloads by what the models are.

    `member` says which of `members` a repository is, over the columns of `models/models`. Shares are stated within
    everything, and within each of the groups that `within` names (`country`).
    """

    name: str
    meaning: str
    members: tuple[str, ...]
    member: pl.Expr
    within: tuple[str, ...] = ()


SIZE_BANDS = {
    "below_1B": 0,
    "1B_to_5B": 1_000_000_000,
    "5B_to_10B": 5_000_000_000,
    "10B_to_50B": 10_000_000_000,
    "50B_to_100B": 50_000_000_000,
    "100B_to_250B": 100_000_000_000,
    "250B_and_above": 250_000_000_000,
}
"""Bands by the parameters from which each begins; it ends where the next begins."""
SIZE_BAND = first_case(
    *((band, pl.col("parameters") >= fewest) for band, fewest in reversed(SIZE_BANDS.items())), otherwise="unknown"
)
GATES = {"false": "open", "auto": "automatic", "manual": "manual"}
COHORTS = tuple(str(year) for year in range(2022, 2060))

DIMENSIONS = (
    Dimension(
        "licence",
        "The declared licence, by the reviewed map `reference/licences.csv`; `none`: no licence is declared",
        LICENCES,
        pl.col("licence"),
        within=("country",),
    ),
    Dimension(
        "modality",
        "What goes in and comes out, from the Hub's task by the reviewed map `reference/modalities.csv`; video "
        "generation stands on its own; `unknown`: no task is shown",
        MODALITIES,
        pl.col("modality"),
    ),
    Dimension(
        "size_band",
        "Parameters, from safetensors, else GGUF, else the name, corrected by `reference/model_sizes.csv`",
        (*SIZE_BANDS, "unknown"),
        SIZE_BAND,
    ),
    Dimension(
        "numeric_format",
        "How the weights are stored, by file format, tags and name; `full`: nothing says that they are quantised",
        ("full", *NUMERIC_FORMATS, "quantized_otherwise"),
        pl.coalesce(
            pl.col("numeric_format").cast(pl.String),
            first_case(("quantized_otherwise", pl.col("relation") == "quantized"), otherwise="full"),
        ),
    ),
    Dimension(
        "architecture",
        "`mixture_of_experts` where tags or name say so, by `reference/expert_architectures.csv`; else `dense`, so "
        "that the first is a lower bound",
        ("mixture_of_experts", "dense"),
        first_case(("mixture_of_experts", pl.col("is_mixture_of_experts")), otherwise="dense"),
    ),
    Dimension(
        "derivation",
        "The relation to the first declared parent; `original`: no parent is declared",
        ("original", *RELATIONS),
        pl.col("relation").cast(pl.String).fill_null("original"),
    ),
    Dimension(
        "gated",
        "Whether access must be asked for; `unknown`: the source does not say",
        (*GATES.values(), "unknown"),
        pl.col("gated").replace_strict(GATES, default="unknown", return_dtype=pl.String),
    ),
    Dimension(
        "creation_year",
        "Year of creation as the Hub states it; 2022 holds everything before it too, for the Hub has kept creation "
        "dates since March 2022",
        (*COHORTS, "unknown"),
        pl.col("created_at").dt.year().clip(2022, 2059).cast(pl.String).fill_null("unknown"),
    ),
    Dimension("developer_kind", "Kind of developer, by the registry", (*DEVELOPER_KINDS, "unmapped"), pl.col("kind")),
    Dimension(
        "openness",
        "A proxy from tags alone: training data counts as declared where the repository names a data set; what cards "
        "say in prose is not read",
        ("weights_only", "with_training_data", "with_training_data_and_permissive_licence"),
        first_case(
            ("weights_only", ~pl.col("names_training_data")),
            ("with_training_data_and_permissive_licence", pl.col("licence") == "permissive"),
            otherwise="with_training_data",
        ),
    ),
    Dimension(
        "intermediary",
        "Whether the namespace mostly re-uploads, quantises or adapts others' models, as in `intermediaries`; "
        "`no`: it does not",
        (*INTERMEDIARY_KINDS, "no"),
        pl.col("intermediary").cast(pl.String).fill_null("no"),
    ),
)
_GROUP = (*GROUP, "within")


@rule()
def members_declared(frames: TableFrames) -> pl.LazyFrame:
    """Every member is one that its dimension declares."""
    declared = pl.LazyFrame(
        [(dimension.name, member) for dimension in DIMENSIONS for member in dimension.members],
        schema={"dimension": pl.String, "member": pl.String},
        orient="row",
    )
    return frames.scan("shares/attribute_shares").join(declared, on=["dimension", "member"], how="anti")


ATTRIBUTE_SHARES = Table(
    "shares/attribute_shares",
    grain="population, dimension, whole or country, and member",
    description="What the downloaded models are, one dimension after the other. "
    + " ".join(f"`{dimension.name}`: {dimension.meaning}." for dimension in DIMENSIONS),
    columns=(*COLUMNS[:7], WITHIN, *COLUMNS[7:]),
    key=("period", "population", "attribution", "dimension", "within", "member"),
    warnings=(
        "Shares are not additive: add `downloads` and `denominator`, divide last.",
        "Dimensions describe the same downloads, and countries the same as `all`: choose one of each before adding up.",
        "Attributes are what uploaders declare: nobody checks them.",
    ),
    rules=(*share_rules("shares/attribute_shares", _GROUP), members_declared),
)
PUBLISHED = published_shares(ATTRIBUTE_SHARES, _GROUP)


@table_asset(ATTRIBUTE_SHARES, models=MODELS)
def attribute_shares(models: pl.LazyFrame) -> pl.DataFrame:
    """Shares of every member of every dimension, by uploader."""
    return shares_by(models, DIMENSIONS)


def shares_by(models: pl.LazyFrame, dimensions: Sequence[Dimension]) -> pl.DataFrame:
    """`shares/attribute_shares` of a month, unsorted, from `models/models`."""
    totals = [
        by_population(
            models.select("downloads", *FLAGS, within=within, member=dimension.member), ["within", "member"]
        ).with_columns(
            pl.col("member").cast(pl.String), dimension=pl.lit(dimension.name), attribution=pl.lit("uploader")
        )
        for dimension in dimensions
        for within in (pl.lit(WHOLE), *map(pl.col, dimension.within))
    ]
    return with_shares(in_month(pl.concat(totals), models), _GROUP)


_of_attribute = partial(
    Figure, table="attribute_shares", chart=Chart("bars", "member", "share"), denominator="downloads", is_printed=True
)
_ATTRIBUTE = """
    select member, share, downloads, models, denominator, coverage from attribute_shares
    where $of_period and dimension = $dimension and within = 'all'
"""
_BY_SIZE = "member = 'unknown', member not like 'below%', try_cast(regexp_extract(member, '^[0-9]+') as integer)"
"""Bands are named by the size from which they begin: `below_1B`, `1B_to_5B`, `250B_and_above`."""

LICENCES_FIGURE = _of_attribute(
    "licences",
    "Licences",
    "Of the downloads of the population in the period, the part under each kind of licence, for all and for the "
    "leading countries.",
    place=70,
    sql="""
        with licences as (
          select within, member, share, downloads, models, denominator, coverage from attribute_shares
          where $of_period and dimension = 'licence' and (within = 'all' or list_contains($leading, within))
        )
        select within, member, share, downloads, models,
          max(coverage) filter (within = 'all') over () as coverage,
          max(denominator) filter (within = 'all') over () as denominator
        from licences
        order by within <> 'all', list_position($leading, within),
          max(downloads) filter (within = 'all') over (partition by member) desc, member
    """,
    columns=(Shown("within", "downloads of", "country"), Shown("member", "licence", "member"), SHARE, *AMOUNTS),
    chart=Chart("bars", "member", "share", group="within"),
    denominator="downloads; countries: of their own downloads",
    coverage="of downloads with a declared licence",
)

MODALITY_FIGURE = _of_attribute(
    "modality",
    "Modality",
    "Of the downloads of the population in the period, the part of each modality, by the models' declared task.",
    place=80,
    sql=f"{_ATTRIBUTE} order by downloads desc, member",
    columns=(Shown("member", "modality", "member"), SHARE, *AMOUNTS),
    views={"By uploader": {"attribution": "uploader", "dimension": "modality"}},
    coverage="of downloads of known modality",
)
SIZES_FIGURE = _of_attribute(
    "sizes",
    "Model sizes",
    "Of the downloads of the population in the period, the part of models with so many parameters (B: billion).",
    place=90,
    sql=f"{_ATTRIBUTE} order by {_BY_SIZE}",
    columns=(Shown("member", "parameters", "member"), SHARE, *AMOUNTS),
    views={"By uploader": {"attribution": "uploader", "dimension": "size_band"}},
    coverage="of downloads of known size",
)
