"""What repositories declare: every reference to a base model, from every place where one can stand."""

from __future__ import annotations

from collections.abc import Collection

import polars as pl

from assets.listings.hub_snapshots import BASE_MODEL_TAG
from pipeline.schema.declaration import Column

EVIDENCE = ("base_models", "typed_tag", "untyped_tag", "card")
"""Where a derivation can be declared, in order of trust."""
PLACE = Column(
    "evidence", pl.String, f"Where it is declared, in order of trust: {', '.join(EVIDENCE)}.", values=EVIDENCE
)
WHERE = pl.Enum(EVIDENCE)


def read_references(listing: pl.DataFrame, relation_words: Collection[str]) -> pl.DataFrame:
    """Every reference of a listing: sorted by evidence in order of trust, then by child, then in the declarer's order.

    Args:
        listing: columns `base_models`, `base_model_relation`, `lineage_tags` and `card_base_models`, one row per
            repository. Absent and empty lists declare nothing; an empty text is a reference, if a malformed one.
        relation_words: the words that a typed tag may have before the parent's name, in lower case.

    Returns:
        `child` (the row of the repository), `evidence`, `declared`, `declared_hub_id` and `relation_declared`.
    """
    rows = listing.lazy().with_row_index("child")
    relation = pl.col("base_model_relation").alias("relation_declared")
    hub = pl.col("base_models").struct
    by_hub = (
        rows.select("child", "base_models", relation).explode("base_models").filter(pl.col("base_models").is_not_null())
    )
    tags = rows.select("child", tag="lineage_tags").explode("tag").filter(pl.col("tag").str.starts_with(BASE_MODEL_TAG))
    texts = tags.select("child", declared=pl.col("tag").str.slice(len(BASE_MODEL_TAG))).with_columns(
        _is_typed(pl.col("declared"), relation_words).alias("is_typed")
    )
    word_and_name = pl.col("declared").str.splitn(":", 2).struct
    places = {
        "base_models": by_hub.select(
            "child",
            "relation_declared",
            declared=hub.field("model_id").fill_null(""),
            declared_hub_id=hub.field("hub_id"),
        ),
        "typed_tag": texts.filter("is_typed").select(
            "child", declared=word_and_name.field("field_1"), relation_declared=word_and_name.field("field_0")
        ),
        "untyped_tag": texts.filter(~pl.col("is_typed")).drop("is_typed"),
        "card": rows.select("child", relation, declared="card_base_models")
        .explode("declared")
        .filter(pl.col("declared").is_not_null()),
    }
    return pl.concat(
        (found.with_columns(pl.lit(place, WHERE).alias("evidence")) for place, found in places.items()), how="diagonal"
    ).collect()


def _is_typed(text: pl.Expr, relation_words: Collection[str]) -> pl.Expr:
    """Whether the text of a tag is a relation, a colon and a name.

    A colon also stands in `https://...`, in `C:/models` and before a version, as in `name:latest`: an unknown word is
    taken for a relation only where a name with a namespace follows it.
    """
    known = "|".join(pl.escape_regex(word) for word in sorted(relation_words))
    return text.str.contains(rf"^(?:{known}):|^[^/:]{{2,}}:[^/]+/")
