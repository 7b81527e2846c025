"""What repositories declare: every reference to a base model, from every place where one can stand, and what it is.

The Hub's own rule for names: letters, digits, `-`, `_` and `.`, at most 96 of them, after an optional namespace.
Everything else that stands in the place of a name is recognised for what it is: a folder on somebody's disk, an
address, a name with a revision, or nothing that could be a name.
"""

from collections.abc import Collection

import polars as pl

from assets.columns import text
from assets.listings.hub_snapshots import BASE_MODEL_TAG

EVIDENCE = ("base_models", "typed_tag", "untyped_tag", "card")
"""Where a derivation can be declared, in order of trust."""
PLACE = text("evidence", f"Where it is declared, in order of trust: {', '.join(EVIDENCE)}.", values=EVIDENCE)
WHERE = pl.Enum(EVIDENCE)

_HUB_HOSTS = r"(?:www\.)?(?:huggingface\.co|hf\.co|hf-mirror\.com)"
_HUB_ADDRESS = rf"^(?i:(?:https?://)?{_HUB_HOSTS}/|hf://)(?:models/)?"
_HUB_PAGES_OF_NO_MODEL = r"^(?:datasets|spaces|collections|papers|docs|blog|organizations|settings|api)/"
_ADDRESS = r"^(?i:[a-z][a-z0-9+.-]+://|www\.)"
_LOCAL_PATH = r"^(?:/|\.{1,2}(?:[/\\]|$)|~|[A-Za-z]:[/\\]|(?i:file:))|\\"
_REVISION = r"(?:@[^/]*|:[^/]*|/(?:tree|blob|resolve|raw|commit)/.*|[?#].*)$"
_FOLDERS = r"^[^/]+/[^/]+/."
_NAME = r"^(?:[A-Za-z0-9_.-]*[A-Za-z0-9][A-Za-z0-9_.-]*/)?[A-Za-z0-9_.-]*[A-Za-z0-9][A-Za-z0-9_.-]*$"
_LONGEST_NAME = 96
_PLACEHOLDER = r"^(?i:none|null|nil|n/?a|unknown|tbd|todo)$"


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


def read_names(texts: pl.LazyFrame) -> pl.LazyFrame:
    """What each text in the column `text` is: adds `form` and, where the form is `name`, `name`.

    `form` is `name`, `local_path`, `url` (an address that leads to no model of the Hub) or `malformed`. Addresses of
    models on the Hub are names; revisions are cut off. Two words with one slash between them read as a name even
    where a folder was meant (`output/checkpoint-500`): the text alone does not tell.
    """
    text = pl.col("text").fill_null("").str.strip_chars(" \t\r\n\"'`")
    is_hub_address = text.str.contains(_HUB_ADDRESS)
    inside_hub = text.str.replace(_HUB_ADDRESS, "")
    leads_to_model = is_hub_address & ~inside_hub.str.contains(_HUB_PAGES_OF_NO_MODEL)
    name = pl.when(leads_to_model).then(inside_hub).otherwise(text).str.replace(_REVISION, "").str.strip_chars_end("/")
    form = (
        pl.when(~is_hub_address & text.str.contains(_LOCAL_PATH))
        .then(pl.lit("local_path"))
        .when(~leads_to_model & (is_hub_address | text.str.contains(_ADDRESS)))
        .then(pl.lit("url"))
        .when(name.str.contains(_FOLDERS))
        .then(pl.lit("local_path"))
        .when(_is_name(name))
        .then(pl.lit("name"))
        .when(is_hub_address)
        .then(pl.lit("url"))
        .otherwise(pl.lit("malformed"))
    )
    return texts.with_columns(form.alias("form"), name.alias("name")).with_columns(
        pl.when(pl.col("form") == "name").then(pl.col("name")).alias("name")
    )


def _is_name(name: pl.Expr) -> pl.Expr:
    last_part = name.str.split("/").list.last()
    return name.str.contains(_NAME) & (last_part.str.len_chars() <= _LONGEST_NAME) & ~name.str.contains(_PLACEHOLDER)
