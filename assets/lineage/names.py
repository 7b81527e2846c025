"""How developers write the name of a base model, and what they mean by it.

The Hub's own rule for names: letters, digits, `-`, `_` and `.`, at most 96 of them, after an optional namespace.
Everything else that stands in the place of a name is recognised for what it is: a folder on somebody's disk, an
address, a name with a revision, or nothing that could be a name.
"""

from __future__ import annotations

import polars as pl

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
