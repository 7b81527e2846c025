"""Tables and frames made up for the tests of checks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

import polars as pl
import pytest

from pipeline.schema.declaration import Column, Measure, MonthAbsentError, Rule, Table


@dataclass(frozen=True)
class FramesInMemory:
    """The tables of one month, and of the month before."""

    current: Mapping[str, pl.LazyFrame]
    previous: Mapping[str, pl.LazyFrame]

    def scan(self, table: str) -> pl.LazyFrame:
        if table not in self.current:
            raise LookupError(f"{table} is not there")
        return self.current[table]

    def scan_previous(self, table: str) -> pl.LazyFrame:
        if table not in self.previous:
            raise MonthAbsentError(date(2025, 3, 1))
        return self.previous[table]


@pytest.fixture(scope="session")
def frames_of() -> Callable[..., FramesInMemory]:
    """Makes the tables of a month, 2025-04, from frames by `group/name`."""

    def build(current: Mapping[str, pl.DataFrame], previous: Mapping[str, pl.DataFrame] | None = None):
        return FramesInMemory(
            {path: frame.lazy() for path, frame in current.items()},
            {path: frame.lazy() for path, frame in (previous or {}).items()},
        )

    return build


MODEL_ID = Column("model_id", pl.String, "The model's name.")
LIKES = Column("likes", pl.Int64, "Likes.", nullable=True, minimum=0)


@pytest.fixture(scope="session")
def models_table() -> Callable[..., Table]:
    """Makes a table `listings/models` of models with likes, which may not be negative."""

    def build(
        *statements: Rule | Measure,
        columns: tuple[Column, ...] = (MODEL_ID, LIKES),
        key: tuple[str, ...] = ("model_id",),
        name: str = "models",
        may_be_empty: bool = True,
    ) -> Table:
        return Table(
            group="listings",
            name=name,
            grain="model",
            description="Models made up for a test.",
            columns=columns,
            key=key,
            may_be_empty=may_be_empty,
            rules=tuple(one for one in statements if isinstance(one, Rule)),
            measures=tuple(one for one in statements if isinstance(one, Measure)),
        )

    return build
