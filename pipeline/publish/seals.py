"""Seals: the digests of a month's files, which say that the month may be published.

A seal is written by an asset downstream of every table of the month, so that no table with a failed blocking check is
ever sealed. A file that changed since no longer matches, and its month is held back; so is a month in which a table was
made from another file than the one that the lake holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date

import polars as pl
from polars.exceptions import PanicException, PolarsError

from pipeline.errors import CensusError
from pipeline.lake.provenance import Provenance
from pipeline.lake.store import Lake
from pipeline.months import previous_month
from pipeline.publish.machine import processors
from pipeline.schema.declaration import Table
from pipeline.tables.attribution import MODEL_ATTRIBUTION
from pipeline.tables.listings import HUB_SNAPSHOTS, OPENING_COUNTERS
from pipeline.tables.published import MONTH_SEALS
from pipeline.version import __version__


@dataclass(frozen=True)
class SealedMonths:
    """The months that may be published, and those that may not, with the reason."""

    publishable: list[date]
    held_back: dict[date, str]


@dataclass(frozen=True)
class Defect:
    """What is wrong with one table of a month, with its remedy.

    Stale is what was made from something else than is there now; it was right when it was made.
    """

    table: str
    problem: str
    is_stale: bool = False

    def __str__(self) -> str:
        return f"{self.table} {self.problem}"


def seal(lake: Lake, tables: Sequence[Table], month: date) -> pl.DataFrame:
    """The month's rows of `published/month_seals`: each table's size and digest as they are now.

    Raises:
        CensusError: the tables were not made from one another, or not by one registry.
    """
    observation = ("source", "source_revision", "observed_at")
    observed = lake.scan(HUB_SNAPSHOTS, month).select(observation).head(1).collect()
    stored = [lake.stored(table, month) for table in tables]
    digests = _digests(tables, lambda table: lake.digest_while_unchanged(table, month))
    made_from = {table.path: lake.provenance(table, month) for table in tables}
    for stale in _stale(made_from, digests):
        raise CensusError(f"{month:%Y-%m} cannot be sealed: {stale}")
    registries = {path: known.registry_digest for path, known in made_from.items() if known and known.registry_digest}
    if len(set(registries.values())) > 1:
        raise CensusError(
            f"{month:%Y-%m} cannot be sealed: {', '.join(registries)} were not all attributed by one registry: run the "
            "month again from attribution on"
        )
    return pl.DataFrame(
        {
            "month": [month] * len(tables),
            "table": [table.path for table in tables],
            "rows": [file.rows for file in stored],
            "bytes": [file.bytes for file in stored],
            "sha256": list(digests.values()),
            **{name: observed[name].to_list() * len(tables) for name in observation},
            "registry_digest": [next(iter(registries.values()), None)] * len(tables),
            "code_version": [__version__] * len(tables),
        },
        schema=MONTH_SEALS.schema,
    )


def sealed_months(lake: Lake, tables: Sequence[Table]) -> SealedMonths:
    """Which months of the lake may be published: every table is there and matches the month's seal."""
    publishable: list[date] = []
    held_back: dict[date, str] = {}
    for month in lake.months(HUB_SNAPSHOTS):
        defect = next(defects(lake, tables, month), None)
        if defect is None:
            publishable.append(month)
        else:
            held_back[month] = str(defect)
    return SealedMonths(publishable, held_back)


def defects(lake: Lake, tables: Sequence[Table], month: date) -> Iterator[Defect]:
    """What keeps the month from being published: files against the seal, then against what they were made from."""
    try:
        sealed = _sealed_digests(lake, month)
    except CensusError as error:
        yield Defect(MONTH_SEALS.path, str(error))
        sealed = None
    held = [table for table in tables if lake.holds(table, month)]
    digests = _digests(held, lambda table: lake.digest(table, month))
    for table in tables:
        if table not in held:
            yield Defect(table.path, "is missing: run the month again")
            continue
        if sealed is None:
            continue
        if table.path not in sealed:
            yield Defect(table.path, "is not in its seal: run the month again")
        elif digests[table.path] != sealed[table.path]:
            yield Defect(table.path, "has changed since it was sealed: run the month again")
    made_from: dict[str, Provenance | None] = {}
    for table in tables:
        if table.path in digests:
            try:
                made_from[table.path] = lake.provenance(table, month)
            except CensusError:
                continue  # The file has changed, which is told above.
    yield from _stale(made_from, digests)


def _digests(tables: Sequence[Table], digest: Callable[[Table], str]) -> dict[str, str]:
    """Each table's digest, several at a time: hashing takes more time than reading."""
    with ThreadPoolExecutor(processors()) as pool:
        return dict(zip((table.path for table in tables), pool.map(digest, tables), strict=True))


def misfits(lake: Lake, months: Sequence[date]) -> dict[date, list[Defect]]:
    """What keeps sealed months from being added up without a doubt, by month.

    A month that opens with another observation than the month before closes with counts downloads twice or not at all;
    months attributed by several registries place one namespace in several ways. Both are looked for among `months`.
    """
    registries = {month: _registry(lake, month) for month in months}
    found: dict[date, list[Defect]] = {}
    for month in months:
        other_registry = Defect(
            MODEL_ATTRIBUTION.path,
            f"was made by another registry than {months[-1]:%Y-%m}: `census run --from-step attribution`",
            is_stale=True,
        )
        opening = _opened_elsewhere(lake, month) if previous_month(month) in months else None
        defects_of_month = [opening] if opening else []
        if registries[month] != registries[months[-1]]:
            defects_of_month.append(other_registry)
        if defects_of_month:
            found[month] = defects_of_month
    return found


def _registry(lake: Lake, month: date) -> str | None:
    registries = lake.scan(MONTH_SEALS, month).select("registry_digest").head(1).collect()
    return next(iter(registries["registry_digest"]), None)


def _opened_elsewhere(lake: Lake, month: date) -> Defect | None:
    """Whether the month opens with another observation than the lake closes the month before with, of one source."""
    before = previous_month(month)
    if not all(lake.holds(table, month) for table in (HUB_SNAPSHOTS, OPENING_COUNTERS)) or not lake.holds(
        HUB_SNAPSHOTS, before
    ):
        return None
    source, _ = _observation(lake, HUB_SNAPSHOTS, month)
    closed_by, opened_by = _observation(lake, HUB_SNAPSHOTS, before), _observation(lake, OPENING_COUNTERS, month)
    if closed_by[0] != source or opened_by[0] not in (source, None) or closed_by == opened_by:
        return None
    return Defect(
        OPENING_COUNTERS.path,
        f"opens with revision {opened_by[1] or 'none'} of {source}, but {before:%Y-%m} now closes with {closed_by[1]}: "
        "run the month again",
        is_stale=True,
    )


def _observation(lake: Lake, table: Table, month: date) -> tuple[str | None, str | None]:
    rows = lake.scan(table, month).select("source", "source_revision").head(1).collect().rows()
    return rows[0] if rows else (None, None)


def _sealed_digests(lake: Lake, month: date) -> Mapping[str, str]:
    if not lake.holds(MONTH_SEALS, month):
        raise CensusError(
            "is missing, the month is not sealed: a step or a blocking check of its run has failed, or it has not run "
            "to the end"
        )
    try:
        return dict(lake.scan(MONTH_SEALS, month).select("table", "sha256").collect().iter_rows())
    except (PolarsError, PanicException, OSError) as error:
        raise CensusError(f"cannot be read ({str(error).splitlines()[0][:120]}): run the month again") from error


def _stale(made_from: Mapping[str, Provenance | None], digests: Mapping[str, str]) -> Iterator[Defect]:
    """Tables made from another file than the one that is there, and those made from such tables."""
    inputs = {path: known.inputs for path, known in made_from.items() if known is not None}
    stale: dict[str, str] = {
        path: upstream
        for path, files in inputs.items()
        for upstream, digest in files.items()
        if digests.get(upstream, digest) != digest
    }
    found = True
    while found:
        followers = {
            path: upstream
            for path, files in inputs.items()
            for upstream in files
            if path not in stale and upstream in stale
        }
        stale |= followers
        found = bool(followers)
    for path, upstream in stale.items():
        yield Defect(path, f"was made from another {upstream} than the lake holds: run the month again", is_stale=True)
