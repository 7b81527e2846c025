"""Builders of small Hub listings: what repositories declare, in as few words as possible."""

import datetime as dt

import polars as pl

from assets.lineage.derivation_reconciliation import DERIVATION_RECONCILIATION
from assets.lineage.derivations import DERIVATIONS, derive
from assets.lineage.graph import graph_of
from assets.lineage.model_lineage import MODEL_LINEAGE, model_lineage
from assets.lineage.origin_weights import ORIGIN_WEIGHTS, origin_weights
from assets.listings.hub_snapshots import HUB_SNAPSHOTS, lineage_tags
from pipeline.schema.declaration import conform

MONTH = dt.date(2025, 8, 1)


def snapshot(*repositories):
    """Rows of `listings/hub_snapshots`; a repository names what it declares, everything else has a default.

    `parents` stands for `base_models` with ids of the form `id:<name>`.
    """
    rows = []
    for repository in repositories:
        name = repository["name"]
        row = dict.fromkeys(HUB_SNAPSHOTS.schema) | {
            "month": MONTH,
            "hub_id": repository.get("hub_id", f"id:{name}"),
            "model_id": name,
            "tags": repository.get("tags"),
            "base_model_relation": repository.get("relation"),
            "card_base_models": repository.get("card"),
            "created_at": repository.get("created_at"),
        }
        if "parents" in repository:
            row["base_models"] = [
                {"hub_id": f"id:{parent}", "model_id": parent} if isinstance(parent, str) else parent
                for parent in repository["parents"]
            ]
        rows.append(row)
    return pl.DataFrame(rows, schema=HUB_SNAPSHOTS.schema, orient="row").with_columns(lineage_tags())


def derived(listing, renamed=(), words=()):
    """What the listing derives; reviewed renames as (kind, from, to), words for relations as (declared, relation)."""
    renames = pl.LazyFrame(list(renamed), schema=["kind", "renamed_from", "renamed_to"], orient="row")
    relations = pl.LazyFrame(list(words), schema=["declared", "relation"], orient="row")
    return derive(listing.lazy(), renames=renames.cast(pl.String), relations=relations.cast(pl.String))


def lineage_of(listing, rule="equal_parts"):
    """All four lineage tables as the lake holds them: declared columns and types, rows sorted by key."""
    found = derived(listing)
    graph = graph_of(found.edges, found.repositories)
    tables = {
        DERIVATIONS: found.derivations,
        DERIVATION_RECONCILIATION: found.reconciliation,
        MODEL_LINEAGE: model_lineage(graph, MONTH),
        ORIGIN_WEIGHTS: origin_weights(graph, rule, MONTH),
    }
    return {table.name: conform(frame.lazy(), table).collect() for table, frame in tables.items()}


def places_of(*repositories):
    """The row of `lineage/model_lineage` of each repository, by name."""
    return {row["model_id"]: row for row in lineage_of(snapshot(*repositories))["model_lineage"].to_dicts()}


def weights_of(*repositories, rule="equal_parts"):
    """The exact weights of each derivative over its roots, by name."""
    weights = {}
    for row in lineage_of(snapshot(*repositories), rule)["origin_weights"].to_dicts():
        weights.setdefault(row["hub_id"].removeprefix("id:"), {})[row["root_model_id"]] = row["weight"]
    return weights
