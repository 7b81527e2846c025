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


def _without_namespace(name: str) -> pl.Expr:
    return pl.col(name).str.replace(r"^[^/]+/", "").str.to_lowercase()


_WAY = (
    pl.when(_without_namespace("child_model_id") == _without_namespace("parent_model_id"))
    .then(pl.lit("re_uploaded"))
    .when(pl.col("relation") == "quantized")
    .then(pl.lit("quantized"))
    .when(pl.col("relation").is_in(["adapter", "merge"]))
    .then(pl.lit("adapted"))
)
REDISTRIBUTED = pl.when(~pl.col("is_first_party")).then(_WAY).cast(REDISTRIBUTED_AS.type).alias(REDISTRIBUTED_AS.name)
"""Of a derivative, by the names of it and its first parent. A re-upload bears the parent's own name; full fine-tunes
are models of their own."""


def intermediaries(models: pl.LazyFrame) -> pl.LazyFrame:
    """Every namespace that is one, with what it is; `models` have `namespace` and `redistributed_as`."""
    enough = pl.col("repositories") * MOSTLY
    kind = pl.lit("mixed")
    for name, way in _KINDS.items():
        kind = pl.when(pl.col(way) > enough).then(pl.lit(name)).otherwise(kind)
    return (
        models.drop_nulls("namespace")
        .group_by("namespace")
        .agg(
            pl.len().alias("repositories"),
            *((pl.col("redistributed_as") == way).sum().alias(way) for way in _KINDS.values()),
        )
        .filter(pl.col("repositories") >= FEWEST_REPOSITORIES, pl.sum_horizontal(*_KINDS.values()) > enough)
        .select("namespace", kind.cast(INTERMEDIARY.type).alias("intermediary"))
    )
