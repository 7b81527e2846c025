"""`lineage/derivations`: declared references become edges, or a counted reason why not."""

from __future__ import annotations

import polars as pl

from assets.columns import MONTH, RELATION, RELATIONS
from assets.lineage.derivation_reconciliation import OUTCOME, reconciled
from assets.lineage.parents import FOUND_BY, find_parents
from assets.lineage.references import PLACE, read_references
from pipeline.checks.rules import all_found, none_where
from pipeline.schema.declaration import Column, Measure, Table

_RELATION = pl.Enum(RELATIONS)

DERIVATIONS = Table(
    group="lineage",
    name="derivations",
    reviewed_lists=("relations.csv", "renames.csv"),
    grain="derivative and direct parent",
    description=(
        "Direct derivations as developers declare them: from the Hub's `baseModels`, typed tags, untyped tags and "
        "model cards, in that order of trust. Parents are kept whether or not they are listed."
    ),
    columns=(
        MONTH,
        Column("child_hub_id", pl.String, "The derivative, by `hub_id`."),
        Column("child_model_id", pl.String, "The derivative's name."),
        Column("parent_hub_id", pl.String, "The parent, by `hub_id`; absent where it is not listed.", nullable=True),
        Column("parent_model_id", pl.String, "The parent's name: today's if it is listed, else as declared."),
        RELATION,
        Column("relation_declared", pl.String, "The relation as it is declared.", nullable=True),
        PLACE,
        Column("parent_listed", pl.Boolean, "Whether the parent is a public repository of this snapshot."),
        Column(
            "parent_declared",
            pl.String,
            "The parent as it is declared: a name, an address, a name with a revision.",
        ),
        Column(
            "parent_found_by",
            pl.String,
            "How the parent was found: `hub_id`, exact `name`, `letter_case` (a name in other case), a reviewed "
            "`rename`, `former_name` (the Hub resolves this name to another elsewhere), or not at all (`unlisted`).",
            values=FOUND_BY,
        ),
        Column(
            "position",
            pl.Int32,
            "Place among the child's parents in order of trust and declaration, from 0.",
            minimum=0,
        ),
    ),
    key=("child_hub_id", "parent_model_id"),
    may_be_empty=True,
    warnings=("Declared does not mean used: nobody checks what a card says.",),
    measures=(
        # The Hub states a relation for every parent that it resolves: of 1,285 real edges of May 2026, 1.1 % had none.
        # Ten times as many mean that a source carries no relations, as before typed tags (August 2024).
        Measure(
            "unknown_relation_share",
            "Share of derivations whose kind is not declared.",
            lambda frames: frames.scan("lineage/derivations").select(
                (pl.col("relation") == "unknown").mean().fill_null(0.0)
            ),
            maximum=0.10,
            severity="warning",
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


def derive(
    snapshot: pl.LazyFrame, *, renames: pl.LazyFrame, relations: pl.LazyFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """`derivations` and `derivation_reconciliation`, unsorted: a month's declarations as edges, what became of each.

    Args:
        snapshot: rows of `listings/hub_snapshots`, all of one month.
        renames: reviewed renames, columns `kind` (`namespace` or `repository`), `renamed_from`, `renamed_to`.
        relations: reviewed words for relations, columns `declared` and `relation`.

    Several references of one repository to one parent are one edge, with the evidence of the most trusted reference.
    The relation is the most trusted known one that is stated for the edge; failing that, for another parent of the
    same child, since the Hub states one relation per repository. What is no edge is counted under its reason, so that
    the outcomes add up to the references declared.
    """
    listing = snapshot.select(
        "month", "hub_id", "model_id", "base_models", "base_model_relation", "lineage_tags", "card_base_models"
    ).collect(engine="streaming")
    reviewed = relations.select(pl.col("declared").str.to_lowercase(), "relation").collect()
    words = dict(reviewed.iter_rows()) | {relation: relation for relation in RELATIONS}
    names = listing.select("hub_id", "model_id")
    references, unlisted = find_parents(read_references(listing, words.keys()), names, renames)
    outcomes = _with_outcomes(references, words)
    month = pl.lit(listing["month"].first(), pl.Date).alias("month")
    edges = _named(_with_relations(outcomes), names, unlisted).select(month, pl.all())
    return edges.select(DERIVATIONS.schema.names()), reconciled(outcomes).select(month, pl.all())


def _with_outcomes(references: pl.DataFrame, words: dict[str, str]) -> pl.DataFrame:
    """Every reference with its relation and what becomes of it."""
    outcome = (
        pl.when(pl.col("parent").is_null())
        .then(pl.col("form"))
        .when(pl.col("parent") == pl.col("child"))
        .then(pl.lit("self_reference"))
        .when((pl.col("child").cast(pl.UInt64) * 2**32 + pl.col("parent")).is_first_distinct())
        .then(pl.lit("edge"))
        .otherwise(pl.lit("duplicate"))
    )
    word = pl.col("relation_declared").str.to_lowercase()
    relation = word.replace_strict(words, default="unknown", return_dtype=_RELATION)
    return references.with_columns(outcome.cast(OUTCOME).alias("outcome"), relation.alias("relation"))


def _with_relations(outcomes: pl.DataFrame) -> pl.DataFrame:
    """The edges; those without a known relation take the one stated for the same edge, else for the same child."""
    edges = outcomes.filter(pl.col("outcome") == "edge")
    is_vague = pl.col("relation") == "unknown"
    stated = (
        outcomes.filter(~is_vague & pl.col("parent").is_not_null())
        .join(edges.filter(is_vague).select("child").unique(), on="child", how="semi", maintain_order="left")
        .select("child", "parent", pl.struct("relation", "relation_declared").alias("stated"))
    )
    for_edge = stated.unique(["child", "parent"], keep="first", maintain_order=True)
    for_child = stated.unique("child", keep="first", maintain_order=True).drop("parent")
    own = pl.struct("relation", "relation_declared")
    return (
        edges.join(for_edge, on=["child", "parent"], how="left", maintain_order="left")
        .join(for_child, on="child", how="left", maintain_order="left", suffix="_for_child")
        .with_columns(
            pl.when(is_vague).then(pl.coalesce("stated", "stated_for_child", own)).otherwise(own).alias("stated")
        )
        .drop("relation", "relation_declared", "stated_for_child")
        .unnest("stated")
    )


def _named(edges: pl.DataFrame, names: pl.DataFrame, unlisted: pl.Series) -> pl.DataFrame:
    """The edges by `hub_id` and name; each child's parents are counted in the order of trust and declaration."""
    everyone = pl.concat([names, pl.DataFrame({"model_id": unlisted})], how="diagonal")
    child, parent = everyone[edges["child"]], everyone[edges["parent"]]
    return edges.select(
        child["hub_id"].alias("child_hub_id"),
        child["model_id"].alias("child_model_id"),
        parent["hub_id"].alias("parent_hub_id"),
        parent["model_id"].alias("parent_model_id"),
        pl.col("relation").cast(pl.String),
        "relation_declared",
        pl.col("evidence").cast(pl.String),
        parent["hub_id"].is_not_null().alias("parent_listed"),
        pl.col("declared").alias("parent_declared"),
        pl.col("found_by").cast(pl.String).alias("parent_found_by"),
        (pl.col("child").cum_count().over("child") - 1).cast(pl.Int32).alias("position"),
    )
