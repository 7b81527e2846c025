"""`lineage/derivations`: declared references become edges, or a counted reason why not."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from assets.lineage.parents import find_parents
from assets.lineage.references import WHERE, read_references
from pipeline.tables.columns import RELATIONS
from pipeline.tables.lineage import DERIVATIONS, EVIDENCE, OUTCOMES

_OUTCOME = pl.Enum(OUTCOMES)
_RELATION = pl.Enum(RELATIONS)


@dataclass(frozen=True)
class Derived:
    """What one reading of a snapshot yields: the tables `derivations` and `derivation_reconciliation`, unsorted."""

    derivations: pl.DataFrame
    reconciliation: pl.DataFrame


def derive(snapshot: pl.LazyFrame, *, renames: pl.LazyFrame, relations: pl.LazyFrame) -> Derived:
    """Reads a month's declarations into edges, and counts what became of each of them.

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
    month = pl.lit(next(iter(listing["month"].head(1)), None), pl.Date).alias("month")
    return Derived(
        _named(_with_relations(outcomes), names, unlisted).select(month, pl.all()).select(DERIVATIONS.schema.names()),
        _reconciliation(outcomes).select(month, "evidence", "outcome", "references"),
    )


def _with_outcomes(references: pl.DataFrame, words: dict[str, str]) -> pl.DataFrame:
    """Every reference with its relation and what becomes of it."""
    outcome = (
        pl.when(pl.col("parent").is_null())
        .then(pl.col("form"))
        .when(pl.col("parent") == pl.col("child"))
        .then(pl.lit("self_reference"))
        .when(pl.struct("child", "parent").is_first_distinct())
        .then(pl.lit("edge"))
        .otherwise(pl.lit("duplicate"))
    )
    word = pl.col("relation_declared").str.to_lowercase()
    relation = word.replace_strict(words, default="unknown", return_dtype=_RELATION)
    return references.with_columns(outcome.cast(_OUTCOME).alias("outcome"), relation.alias("relation"))


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


def _reconciliation(outcomes: pl.DataFrame) -> pl.DataFrame:
    """References by where they stand and what became of them; whatever says again what makes an edge is a duplicate."""
    again = pl.when(pl.col("outcome") == "edge").then(pl.lit("duplicate", _OUTCOME)).otherwise("outcome")
    repeats = [
        outcomes.filter(pl.col("repeated_in").list.contains(pl.lit(place, WHERE))).select(
            pl.lit(place, WHERE).alias("evidence"), again.alias("outcome")
        )
        for place in EVIDENCE[1:]
    ]
    return (
        pl.concat([outcomes.select("evidence", "outcome"), *repeats])
        .group_by("evidence", "outcome")
        .agg(pl.len().cast(pl.Int64).alias("references"))
        .with_columns(pl.col("evidence", "outcome").cast(pl.String))
    )
