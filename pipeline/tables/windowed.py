"""The share tables as readers see them: every month with its longer windows, and changes between windows."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from pipeline.schema.declaration import Column, Table
from pipeline.tables.attributes import ATTRIBUTE_SHARES
from pipeline.tables.columns import BASES, BASIS
from pipeline.tables.measures import ADOPTION, CONCENTRATION, INTERMEDIARIES, MODEL_SIZES, RELEASE_CADENCE
from pipeline.tables.shares import COUNTRY_SHARES, ORGANIZATION_SHARES, WINDOW, WINDOWS

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


COUNTRY_SHARES_OVER_WINDOWS = _over_windows(COUNTRY_SHARES, CHANGE_COLUMNS)
ORGANIZATION_SHARES_OVER_WINDOWS = _over_windows(ORGANIZATION_SHARES, CHANGE_COLUMNS)
ATTRIBUTE_SHARES_OVER_WINDOWS = _over_windows(ATTRIBUTE_SHARES, CHANGE_COLUMNS)
CONCENTRATION_OVER_WINDOWS = _over_windows(CONCENTRATION)
MODEL_SIZES_OVER_WINDOWS = _over_windows(MODEL_SIZES)
INTERMEDIARIES_OVER_WINDOWS = _over_windows(INTERMEDIARIES)

WINDOWED_TABLES = (
    COUNTRY_SHARES_OVER_WINDOWS,
    ORGANIZATION_SHARES_OVER_WINDOWS,
    ATTRIBUTE_SHARES_OVER_WINDOWS,
    CONCENTRATION_OVER_WINDOWS,
    MODEL_SIZES_OVER_WINDOWS,
    RELEASE_CADENCE,
    ADOPTION,
    INTERMEDIARIES_OVER_WINDOWS,
)
"""What this group publishes beside `families.TABLES`."""
