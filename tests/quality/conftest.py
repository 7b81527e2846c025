"""Tables and frames made up for the tests of quality."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import polars as pl
import pytest

from pipeline.schema.declaration import Column, Expectation, Measure, Rule, Table


@dataclass(frozen=True)
class FramesInMemory:
    """The tables of one month, and of the month before."""

    current: Mapping[str, pl.LazyFrame]
    previous: Mapping[str, pl.LazyFrame]

    def scan(self, table: str) -> pl.LazyFrame:
        if table not in self.current:
            raise LookupError(f"{table} is not there")
        return self.current[table]

    def scan_previous(self, table: str) -> pl.LazyFrame | None:
        return self.previous.get(table)


@pytest.fixture
def frames_of() -> Callable[..., FramesInMemory]:
    """Makes the tables of a month from frames by `group/name`."""

    def build(current: Mapping[str, pl.DataFrame], previous: Mapping[str, pl.DataFrame] | None = None):
        return FramesInMemory(
            {path: frame.lazy() for path, frame in current.items()},
            {path: frame.lazy() for path, frame in (previous or {}).items()},
        )

    return build


@pytest.fixture
def models_table() -> Callable[..., Table]:
    """Makes a table `listings/models` of models with likes, of which only the key and presence are expected."""

    def build(
        *statements: Expectation | Rule | Measure, columns: tuple[Column, ...] | None = None, name: str = "models"
    ) -> Table:
        return Table(
            group="listings",
            name=name,
            grain="model",
            description="Models made up for a test.",
            columns=columns
            or (
                Column("model_id", pl.String, "The model's name."),
                Column("likes", pl.Int64, "Likes.", nullable=True),
            ),
            key=("model_id",),
            may_be_empty=True,
            expectations=tuple(one for one in statements if isinstance(one, Expectation)),
            rules=tuple(one for one in statements if isinstance(one, Rule)),
            measures=tuple(one for one in statements if isinstance(one, Measure)),
        )

    return build
