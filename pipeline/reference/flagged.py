"""Reviewed repositories whose downloads are not people's use: test suites and bursts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl

from pipeline.errors import CensusError
from pipeline.months import parse_month
from pipeline.reference.lists import FOLDER

WHOLE_NAMESPACE = "/*"


@dataclass(frozen=True)
class FlaggedModels:
    """One month's flagged repositories: by name or Hub id, and whole namespaces."""

    repositories: tuple[str, ...]
    namespaces: tuple[str, ...]


def flagged_models(month: date, path: Path | None = None) -> FlaggedModels:
    """The lines of the reviewed file at `path` that hold in the month; by default of the one that comes with us.

    A line holds from `first_month` to `last_month`, both included; an empty end is open. `repository` is a name, a
    Hub id, or `namespace/*`.

    Raises:
        CensusError: a line's month is not one.
    """
    source = path or FOLDER / "flagged_models.csv"
    lines = pl.read_csv(source, infer_schema=False, null_values=[""]).to_dicts()
    holding = [line["repository"] for line in lines if _holds(line, month, source.name)]
    return FlaggedModels(
        repositories=tuple(name for name in holding if not name.endswith(WHOLE_NAMESPACE)),
        namespaces=tuple(name.removesuffix(WHOLE_NAMESPACE) for name in holding if name.endswith(WHOLE_NAMESPACE)),
    )


def _holds(line: dict[str, str | None], month: date, file: str) -> bool:
    try:
        first, last = (parse_month(text) if (text := line[end]) else None for end in ("first_month", "last_month"))
    except CensusError as error:
        raise CensusError(f"{file} flags {line['repository']!r} in a month that is none: {error}") from error
    return (first is None or first <= month) and (last is None or month <= last)
