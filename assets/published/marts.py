"""The marts over windows: made from the published months' rows until each is declared beside its mart."""

from dataclasses import replace

import polars as pl

from pipeline.errors import CensusError
from pipeline.schema.declaration import Column, Table
from pipeline.schema.published import PublishedMonths, PublishedTable
from pipeline.tables import measures
from pipeline.tables.attributes import ATTRIBUTE_GROUP_COLUMNS, ATTRIBUTE_SHARES
from pipeline.tables.columns import BASES, BASIS
from pipeline.tables.families import DERIVATION_FLOWS, FAMILY_SHARES
from pipeline.tables.measures import ADOPTION_MARKS, CONCENTRATION, INTERMEDIARIES, MODEL_SIZES, RELEASE_DAYS
from pipeline.tables.shares import COUNTRY_SHARES, ORGANIZATION_SHARES, WINDOW, WINDOWS
from pipeline.transform.adoption import adoption
from pipeline.transform.concentration import concentration_of_members
from pipeline.transform.intermediaries import intermediary_windows
from pipeline.transform.releases import release_cadence
from pipeline.transform.sizes import size_windows
from pipeline.transform.windows import share_windows

_ABSENT = "absent where that window is not published, is incomplete, or rests on another basis"
CHANGE_COLUMNS = tuple(
    column
    for ago in ("month", "year")
    for column in (
        Column(
            f"share_change_on_{ago}",
            pl.Float64,
            f"`share` less that of the same window ending a {ago} earlier; {_ABSENT}.",
            "fraction",
            nullable=True,
        ),
        Column(
            f"rank_change_on_{ago}",
            pl.Int32,
            f"Places gained since the same window ending a {ago} earlier (2: from fifth to third); {_ABSENT}, or the "
            "member was not in it.",
            "places",
            nullable=True,
        ),
    )
)
_OF_MONTH = {"month": ("dim_month", "month")}
_OF_WINDOW = {**_OF_MONTH, "window": ("dim_window", "window")}
_COUNTRY = ("dim_country", "country")


_IN_LONGER_WINDOWS = {
    "window": replace(WINDOW, values=WINDOWS),
    "basis": replace(BASIS, values=(*BASES, "mixed")),
}


def _over_windows(table: Table, further: tuple[Column, ...] = ()) -> Table:
    return replace(
        table,
        group="published",
        grain=f"month, window, {table.grain}",
        columns=(*(_IN_LONGER_WINDOWS.get(column.name, column) for column in table.columns), *further),
        key=("month", *table.key),
        monthly=False,
        rules=(),
    )


def _growing(shares: pl.DataFrame) -> pl.LazyFrame:
    """Holds cumulative windows to what they are: sums that never fall.

    Raises:
        CensusError: a member's cumulative downloads are fewer than a month before.
    """
    member = ("population", "attribution", "dimension", "member")
    cumulative = shares.filter(pl.col("window") == "cumulative").sort("month")
    fallen = cumulative.filter(pl.col("downloads").diff().over(member) < 0)
    if not fallen.is_empty():
        row = fallen.row(0, named=True)
        raise CensusError(
            f"the cumulative downloads of {row['member']} fall in {row['month']:%Y-%m}: run the month again"
        )
    return shares.lazy()


def _concentration(months: PublishedMonths) -> pl.LazyFrame:
    over_models = months.scan(CONCENTRATION).filter(pl.col("dimension") == "model")
    of_members = [
        concentration_of_members(months.published(name).collect()).lazy()
        for name in ("country_shares", "organization_shares")
    ]
    return pl.concat([over_models, *of_members], how="diagonal_relaxed")


def _intermediaries(months: PublishedMonths) -> pl.LazyFrame:
    denominators = (
        months.published("country_shares")
        .filter(pl.col("attribution") == "uploader")
        .select("month", "window", "months_in_window", "is_complete", "population", "denominator", "basis")
        .unique(maintain_order=True)
        .collect()
    )
    return intermediary_windows(months.scan(INTERMEDIARIES).collect(), denominators).lazy()


COUNTRY_SHARES_PUBLISHED = PublishedTable(
    _over_windows(COUNTRY_SHARES, CHANGE_COLUMNS),
    lambda months: _growing(share_windows(months.scan(COUNTRY_SHARES).collect())),
    {**_OF_WINDOW, "member": _COUNTRY},
)
ORGANIZATION_SHARES_PUBLISHED = PublishedTable(
    _over_windows(ORGANIZATION_SHARES, CHANGE_COLUMNS),
    lambda months: _growing(share_windows(months.scan(ORGANIZATION_SHARES).collect())),
    {**_OF_WINDOW, "country": _COUNTRY},
)
ATTRIBUTE_SHARES_PUBLISHED = PublishedTable(
    _over_windows(ATTRIBUTE_SHARES, CHANGE_COLUMNS),
    lambda months: share_windows(months.scan(ATTRIBUTE_SHARES).collect(), ATTRIBUTE_GROUP_COLUMNS).lazy(),
    _OF_WINDOW,
)
CONCENTRATION_PUBLISHED = PublishedTable(_over_windows(CONCENTRATION), _concentration, _OF_WINDOW)
MODEL_SIZES_PUBLISHED = PublishedTable(
    _over_windows(MODEL_SIZES), lambda months: size_windows(months.scan(MODEL_SIZES).collect()).lazy(), _OF_WINDOW
)
INTERMEDIARIES_PUBLISHED = PublishedTable(
    _over_windows(INTERMEDIARIES), _intermediaries, {**_OF_WINDOW, "country": _COUNTRY}
)
RELEASE_CADENCE_PUBLISHED = PublishedTable(
    measures.RELEASE_CADENCE,
    lambda months: release_cadence(months.scan(RELEASE_DAYS).collect(), months.months).lazy(),
    {**_OF_WINDOW, "member": _COUNTRY},
)
ADOPTION_PUBLISHED = PublishedTable(
    measures.ADOPTION,
    lambda months: adoption(months.scan(ADOPTION_MARKS).collect()).lazy(),
    {**_OF_WINDOW, "country": _COUNTRY},
)
FAMILY_SHARES_PUBLISHED = PublishedTable(
    FAMILY_SHARES, lambda months: months.scan(FAMILY_SHARES), {**_OF_MONTH, "country": _COUNTRY}
)
DERIVATION_FLOWS_PUBLISHED = PublishedTable(
    DERIVATION_FLOWS,
    lambda months: months.scan(DERIVATION_FLOWS),
    {**_OF_MONTH, "base_country": _COUNTRY, "derivative_country": _COUNTRY},
)
