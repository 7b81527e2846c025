"""The planted truth of who derives from whom: edges, roots, families and flows between countries."""

from __future__ import annotations

import polars as pl

from synthetic_hub.downloads import ABSENT, DISAPPEARED
from synthetic_hub.planted import EXACT, Planted, exact_sum
from synthetic_hub.population import RELATIONS
from synthetic_hub.timeline import MONTHS, month_number, month_of


def edges(planted: Planted) -> pl.DataFrame:
    """Grain: child x stated parent.

    Ids and names at the end (the parent's id null where nobody lists it); `named_as` (the parent as tags and card name
    it: by its name when the child was made); `relation` (one of `RELATIONS`; `unspecified`: not stated; `other`: a free
    text); `relation_stated` (by the tags, or null); `evidence` (`typed, untyped, free_text`: by tags; `card`: by the
    card alone); `carries_origin` (false for a statement about oneself or inside a cycle, which has a root of its own).
    """
    said = planted.stated.unique(["child", "parent_id"], maintain_order=True)
    hub_id, model_id = planted.identity.hub_id, planted.identity.model_id
    return said.select(
        hub_id.gather(said["child"]).alias("child_hub_id"),
        model_id.gather(said["child"]).alias("child_model_id"),
        hub_id.gather(said["parent"]).alias("parent_hub_id"),
        pl.col("parent_id").alias("parent_model_id"),
        pl.col("named").alias("named_as"),
        "relation",
        "relation_stated",
        "evidence",
        pl.col("origin").alias("carries_origin"),
    )


def roots(planted: Planted) -> pl.DataFrame:
    """Grain: derivative x root. `hub_id, root_model_id, root_namespace` (null where the name has none), `weight`.

    The weight is the part of the derivative's downloads that the root is the origin of; it sums to 1 by derivative.
    """
    hub_id = planted.identity.hub_id.gather(planted.origins["child"])
    return planted.origins.select(hub_id.alias("hub_id"), "root_model_id", "root_namespace", "weight")


def _derivations(planted: Planted, month: int) -> pl.DataFrame:
    """Grain: listed derivative x root in a month, with its weight and what it counts."""
    case = pl.Series(planted.downloads.case[month])
    listed = planted.origins.filter(~case.gather(planted.origins["child"]).is_in([ABSENT, DISAPPEARED]))
    country = planted.accounts_on(month)["country"]
    created = pl.Series(month_of(planted.repositories.created)).gather(listed["child"])
    account = pl.Series(planted.repositories.account).gather(listed["child"])
    measured = pl.Series(planted.downloads.measured(month)).gather(listed["child"])
    return listed.with_columns(
        pl.lit(MONTHS[month]).alias("month"),
        pl.when(created == month_number(MONTHS[month])).then("weight").otherwise(0.0).alias("new"),
        country.gather(listed["root_account"]).alias("base_country"),
        country.gather(account).alias("derivative_country"),
        (measured * pl.col("weight")).alias("downloads"),
    )


def families(planted: Planted) -> pl.DataFrame:
    """Grain: month x root with derivatives, all by weight.

    `new_derivatives` (created in the month and listed at its close); `derivatives` (listed then), and those by
    relation; `downloads` (of the root and of its derivatives); of these, those of derivatives, and of quantised ones.
    """
    parts = []
    numbers = pl.int_range(planted.repositories.size, eager=True)
    is_root = ~numbers.is_in(planted.origins["child"].implode())
    for month in range(len(MONTHS)):
        own = pl.DataFrame({"root": numbers, "own": planted.downloads.measured(month)}).filter(is_root)
        parts.append(
            _derivations(planted, month)
            .group_by("month", "root", "root_model_id", "root_namespace")
            .agg(
                exact_sum("new").alias("new_derivatives"),
                exact_sum("weight").alias("derivatives"),
                *[
                    _exact_sum_of("weight", name).alias(f"derivatives_{name}")
                    for name in (*RELATIONS, "unspecified", "other")
                ],
                exact_sum("downloads").alias("downloads_derivatives"),
                _exact_sum_of("downloads", "quantized").alias("downloads_quantized"),
            )
            .join(own, on="root", how="left")
            .sort("root")
            .with_columns((pl.col("own").fill_null(0.0) + pl.col("downloads_derivatives")).alias("downloads"))
        )
    return pl.concat(parts).drop("root", "own")


def flows(planted: Planted) -> pl.DataFrame:
    """Grain: month x country of the root x country of the derivative's uploader, all by weight.

    `new_derivatives` (created in the month and listed at its close), of these `new_finetunes`; `derivatives` (listed
    then), and their `downloads`.
    """
    parts = [
        _derivations(planted, month)
        .group_by("month", "base_country", "derivative_country")
        .agg(
            exact_sum("new").alias("new_derivatives"),
            _exact_sum_of("new", "finetune").alias("new_finetunes"),
            exact_sum("weight").alias("derivatives"),
            exact_sum("downloads"),
        )
        .sort("base_country", "derivative_country")
        for month in range(len(MONTHS))
    ]
    return pl.concat(parts)


def _exact_sum_of(column: str, relation: str) -> pl.Expr:
    return pl.col(column).filter(pl.col("relation") == relation).cast(EXACT).sum().cast(pl.Float64)
