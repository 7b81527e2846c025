"""Builders of small Hub listings: what repositories declare, in as few words as possible."""

import datetime as dt

import polars as pl
import pytest

from pipeline.schema.declaration import conform
from pipeline.tables.lineage import DERIVATION_ACCOUNTS, DERIVATIONS, MODEL_LINEAGE, ORIGIN_WEIGHTS
from pipeline.tables.listings import HUB_SNAPSHOTS
from pipeline.transform.lineage.graph import Developers, place
from pipeline.transform.lineage.parse import derive
from pipeline.transform.lineage.weights import RULES, equal_parts, origin_weights
from pipeline.transform.normalise import lineage_tags

MONTH = dt.date(2025, 8, 1)


def build_snapshot(*repositories: dict) -> pl.DataFrame:
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
                parent if isinstance(parent, dict) else {"hub_id": f"id:{parent}", "model_id": parent}
                for parent in repository["parents"]
            ]
        rows.append(row)
    return pl.DataFrame(rows, schema=HUB_SNAPSHOTS.schema, orient="row").with_columns(lineage_tags())


def build_renames(*renames: tuple[str, str, str]) -> pl.LazyFrame:
    """Reviewed renames as (kind, from, to)."""
    return pl.LazyFrame(list(renames), schema=["kind", "renamed_from", "renamed_to"], orient="row").cast(pl.String)


def build_relations(*words: tuple[str, str]) -> pl.LazyFrame:
    """Reviewed words for relations as (declared, relation)."""
    return pl.LazyFrame(list(words), schema=["declared", "relation"], orient="row").cast(pl.String)


def derive_all(snapshot: pl.DataFrame, owners: dict | None = None, rule="equal_parts") -> dict[str, pl.DataFrame]:
    """All four lineage tables as the lake holds them: declared columns and types, rows sorted by key."""
    derived = derive(snapshot.lazy(), renames=build_renames(), relations=build_relations())
    graph = derived.graph
    known = pl.LazyFrame(
        list((owners or {}).items()), schema={"root_model_id": pl.String, "organization": pl.String}, orient="row"
    )
    listed = snapshot.lazy().join(known, left_on="model_id", right_on="root_model_id", how="left")
    tables = {
        DERIVATIONS: derived.derivations,
        DERIVATION_ACCOUNTS: derived.accounts,
        MODEL_LINEAGE: place(graph, equal_parts(graph), derived.listing, Developers(listed, known)),
        ORIGIN_WEIGHTS: origin_weights(graph, RULES[rule](graph), rule),
    }
    return {table.name: conform(frame.lazy(), table).collect() for table, frame in tables.items()}


@pytest.fixture(scope="session")
def snapshot():
    return build_snapshot


@pytest.fixture(scope="session")
def renames():
    return build_renames


@pytest.fixture(scope="session")
def relations():
    return build_relations


@pytest.fixture(scope="session")
def lineage():
    return derive_all
