"""How repositories are identified, and what cards and tags say of their parents."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from synthetic_hub.accounts import Accounts
from synthetic_hub.lineage import Lineage
from synthetic_hub.naming import Names
from synthetic_hub.pathologies import FREE_TEXT_RELATIONS, Pathologies
from synthetic_hub.population import NEVER, RELATIONS, Repositories
from synthetic_hub.timeline import Integers


@dataclass(frozen=True)
class Identity:
    """Ids by repository: the Hub's immutable one, and the name it goes by at the end and went by before."""

    hub_id: pl.Series
    namespace: pl.Series
    """Null for legacy names."""
    model_id: pl.Series
    former_id: pl.Series
    renamed_at: Integers
    """When it took its present name: `NEVER` where it has always had it."""


def identify(
    accounts: Accounts, repositories: Repositories, names: Names, found: Pathologies, hub_id: pl.Series
) -> Identity:
    """Full ids, with former names of accounts and of repositories."""
    frame = accounts.frame()
    renamed_on = frame["renamed_on"].cast(pl.Datetime).dt.epoch("s").gather(repositories.account)
    renamed_at = renamed_on.fill_null(NEVER).to_numpy().copy()
    renamed_at[repositories.created >= renamed_at] = NEVER
    renamed = found.of("renamed")
    renamed_at[renamed] = np.minimum(renamed_at[renamed], found.renamed_at)
    namespace = frame["namespace"].gather(repositories.account).scatter(found.of("no_namespace"), None)
    former_namespace = frame["former_name"].gather(repositories.account)
    ids = pl.select(
        pl.concat_str(namespace, names.name, separator="/", ignore_nulls=True).alias("model_id"),
        pl.when(pl.Series(renamed_at < NEVER))
        .then(
            pl.concat_str(
                pl.coalesce(former_namespace, namespace), pl.lit("/"), pl.coalesce(names.former_name, names.name)
            )
        )
        .alias("former_id"),
    )
    return Identity(hub_id, namespace, ids["model_id"], ids["former_id"], renamed_at)


def stated_edges(repositories: Repositories, lineage: Lineage, identity: Identity, found: Pathologies) -> pl.DataFrame:
    """The planted lineage as cards and tags state it, pathologies included.

    Grain: statement. Columns: `child, parent` (numbers; parent null where nobody lists it), `parent_account`, `named`
    (the parent as the card names it: by its name when the child was made), `parent_id` (its present name), `relation`
    (one of `RELATIONS`, `unspecified`, `other`), `relation_stated` (as the tags have it, or null), `evidence` (`typed`,
    `untyped`, `card`, `free_text`), `origin` (false for statements that carry no origin: of oneself, inside a cycle).
    """
    alone = found.of("self_reference")
    child = np.concatenate([lineage.child, alone, *found.cycles])
    parent = np.concatenate([lineage.parent, alone, *(np.roll(members, -1) for members in found.cycles)])
    origin = np.arange(len(child)) < len(lineage.child)
    relation = np.where(origin, repositories.relation[child], 0).astype(np.int64)
    renamed_at = identity.renamed_at[parent]

    def has(label: str) -> pl.Series:
        return pl.Series(found.mask(repositories.size, label)[child])

    withdrawn = pl.concat_str("parent_id", pl.lit("-withdrawn"))
    by_tag = pl.col("evidence") == "typed"
    frame = (
        pl.DataFrame({"child": child, "parent": parent, "origin": origin})
        .with_columns(
            parent_account=pl.Series(repositories.account[parent]),
            parent_id=identity.model_id.gather(parent),
            former_id=identity.former_id.gather(parent),
            named_formerly=pl.Series((renamed_at < NEVER) & (repositories.created[child] < renamed_at)),
            missing=has("missing_parent"),
            relation=pl.Series(RELATIONS).gather(relation),
            free_text=pl.Series(FREE_TEXT_RELATIONS).gather(child % len(FREE_TEXT_RELATIONS)),
            evidence=pl.when(has("untyped_tags_only")).then(pl.lit("untyped"))
            .when(has("card_only")).then(pl.lit("card"))
            .when(has("free_text_relation")).then(pl.lit("free_text"))
            .otherwise(pl.lit("typed")),
            repeated=has("repeated_edge"),
        )
    )  # fmt: skip
    frame = pl.concat([frame, frame.filter("repeated")])
    is_free_text = pl.col("evidence") == "free_text"
    return frame.select(
        "child",
        pl.when(~pl.col("missing")).then("parent").alias("parent"),
        "parent_account",
        pl.when("missing").then(withdrawn).when("named_formerly").then("former_id").otherwise("parent_id")
        .alias("named"),
        pl.when("missing").then(withdrawn).otherwise("parent_id").alias("parent_id"),
        pl.when(by_tag).then("relation").when(is_free_text).then(pl.lit("other")).otherwise(pl.lit("unspecified"))
        .alias("relation"),
        pl.when(by_tag).then("relation").when(is_free_text).then("free_text").alias("relation_stated"),
        "evidence",
        "origin",
    )  # fmt: skip
