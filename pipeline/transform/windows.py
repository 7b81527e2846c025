"""Windows over several months: sums of the monthly numerators and denominators, and changes between windows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
import polars as pl

from pipeline.months import add_months, months_between
from pipeline.tables.shares import GROUP_COLUMNS, WINDOWS
from pipeline.transform.shares import group_number, shares_within

TRAILING_MONTHS = 12
AGO = {"month": 1, "year": 12}
"""With which earlier window a window is compared: so many months before."""
_SUMMED, _OF_LAST_MONTH = "downloads", "models"


@dataclass(frozen=True)
class Window:
    """One window: the months that its name promises, and those of them that there are."""

    name: str
    wanted: tuple[date, ...]
    held: tuple[date, ...]

    @property
    def last(self) -> date:
        """The month with which it ends."""
        return self.wanted[-1]

    def facts(self) -> list[pl.Expr]:
        """`month`, `window`, `months_in_window` and `is_complete`."""
        return [
            pl.lit(self.last, pl.Date).alias("month"),
            pl.lit(self.name).alias("window"),
            pl.lit(len(self.held), pl.Int32).alias("months_in_window"),
            pl.lit(len(self.held) == len(self.wanted)).alias("is_complete"),
        ]


def windows_over(months: Sequence[date]) -> Iterator[Window]:
    """Every window that ends with one of the months, single months among them, in order of their last month."""
    for last in months:
        firsts = (last, add_months(last, 1 - TRAILING_MONTHS), last.replace(month=1), months[0])
        for name, first in zip(WINDOWS, firsts, strict=True):
            held = tuple(month for month in months if first <= month <= last)
            yield Window(name, tuple(months_between(first, last)), held)


def basis_of(window: Window, bases: dict[date, str]) -> str:
    """The basis of the window's months, `mixed` where they differ."""
    found = {bases[month] for month in window.held}
    return found.pop() if len(found) == 1 else "mixed"


def share_windows(monthly: pl.DataFrame, group_columns: Sequence[str] = GROUP_COLUMNS) -> pl.DataFrame:
    """The rows of a monthly share table over every window, with the changes on earlier windows.

    Numerators are added, denominators follow; a window that lacks a month says so in `is_complete`, one whose months
    differ in basis has the basis `mixed`. `group_columns` state a denominator, as in `with_shares`. An organisation's
    `country` is that of its last month in the window.
    """
    monthly = monthly.with_columns(pl.col("downloads", "denominator").cast(pl.Float64))
    groups = [name for name in group_columns if name not in ("month", "window")]
    months = monthly["month"].unique().sort().to_list()
    sums = MonthlySums(monthly, [*groups, "member"], months)
    members = sums.keys.with_row_index("place").with_columns(group_number(groups))
    bases = dict(monthly.select("month", "basis").unique().iter_rows())
    done: dict[tuple[str, date], pl.DataFrame] = {}
    for window in windows_over(months):
        place, downloads = sums.over(window)
        rows = members[place].with_columns(
            *window.facts(),
            pl.lit(basis_of(window, bases)).alias("basis"),
            pl.Series(_SUMMED, downloads),
            monthly[_OF_LAST_MONTH].gather(sums.row_of(place, window.last)).fill_null(0),
            *(monthly[name].gather(sums.latest_row_of(place, window.last)) for name in ("country",) if name in monthly),
        )
        shares = shares_within(rows)
        for ago, earlier in AGO.items():
            before = done.get((window.name, add_months(window.last, -earlier)))
            shares = shares.with_columns(_changes(shares, before, ago, members.height))
        done[window.name, window.last] = shares
    changes = [f"{figure}_change_on_{ago}" for ago in AGO for figure in ("share", "rank")]
    return pl.concat(done.values()).select(*monthly.columns, *changes)


class MonthlySums:
    """The downloads of a monthly table as key x month, to be added up over any window."""

    def __init__(self, monthly: pl.DataFrame, keys: list[str], months: Sequence[date]) -> None:
        self.keys = monthly.select(keys).unique().sort(keys)
        """What there is, in order; its rows are the places that the methods speak of."""
        place = monthly.join(self.keys.with_row_index("place"), on=keys, how="left", maintain_order="left")["place"]
        self._months = {month: number for number, month in enumerate(months)}
        cells = (
            monthly["month"].replace_strict(self._months, return_dtype=pl.Int64).to_numpy(),
            place.to_numpy(),
        )
        shape = (len(months), self.keys.height)
        self._downloads = np.zeros(shape)
        self._downloads[cells] = monthly[_SUMMED].to_numpy()
        self._row = np.full(shape, -1)
        self._row[cells] = np.arange(monthly.height)
        held = np.where(self._row >= 0, np.arange(len(months))[:, None], -1)
        self._latest_month = np.maximum.accumulate(held, axis=0)

    def over(self, window: Window) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """The places of what the window holds, and the sums of their downloads."""
        first, last = self._months[window.held[0]], self._months[window.last]
        place = np.flatnonzero(self._latest_month[last] >= first)
        total = np.zeros(self.keys.height)
        for month in range(first, last + 1):
            total += self._downloads[month]
        return place, total[place]

    def row_of(self, place: npt.NDArray[np.int64], month: date) -> pl.Series:
        """The row of each place in the month, null where it has none."""
        return _rows(self._row[self._months[month], place])

    def latest_row_of(self, place: npt.NDArray[np.int64], month: date) -> pl.Series:
        """The row of each place in the last month up to this one that has it."""
        return _rows(self._row[self._latest_month[self._months[month], place], place])


def _rows(numbers: npt.NDArray[np.int64]) -> pl.Series:
    return pl.Series(numbers).replace(-1, None)


def _changes(shares: pl.DataFrame, before: pl.DataFrame | None, ago: str, members: int) -> list[pl.Series]:
    """The change of share and rank on an earlier window, where there is a complete one of the same basis."""
    share, rank = f"share_change_on_{ago}", f"rank_change_on_{ago}"
    if before is None or not _comparable(shares, before):
        absent = [None] * shares.height
        return [pl.Series(share, absent, pl.Float64), pl.Series(rank, absent, pl.Int32)]
    row = np.full(members, -1)
    row[before["place"].to_numpy()] = np.arange(before.height)
    earlier = before.select("share", "rank").select(pl.all().gather(_rows(row[shares["place"].to_numpy()])))
    return [
        (shares["share"] - earlier["share"].fill_null(0.0)).alias(share),
        (earlier["rank"] - shares["rank"]).alias(rank),
    ]


def _comparable(shares: pl.DataFrame, before: pl.DataFrame) -> bool:
    return all(frame["is_complete"].all() for frame in (shares, before)) and shares["basis"][0] == before["basis"][0]
