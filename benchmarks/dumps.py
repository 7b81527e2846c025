"""Dumps of a synthetic Hub as a user would bring them, made once and kept: the input of whole months.

A dump is an archive's `models.parquet` under the date of its observation, as source `local` reads it. Every figure in
it is invented.
"""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path

import polars as pl

from pipeline.months import add_months
from synthetic_hub.timeline import BOUNDARIES
from synthetic_hub.world import WorldFiles, WorldSettings, ensure_world

MONTH = dt.date(2025, 8, 1)
"""The month that is made where there is only one; September 2025 is the world's last whole month."""

PUBLIC_SHARE_AT_THE_END = 0.935
"""Of a world's repositories, those that its listing shows at the close of `MONTH`; others come later or are private."""


def month_dumps(folder: Path, models: int) -> Path:
    """The dumps that open and close `MONTH`, the second of about `models` repositories."""
    made = folder / "dumps"
    boundaries = (MONTH, add_months(MONTH, 1))
    if not made.exists():
        _link(_world(folder, models, boundaries), _new(made))
        _done(made)
    return made


def daily_dumps(folder: Path, models: int) -> Path:
    """The dumps of `month_dumps`, and one of each of three days on both sides of the close."""
    made = folder / "dumps"
    if not made.exists():
        world = _world(folder, models, (MONTH, add_months(MONTH, 1)))
        _link(world, _new(made))
        opening, closing = (pl.scan_parquet(path) for path in world.revisions["path"])
        close = add_months(MONTH, 1)
        for day in (-3, -2, -1, 1, 2, 3):
            name = f"{close + dt.timedelta(days=day)}T00-00.parquet"
            _flow_on(opening, closing, day / 31).sink_parquet(_new(made) / name)
        _done(made)
    return made


def backfill_dumps(folder: Path, models: int, months: int) -> Path:
    """The dumps that open and close each of `months` months, the world's last of about `models`.

    The months after the world's last repeat its last flows under later dates: no repository is added in them.
    """
    made = folder / "dumps"
    if not made.exists():
        world = _world(folder, models, tuple(boundary.date() for boundary in BOUNDARIES))
        _link(world, _new(made))
        before, last = (pl.scan_parquet(path) for path in world.revisions["path"].tail(2))
        for later in range(1, months + 2 - len(BOUNDARIES)):
            _flow_on(before, last, later).sink_parquet(
                _new(made) / f"{add_months(BOUNDARIES[-1].date(), later):%Y-%m-%d}T00-00.parquet"
            )
        _done(made)
    return made


def _flow_on(before: pl.LazyFrame, last: pl.LazyFrame, months: float) -> pl.LazyFrame:
    counted = before.select("_id", before="downloadsAllTime")
    flow = (pl.col("downloadsAllTime") - pl.col("before").fill_null(0)).clip(0)
    return (
        last.join(counted, on="_id", how="left", maintain_order="left")
        .with_columns((pl.col("downloadsAllTime") + flow * months).cast(pl.Int64))
        .drop("before")
    )


def _world(folder: Path, models: int, boundaries: tuple[dt.date, ...]) -> WorldFiles:
    settings = WorldSettings(
        models=round(models / PUBLIC_SHARE_AT_THE_END), pathologies=False, truth=False, revisions=boundaries
    )
    return ensure_world(folder / "worlds", settings)


def _link(world: WorldFiles, folder: Path) -> None:
    for observed_at, path in world.revisions.select("observed_at", "path").iter_rows():
        os.link(path, folder / f"{observed_at:%Y-%m-%dT%H-%M}.parquet")


def _new(made: Path) -> Path:
    unfinished = made.with_name(f".{made.name}")
    unfinished.mkdir(parents=True, exist_ok=True)
    return unfinished


def _done(made: Path) -> None:
    _new(made).rename(made)
