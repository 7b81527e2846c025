"""Families of models and flows between countries: derivatives and downloads, added up over roots by weight.

Repositories, roots and developers are numbers here: everything about a repository stands in its row of the month, so
that nothing is looked up by name but the roots, once.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.tables.columns import RELATIONS
from pipeline.tables.families import DERIVATION_FLOWS, FAMILY_SHARES
from pipeline.transform.alignment import beside, rows_of
from pipeline.transform.together import together

Fractions = NDArray[np.float64]
Positions = NDArray[np.int64]

_UNMAPPED = "unmapped"
_MEMBERS = ("organization", "country")


def derivation_marts(
    derivations: pl.LazyFrame,
    model_lineage: pl.LazyFrame,
    origin_weights: pl.LazyFrame,
    model_downloads: pl.LazyFrame,
    model_attribution: pl.LazyFrame,
    root_attribution: pl.LazyFrame,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The month's families, by root repository and by root organisation, and its flows from country to country.

    The tables `shares/family_shares` and `shares/derivation_flows`, unsorted. Arguments are the tables of the group
    `lineage`, `listings/model_downloads` and those of the group `attribution`, all of one month; what has no row in
    the latter is `unmapped`. A derivative is new where it was created within that calendar month. Where its parents
    stand in different relations, it counts under each by its part of the parents.
    """
    month = model_downloads.select(pl.col("month").first()).collect().item()
    weights = origin_weights.select(
        "hub_id", "root_model_id", "root_hub_id", pl.col("weight").cast(pl.Float64)
    ).collect()
    market = _market(weights["root_model_id"], model_lineage, model_downloads, model_attribution, root_attribution)
    parts_of_relation, split = together(
        lambda: _parts_of_relation(derivations, market.models["hub_id"]), lambda: _split(market, weights)
    )
    is_derivative = np.sum(list(parts_of_relation.values()), axis=0) > 0
    new = int((is_derivative & market.is_new).sum())
    of_derivatives = split.of(is_derivative)
    tables = _families(market, of_derivatives, parts_of_relation), _flows(market, of_derivatives)
    families, flows = (_in_month(table, month, new) for table in tables)
    return families.select(FAMILY_SHARES.schema.names()), flows.select(DERIVATION_FLOWS.schema.names())


@dataclass(frozen=True)
class _Market:
    """A month's repositories and the roots among them or gone, developers as numbers.

    `models` has a row per repository: `hub_id`, `downloads`, `is_new`, `is_derivative` (null where lineage does not
    know it), and the places of `organization` and `country` among `members`. `roots` has a row per root:
    `root_model_id` and the same places.
    """

    models: pl.DataFrame
    roots: pl.DataFrame
    members: Mapping[str, pl.Series]

    @property
    def downloads(self) -> Fractions:
        return self.models["downloads"].to_numpy()

    @property
    def is_new(self) -> NDArray[np.bool_]:
        return self.models["is_new"].to_numpy()


@dataclass(frozen=True)
class _Split:
    """Derivatives over their roots: `model` and `root` are rows of the market, in rising order.

    `model_of_root` is the row of each root's own repository, null where that is not listed.
    """

    model: Positions
    root: Positions
    weight: Fractions
    model_of_root: pl.Series

    def of(self, models: NDArray[np.bool_]) -> _Split:
        """The same of some of the market's models."""
        kept = models[self.model]
        return _Split(self.model[kept], self.root[kept], self.weight[kept], self.model_of_root)


def _market(
    root_names: pl.Series,
    model_lineage: pl.LazyFrame,
    model_downloads: pl.LazyFrame,
    model_attribution: pl.LazyFrame,
    root_attribution: pl.LazyFrame,
) -> _Market:
    created_in = pl.col("created_at").dt.date().dt.month_start()
    models = model_downloads.select(
        "hub_id",
        pl.col("downloads").cast(pl.Float64),
        (created_in == pl.col("month")).fill_null(value=False).alias("is_new"),
    ).collect()
    models = beside(models, model_lineage.select("hub_id", "is_derivative").collect())
    models = beside(models, model_attribution.select("hub_id", *_MEMBERS).collect())
    developers = root_attribution.select("root_model_id", *_MEMBERS)
    names = root_names.unique().sort().to_frame()
    roots = names.lazy().join(developers, on="root_model_id", how="left", maintain_order="left").collect()
    members = {}
    for dimension in _MEMBERS:
        found = pl.concat([models[dimension].unique(), roots[dimension].unique(), pl.Series([_UNMAPPED])])
        members[dimension] = found.drop_nulls().unique().sort()
        unmapped = members[dimension].index_of(_UNMAPPED)
        place = pl.col(dimension).cast(pl.Enum(members[dimension])).to_physical().fill_null(unmapped)
        models, roots = models.with_columns(place), roots.with_columns(place)
    return _Market(models, roots, members)


def _parts_of_relation(derivations: pl.LazyFrame, hub_ids: pl.Series) -> dict[str, Fractions]:
    """How the parents of each repository split by relation; all zero where it has none."""
    edges = derivations.select("child_hub_id", pl.col("relation").cast(pl.Enum(RELATIONS)).to_physical()).collect()
    listed = edges.with_columns(rows_of(hub_ids, edges["child_hub_id"]).alias("row")).drop_nulls("row")
    row, relation = listed["row"].to_numpy(), listed["relation"].to_numpy()
    parents = np.maximum(np.bincount(row, minlength=len(hub_ids)), 1)
    return {
        name: np.bincount(row[relation == code], minlength=len(hub_ids)) / parents
        for code, name in enumerate(RELATIONS)
    }


def _split(market: _Market, weights: pl.DataFrame) -> _Split:
    root = weights["root_model_id"].cast(pl.Enum(market.roots["root_model_id"])).to_physical().alias("root")
    model = rows_of(market.models["hub_id"], weights["hub_id"]).alias("model")
    placed = weights.select("root_hub_id", "weight", root, model).drop_nulls("model").sort("model", "root")
    first = np.zeros(market.roots.height, dtype=np.int64)
    first[placed["root"].to_numpy()[::-1]] = np.arange(placed.height - 1, -1, -1)
    of_root = placed["root_hub_id"].gather(first) if placed.height else pl.Series([], dtype=pl.String)
    return _Split(
        placed["model"].to_numpy().astype(np.int64),
        placed["root"].to_numpy().astype(np.int64),
        placed["weight"].to_numpy(),
        rows_of(market.models["hub_id"], of_root),
    )


def _families(market: _Market, split: _Split, parts_of_relation: Mapping[str, Fractions]) -> pl.DataFrame:
    """Both levels of `shares/family_shares`, without what all rows of the month share."""
    new = split.weight * market.is_new[split.model]
    downloads = split.weight * market.downloads[split.model]
    part = {relation: parts[split.model] for relation, parts in parts_of_relation.items()}
    amounts = {
        "new_derivatives": new,
        **{f"new_{relation}": new * part[relation] for relation in RELATIONS},
        "derivatives": split.weight,
        "downloads_derivatives": downloads,
        "downloads_quantized": downloads * part["quantized"],
    }
    roots = market.roots.height
    of_derivatives = {name: _sums(split.root, amount, roots) for name, amount in amounts.items()}
    is_root = market.models["is_derivative"].eq(other=False).fill_null(value=False).to_numpy()
    own = pl.Series(np.where(is_root, market.downloads, 0.0)).gather(split.model_of_root).fill_null(0.0).to_numpy()
    families = market.roots.select(
        pl.lit("root_model").alias("level"),
        pl.col("root_model_id").alias("family"),
        *(market.members[dimension].gather(market.roots[dimension]).alias(dimension) for dimension in _MEMBERS),
    ).with_columns(
        *(pl.Series(name, sums) for name, sums in of_derivatives.items()),
        pl.Series("downloads", own + of_derivatives["downloads_derivatives"]),
    )
    return pl.concat(
        [families.filter(pl.col("derivatives") > 0), _organizations(market, of_derivatives, is_root)],
        how="diagonal",
    )


def _organizations(
    market: _Market, of_derivatives: Mapping[str, Fractions], is_root: NDArray[np.bool_]
) -> pl.DataFrame:
    """Families by organisation: of all roots, whether or not anything derives from them."""
    organizations = market.members["organization"]
    own_roots = market.models.filter(pl.Series(is_root))
    sums = {
        name: _sums(market.roots["organization"].to_numpy(), by_root, len(organizations))
        for name, by_root in of_derivatives.items()
    }
    own = _sums(own_roots["organization"].to_numpy(), own_roots["downloads"].to_numpy(), len(organizations))
    seats = (
        pl.concat([own_roots.select(_MEMBERS), market.roots.select(_MEMBERS)])
        .group_by("organization")
        .agg(pl.col("country").min())
        .sort("organization")
    )
    place, name = seats["organization"], organizations.gather(seats["organization"])
    return pl.DataFrame(
        {
            "family": name,
            "organization": name,
            "country": market.members["country"].gather(seats["country"]),
            **{column: pl.Series(amounts).gather(place) for column, amounts in sums.items()},
            "downloads": pl.Series(own + sums["downloads_derivatives"]).gather(place),
        }
    ).with_columns(pl.lit("root_organization").alias("level"))


def _flows(market: _Market, split: _Split) -> pl.DataFrame:
    """`shares/derivation_flows`, without what all rows of the month share."""
    countries = market.members["country"]
    base = market.roots["country"].to_numpy()[split.root].astype(np.int64)
    derivative = market.models["country"].to_numpy()[split.model]
    cell = base * len(countries) + derivative
    amounts = {
        "new_derivatives": split.weight * market.is_new[split.model],
        "derivatives": split.weight,
        "downloads": split.weight * market.downloads[split.model],
    }
    cells = np.unique(cell)
    return pl.DataFrame(
        {
            "base_country": countries.gather(cells // len(countries)),
            "derivative_country": countries.gather(cells % len(countries)),
            **{name: _sums(cell, amount, len(countries) ** 2)[cells] for name, amount in amounts.items()},
        }
    )


def _sums(codes: NDArray[np.integer], amounts: Fractions, groups: int) -> Fractions:
    """Sums by code, added in the order in which the amounts stand: the same rows give the same bits."""
    return np.asarray(np.bincount(codes, amounts, groups), np.float64)


def _in_month(frame: pl.DataFrame, month: dt.date, new: int) -> pl.DataFrame:
    share = pl.col("new_derivatives") / new if new else pl.lit(0.0)
    return frame.with_columns(
        pl.lit(month, pl.Date).alias("month"),
        pl.lit(new, pl.Int64).alias("new_derivatives_in_all"),
        share.alias("share_of_new_derivatives"),
    )
