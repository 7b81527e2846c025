"""Group `shares`, the part that follows what the downloaded models are: licence, modality, size, and so on.

A dimension is declared here once, with its members; how a repository's member is found is `transform/attributes.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import polars as pl

from pipeline.schema.declaration import Rule, Table, TableFrames, columns_of
from pipeline.tables.columns import DEVELOPER_KINDS, RELATIONS
from pipeline.tables.shares import (
    DIMENSION,
    GROUP_COLUMNS,
    SHARE_COLUMNS,
    WITHIN,
    matches_downloads,
    shares_made_of,
    sums_to_one,
)


@dataclass(frozen=True)
class Dimension:
    """One way to divide the downloads by what the models are.

    `member` says which of `members` a repository is, over the columns of `transform.traits.counted_models`. Shares are
    stated within everything, and within each of the groups that `within` names (`country`).
    """

    name: str
    meaning: str
    members: tuple[str, ...]
    member: pl.Expr
    within: tuple[str, ...] = ()

    @property
    def code(self) -> pl.Expr:
        """The repository's member as its place among `members`."""
        return self.member.cast(pl.Enum(self.members)).to_physical()


def first_that_holds(cases: tuple[tuple[str, pl.Expr], ...], otherwise: str) -> pl.Expr:
    """The name of the first case whose condition holds."""
    names = pl.Enum([*(name for name, _ in cases), otherwise])
    found = pl.lit(otherwise, names)
    for name, condition in reversed(cases):
        found = pl.when(condition).then(pl.lit(name, names)).otherwise(found)
    return found


LICENCES = ("permissive", "copyleft", "use_restricted", "non_commercial", "custom", "none")
MODALITIES = ("text", "image", "audio", "video", "video_generation", "multimodal", "other", "unknown")
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
SIZE_BAND = first_that_holds(
    tuple((band, pl.col("parameters") >= fewest) for band, fewest in reversed(SIZE_BANDS.items())), "unknown"
)
NUMERIC_FORMATS = ("gguf", "mlx", "4_bit_and_below", "8_bit")
"""Formats that names and tags state, the telling ones first: what is both is the first."""
FORMAT = pl.Enum(("full", *NUMERIC_FORMATS, "quantized_otherwise"))
GATES = {"false": "open", "auto": "automatic", "manual": "manual"}
_GATE = pl.Enum((*GATES.values(), "unknown"))
COHORTS = tuple(str(year) for year in range(2022, 2060))
_COHORT = pl.Enum((*COHORTS, "unknown"))
DERIVATION = pl.Enum(("original", *RELATIONS))
INTERMEDIARY_KINDS = ("re_uploader", "quantizer", "adapter_publisher", "mixed")
INTERMEDIARY = pl.Enum((*INTERMEDIARY_KINDS, "no"))

_IS_PERMISSIVE = pl.col("licence") == "permissive"
_NAMES_DATA = pl.col("names_training_data")

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
        tuple(FORMAT.categories),
        pl.coalesce(
            "numeric_format",
            pl.when(pl.col("relation") == "quantized").then(pl.lit("quantized_otherwise", FORMAT)),
            pl.lit("full", FORMAT),
        ),
    ),
    Dimension(
        "architecture",
        "`mixture_of_experts` where tags or name say so, by `reference/expert_architectures.csv`; else `dense`, so "
        "that the first is a lower bound",
        ("mixture_of_experts", "dense"),
        first_that_holds((("mixture_of_experts", pl.col("is_mixture_of_experts")),), "dense"),
    ),
    Dimension(
        "derivation",
        "The relation to the first declared parent; `original`: no parent is declared",
        tuple(DERIVATION.categories),
        pl.col("relation").fill_null("original"),
    ),
    Dimension(
        "gated",
        "Whether access must be asked for; `unknown`: the source does not say",
        tuple(_GATE.categories),
        pl.col("gated").cast(pl.Enum(tuple(GATES)), strict=False).to_physical().fill_null(len(GATES)).cat.to(_GATE),
    ),
    Dimension(
        "creation_year",
        "Year of creation as the Hub states it; 2022 holds everything before it too, for the Hub has kept creation "
        "dates since March 2022",
        tuple(_COHORT.categories),
        (pl.col("created_at").dt.year().clip(2022, 2059) - 2022).fill_null(len(COHORTS)).cast(pl.UInt8).cat.to(_COHORT),
    ),
    Dimension(
        "developer_kind",
        "What the developer is, by the registry",
        (*DEVELOPER_KINDS, "unmapped"),
        pl.col("kind"),
    ),
    Dimension(
        "openness",
        "A proxy from tags alone: training data counts as declared where the repository names a data set; what cards "
        "say in prose is not read",
        ("weights_only", "with_training_data", "with_training_data_and_permissive_licence"),
        first_that_holds(
            (
                ("with_training_data_and_permissive_licence", _NAMES_DATA & _IS_PERMISSIVE),
                ("with_training_data", _NAMES_DATA),
            ),
            "weights_only",
        ),
    ),
    Dimension(
        "intermediary",
        "Whether the namespace mostly re-uploads, quantises or adapts others' models, as in `shares/intermediaries`; "
        "`no`: it does not",
        tuple(INTERMEDIARY.categories),
        pl.col("intermediary").fill_null("no"),
    ),
)
DIMENSION_NAMES = tuple(dimension.name for dimension in DIMENSIONS)
ATTRIBUTE_GROUP_COLUMNS = (*GROUP_COLUMNS, "within")


def _members_declared(frames: TableFrames) -> pl.LazyFrame:
    declared = pl.LazyFrame(
        [(dimension.name, member) for dimension in DIMENSIONS for member in dimension.members],
        schema={"dimension": pl.String, "member": pl.String},
        orient="row",
    )
    return frames.scan("shares/attribute_shares").join(declared, on=["dimension", "member"], how="anti")


SIZE_STATED = columns_of("listings/hub_snapshots", "model_id", "safetensors_parameters", "gguf_parameters")
"""What a model's size is read from."""
HANDED_ON = (
    *columns_of("listings/hub_snapshots", "model_id"),
    *columns_of("lineage/derivations", "parent_model_id", "relation"),
    *columns_of("lineage/model_lineage", "is_derivative"),
    *columns_of("attribution/model_attribution", "namespace"),
)
"""What says whether a namespace mostly hands on others' models."""
_TRAITS = (
    *SIZE_STATED,
    *columns_of("listings/hub_snapshots", "license", "pipeline_tag", "library_name", "gated", "tags"),
    *columns_of("listings/model_downloads", "created_at"),
    *columns_of("attribution/model_attribution", "kind"),
    *(column for column in HANDED_ON if column not in SIZE_STATED),
)

ATTRIBUTE_SHARES = Table(
    group="shares",
    name="attribute_shares",
    grain="population, dimension, whole or country, and member",
    description="What the downloaded models are, one dimension after the other. "
    + " ".join(f"`{dimension.name}`: {dimension.meaning}." for dimension in DIMENSIONS),
    columns=(*SHARE_COLUMNS[:6], replace(DIMENSION, values=DIMENSION_NAMES), WITHIN, *SHARE_COLUMNS[7:]),
    key=("window", "population", "attribution", "dimension", "within", "member"),
    warnings=(
        "Shares are not additive: add `downloads` and `denominator`, divide last.",
        "Dimensions describe the same downloads, and countries the same as `all`: choose one of each before adding up.",
        "Attributes are what uploaders declare: nobody checks them.",
    ),
    rules=(
        sums_to_one("shares/attribute_shares", ATTRIBUTE_GROUP_COLUMNS),
        matches_downloads("shares/attribute_shares"),
        Rule("members_declared", "Every member is one that its dimension declares.", _members_declared),
    ),
    made_of={
        **shares_made_of(_TRAITS),
        "within": columns_of("attribution/model_attribution", "country"),
    },
)

TABLES = (ATTRIBUTE_SHARES,)
