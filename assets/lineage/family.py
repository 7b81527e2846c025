"""One repository and all that derive from it, read from the lake."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from datetime import date

import polars as pl

from assets.lineage.derivations import DERIVATIONS
from assets.lineage.model_lineage import MODEL_LINEAGE
from pipeline.errors import CensusError
from pipeline.lake.store import Lake
from pipeline.schema.catalogue import Catalogue
from pipeline.synthetic import is_synthetic

NAMES_SUGGESTED = 3
NAMES_COMPARED = 2_000


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


def read_family(lake: Lake, catalogue: Catalogue, model: str, month: date | None = None) -> Family:
    """The family of `model` in a month of the lake whose lineage is whole, published or not; by default the latest.

    Raises:
        CensusError: the lake has no such month, or the month no such model; the sentence suggests others.
    """
    month = _chosen(lake, month)

    def columns(path: str, *names: str) -> pl.LazyFrame:
        """Columns of a table; no rows where the month has not come so far."""
        table = catalogue[path]
        if lake.holds(table, month):
            return lake.scan(table, month).select(names)
        return pl.LazyFrame(schema={name: table.schema[name] for name in names})

    stated = lake.scan(DERIVATIONS, month).select(
        *("child_hub_id", "child_model_id", "parent_model_id", "parent_listed", "relation", "position"),
        pl.col("child_hub_id").alias("key"),
        pl.coalesce("parent_hub_id", "parent_model_id").alias("parent_key"),
    )
    edges = stated.collect()
    head = _head(columns("lineage/model_lineage", "hub_id", "model_id"), edges, model, month)
    members = descendants(edges, head).with_row_index("row")
    rows = members.select("key", "row")
    inside = edges.join(rows.rename({"row": "child"}), on="key").join(
        rows.rename({"row": "parent", "key": "parent_key"}), on="parent_key"
    )
    basis, source = (
        next(iter(columns(path, column).head(1).collect().to_series()), None)
        for path, column in (("listings/model_downloads", "basis"), ("listings/hub_snapshots", "source"))
    )
    measured = (
        members.lazy()
        .join(rows.lazy().rename({"row": "above", "key": "parent_key"}), on="parent_key", how="left")
        .join(columns("listings/model_downloads", "hub_id", "downloads"), on="hub_id", how="left")
        .join(columns("attribution/model_attribution", "hub_id", "country"), on="hub_id", how="left")
        .join(
            columns("attribution/root_attribution", "root_model_id", "country"),
            left_on="model_id",
            right_on="root_model_id",
            how="left",
            suffix="_of_root",
        )
        .with_columns(pl.coalesce("country", "country_of_root").alias("country"), pl.col("downloads").cast(pl.Float64))
        .sort("row")
        .drop("row", "key", "parent_key", "country_of_root")
        .collect()
    )
    return Family(
        month=month,
        basis=basis or "not measured yet",
        source=source or "not known",
        members=_with_sums_below(measured),
        edges=inside.select("child", "parent", "relation").sort("child", "parent"),
        parents=edges.filter(key=head["key"].item()).sort("position")["parent_model_id"].to_list(),
    )


def descendants(edges: pl.DataFrame, head: pl.DataFrame) -> pl.DataFrame:
    """The head and all that derives from it, each once, level by level.

    Args:
        edges: derivations, with `key` and `parent_key` for the child and the parent.
        head: one row with `key`, `hub_id` and `model_id`.

    Returns:
        `key`, `hub_id`, `model_id`, `level`, `parent_key` (what it hangs under), `relation` to that, and
        `other_parents`. What has several parents hangs under the one nearest to the head, of equals under the one that
        it declares first.
    """
    nobody = pl.lit(None, pl.String)
    parents = edges.group_by("key").agg((pl.len().cast(pl.Int64) - 1).alias("other_parents"))
    level = head.select("key", "hub_id", "model_id", nobody.alias("parent_key"), nobody.alias("relation"), level=0)
    levels = []
    while not level.is_empty():
        levels.append(level)
        reached = edges.join(level.select(parent_key="key"), on="parent_key")
        level = (
            reached.join(pl.concat(levels), on="key", how="anti")
            .sort("key", "position")
            .unique("key", keep="first", maintain_order=True)
            .select(
                "key",
                pl.col("child_hub_id").alias("hub_id"),
                pl.col("child_model_id").alias("model_id"),
                "parent_key",
                "relation",
                level=len(levels),
            )
        )
    return pl.concat(levels).join(parents, on="key", how="left", maintain_order="left")


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


def _chosen(lake: Lake, month: date | None) -> date:
    months = sorted(set(lake.months(DERIVATIONS)) & set(lake.months(MODEL_LINEAGE)))
    if not months:
        raise CensusError(f"the lake at {lake.url} holds no month with derivations: run `census run` first")
    if month is not None and month not in months:
        held = ", ".join(f"{held:%Y-%m}" for held in months)
        raise CensusError(f"the lake at {lake.url} has no derivations of {month:%Y-%m}: choose one of {held}")
    return month or months[-1]


def _head(listed: pl.LazyFrame, edges: pl.DataFrame, model: str, month: date) -> pl.DataFrame:
    """`key`, `hub_id` and `model_id` of the repository of that name, in whatever letter case only one has."""
    unlisted = (
        edges.lazy().filter(~pl.col("parent_listed")).select(pl.col("parent_model_id").alias("model_id")).unique()
    )
    everyone = pl.concat([listed, unlisted], how="diagonal")
    key = pl.coalesce("hub_id", "model_id").alias("key")
    folded = everyone.filter(pl.col("model_id").str.to_lowercase() == model.lower()).with_columns(key).collect()
    exact = folded.filter(model_id=model).sort("hub_id").head(1)
    if exact.height or folded.height == 1:
        return exact if exact.height else folded
    near = folded["model_id"].sort().to_list() or _near_names(everyone, model)
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
