"""Manifests: the digests of a month's files, which say that the month is finished and may be published.

A manifest is written by an asset downstream of every table of the month, so that no table with a failed blocking check
is ever in one. A month whose files do not match it is held back; so is a month in which a table was made from another
file than the one that the lake holds.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from itertools import combinations

import polars as pl
from polars.exceptions import PanicException, PolarsError

from pipeline.errors import CensusError
from pipeline.lake.provenance import OBSERVATION, Provenance
from pipeline.lake.store import OF_ANOTHER_VERSION, Lake
from pipeline.months import in_words, previous_month, run_again, stretches
from pipeline.schema.catalogue import Catalogue
from pipeline.schema.declaration import TIMESTAMP, Column, Table
from pipeline.synthetic import is_synthetic
from pipeline.version import __version__

ORIGIN_RULE = "origin_rule"
"""Under which name a month states by what rule its derivatives are split over their roots."""
MONTH_MANIFEST = Table(
    "published/month_manifest",
    grain="table of the month",
    description=(
        "The digest of each of the month's files, written only after every blocking check on them has passed. A month "
        "is published if its manifest is there and matches the files."
    ),
    columns=(
        Column("month", pl.Date, "The calendar month (UTC), by its first day."),
        Column("table", pl.String, "The table, `group/name`."),
        Column("rows", pl.Int64, "Rows of the month.", "rows"),
        Column("bytes", pl.Int64, "Size of the month's file.", "bytes", minimum=1),
        Column("sha256", pl.String, "Digest of the month's file.", pattern=r"^[0-9a-f]{64}$"),
        Column("source", pl.String, "The snapshot source that was read."),
        Column("source_revision", pl.String, "The exact state of the source: a commit, a crawl or a file's digest."),
        Column("observed_at", TIMESTAMP, "When the source observed the Hub.", "UTC"),
        Column("made_by", pl.String, "The digests of reviewed lists and other choices that it was made by, as JSON."),
        Column("code_version", pl.String, "Version of the distribution that made the month."),
    ),
    key=("table",),
)


@dataclass(frozen=True)
class FinishedMonths:
    """The months that may be published, and those that may not, with the reason."""

    publishable: list[date]
    held_back: dict[date, str]

    def reasons(self) -> list[str]:
        """A sentence for each stretch of months that are held back for one reason, with the command that mends it."""
        by_reason: dict[str, list[date]] = {}
        for month, reason in sorted(self.held_back.items()):
            by_reason.setdefault(reason, []).append(month)
        return [
            f"{in_words(months)}: {reason}: {run_again(months[0], months[-1])}"
            for reason, found in by_reason.items()
            for months in stretches(found)
        ]


@dataclass(frozen=True)
class Defect:
    """What is wrong with one table of a month.

    Stale is what was made from something else than is there now; it was right when it was made.
    """

    table: str
    problem: str
    is_stale: bool = False

    def __str__(self) -> str:
        return f"{self.table} {self.problem}"


def manifest_of(lake: Lake, catalogue: Catalogue, month: date) -> pl.DataFrame:
    """The month's rows of the manifest: each table's size and digest as they are now.

    Raises:
        CensusError: the tables were not made from one another, from one observation or by the same reviewed lists.
    """
    tables = catalogue.monthly
    digests = _digests(tables, lambda table: lake.digest_while_unchanged(table, month))
    known = {table.path: lake.provenance(table, month) or Provenance() for table in tables}
    for stale in _stale(known, digests):
        raise CensusError(f"{month:%Y-%m} is not finished: {stale}: {run_again(month)}")
    observed = {provenance.observation for provenance in known.values()} - {Provenance().observation}
    if len(observed) > 1:
        raise CensusError(f"{month:%Y-%m} is made of several observations: {run_again(month)}")
    pairs = combinations((provenance.made_by for provenance in known.values()), 2)
    if several := {name for pair in pairs for name in different(*pair)}:
        raise CensusError(
            f"{month:%Y-%m} is made by several versions of {', '.join(sorted(several))}: run the month again from the "
            "first step that reads it"
        )
    source, revision, observed_at = next(iter(observed), (None, None, None))
    files = [lake.stored(table, month) for table in tables]
    return pl.DataFrame(
        {
            "month": month,
            "table": list(known),
            "rows": [file.rows for file in files],
            "bytes": [file.bytes for file in files],
            "sha256": list(digests.values()),
            "source": source,
            "source_revision": revision,
            "observed_at": observed_at and datetime.fromisoformat(observed_at),
            "made_by": [json.dumps(dict(provenance.made_by), sort_keys=True) for provenance in known.values()],
            "code_version": __version__,
        },
        schema=MONTH_MANIFEST.schema,
    )


def manifest_rows(lake: Lake, month: date) -> pl.DataFrame:
    """The month's manifest.

    Raises:
        CensusError: there is none, or it cannot be read.
    """
    if not lake.holds(MONTH_MANIFEST, month):
        raise CensusError(
            "is missing: the month did not run to its end, a blocking check of it failed, or another version of the "
            "census made it"
        )
    try:
        return lake.scan(MONTH_MANIFEST, month).collect()
    except (PolarsError, PanicException, OSError) as error:
        raise CensusError(f"cannot be read ({str(error).splitlines()[0][:120]})") from error


def listed_digests(lake: Lake, month: date) -> dict[str, str]:
    """The manifest's digests by table."""
    return dict(manifest_rows(lake, month).select("table", "sha256").iter_rows())


def source_of(lake: Lake, month: date) -> str:
    """The source that a finished month was read from."""
    return str(manifest_rows(lake, month)["source"].first())


def made_by(lake: Lake, month: date) -> dict[str, str]:
    """The digests of the reviewed lists, and the other choices, by which a finished month was made."""
    of_tables = manifest_rows(lake, month)["made_by"]
    return {name: value for said in of_tables for name, value in json.loads(said).items()}


def require_same_world(lake: Lake, source: str, month: date | None = None) -> None:
    """Refuses a month of a synthetic source in a lake whose other months are real, and the other way round."""
    others = [other for other in lake.months(MONTH_MANIFEST) if other != month]
    known = source_of(lake, others[-1]) if others else source
    if is_synthetic(known) != is_synthetic(source):
        there, asked = ("synthetic", "real") if is_synthetic(known) else ("real", "synthetic")
        raise CensusError(
            f"the lake at {lake.url} holds {there} months (source {known}), and source {source} is {asked}: they never "
            f"meet in one home, so give {asked} data its own: CENSUS_HOME=~/census-{asked} census run --source {source}"
        )


def finished_months(lake: Lake, catalogue: Catalogue) -> FinishedMonths:
    """Which months of the lake may be published: every table is there and matches the month's manifest."""
    first = {month: next(defects(lake, catalogue, month), None) for month in months_held(lake, catalogue)}
    held_back = {month: str(defect) for month, defect in first.items() if defect}
    return FinishedMonths([month for month in first if month not in held_back], held_back)


def months_held(lake: Lake, catalogue: Catalogue) -> list[date]:
    """The months of which the lake holds any table."""
    return sorted({month for table in catalogue.monthly for month in lake.months(table)})


def defects(
    lake: Lake, catalogue: Catalogue, month: date, digest: Callable[[Table, date], str] | None = None
) -> Iterator[Defect]:
    """What keeps the month from being published: files against the manifest, then against what they were made from.

    Every file is read to its last byte, unless `digest` knows another way; see `digest_as_listed`.
    """
    listed: Mapping[str, str] | None = None
    try:
        listed = listed_digests(lake, month)
    except CensusError as error:
        yield Defect(MONTH_MANIFEST.path, str(error))
    held = [table for table in catalogue.monthly if lake.holds(table, month)]
    look = digest or lake.digest
    digests = _digests(held, lambda table: look(table, month))
    for table in catalogue.monthly:
        if table not in held:
            yield Defect(table.path, "is missing")
        elif listed is None:
            continue
        elif table.path not in listed:
            yield Defect(table.path, "is not in the month's manifest")
        elif digests[table.path] != listed[table.path]:
            yield Defect(table.path, "has changed since the month was finished")
        elif not lake.is_of_this_version(table, month):
            yield Defect(table.path, OF_ANOTHER_VERSION)
    if digest and digests == listed:
        return  # For a quick look: the files that the manifest was written of, and then none was made from another.
    known: dict[str, Provenance] = {}
    for table in held:
        with suppress(CensusError):  # The file has changed, which is told above.
            known[table.path] = lake.provenance(table, month) or Provenance()
    yield from _stale(known, digests)


def digest_as_listed(lake: Lake) -> Callable[[Table, date], str]:
    """Digests for a quick look: those of the manifest, but for files that were written since."""
    listed = cache(lambda month: listed_digests(lake, month))

    def digest(table: Table, month: date) -> str:
        with suppress(CensusError):
            known = listed(month).get(table.path)
            if known and lake.modified(table, month) <= lake.modified(MONTH_MANIFEST, month):
                return known
        return lake.digest_while_unchanged(table, month)

    return digest


def misfits(lake: Lake, catalogue: Catalogue, months: Sequence[date]) -> dict[date, list[Defect]]:
    """What keeps finished months from being added up without a doubt, by month.

    A month that opens with another observation than the month before closes with counts downloads twice or not at all;
    months that were made by different reviewed lists place the same model in several ways. Both are looked for among
    `months`.
    """
    made = {month: made_by(lake, month) for month in months}
    found: dict[date, list[Defect]] = {}
    for month in months:
        found[month] = list(_opened_elsewhere(lake, catalogue, month)) if previous_month(month) in months else []
        if others := different(made[month], made[months[-1]]):
            problem = f"is made by another {', '.join(others)} than {months[-1]:%Y-%m}"
            found[month].append(Defect(MONTH_MANIFEST.path, problem, is_stale=True))
    return {month: those for month, those in found.items() if those}


def different(one: Mapping[str, str], other: Mapping[str, str]) -> list[str]:
    """The names under which two months, or tables, state different values; what one of them lacks is no difference."""
    return sorted(name for name in one.keys() & other.keys() if one[name] != other[name])


def _digests(tables: Sequence[Table], digest: Callable[[Table], str]) -> dict[str, str]:
    """Each table's digest, several at a time: hashing takes more time than reading."""
    with ThreadPoolExecutor(pl.thread_pool_size()) as pool:
        return dict(zip((table.path for table in tables), pool.map(digest, tables), strict=True))


def _opened_elsewhere(lake: Lake, catalogue: Catalogue, month: date) -> Iterator[Defect]:
    """Tables that open with another observation than the lake closes the month before with, of one source."""
    before = previous_month(month)
    for table in catalogue.monthly:
        if table.continues is None:
            continue
        closing = catalogue[table.continues]
        if not (lake.holds(table, month) and lake.holds(closing, month) and lake.holds(closing, before)):
            continue
        (source, _), opened_by = _observation(lake, closing, month), _observation(lake, table, month)
        closed_by = _observation(lake, closing, before)
        if closed_by[0] == source and opened_by[0] in (source, None) and closed_by != opened_by:
            said = f"revision {opened_by[1] or 'none'} of {source}, but {before:%Y-%m} now closes with {closed_by[1]}"
            yield Defect(table.path, f"opens with {said}", is_stale=True)


def _observation(lake: Lake, table: Table, month: date) -> tuple[str | None, str | None]:
    rows = lake.scan(table, month).select(OBSERVATION[:2]).head(1).collect().rows()
    return rows[0] if rows else (None, None)


def _stale(known: Mapping[str, Provenance], digests: Mapping[str, str]) -> Iterator[Defect]:
    """Tables made from another file than the one that is there, and those made from such tables."""

    @cache
    def cause(path: str) -> str | None:
        made_from = known[path].inputs if path in known else {}
        is_other = (up for up, digest in made_from.items() if digests.get(up, digest) != digest or cause(up))
        return next(is_other, None)

    for path in known:
        if upstream := cause(path):
            yield Defect(path, f"was made from another {upstream} than the lake holds", is_stale=True)
