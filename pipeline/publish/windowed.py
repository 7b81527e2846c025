"""The marts that look over several months: made when publishing, from the months that are published."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from pipeline.errors import CensusError
from pipeline.schema.declaration import Table
from pipeline.tables import attributes, measures, shares, windowed
from pipeline.transform.adoption import adoption
from pipeline.transform.concentration import concentration_of_members
from pipeline.transform.intermediaries import intermediary_windows
from pipeline.transform.releases import release_cadence
from pipeline.transform.sizes import size_windows
from pipeline.transform.windows import share_windows


def windowed_marts(of_all_months: Callable[[Table], pl.LazyFrame]) -> dict[Table, pl.DataFrame]:
    """Every table of `windowed.WINDOWED_TABLES` from the lake's monthly tables, all published months together."""

    def months_of(table: Table) -> pl.DataFrame:
        return of_all_months(table).collect()

    countries = share_windows(months_of(shares.COUNTRY_SHARES))
    organizations = share_windows(months_of(shares.ORGANIZATION_SHARES))
    for table in (countries, organizations):
        _require_growing(table)
    over_models = months_of(measures.CONCENTRATION).filter(pl.col("dimension") == "model")
    months = countries["month"].unique().sort().to_list()
    denominators = countries.filter(pl.col("attribution") == "uploader").select(
        "month", "window", "months_in_window", "is_complete", "population", "denominator", "basis"
    )
    return {
        windowed.COUNTRY_SHARES_OVER_WINDOWS: countries,
        windowed.ORGANIZATION_SHARES_OVER_WINDOWS: organizations,
        windowed.ATTRIBUTE_SHARES_OVER_WINDOWS: share_windows(
            months_of(attributes.ATTRIBUTE_SHARES), attributes.ATTRIBUTE_GROUP_COLUMNS
        ),
        windowed.CONCENTRATION_OVER_WINDOWS: pl.concat(
            [over_models, concentration_of_members(countries), concentration_of_members(organizations)],
            how="diagonal_relaxed",
        ),
        windowed.MODEL_SIZES_OVER_WINDOWS: size_windows(months_of(measures.MODEL_SIZES)),
        measures.RELEASE_CADENCE: release_cadence(months_of(measures.RELEASE_DAYS), months),
        measures.ADOPTION: adoption(months_of(measures.ADOPTION_MARKS)),
        windowed.INTERMEDIARIES_OVER_WINDOWS: intermediary_windows(
            months_of(measures.INTERMEDIARIES), denominators.unique(maintain_order=True)
        ),
    }


def _require_growing(shares_over_windows: pl.DataFrame) -> None:
    """Holds cumulative windows to what they are: sums that never fall.

    Raises:
        CensusError: a member's cumulative downloads are fewer than a month before.
    """
    member = ("population", "attribution", "dimension", "member")
    cumulative = shares_over_windows.filter(pl.col("window") == "cumulative").sort("month")
    fallen = cumulative.filter(pl.col("downloads").diff().over(member) < 0)
    if not fallen.is_empty():
        row = fallen.row(0, named=True)
        raise CensusError(
            f"the cumulative downloads of {row['member']} fall in {row['month']:%Y-%m}: run the month again"
        )
