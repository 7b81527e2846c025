"""A family as `census family` shows it: read from the lake, ready to be drawn."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from pipeline.errors import CensusError
from pipeline.lake.store import Lake
from pipeline.publish.marts import SYNTHETIC_SOURCES
from pipeline.schema.declaration import Table
from pipeline.tables import attribution, lineage, listings
from pipeline.tables.published import MONTH_SEALS
from pipeline.transform.lineage.kin import kin_of

NAMES_SUGGESTED = 3
NAMES_COMPARED = 2_000

_EDGE_COLUMNS = ("child_hub_id", "child_model_id", "parent_hub_id", "parent_model_id", "relation", "position")


@dataclass(frozen=True)
class Family:
    """A repository and all that derive from it, in one month.

    `members` has one row per repository, the head first: what `Kin.members` has, and `downloads` (absent where it is
    not listed), `country` (the uploader's), `members_below` and `downloads_below` (all that hang under it).
    `parents` are those of the head.
    """

    month: date
    basis: str
    source: str
    is_synthetic: bool
    members: pl.DataFrame
    edges: pl.DataFrame
    parents: list[str]


def read_family(lake: Lake, model: str, month: date | None = None) -> Family:
    """The family of `model` in a month of the lake, by default the latest.

    Raises:
        CensusError: the lake has no such month, or the month no such model; the sentence suggests others.
    """
    month = _chosen(lake.months(MONTH_SEALS), month, lake.url)
    derivations = lake.scan(lineage.DERIVATIONS, month).select(_EDGE_COLUMNS).collect()
    head = _head(lake, derivations, model, month)
    kin = kin_of(derivations, head)
    measured = _of(lake, listings.MODEL_DOWNLOADS, month, kin.members, ["downloads"])
    attributed = _of(lake, attribution.MODEL_ATTRIBUTION, month, kin.members, ["country"])
    of_roots = lake.scan(attribution.ROOT_ATTRIBUTION, month).select(
        pl.col("root_model_id").alias("model_id"), pl.col("country").alias("country_of_root")
    )
    members = (
        kin.members.join(measured, on="hub_id", how="left", maintain_order="left")
        .join(attributed, on="hub_id", how="left", maintain_order="left")
        .join(of_roots.collect(), on="model_id", how="left", maintain_order="left")
        .with_columns(pl.coalesce("country", "country_of_root", pl.lit("unmapped")).alias("country"))
        .drop("country_of_root")
    )
    downloads = members["downloads"].fill_null(0.0).to_numpy()
    accounts = lake.scan(listings.DOWNLOAD_ACCOUNTS, month).select("basis", "source").head(1).collect()
    basis, source = accounts.row(0)
    parents = derivations.filter(pl.col("child_hub_id") == pl.lit(head["hub_id"][0], pl.String)).sort("position")[
        "parent_model_id"
    ]
    return Family(
        month=month,
        basis=basis,
        source=source,
        is_synthetic=source in SYNTHETIC_SOURCES,
        members=members.with_columns(
            pl.Series("members_below", kin.below(np.ones(members.height)).astype(np.int64)),
            pl.Series("downloads_below", kin.below(downloads)),
        ),
        edges=kin.edges,
        parents=parents.to_list(),
    )


def _chosen(months: Sequence[date], month: date | None, url: str) -> date:
    if not months:
        raise CensusError(f"the lake at {url} holds no finished month: run `census run` first")
    if month is None:
        return months[-1]
    if month not in months:
        raise CensusError(
            f"the lake at {url} has no finished month {month:%Y-%m}: it holds {len(months)} from {months[0]:%Y-%m} "
            f"to {months[-1]:%Y-%m}"
        )
    return month


def _of(lake: Lake, table: Table, month: date, members: pl.DataFrame, columns: list[str]) -> pl.DataFrame:
    wanted = members.lazy().select("hub_id").unique()
    return lake.scan(table, month).select("hub_id", *columns).join(wanted, on="hub_id", how="semi").collect()


def _head(lake: Lake, derivations: pl.DataFrame, model: str, month: date) -> pl.DataFrame:
    """`hub_id` and `model_id` of the repository of that name, in whatever letter case only one has."""
    everyone = pl.concat(
        [
            lake.scan(attribution.MODEL_ATTRIBUTION, month).select("hub_id", "model_id"),
            derivations.lazy()
            .filter(pl.col("parent_hub_id").is_null())
            .select(pl.col("parent_hub_id").alias("hub_id"), pl.col("parent_model_id").alias("model_id"))
            .unique(),
        ]
    )
    exact = everyone.filter(pl.col("model_id") == model).sort("hub_id").head(1).collect()
    if exact.height:
        return exact
    folded = everyone.filter(pl.col("model_id").str.to_lowercase() == model.lower()).collect()
    if folded.height == 1:
        return folded
    near = folded["model_id"].to_list() or _near_names(everyone, model)
    instead = f"did you mean {' or '.join(near)}?" if near else "look it up on the Hub"
    raise CensusError(f"no model {model!r} is known in {month:%Y-%m}: {instead}")


def _near_names(everyone: pl.LazyFrame, model: str) -> list[str]:
    namespace, _, name = model.lower().rpartition("/")
    folded = pl.col("model_id").str.to_lowercase()
    of_namespace = folded.str.starts_with(f"{namespace}/") if namespace else pl.lit(value=False)
    alike = folded.str.contains(name, literal=True) if name else pl.lit(value=False)
    names = everyone.filter(of_namespace | alike).select("model_id").sort("model_id").head(NAMES_COMPARED).collect()
    by_folded = {text.lower(): text for text in names["model_id"]}
    near = difflib.get_close_matches(model.lower(), by_folded, NAMES_SUGGESTED, cutoff=0.5)
    return [by_folded[text] for text in near]
