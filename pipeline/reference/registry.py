"""Reads the reviewed registry of organisations, finds its defects, and compiles it into one map.

The map has a row for each account and period in which nothing about it changed.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl
from polars.exceptions import PolarsError

from pipeline.errors import CensusError
from pipeline.reference import registry_rules as rules
from pipeline.reference.lists import FOLDER

_KNOWN = ("evidence", "basis", "checked_on", "note")
_PERIOD = ("valid_from", "valid_to")
_SEAT = ("rule", "legal_country", "disputed_country", "disputed_by")
FILES = {
    "organizations": ("organization_id", "name", "kind", "wikidata", "ror", "website", "note"),
    "seats": ("organization_id", "country", *_PERIOD, *_SEAT, "quote", *_KNOWN),
    "owners": ("organization_id", "owner_id", "announced_on", "closed_on", "ended_on", *_KNOWN),
    "accounts": ("namespace", "organization_id", "role", *_PERIOD, "former_name", *_KNOWN),
    "persons": ("namespace", "name", *_PERIOD, *_KNOWN),
    "canonical_models": ("model_id", "organization_id", *_KNOWN),
}
"""The registry's files by name, each with its columns; `canonical_models` lists the models without a namespace."""
MAP_COLUMNS = (
    *("namespace", "organization", "country", "kind", "parent", "valid_from", "valid_to"),
    *("ultimate_owner", "ultimate_owner_country", "announced_owner_country", "legal_country"),
    *("evidence", "basis", "account_basis", "checked_on", "note"),
)
_DAYS = {*_PERIOD, "announced_on", "closed_on", "ended_on", "checked_on"}
_MAY_BE_ABSENT = {
    *("ultimate_owner", "ultimate_owner_country", "announced_owner_country", "legal_country"),
    *("evidence", "account_basis", "checked_on", "note"),
}
"""Columns that a registry in one file may lack."""
_HUB = "https://huggingface.co/"
History = dict[str, list[tuple[date, date, dict[str, Any]]]]
"""By organisation what held of it, the earliest first: the first day, the first day after it, and the fact."""


@dataclass(frozen=True)
class Registry:
    """The registry's map (`organizations`), the models without a namespace, and a digest of the files."""

    organizations: pl.DataFrame
    canonical_models: pl.DataFrame
    digest: str


@dataclass(frozen=True)
class Defect:
    """What is wrong in one line of a registry's file, and what mends it.

    `decides` tells defects that would change who a model is attributed to from those of the evidence.
    """

    file: str
    line: int
    subject: str
    sentence: str
    decides: bool

    def __str__(self) -> str:
        return f"{self.file}, line {self.line} ({self.subject}): {self.sentence}"


def our_registry() -> Path:
    """The folder of the registry that comes with the census."""
    return FOLDER / "registry"


def read_registry(path: Path | None = None) -> Registry:
    """The registry at `path`, a folder of files or one file with the columns of the map; by default our own.

    Raises:
        CensusError: a file cannot be read, lacks a column, or has a defect that decides about attribution.
    """
    path = path or our_registry()
    try:
        content = b"".join(file.read_bytes() for file in _files_of(path))
    except OSError as error:
        raise _unreadable(path, error) from error
    return _read(path, hashlib.sha256(content).hexdigest())


@lru_cache(maxsize=1)
def _read(path: Path, digest: str) -> Registry:
    """The registry of that content: a process that runs many months asks for it twice in each."""
    deciding = [defect for defect in registry_defects(path) if defect.decides]
    if deciding:
        others = f"; {len(deciding) - 1} more, see `census registry check {path}`" if len(deciding) > 1 else ""
        raise CensusError(f"{deciding[0]}{others}")
    ours = read_files(path if path.is_dir() else our_registry())
    seats = ours["seats"].filter(pl.col("valid_to").is_null()).select("organization_id", "country")
    makers = ours["organizations"].select("organization_id", "kind", organization="name").join(seats, "organization_id")
    canonical = ours["canonical_models"].join(makers, "organization_id", maintain_order="left")
    shown = canonical.select("model_id", "organization", "country", "kind", *_KNOWN)
    return Registry(registry_lines(path).drop("line"), shown, digest)


def registry_lines(path: Path | None = None) -> pl.DataFrame:
    """The map's rows, each with the `line` of the file that names its account (persons' have the line of theirs)."""
    path = path or our_registry()
    files = read_files(path)
    return compile_map(files) if path.is_dir() else files[path.stem]


def registry_defects(path: Path | None = None) -> list[Defect]:
    """Every defect of the registry at `path`, file by file in the order of the lines.

    Raises:
        CensusError: a file cannot be read or lacks a column.
    """
    path = path or our_registry()
    files = read_files(path)
    found: list[Defect] = []
    for file, columns in _files_of(path).items():
        broken = [*_in_one_file(file, columns, files[file.stem])]
        for decides, of_files in ((True, rules.DECIDING_FILE_RULES), (False, rules.FILE_RULES_OF_EVIDENCE)):
            if path.is_dir():
                broken += [
                    (rule.offenders(files), rule.sentence, decides) for rule in of_files if rule.file == file.stem
                ]
        # A row is known by what stands in its first column.
        defects = [
            Defect(file.name, row["line"], str(row[columns[0]]), sentence.format(**row), decides)
            for rows, sentence, decides in broken
            for row in rows.with_columns(pl.exclude("line").cast(pl.String).fill_null("(none)")).rows(named=True)
        ]
        found += sorted(dict.fromkeys(defects), key=lambda defect: defect.line)
    return found


def read_files(path: Path | None = None) -> dict[str, pl.DataFrame]:
    """The registry's files by name, each row with its `line`; a day that is none is absent."""
    return {
        file.stem: _as_written(file, columns).with_columns(
            pl.col(sorted(_DAYS & {*columns})).str.to_date("%Y-%m-%d", strict=False)
        )
        for file, columns in _files_of(path or our_registry()).items()
    }


def _files_of(path: Path) -> dict[Path, tuple[str, ...]]:
    """The registry's files with their columns: those in a folder, or the one file."""
    return {path / f"{name}.csv": columns for name, columns in FILES.items()} if path.is_dir() else {path: MAP_COLUMNS}


def _as_written(path: Path, columns: Iterable[str]) -> pl.DataFrame:
    """A file's columns as text, each row with the line on which it begins."""
    try:
        text = pl.read_csv(path, infer_schema=False, null_values=[""])
    except (PolarsError, OSError) as error:
        raise _unreadable(path, error) from error
    absent = [column for column in columns if column not in text.columns]
    if missing := [column for column in absent if column not in _MAY_BE_ABSENT]:
        raise CensusError(f"{path.name}, line 1 lacks the columns {', '.join(missing)}: add them to the header")
    broken = pl.sum_horizontal(pl.all().str.count_matches("\n").fill_null(0))
    line = pl.int_range(pl.len()) + 2 + broken.cum_sum().shift(1, fill_value=0)
    return text.with_columns(line.alias("line"), *(pl.lit(None, pl.String).alias(column) for column in absent)).select(
        "line", *columns
    )


def _unreadable(path: Path, error: Exception) -> CensusError:
    return CensusError(f"the registry {path} cannot be read as CSV ({error}): check the file")


def _in_one_file(path: Path, columns: tuple[str, ...], typed: pl.DataFrame) -> Iterator[tuple[pl.DataFrame, str, bool]]:
    """What is wrong in one file by itself: rows, the sentence about them, and whether it decides."""
    text = _as_written(path, columns)
    for day in (column for column in columns if column in _DAYS):
        mistyped = text.filter(text[day].is_not_null() & typed[day].is_null())
        yield mistyped, f"{day} {{{day}}} is not a day: write it as 2025-07-01", day != "checked_on"
    for rule in rules.RULES:
        if {*rule.is_broken.meta.root_names()} <= {*columns}:
            yield typed.filter(rule.is_broken), rule.sentence, rule.severity == "critical"


def compile_map(files: rules.Files) -> pl.DataFrame:
    """The map with the `line` that names the account and the columns of `MAP_COLUMNS`, in the order of the namespaces.

    Organisations are placed by their seat on each day, and owned by who had closed the purchase by then.
    """
    is_closed = pl.col("closed_on").is_not_null() | pl.col("announced_on").is_null()
    seats = _history(files["seats"], pl.col("valid_from"), pl.col("valid_to"))
    owned = _history(files["owners"].filter(is_closed), pl.col("closed_on"), pl.col("ended_on"))
    announced = _history(files["owners"], pl.coalesce("announced_on", "closed_on"), pl.col("ended_on"))
    facts = (fact for history in (seats, owned, announced) for held in history.values() for fact in held)
    days = sorted({day for since, until, _ in facts for day in (since, until)})
    named = {row["organization_id"]: row for row in files["organizations"].rows(named=True)}
    rows = []
    for account in files["accounts"].rows(named=True):
        namespace, own = account["namespace"], account["organization_id"]
        begin, end = account["valid_from"] or rules.FAR_PAST, account["valid_to"] or rules.FAR_FUTURE
        changes = len(seats.get(own, ())) > 1 or own in announced
        starts = [begin, *(day for day in days if changes and begin < day < end)]
        for start, until in pairwise([*starts, end]):
            seat, organization = _on(start, seats, own), named.get(own, {})
            owner, top, promised = _on(start, owned, own), _topmost(start, owned, own), _topmost(start, announced, own)
            rows.append(
                {
                    "line": account["line"],
                    "namespace": namespace,
                    "organization": organization.get("name"),
                    "country": seat.get("country"),
                    "kind": organization.get("kind"),
                    "parent": named.get(owner.get("owner_id"), {}).get("name"),
                    "valid_from": start if start != rules.FAR_PAST else None,
                    "valid_to": until if until != rules.FAR_FUTURE else None,
                    "ultimate_owner": named.get(top, {}).get("name"),
                    "ultimate_owner_country": _on(start, seats, top).get("country"),
                    "announced_owner_country": _on(start, seats, promised).get("country"),
                    "legal_country": seat.get("legal_country"),
                    "evidence": seat.get("evidence")
                    or account["evidence"]
                    or organization.get("website")
                    or f"{_HUB}{namespace}",
                    "basis": seat.get("basis"),
                    "account_basis": account["basis"],
                    "checked_on": seat.get("checked_on"),
                    "note": "; ".join(filter(None, (account["note"], seat.get("note")))) or None,
                }
            )
    persons = files["persons"].select(
        "line",
        "namespace",
        pl.lit(rules.PERSON).alias("kind"),
        *("valid_from", "valid_to", "basis", "checked_on", "note"),
        organization="name",
        account_basis="basis",
        evidence=pl.coalesce("evidence", pl.concat_str(pl.lit(_HUB), "namespace")),
    )
    types = {column: pl.Date if column in _DAYS else pl.String for column in MAP_COLUMNS}
    pieces = pl.DataFrame(rows, {"line": persons.schema["line"], **types})
    mapped = pl.concat([pieces, persons], how="diagonal")
    return merge_periods(mapped.sort(pl.col("namespace").str.to_lowercase(), "namespace", "valid_from"))


def _history(rows: pl.DataFrame, begins: pl.Expr, ends: pl.Expr) -> History:
    since, until = begins.fill_null(rules.FAR_PAST).alias("since"), ends.fill_null(rules.FAR_FUTURE).alias("until")
    history: History = {}
    periods = rows.select(since, until, fact=pl.struct(pl.all())).sort("since", maintain_order=True)
    for first, last, fact in periods.rows():
        history.setdefault(fact["organization_id"], []).append((first, last, fact))
    return history


def _on(day: date, history: History, organization: str) -> dict[str, Any]:
    """The latest fact that has begun on a day; nothing where there is none, or it has ended."""
    begun = [(until, fact) for since, until, fact in history.get(organization, ()) if since <= day]
    return begun[-1][1] if begun and day < begun[-1][0] else {}


def _topmost(day: date, owned: History, organization: str) -> str:
    """The owner above whom there is none on a day; the organisation itself if nobody owns it."""
    for _ in range(rules.DEEPEST_OWNERSHIP):
        organization = _on(day, owned, organization).get("owner_id", organization)
    return organization


def merge_periods(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows of a namespace that follow on one another and say the same of it as one row, in the order of the rows."""
    said = pl.struct(pl.exclude("line", "valid_from", "valid_to"))
    follows = (pl.col("valid_from") == pl.col("valid_to").shift(1)) & (said == said.shift(1))
    run = (~follows.fill_null(value=False)).cum_sum().alias("run")
    merged = rows.group_by(run, maintain_order=True).agg(pl.exclude("valid_to").first(), pl.col("valid_to").last())
    return merged.select(rows.columns)
