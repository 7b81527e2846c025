"""The core of every share table: who holds which part of the downloads, with denominators and bounds.

The method is `docs/methodology.md`, section "Shares".
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from pipeline.tables.shares import GROUP_COLUMNS, NOT_KNOWN
from pipeline.transform.alignment import beside, rows_of
from pipeline.transform.populations import POPULATION_CLASS, totals_by_population

_DEVELOPER = ("organization", "country")


def member_shares(
    downloads: pl.LazyFrame, attribution: pl.LazyFrame, weights: pl.LazyFrame, root_attribution: pl.LazyFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """`shares/country_shares` and `shares/organization_shares` of a month, by uploader and by origin.

    Frames are `listings/model_downloads`, `attribution/model_attribution`, `lineage/origin_weights` and, for every
    root in it, listed or not, `attribution/root_attribution`. A repository is wholly its uploader's; by origin a
    derivative is its roots' by weight, every other repository its uploader's.
    """
    month, basis = downloads.select("month", "basis").head(1).collect().row(0)
    uploaded = beside(
        downloads.select("hub_id", pl.col("downloads").cast(pl.Float64), POPULATION_CLASS).collect(),
        attribution.select("hub_id", *_DEVELOPER).collect(),
    )
    roots = root_attribution.select("root_model_id", *_DEVELOPER).sort("root_model_id").collect()
    members = {}
    for dimension in _DEVELOPER:
        names = pl.concat([uploaded[dimension].unique(), roots[dimension].unique(), pl.Series(["unmapped"])])
        members[dimension] = names.drop_nulls().unique().sort()
        place = pl.col(dimension).cast(pl.Enum(members[dimension])).to_physical()
        uploaded, roots = uploaded.with_columns(place), roots.with_columns(place)
    of_roots = _of_roots(uploaded, weights, roots)
    by_origin = np.full(uploaded.height + of_roots.height, fill_value=True)
    by_origin[of_roots["row"].to_numpy()] = False
    counted = (*_DEVELOPER, "downloads", "population_class")
    rows = pl.concat([uploaded.select(counted), of_roots.select(counted)]).with_columns(
        pl.col(dimension).fill_null(names.index_of("unmapped")) for dimension, names in members.items()
    )
    rows_of_attribution = {"uploader": rows.head(uploaded.height), "origin": rows.filter(by_origin)}
    country, organization = (
        with_shares(
            in_month(
                pl.concat(
                    totals_by_population(
                        pl.DataFrame({"member": members[dimension]}).with_columns(
                            pl.lit(attribution).alias("attribution"), pl.lit(dimension).alias("dimension")
                        ),
                        of_members[dimension],
                        of_members["population_class"],
                        of_members["downloads"],
                    )
                    for attribution, of_members in rows_of_attribution.items()
                ),
                month,
                basis,
            )
        )
        for dimension in ("country", "organization")
    )
    seat = rows.group_by("organization").agg(pl.col("country").min())
    seats = pl.DataFrame(
        {
            "member": members["organization"].gather(seat["organization"]),
            "country": members["country"].gather(seat["country"]),
        }
    )
    return country, organization.join(seats, on="member", how="left")


def _of_roots(uploaded: pl.DataFrame, weights: pl.LazyFrame, roots: pl.DataFrame) -> pl.DataFrame:
    """What comes to each of the `roots` of each derivative, which stands in `row` of `uploaded`."""
    parts = weights.select("hub_id", "root_model_id", pl.col("weight").cast(pl.Float64)).collect()
    root = parts["root_model_id"].cast(pl.Enum(roots["root_model_id"]), strict=False).to_physical().alias("root")
    placed = (
        parts.select("weight", root, rows_of(uploaded["hub_id"], parts["hub_id"])).drop_nulls("row").sort("row", "root")
    )
    derivatives = uploaded.select(pl.col("downloads", "population_class").gather(placed["row"]))
    developers = roots.select(pl.col(*_DEVELOPER).gather(placed["root"]))
    return pl.concat([placed, derivatives, developers], how="horizontal").with_columns(
        pl.col("downloads") * pl.col("weight")
    )


def in_month(totals: pl.DataFrame, month: object, basis: str) -> pl.DataFrame:
    """The totals of a month as a window of that month alone."""
    return totals.with_columns(
        pl.lit(month, pl.Date).alias("month"),
        pl.lit("month").alias("window"),
        pl.lit(1, pl.Int32).alias("months_in_window"),
        pl.lit(value=True).alias("is_complete"),
        pl.lit(basis).alias("basis"),
    )


def with_shares(totals: pl.DataFrame, group_columns: Sequence[str] = GROUP_COLUMNS) -> pl.DataFrame:
    """Adds denominator, share, bounds, coverage and rank to the downloads of each group's members.

    Within a group the downloads of members not known (`NOT_KNOWN`) could all be, or none of them, any one member's:
    that gives the bounds. Where nothing was downloaded all shares are 0.
    """
    numbers = totals.with_columns(pl.col("downloads").cast(pl.Float64))
    in_order = numbers.sort(*group_columns, "member").with_row_index("place")
    return shares_within(in_order.with_columns(group_number(group_columns))).drop("place", "group")


def group_number(group_columns: Sequence[str]) -> pl.Expr:
    """The number of each row's group, as column `group`; rows stand by group."""
    return pl.struct(group_columns).rle_id().alias("group")


def shares_within(totals: pl.DataFrame) -> pl.DataFrame:
    """As `with_shares`, for rows whose group and member's place in it are known as numbers: `group` and `place`."""
    in_order = totals.sort("group", "downloads", "place", descending=[False, True, False])
    group, downloads = in_order["group"].to_numpy(), in_order["downloads"].to_numpy()
    is_unknown = in_order["member"].is_in(NOT_KNOWN).to_numpy()
    is_attributed = ~is_unknown & (in_order["member"] != "unaffiliated").to_numpy()

    def in_group(counts: npt.NDArray[np.bool_] | float) -> npt.NDArray[np.float64]:
        """All downloads of each row's group that count."""
        return np.asarray(np.bincount(group, downloads * counts)[group], np.float64)

    denominator, unknown = in_group(1.0), in_group(is_unknown)
    share = _ratio(downloads, denominator)
    of_attributed = pl.Series(_ratio(downloads, in_group(is_attributed)))
    highest = np.minimum(_ratio(downloads + unknown, denominator), 1.0)
    return in_order.with_columns(
        pl.Series("denominator", denominator),
        pl.Series("rank", np.arange(len(group)) - np.searchsorted(group, group) + 1, dtype=pl.Int32),
        pl.Series("share", share),
        pl.when(pl.Series(is_attributed)).then(of_attributed).alias("share_of_attributed"),
        pl.Series("share_low", np.where(is_unknown, 0.0, share)),
        pl.Series("share_high", np.where(is_unknown, share, highest)),
        pl.Series("coverage", 1.0 - _ratio(unknown, denominator)),
    )


def _ratio(part: npt.NDArray[np.float64], whole: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    # Not by Polars, which multiplies a single row by the reciprocal: a share would depend on the rows beside it.
    return np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0)
