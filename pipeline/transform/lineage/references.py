"""What repositories declare: every reference to a base model, from every place where one can stand.

The Hub repeats itself: what a card declares stands again, resolved, in `baseModels`, in typed tags and in untyped
ones, in the same order. Three references of four are therefore word for word what a more trusted place says, and are
recognised here as repeats before anything is looked up.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.tables.lineage import EVIDENCE
from pipeline.tables.listings import BASE_MODEL_TAG
from pipeline.transform.lineage.names import parts_at


@dataclass(frozen=True)
class References:
    """The references that a listing declares.

    `distinct` has one row per reference that no more trusted one repeats word for word: `child` (the declaring
    repository's row in the listing), `evidence`, `declared`, `declared_hub_id`, `relation_declared`; by evidence in
    order of trust, then by child, then in the declarer's order. `repeats` counts the others: `reference` (the row of
    `distinct` that says the same), `evidence`.
    """

    distinct: pl.DataFrame
    repeats: pl.DataFrame


def read_listing(snapshots: pl.LazyFrame) -> pl.DataFrame:
    """The snapshot reduced to what lineage needs, one row per repository.

    `derivation_hint` is `distilled` where the repository's own name or its tags say so.
    """
    return (
        snapshots.select(
            "month",
            "hub_id",
            "model_id",
            "base_model_relation",
            "base_models",
            "lineage_tags",
            "card_base_models",
            _derivation_hint(),
        )
        .collect(engine="streaming")
        .rechunk()
    )


def _derivation_hint() -> pl.Expr:
    """`distilled` by a tag that is about no base model, or by the last part of the name."""
    in_tags = pl.col("lineage_tags").list.eval(~pl.element().str.starts_with(BASE_MODEL_TAG)).list.any()
    # The plain search is many times faster than the pattern, and almost all names fail it.
    may_be_in_name = pl.col("model_id").str.contains_any(["distil"], ascii_case_insensitive=True)
    in_name = pl.when(may_be_in_name).then("model_id").str.contains(r"(?i)distil[^/]*$")
    says_so = in_name.fill_null(value=False) | in_tags.fill_null(value=False)
    return pl.when(says_so).then(pl.lit("distilled")).alias("derivation_hint")


def read_references(listing: pl.DataFrame, relation_words: Collection[str]) -> References:
    """Every reference of the listing's repositories (see `read_listing`).

    `relation_words` are the words that a typed tag may have before the parent's name, in lower case. Absent and empty
    lists declare nothing; an empty text is a reference, if a malformed one.
    """
    rows = listing.lazy().with_row_index("child")
    places = [_base_model_references(rows), *_tag_references(rows, relation_words), _card_references(rows)]
    return _without_repeats(pl.collect_all(places), listing.height)


def _base_model_references(rows: pl.LazyFrame) -> pl.LazyFrame:
    return (
        _exploded(rows, "base_models", "base_model_relation")
        .unnest("base_models")
        .select(
            "child",
            _evidence("base_models"),
            pl.col("model_id").fill_null("").alias("declared"),
            pl.col("hub_id").alias("declared_hub_id"),
            pl.col("base_model_relation").alias("relation_declared"),
        )
    )


def _tag_references(rows: pl.LazyFrame, relation_words: Collection[str]) -> tuple[pl.LazyFrame, pl.LazyFrame]:
    """The references in typed tags and those in untyped ones."""
    tags = (
        _exploded(rows, "lineage_tags")
        .filter(pl.col("lineage_tags").str.starts_with(BASE_MODEL_TAG))
        .select("child", pl.col("lineage_tags").str.slice(len(BASE_MODEL_TAG)).alias("declared"))
    )
    with_colon = pl.col("declared").str.contains(":", literal=True)
    before, after = parts_at(pl.col("declared"), ":")
    split = tags.filter(with_colon).with_columns(before.alias("word"), after.alias("rest"))
    word, rest = pl.col("word"), pl.col("rest")
    # A colon also stands in `https://...`, in `C:/models` and before a version, as in `name:latest`: an unknown word
    # is taken for a relation only where a name with a namespace follows it.
    plausible = (
        (word.str.len_bytes() > 1)
        & ~word.str.contains("/", literal=True)
        & rest.str.contains("/", literal=True)
        & ~rest.str.starts_with("/")
    )
    is_typed = word.is_in(sorted(relation_words)) | plausible
    typed = split.filter(is_typed).select(
        "child",
        _evidence("typed_tag"),
        rest.alias("declared"),
        *_unknown("declared_hub_id"),
        word.alias("relation_declared"),
    )
    untyped = pl.concat([tags.filter(~with_colon), split.filter(~is_typed).select("child", "declared")]).select(
        "child", _evidence("untyped_tag"), "declared", *_unknown("declared_hub_id", "relation_declared")
    )
    return typed, untyped


def _card_references(rows: pl.LazyFrame) -> pl.LazyFrame:
    return _exploded(rows, "card_base_models").select(
        "child",
        _evidence("card"),
        pl.col("card_base_models").alias("declared"),
        *_unknown("declared_hub_id", "relation_declared"),
    )


def _exploded(rows: pl.LazyFrame, column: str, *beside: str) -> pl.LazyFrame:
    """One row per element of a list column; nulls in a list declare nothing."""
    return (
        rows.select("child", *beside, column)
        .explode(column, empty_as_null=False, keep_nulls=False)
        .filter(pl.col(column).is_not_null())
    )


def _evidence(name: str) -> pl.Expr:
    return pl.lit(name, pl.Enum(EVIDENCE)).alias("evidence")


def _unknown(*names: str) -> list[pl.Expr]:
    return [pl.lit(None, pl.String).alias(name) for name in names]


def _without_repeats(sources: list[pl.DataFrame], children: int) -> References:
    """Sets apart what repeats, place by place, the most trusted source in which the same child declares anything.

    Each source comes with the references of one child together, in the declarer's order.
    """
    leads = np.zeros(children, dtype=bool)
    leading_parts, others = [], []
    for source in sources:
        child = source["child"].to_numpy()
        is_led = leads[child]
        leading_parts.append(source.filter(~is_led))
        others.append(source.filter(is_led))
        leads[child] = True
    leading = pl.concat(leading_parts, rechunk=True)
    begin = _run_begins(leading["child"].to_numpy(), children)
    count = np.bincount(leading["child"], minlength=children)
    rest, repeats = [], []
    for other in others:
        child = other["child"].to_numpy()
        place = places_in_runs(child, children)
        there = pl.Series(begin[child] + place, dtype=pl.UInt32).set(pl.Series(place >= count[child]), None)
        counterpart = leading.select("declared", "relation_declared")[there]
        is_repeat = (other["declared"] == counterpart["declared"]).fill_null(value=False) & (
            other["relation_declared"].is_null()
            | other["relation_declared"].eq_missing(counterpart["relation_declared"])
        )
        rest.append(other.filter(~is_repeat))
        repeats.append(other.select("evidence", there.alias("reference")).filter(is_repeat))
    return References(distinct=pl.concat([leading, *rest], rechunk=True), repeats=pl.concat(repeats))


def places_in_runs(child: NDArray[np.uint32], children: int) -> NDArray[np.int64]:
    """The place of each entry in its child's run, from 0; equal children stand together."""
    return np.arange(len(child)) - _run_begins(child, children)[child]


def _run_begins(child: NDArray[np.uint32], children: int) -> NDArray[np.int64]:
    begins = np.zeros(children, dtype=np.int64)
    begins[child[::-1]] = np.arange(len(child) - 1, -1, -1)
    return begins
