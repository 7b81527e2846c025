"""`lineage/derivations`: references become edges."""

from dataclasses import dataclass

import polars as pl

from assets.columns import MONTH, RELATION, RELATIONS, boolean, text
from assets.expressions import first_case
from assets.lineage.derivation_reconciliation import OUTCOME
from assets.lineage.references import FOUND_BY, PLACE, find_parents, read_references
from pipeline.checks.rules import all_found, none_where, rarely
from pipeline.schema.declaration import Column, Table

_RELATION = pl.Enum(RELATIONS)

DERIVATIONS = Table(
    "lineage/derivations",
    reviewed_lists=("relations.csv", "renames.csv"),
    grain="derivative and direct parent",
    description="Direct derivations as declared, in order of trust; parents are kept whether or not they are listed.",
    columns=(
        MONTH,
        text("child_hub_id", "The derivative, by `hub_id`."),
        text("child_model_id", "The derivative's name."),
        text("parent_hub_id", "The parent, by `hub_id`; absent where it is not listed.", nullable=True),
        text("parent_model_id", "The parent's name: today's if it is listed, else as declared."),
        RELATION,
        text("relation_declared", "The relation as it is declared.", nullable=True),
        PLACE,
        boolean("parent_listed", "Whether the parent is a public repository of this snapshot."),
        text("parent_declared", "The parent as it is declared: a name, an address, a name with a revision."),
        text(
            "parent_found_by",
            "How the parent was found: `hub_id`, exact `name`, `letter_case` (a name in other case), a reviewed "
            "`rename`, `former_name` (the Hub resolves this name to another elsewhere), or not at all (`unlisted`).",
            values=FOUND_BY,
        ),
        Column("position", pl.Int32, "Place among the child's parents by trust and declaration, from 0.", minimum=0),
    ),
    key=("child_hub_id", "parent_model_id"),
    may_be_empty=True,
    warnings=("Declared does not mean used: nobody checks what a card says.",),
    measures=(
        # The Hub states a relation for every parent that it resolves: of 1,285 real edges of May 2026, 1.1 % had none.
        # Ten times as many mean that a source carries no relations, as before typed tags (August 2024).
        rarely(
            "lineage/derivations",
            "unknown_relation_share",
            "Share of derivations whose kind is not declared.",
            pl.col("relation") == "unknown",
            0.10,
        ),
    ),
    rules=(
        none_where(
            "lineage/derivations",
            "parents_listed_as_stated",
            "A parent has a `hub_id` exactly where it is marked as listed.",
            pl.col("parent_listed") != pl.col("parent_hub_id").is_not_null(),
        ),
        all_found(
            "listed_parents_found",
            "Every parent with a `hub_id` is a repository of the snapshot.",
            "lineage/derivations.parent_hub_id",
            among="listings/hub_snapshots.hub_id",
        ),
        all_found(
            "children_listed",
            "Every derivative is a repository of the snapshot.",
            "lineage/derivations.child_hub_id",
            among="listings/hub_snapshots.hub_id",
        ),
        none_where(
            "lineage/derivations",
            "no_self_references",
            "No repository is its own parent.",
            pl.col("child_hub_id") == pl.col("parent_hub_id"),
        ),
    ),
)


@dataclass(frozen=True)
class Derived:
    """A month's derivations, unsorted, and what they were made of.

    `repositories` (`hub_id`, `model_id`) are those of the snapshot in the order of `hub_id`, then the parents that are
    not listed, without `hub_id`. `edges` are the derivations by number: `child` and `parent` are rows of these.
    """

    derivations: pl.DataFrame
    reconciliation: pl.DataFrame
    repositories: pl.DataFrame
    edges: pl.DataFrame


def derive(snapshot: pl.LazyFrame, *, renames: pl.LazyFrame, relations: pl.LazyFrame) -> Derived:
    """A month's declarations as edges, and what became of each, by the reviewed lists of `renames` and `relations`.

    Several references of one repository to one parent are one edge, with the evidence of the most trusted reference.
    The relation is the most trusted known one that is stated for the edge; failing that, for another parent of the
    same child, since the Hub states one relation per repository. What is no edge is counted under its reason, so that
    the outcomes add up to the references declared.
    """
    declared = ("base_models", "base_model_relation", "lineage_tags", "card_base_models")
    listing = snapshot.select("month", "hub_id", "model_id", *declared).sort("hub_id").collect()
    month = pl.lit(listing["month"].first(), pl.Date).alias("month")
    listed = listing.select("hub_id", "model_id").rechunk()
    reviewed = relations.select(pl.col("declared").str.to_lowercase(), "relation").collect()
    words = dict(reviewed.iter_rows()) | {relation: relation for relation in RELATIONS}
    references = read_references(listing.select(declared), words.keys())
    del listing
    found, unlisted = find_parents(references, listed, renames)
    outcomes = found.with_columns(outcome=_outcome())
    counted = outcomes.group_by("evidence", "outcome").agg(month, references=pl.len().cast(pl.Int64))
    edges = _with_relations(outcomes, words).sort("child", maintain_order=True)
    row, is_first = pl.int_range(pl.len(), dtype=pl.Int32), pl.col("child").ne_missing(pl.col("child").shift())
    edges = edges.with_columns(position=row - pl.when(is_first).then(row).forward_fill())
    repositories = pl.concat([listed, pl.DataFrame({"model_id": unlisted})], how="diagonal", rechunk=True)
    return Derived(
        _named(edges, repositories).with_columns(month),
        counted.with_columns(pl.col("evidence", "outcome").cast(pl.String)),
        repositories,
        edges.select("child", "parent", "position"),
    )


def _outcome() -> pl.Expr:
    """What becomes of each reference."""
    pair = pl.col("child").cast(pl.UInt64) * 2**32 + pl.col("parent")
    is_own, is_first = pl.col("parent") == pl.col("child"), pair.is_first_distinct()
    of_parents = first_case(("self_reference", is_own), ("edge", is_first), otherwise="duplicate")
    return pl.when(pl.col("parent").is_null()).then("form").otherwise(of_parents).cast(OUTCOME)


def _with_relations(outcomes: pl.DataFrame, words: dict[str, str]) -> pl.DataFrame:
    """The edges; those without a known relation take the one stated for the same edge, else for the same child."""
    word = pl.col("relation_declared").str.to_lowercase()
    relation = word.replace_strict(words, default="unknown", return_dtype=_RELATION).alias("relation")
    edges = outcomes.filter(outcome="edge").with_columns(relation)
    is_vague, own = pl.col("relation") == "unknown", pl.struct("relation", "relation_declared")
    stated = (
        outcomes.filter(pl.col("parent").is_not_null())
        .join(edges.filter(is_vague).select("child"), on="child", how="semi", maintain_order="left")
        .with_columns(relation)
        .filter(~is_vague)
        .select("child", "parent", stated=own)
    )
    for_edge = stated.unique(["child", "parent"], keep="first", maintain_order=True)
    for_child = stated.unique("child", keep="first", maintain_order=True).drop("parent")
    return (
        edges.join(for_edge, on=["child", "parent"], how="left", maintain_order="left")
        .join(for_child, on="child", how="left", maintain_order="left", suffix="_for_child")
        .with_columns(stated=pl.when(is_vague).then(pl.coalesce("stated", "stated_for_child", own)).otherwise(own))
        .drop("relation", "relation_declared", "stated_for_child")
        .unnest("stated")
    )


def _named(edges: pl.DataFrame, repositories: pl.DataFrame) -> pl.DataFrame:
    """The edges by `hub_id` and name."""
    child, parent = repositories[edges["child"]], repositories[edges["parent"]]
    return edges.select(
        *("relation_declared", "position"),
        pl.col("relation", "evidence").cast(pl.String),
        child_hub_id=child["hub_id"],
        child_model_id=child["model_id"],
        parent_hub_id=parent["hub_id"],
        parent_model_id=parent["model_id"],
        parent_listed=parent["hub_id"].is_not_null(),
        parent_declared="declared",
        parent_found_by=pl.col("found_by").cast(pl.String),
    )
