"""One repository and all that derive from it, read from the lake."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

from assets.lineage.derivations import DERIVATIONS
from assets.lineage.graph import graph_of
from assets.lineage.model_lineage import MODEL_LINEAGE
from pipeline.errors import CensusError
from pipeline.lake.store import Lake
from pipeline.schema.catalogue import Catalogue
from pipeline.synthetic import is_synthetic

NAMES_SUGGESTED = 3
NAMES_COMPARED = 2_000
_KEY = pl.coalesce("hub_id", "model_id").alias("key")
_PARENT_KEY = pl.coalesce("parent_hub_id", "parent_model_id").alias("parent_key")


@dataclass(frozen=True)
class Family:
    """A repository and all that derive from it, in one month.

    `members` has one row per repository, the head first, then level by level: `model_id`, `hub_id` (absent for a head
    that is not listed), `level` (fewest derivations from the head), `above` (the row of the member that it hangs
    under, absent for the head), `relation` to that member, `other_parents` (how many more it has, inside the family or
    not), `downloads` (absent where it is not listed), `country` (the uploader's), `members_below` and `downloads_below`
    (all that hang under it). `edges` has one row per derivation inside the family: `child` and `parent` (rows of
    `members`) and `relation`. `parents` are those of the head.
    """

    month: date
    basis: str
    source: str
    members: pl.DataFrame
    edges: pl.DataFrame
    parents: list[str]

    @property
    def is_synthetic(self) -> bool:
        """Whether the month was invented."""
        return is_synthetic(self.source)


@dataclass(frozen=True)
class _Month:
    """A month of the lake, which may not have come to its end."""

    lake: Lake
    catalogue: Catalogue
    month: date

    def columns(self, path: str, *names: str) -> pl.LazyFrame:
        """Columns of a table; no rows where the month has not come so far."""
        table = self.catalogue[path]
        if self.lake.holds(table, self.month):
            return self.lake.scan(table, self.month).select(names)
        return pl.LazyFrame(schema={name: table.schema[name] for name in names})


def read_family(lake: Lake, catalogue: Catalogue, model: str, month: date | None = None) -> Family:
    """The family of `model` in a month of the lake whose lineage is whole, published or not; by default the latest.

    Raises:
        CensusError: the lake has no such month, or the month no such model; the sentence suggests others.
    """
    held = set(lake.months(DERIVATIONS)) & set(lake.months(MODEL_LINEAGE))
    month = _chosen(sorted(held), month, lake.url)
    found = _Month(lake, catalogue, month)
    derivations = lake.scan(DERIVATIONS, month).collect()
    head = _head(lake, derivations, model, month)
    members = _members(derivations, head)
    rows = members.with_row_index("row").select("row", _KEY)
    edges = (
        derivations.select(pl.col("child_hub_id").alias("key"), _PARENT_KEY, "relation")
        .join(rows.rename({"row": "child"}), on="key")
        .join(rows.rename({"row": "parent", "key": "parent_key"}), on="parent_key")
        .select("child", "parent", "relation")
        .sort("child", "parent")
    )
    own_parents = derivations.filter(pl.col("child_hub_id") == pl.lit(head["hub_id"][0], pl.String))
    basis, source = (
        next(iter(found.columns(path, column).head(1).collect().to_series()), None)
        for path, column in (("listings/model_downloads", "basis"), ("listings/hub_snapshots", "source"))
    )
    return Family(
        month=month,
        basis=basis or "not measured yet",
        source=source or "not known",
        members=_with_sums_below(_measured(found, members)),
        edges=edges,
        parents=own_parents.sort("position")["parent_model_id"].to_list(),
    )


def _members(derivations: pl.DataFrame, head: pl.DataFrame) -> pl.DataFrame:
    """The head and its descendants, each with its relation to the one that it hangs under."""
    graph = graph_of(derivations)
    node = graph.nodes.select(_KEY).to_series().index_of(head.select(_KEY).item())
    if node is None:
        nothing = pl.lit(None, pl.Int64).alias("above"), pl.lit(None, pl.String).alias("relation")
        return head.with_columns(pl.lit(0).alias("level"), pl.lit(0).alias("other_parents"), *nothing)
    found = graph.descendants(node)
    members = pl.concat([graph.nodes[found["node"]], found], how="horizontal").with_columns(_KEY)
    stated = derivations.select(pl.col("child_hub_id").alias("key"), _PARENT_KEY, "relation")
    return (
        members.with_columns(pl.col("key").gather(pl.col("above")).alias("parent_key"))
        .join(stated, on=["key", "parent_key"], how="left", maintain_order="left")
        .join(stated.group_by("key").agg(pl.len().alias("parents")), on="key", how="left", maintain_order="left")
        .with_columns((pl.col("parents") - 1).alias("other_parents"))
        .select("model_id", "hub_id", "level", "above", "relation", "other_parents")
    )


def _measured(found: _Month, members: pl.DataFrame) -> pl.DataFrame:
    """The members with downloads and countries, as far as the month has been measured and attributed."""
    downloads = found.columns("listings/model_downloads", "hub_id", "downloads")
    countries = found.columns("attribution/model_attribution", "hub_id", "country")
    of_roots = found.columns("attribution/root_attribution", "root_model_id", "country")
    of_roots = of_roots.rename({"root_model_id": "model_id"})
    measured = members.lazy().with_row_index("row")
    for more, key in ((downloads, "hub_id"), (countries, "hub_id"), (of_roots, "model_id")):
        wanted = members.lazy().select(key).unique()
        measured = measured.join(more.join(wanted, on=key, how="semi"), on=key, how="left", suffix="_of_root")
    return (
        measured.sort("row")
        .with_columns(pl.coalesce("country", "country_of_root").alias("country"), pl.col("downloads").cast(pl.Float64))
        .drop("row", "country_of_root")
        .collect()
    )


def _with_sums_below(members: pl.DataFrame) -> pl.DataFrame:
    """Adds what hangs under each member in the tree, without its own; who is above stands before."""
    above, own = members["above"].to_list(), members["downloads"].fill_null(0.0).to_list()
    count, downloads = [0] * len(above), [0.0] * len(above)
    for row in range(len(above) - 1, 0, -1):
        count[above[row]] += count[row] + 1
        downloads[above[row]] += downloads[row] + own[row]
    return members.with_columns(
        pl.Series("members_below", count, pl.Int64), pl.Series("downloads_below", downloads, pl.Float64)
    )


def _chosen(months: Sequence[date], month: date | None, url: str) -> date:
    if not months:
        raise CensusError(f"the lake at {url} holds no month with derivations: run `census run` first")
    if month is None:
        return months[-1]
    if month not in months:
        held = ", ".join(f"{held:%Y-%m}" for held in months)
        raise CensusError(f"the lake at {url} has no derivations of {month:%Y-%m}: choose one of {held}")
    return month


def _head(lake: Lake, derivations: pl.DataFrame, model: str, month: date) -> pl.DataFrame:
    """`hub_id` and `model_id` of the repository of that name, in whatever letter case only one has."""
    unlisted = derivations.lazy().filter(~pl.col("parent_listed"))
    everyone = pl.concat(
        [
            lake.scan(MODEL_LINEAGE, month).select("hub_id", "model_id"),
            unlisted.select(
                pl.col("parent_hub_id").alias("hub_id"), pl.col("parent_model_id").alias("model_id")
            ).unique(),
        ]
    )
    folded = everyone.filter(pl.col("model_id").str.to_lowercase() == model.lower()).sort("hub_id").collect()
    exact = folded.filter(pl.col("model_id") == model).head(1)
    if exact.height or folded.height == 1:
        return exact if exact.height else folded
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
