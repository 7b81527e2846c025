"""What repositories declare: every reference to a base model, from every place where one can stand.

The Hub repeats itself: what a card declares stands again, resolved, in `baseModels`, in typed tags and in untyped
ones, in the same order. Where a place says word for word what a more trusted one of the same repository says, its
references are counted and not looked up again.
"""

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
    """Every reference of a listing that no more trusted place of the same repository repeats.

    Args:
        listing: columns `base_models`, `base_model_relation`, `lineage_tags` and `card_base_models`, one row per
            repository. Absent and empty lists declare nothing; an empty text is a reference, if a malformed one.
        relation_words: the words that a typed tag may have before the parent's name, in lower case.

    Returns:
        `child` (the row of the repository), `evidence`, `declared`, `declared_hub_id`, `relation_declared`, and
        `repeated_in`: the other places that say the same. Sorted by evidence in order of trust, then by child, then
        in the declarer's order.
    """
    places = _with_repetitions(_declared(listing.lazy().with_row_index("child"), relation_words)).collect()
    return pl.concat(_exploded(places.lazy(), place) for place in EVIDENCE).collect()


def _declared(rows: pl.LazyFrame, relation_words: Collection[str]) -> pl.LazyFrame:
    """The names that each place lists, repository by repository; those that declare nothing are left out."""
    text = pl.element()
    hub = pl.col("base_models").list.eval(text.filter(text.is_not_null()))
    tags = pl.col("lineage_tags").list.eval(
        text.filter(text.str.starts_with(BASE_MODEL_TAG)).str.slice(len(BASE_MODEL_TAG))
    )
    is_typed = _is_typed(text, relation_words)
    return (
        rows.select(
            "child",
            pl.col("base_model_relation").alias("relation"),
            hub.list.eval(text.struct.field("model_id").fill_null("")).alias("base_models"),
            hub.list.eval(text.struct.field("hub_id")).alias("hub_ids"),
            tags.list.eval(text.filter(is_typed)).alias("typed"),
            tags.list.eval(text.filter(~is_typed)).alias("untyped_tag"),
            pl.col("card_base_models").list.eval(text.filter(text.is_not_null())).alias("card"),
        )
        .filter(pl.any_horizontal(pl.col("base_models", "typed", "untyped_tag", "card").list.len() > 0))
        .with_columns(
            pl.col("typed").list.eval(_split(text, 0)).alias("words"),
            pl.col("typed").list.eval(_split(text, 1)).alias("typed_tag"),
        )
    )


def _is_typed(text: pl.Expr, relation_words: Collection[str]) -> pl.Expr:
    """Whether the text of a tag is a relation, a colon and a name.

    A colon also stands in `https://...`, in `C:/models` and before a version, as in `name:latest`: an unknown word is
    taken for a relation only where a name with a namespace follows it.
    """
    known = "|".join(pl.escape_regex(word) for word in sorted(relation_words))
    return text.str.contains(rf"^(?:{known}):|^[^/:]{{2,}}:[^/]+/")


def _split(text: pl.Expr, part: int) -> pl.Expr:
    return text.str.splitn(":", 2).struct.field(f"field_{part}")


def _with_repetitions(places: pl.LazyFrame) -> pl.LazyFrame:
    """Adds `leading`, the most trusted place that declares anything, and `repeated_in`, those that say the same."""
    leading = pl.coalesce(pl.when(pl.col(place).list.len() > 0).then(pl.lit(place, WHERE)) for place in EVIDENCE)
    names = pl.coalesce(pl.when(pl.col(place).list.len() > 0).then(place) for place in EVIDENCE)
    same_relation = {
        "typed_tag": (pl.col("words").list.n_unique() == 1)
        & pl.col("words").list.first().eq_missing(pl.col("relation")),
        "card": (leading == EVIDENCE[0]) | pl.col("relation").is_null(),
    }
    repeats = (
        pl.when((leading != place) & (pl.col(place) == names) & same_relation.get(place, pl.lit(value=True)))
        .then(pl.lit(place, WHERE))
        .alias(place)
        for place in EVIDENCE[1:]
    )
    return places.with_columns(
        leading.alias("leading"), pl.concat_list(*repeats).list.drop_nulls().alias("repeated_in")
    )


def _exploded(places: pl.LazyFrame, place: str) -> pl.LazyFrame:
    """One row per reference in a place that repeats no other."""
    lists = {"base_models": "hub_ids", "typed_tag": "words"}
    unknown = pl.lit(None, pl.String)
    relation = {"base_models": pl.col("relation"), "typed_tag": pl.col("words"), "card": pl.col("relation")}
    nowhere = pl.lit([], pl.List(WHERE))
    return (
        places.filter(~pl.col("repeated_in").list.contains(pl.lit(place, WHERE)) & (pl.col(place).list.len() > 0))
        .explode(place, *([lists[place]] if place in lists else []))
        .select(
            "child",
            pl.lit(place, WHERE).alias("evidence"),
            pl.col(place).alias("declared"),
            (pl.col("hub_ids") if place == "base_models" else unknown).alias("declared_hub_id"),
            relation.get(place, unknown).alias("relation_declared"),
            pl.when(pl.col("leading") == place).then("repeated_in").otherwise(nowhere).alias("repeated_in"),
        )
    )
