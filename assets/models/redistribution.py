"""Who mostly hands on others' models: re-uploaded, quantised or adapted."""

from __future__ import annotations

import polars as pl

from pipeline.schema.declaration import Column

FEWEST_REPOSITORIES = 10
MOSTLY = 0.5
_KINDS = {"re_uploader": "re_uploaded", "quantizer": "quantized", "adapter_publisher": "adapted"}
"""What a namespace is that mostly hands models on in one way; in several ways it is `mixed`."""

INTERMEDIARY_KINDS = (*_KINDS, "mixed")

REDISTRIBUTED_AS = Column(
    "redistributed_as",
    pl.Enum(tuple(_KINDS.values())),
    "How the repository hands on another developer's model; absent where it does not.",
    nullable=True,
)
INTERMEDIARY = Column(
    "intermediary",
    pl.Enum(INTERMEDIARY_KINDS),
    f"What the namespace is if more than half of its repositories, of {FEWEST_REPOSITORIES} or more, hand models on.",
    nullable=True,
)


def redistributed_as() -> pl.Expr:
    """`REDISTRIBUTED_AS` of a derivative, over `is_first_party`, `relation` and the names of it and its first parent.

    A re-upload bears the parent's own name. Full fine-tunes are models of their own.
    """
    own_name, parents_name = (
        pl.col(name).str.replace(r"^[^/]+/", "").str.to_lowercase() for name in ("model_id", "parent_model_id")
    )
    way = (
        pl.when(own_name == parents_name)
        .then(pl.lit("re_uploaded"))
        .when(pl.col("relation") == "quantized")
        .then(pl.lit("quantized"))
        .when(pl.col("relation").is_in(["adapter", "merge"]))
        .then(pl.lit("adapted"))
    )
    return pl.when(~pl.col("is_first_party")).then(way).cast(REDISTRIBUTED_AS.type)


def intermediaries(models: pl.LazyFrame) -> pl.LazyFrame:
    """Every namespace that is one, with what it is; `models` have `namespace` and `redistributed_as`."""
    ways = {way: pl.col("redistributed_as") == way for way in _KINDS.values()}
    handing_on = (
        models.drop_nulls(["namespace", "redistributed_as"])
        .group_by("namespace")
        .agg(*(holds.sum().alias(way) for way, holds in ways.items()))
        .filter(pl.sum_horizontal(*ways) > FEWEST_REPOSITORIES * MOSTLY)
    )
    repositories = (
        models.select("namespace").join(handing_on, on="namespace", how="semi").group_by("namespace").agg(pl.len())
    )
    enough = pl.col("len") * MOSTLY
    kind = pl.lit("mixed")
    for name, way in _KINDS.items():
        kind = pl.when(pl.col(way) > enough).then(pl.lit(name)).otherwise(kind)
    return (
        handing_on.join(repositories, on="namespace")
        .filter(pl.col("len") >= FEWEST_REPOSITORIES, pl.sum_horizontal(*ways) > enough)
        .select("namespace", kind.cast(INTERMEDIARY.type).alias("intermediary"))
    )
