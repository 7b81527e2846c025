"""Derivatives that a developer makes of their own models."""

from __future__ import annotations

import polars as pl

from assets.expressions import namespace_of

_STAND_FOR_MANY = ("unaffiliated", "unmapped")
"""Members that stand for many developers: two repositories of theirs are one developer's only in one namespace."""


def first_party(
    derivations: pl.LazyFrame, model_attribution: pl.LazyFrame, root_attribution: pl.LazyFrame
) -> pl.LazyFrame:
    """Whether all direct parents of each derivative are its own developer's: `hub_id`, `is_first_party`.

    Arguments are the tables of those names in one month. Two repositories have one developer if their organisation is
    the same; where it is not known of either, if their namespace is the same. A repository without a namespace is a
    namespace by itself.
    """
    owner = pl.coalesce("namespace", pl.col("^(model_id|root_model_id)$")).alias("owner")
    organizations = pl.concat(
        frame.filter(~pl.col("organization").is_in(_STAND_FOR_MANY)).select(owner, "organization").unique()
        for frame in (model_attribution, root_attribution)
    ).unique("owner")
    edges = derivations.select("child_hub_id", *(_owner(side) for side in ("child", "parent")))
    for side in ("child", "parent"):
        of_side = organizations.rename({"owner": side, "organization": f"{side}_organization"})
        edges = edges.join(of_side, on=side, how="left")
    own_organization = pl.col("child_organization") == pl.col("parent_organization")
    none_known = pl.all_horizontal(pl.col("child_organization", "parent_organization").is_null())
    is_own = own_organization.fill_null(none_known & (pl.col("child") == pl.col("parent")))
    return edges.group_by(pl.col("child_hub_id").alias("hub_id")).agg(is_own.all().alias("is_first_party"))


def _owner(side: str) -> pl.Expr:
    name = pl.col(f"{side}_model_id")
    return pl.coalesce(namespace_of(name), name).alias(side)
