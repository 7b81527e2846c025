"""Declared references become edges, or a counted reason why not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from pipeline.tables.columns import RELATIONS
from pipeline.tables.lineage import DERIVATION_ACCOUNTS, DERIVATIONS, OUTCOMES
from pipeline.transform.lineage.nodes import DerivationGraph, number_nodes
from pipeline.transform.lineage.parents import Parents, find_parents
from pipeline.transform.lineage.references import References, places_in_runs, read_listing, read_references
from pipeline.transform.lineage.runs import first_pairs
from pipeline.transform.together import together

_OUTCOME = pl.Enum(OUTCOMES)
_RELATION = pl.Enum(RELATIONS)
_NO_PARENT = 2**32 - 1


@dataclass(frozen=True)
class Derived:
    """What one reading of a snapshot yields.

    `derivations` and `accounts` are the tables `lineage/derivations` and `lineage/derivation_accounts`, unsorted;
    `graph` holds the same edges by number; `listing` has one row per repository, with `month`, `hub_id`, `model_id`
    and `derivation_hint`.
    """

    derivations: pl.DataFrame
    accounts: pl.DataFrame
    graph: DerivationGraph
    listing: pl.DataFrame


def derive(snapshots: pl.LazyFrame, *, renames: pl.LazyFrame, relations: pl.LazyFrame) -> Derived:
    """Reads the month's declarations into edges and accounts.

    Args:
        snapshots: rows of `listings/hub_snapshots`, all of one month.
        renames: reviewed renames, columns `kind` (`namespace` or `repository`), `renamed_from`, `renamed_to`.
        relations: reviewed words for relations, columns `declared` and `relation`.

    Several references of one repository to one parent are one edge, with the evidence of the most trusted reference.
    The relation is the most trusted known one that is stated for the edge; failing that, for another parent of the
    same child, since the Hub states one relation per repository. What is no edge is counted under its reason, so that
    the accounts add up to the references declared.
    """
    words = _relation_words(relations)
    listing = read_listing(snapshots)
    references = read_references(listing, words.keys())
    parents = find_parents(references, listing, renames)
    outcomes = _outcomes(references, parents, words)
    edges = _with_relations(outcomes).sort("child", maintain_order=True)
    position = pl.Series("position", places_in_runs(edges["child"].to_numpy(), listing.height), dtype=pl.Int32)
    edges = edges.with_columns(position)
    of_month = next(iter(listing["month"].head(1)), None)
    month = pl.lit(of_month, pl.Date).alias("month")
    graph, (derivations, accounts) = together(
        lambda: number_nodes(of_month, edges, listing, parents.unlisted_names),
        lambda: (_derivations(edges, listing, parents), _accounts(outcomes, references)),
    )
    return Derived(
        derivations=derivations.select(month, *DERIVATIONS.schema.names()[1:]),
        accounts=accounts.select(month, *DERIVATION_ACCOUNTS.schema.names()[1:]),
        graph=graph,
        listing=listing.select("month", "hub_id", "model_id", "derivation_hint"),
    )


def _relation_words(relations: pl.LazyFrame) -> Mapping[str, str]:
    reviewed = relations.select(pl.col("declared").str.to_lowercase(), "relation").collect()
    return dict(reviewed.iter_rows()) | {relation: relation for relation in RELATIONS}


def _outcomes(references: References, parents: Parents, words: Mapping[str, str]) -> pl.DataFrame:
    """Every distinct reference with its parent, its relation and what becomes of it."""
    distinct = references.distinct.hstack(parents.of_reference)
    is_first = first_pairs(distinct["child"].to_numpy(), distinct["parent"].fill_null(_NO_PARENT).to_numpy())
    outcome = (
        pl.when(pl.col("parent").is_null())
        .then(pl.col("form"))
        .when(pl.col("parent") == pl.col("child"))
        .then(pl.lit("self_reference"))
        .when(pl.Series(is_first))
        .then(pl.lit("edge"))
        .otherwise(pl.lit("duplicate"))
    )
    word = pl.col("relation_declared").str.to_lowercase()
    relation = word.replace_strict(words, default="unknown", return_dtype=_RELATION)
    return distinct.with_columns(outcome.cast(_OUTCOME).alias("outcome"), relation.alias("relation"))


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


def _derivations(edges: pl.DataFrame, listing: pl.DataFrame, parents: Parents) -> pl.DataFrame:
    child, parent = edges["child"], edges["parent"]
    is_listed = parent < parents.listed
    names = pl.concat([listing["model_id"], parents.unlisted_names], rechunk=True)
    return edges.select(
        listing["hub_id"].gather(child).alias("child_hub_id"),
        listing["model_id"].gather(child).alias("child_model_id"),
        listing["hub_id"].gather(parent.set(~is_listed, None)).alias("parent_hub_id"),
        names.gather(parent).alias("parent_model_id"),
        pl.col("relation").cast(pl.String),
        "relation_declared",
        pl.col("evidence").cast(pl.String),
        is_listed.alias("parent_listed"),
        pl.col("declared").alias("parent_declared"),
        pl.col("found_by").cast(pl.String).alias("parent_found_by"),
        "position",
    )


def _accounts(outcomes: pl.DataFrame, references: References) -> pl.DataFrame:
    """References by where they stand and what became of them; whatever says again what makes an edge is a duplicate."""
    outcome_of_repeated = outcomes["outcome"].gather(references.repeats["reference"])
    repeats = references.repeats.select("evidence", outcome_of_repeated.alias("outcome"))
    again = pl.when(pl.col("outcome") == "edge").then(pl.lit("duplicate", _OUTCOME)).otherwise("outcome")
    place = ["evidence", "outcome"]
    return (
        pl.concat(
            [
                outcomes.group_by(place).agg(pl.len()),
                repeats.group_by(place).agg(pl.len()).with_columns(again.alias("outcome")),
            ]
        )
        .group_by(place)
        .agg(pl.col("len").sum().cast(pl.Int64).alias("references"))
        .with_columns(pl.col(place).cast(pl.String))
    )
