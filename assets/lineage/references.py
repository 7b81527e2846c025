"""What repositories declare, and which repository each reference to a base model means.

The Hub's own rule for names: letters, digits, `-`, `_` and `.`, at most 96 of them, after an optional namespace.
Everything else that stands in the place of a name is recognised for what it is: a folder on somebody's disk, an
address, a name with a revision, or nothing that could be a name.

A parent is found by the Hub's id where the source gives one; else by the exact name of a listed repository; else by
what the text means: a name in other letter case, a reviewed rename, or a former name that the Hub resolves for us. A
name that leads to no listed repository stays a parent, only unlisted: a deleted or private one still has a namespace
to attribute.

The Hub takes no notice of letter case when it looks a name up, so neither do we, provided that only one listed name
fits. Repositories that share a name (a broken listing) are one parent, the first in the order of `hub_id`.

A parent is a number: below the height of the listing its row there, from there on it counts the unlisted names.
"""

from collections.abc import Callable, Collection

import polars as pl

from assets.columns import text
from assets.expressions import first_case, namespace_of
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

    `listing` has a row per repository; absent and empty lists declare nothing, an empty text is a malformed reference.
    Typed tags may have `relation_words` before the parent's name, in lower case. Of each reference it returns `child`
    (the row of the repository), `evidence`, `declared`, `declared_hub_id` and `relation_declared`.
    """
    rows = listing.lazy().with_row_index("child")
    relation = pl.col("base_model_relation").alias("relation_declared")
    hub = pl.col("base_models").struct
    by_hub = rows.select("child", "base_models", relation).explode("base_models").drop_nulls("base_models")
    tags = rows.select("child", tag="lineage_tags").explode("tag").filter(pl.col("tag").str.starts_with(BASE_MODEL_TAG))
    declared = pl.col("tag").str.slice(len(BASE_MODEL_TAG))
    texts = tags.select("child", declared=declared, is_typed=_is_typed(declared, relation_words))
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
        "card": rows.select("child", relation, declared="card_base_models").explode("declared").drop_nulls("declared"),
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
    form = first_case(
        ("local_path", ~is_hub_address & text.str.contains(_LOCAL_PATH)),
        ("url", ~leads_to_model & (is_hub_address | text.str.contains(_ADDRESS))),
        ("local_path", name.str.contains(_FOLDERS)),
        ("name", _is_name(name)),
        ("url", is_hub_address),
        otherwise="malformed",
    )
    return texts.with_columns(form.alias("form"), name.alias("name")).with_columns(
        pl.when(pl.col("form") == "name").then(pl.col("name")).alias("name")
    )


def _is_name(name: pl.Expr) -> pl.Expr:
    last_part = name.str.split("/").list.last()
    return name.str.contains(_NAME) & (last_part.str.len_chars() <= _LONGEST_NAME) & ~name.str.contains(_PLACEHOLDER)


FOUND_BY = ("hub_id", "name", "letter_case", "rename", "former_name", "unlisted")
"""How a parent was found, the surest way first."""
_HOW = pl.Enum(FOUND_BY)


def find_parents(
    references: pl.DataFrame, listing: pl.DataFrame, renames: pl.LazyFrame
) -> tuple[pl.DataFrame, pl.Series]:
    """The references with their parents, and the names of the unlisted ones; see the module for how they are found.

    `listing` has `hub_id` and `model_id`, one row per repository, in the order of `hub_id`. References keep their order
    and gain `parent` (absent where a reference names none), `found_by` and `form` (of what is found neither by id nor
    verbatim: see `read_names`). Unlisted names stand at their number less the height of the listing.
    """
    by_id = find(references["declared_hub_id"], listing["hub_id"])
    if listing["model_id"].hash().n_unique() < listing.height:
        by_id = find(listing["model_id"].gather(by_id), listing["model_id"])
    # Whatever is listed is a name, as odd as it may look.
    verbatim = find(
        references["declared"].zip_with(by_id.is_null(), pl.Series([None], dtype=pl.String)), listing["model_id"]
    )
    found = references.drop("declared_hub_id").with_columns(
        parent=pl.coalesce(by_id, verbatim),
        found_by=pl.when(by_id.is_null()).then(pl.lit("name", _HOW)).otherwise(pl.lit("hub_id", _HOW)),
        form=pl.lit(None, pl.String),
    )
    rest = found["parent"].is_null().arg_true()
    texts = found["declared"].gather(rest).alias("text").to_frame()
    read, unlisted = _read_texts(texts.lazy().unique(), listing, renames)
    by_text = texts.join(read, on="text", how="left", maintain_order="left")
    found = found.with_columns(found[name].scatter(rest, by_text[name]) for name in ("parent", "found_by", "form"))
    return _with_former_names(found, listing.height), unlisted


def find(texts: pl.Series, among: pl.Series) -> pl.Series:
    """For each text the first row where it stands among the others; absent where it does not.

    Joins on hashes are several times as fast as joins on texts. Every match is compared: where two texts have one hash,
    which only malice brings about, the texts themselves are joined.
    """

    def rows(key: Callable[[pl.Series], pl.Series]) -> pl.Series:
        there = pl.DataFrame({"key": key(among)}).with_row_index("row")
        if there["key"].n_unique() < there.height:
            there = there.unique("key", keep="first")
        wanted = pl.DataFrame({"key": key(texts)}).with_row_index("place").filter(texts.is_not_null())
        pairs = wanted.join(there, on="key")
        return pl.repeat(None, texts.len(), dtype=pl.UInt32, eager=True).scatter(pairs["place"], pairs["row"])

    found = rows(pl.Series.hash)
    return found if (among.gather(found) == texts).all() else rows(pl.Series.rechunk)


def _read_texts(texts: pl.LazyFrame, listing: pl.DataFrame, renames: pl.LazyFrame) -> tuple[pl.DataFrame, pl.Series]:
    """`text`, `parent`, `found_by` and `form` of different texts; the names that nothing listed answers to."""
    read = read_names(texts).collect().lazy()
    names = read.drop_nulls("name").select("text", "name")
    looked_up = _look_up(names, listing, renames).collect().lazy()
    # Spellings that differ in letter case only are one unlisted parent, under the smallest of them.
    folded = pl.col("name").str.to_lowercase()
    unlisted = names.join(looked_up, on="text", how="anti").select(
        "text",
        pl.col("name").min().over(folded),
        parent=(listing.height + folded.rank("dense") - 1).cast(pl.UInt32),
        found_by=pl.lit("unlisted", _HOW),
    )
    missing = unlisted.collect()
    found = pl.concat([looked_up, missing.lazy().select("text", "parent", "found_by")])
    told = read.select("text", "form").join(found, on="text", how="left")
    return told.collect(), missing.unique("parent").sort("parent")["name"]


def _look_up(names: pl.LazyFrame, listing: pl.DataFrame, renames: pl.LazyFrame) -> pl.LazyFrame:
    """The listed repository that each text, read as a `name`, most credibly means: `text`, `parent`, `found_by`."""
    own = names.select("text", wanted="name", found_by=pl.lit("name"))
    wanted = pl.concat([own, _renamed(names, renames)])
    exact = pl.col("wanted") == pl.col("model_id")
    found_by = pl.when((pl.col("found_by") == "name") & ~exact).then(pl.lit("letter_case")).otherwise("found_by")
    key = pl.col("folded").hash().alias("key")
    listed = listing.lazy().select("model_id", folded=pl.col("model_id").str.to_lowercase()).with_row_index("parent")
    folded = wanted.with_columns(folded=pl.col("wanted").str.to_lowercase())
    return (
        listed.with_columns(key)
        .join(folded.with_columns(key), on="key")
        .filter(pl.col("folded") == pl.col("folded_right"))
        .filter(exact | (pl.col("model_id").n_unique().over("text", "found_by") == 1))
        .sort("text", found_by.cast(_HOW), ~exact, "parent")
        .unique("text", keep="first", maintain_order=True)
        .select("text", "parent", found_by.cast(_HOW).alias("found_by"))
    )


def _renamed(names: pl.LazyFrame, renames: pl.LazyFrame) -> pl.LazyFrame:
    """What a reviewed rename calls a name today; a repository's own rename goes before its namespace's."""
    name, new = pl.col("name"), pl.col("renamed_to")
    moves = renames.select("kind", pl.col("renamed_from").str.to_lowercase(), "renamed_to")
    ways = {"repository": (name, new), "namespace": (namespace_of(name), new + name.str.replace(r"^[^/]*", ""))}
    by_kind = [
        names.with_columns(renamed_from=former.str.to_lowercase())
        .join(moves.filter(kind=kind), on="renamed_from")
        .select("text", wanted=wanted, found_by=pl.lit("rename"))
        for kind, (former, wanted) in ways.items()
    ]
    return pl.concat(by_kind).unique("text", keep="first", maintain_order=True)


def _with_former_names(found: pl.DataFrame, listed: int) -> pl.DataFrame:
    """Recognises former names by what the Hub makes of them.

    Cards, and tags with them, keep the names of the day they were written; `baseModels` has today's. Where all but one
    of the parents in one place are found in the most trusted place of the same child, and all but one of those there
    in turn, the two that are left over are one repository. A former name counts once every such pair in the month
    agrees.
    """
    unknown_to_hub = found.filter((pl.col("evidence") != EVIDENCE[0]) & (pl.col("parent") >= listed))
    if unknown_to_hub.is_empty():
        return found
    stated = (
        found.join(unknown_to_hub.select("child").unique(), on="child", how="semi")
        .filter(pl.col("parent").is_not_null())
        .select("child", "evidence", "parent")
        .unique()
    )
    is_most_trusted = pl.col("evidence") == pl.col("evidence").min().over("child")
    today, elsewhere = stated.filter(is_most_trusted).drop("evidence"), stated.filter(~is_most_trusted)
    place = ["child", "evidence"]
    only_elsewhere = elsewhere.join(today, on=["child", "parent"], how="anti")
    in_places = today.join(elsewhere.select(place).unique(), on="child")
    only_today = in_places.join(elsewhere, on=[*place, "parent"], how="anti")
    alone, meaning = pl.len().over(place) == 1, pl.col("parent_today")
    former = (
        only_elsewhere.filter(alone)
        .join(only_today.filter(alone), on=place, suffix="_today")
        .filter(pl.col("parent") >= listed)
        .group_by("parent")
        .agg(meaning.min(), is_one=meaning.n_unique() == 1)
        .filter("is_one")
    )
    return (
        found.join(former, on="parent", how="left", maintain_order="left")
        .with_columns(
            parent=pl.coalesce(meaning, "parent"),
            found_by=pl.when("is_one").then(pl.lit("former_name", _HOW)).otherwise("found_by"),
        )
        .drop("parent_today", "is_one")
    )
