"""Reads the reviewed registry of organisations, finds its defects, and compiles it into one map.

The map has a row for each account and period in which nothing about it changed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from polars.exceptions import PolarsError

from pipeline.errors import CensusError
from pipeline.reference.lists import FOLDER
from pipeline.reference.registry_rules import (
    DECIDING_FILE_RULES,
    DEEPEST_OWNERSHIP,
    FAR_FUTURE,
    FAR_PAST,
    FILE_RULES_OF_EVIDENCE,
    PERSON,
    RULES,
    Files,
)

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
    deciding = [defect for defect in registry_defects(path) if defect.decides]
    if deciding:
        others = f"; {len(deciding) - 1} more, see `census registry check {path}`" if len(deciding) > 1 else ""
        raise CensusError(f"{deciding[0]}{others}")
    read = b"".join(file.read_bytes() for file in _files_of(path))
    ours = read_files(path if path.is_dir() else our_registry())
    seats = ours["seats"].filter(pl.col("valid_to").is_null()).select("organization_id", "country")
    makers = ours["organizations"].select("organization_id", pl.col("name").alias("organization"), "kind")
    canonical = (
        ours["canonical_models"]
        .join(makers.join(seats, on="organization_id"), on="organization_id", maintain_order="left")
        .select("model_id", "organization", "country", "kind", *_KNOWN)
    )
    return Registry(registry_lines(path).drop("line"), canonical, hashlib.sha256(read).hexdigest())


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
    found = [defect for file, columns in _files_of(path).items() for defect in _in_one_file(file, columns, files)]
    for rules in (DECIDING_FILE_RULES, FILE_RULES_OF_EVIDENCE) if path.is_dir() else ():
        for rule in rules:
            decides = rules is DECIDING_FILE_RULES
            found += _as_defects(f"{rule.file}.csv", rule.offenders(files), rule.sentence, decides)
    order = [file.name for file in _files_of(path)]
    return sorted(dict.fromkeys(found), key=lambda defect: (order.index(defect.file), defect.line))


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
        raise CensusError(f"the registry {path} cannot be read as CSV ({error}): check the file") from error
    absent = [column for column in columns if column not in text.columns]
    if missing := [column for column in absent if column not in _MAY_BE_ABSENT]:
        raise CensusError(f"{path.name}, line 1 lacks the columns {', '.join(missing)}: add them to the header")
    broken = pl.sum_horizontal(pl.col(column).str.count_matches("\n").fill_null(0) for column in text.columns)
    line = pl.int_range(pl.len()) + 2 + broken.cum_sum().shift(1, fill_value=0)
    return text.with_columns(line.alias("line"), *(pl.lit(None, pl.String).alias(column) for column in absent)).select(
        "line", *columns
    )


def _in_one_file(path: Path, columns: tuple[str, ...], files: dict[str, pl.DataFrame]) -> Iterator[Defect]:
    """What is wrong in one file by itself."""
    text, typed = _as_written(path, columns), files[path.stem]
    for day in (column for column in columns if column in _DAYS):
        mistyped = text.filter(text[day].is_not_null() & typed[day].is_null())
        sentence = f"{day} {{{day}}} is not a day: write it as 2025-07-01"
        yield from _as_defects(path.name, mistyped, sentence, day != "checked_on")
    for rule in RULES:
        if {*rule.is_broken.meta.root_names()} <= {*columns}:
            yield from _as_defects(path.name, typed.filter(rule.is_broken), rule.sentence, rule.severity == "critical")


def _as_defects(file: str, rows: pl.DataFrame, sentence: str, decides: bool) -> Iterator[Defect]:  # noqa: FBT001
    """The rows as defects; a row is known by what stands in its first column."""
    for row in rows.sort("line").iter_rows(named=True):
        said = {column: "(none)" if value is None else value for column, value in row.items()}
        subject = next(str(value) for column, value in said.items() if column != "line")
        yield Defect(file, row["line"], subject, sentence.format(**said), decides)


def compile_map(files: Files) -> pl.DataFrame:
    """The map with the `line` that names the account and the columns of `MAP_COLUMNS`, in the order of the namespaces.

    Organisations are placed by their seat on each day, and owned by who had closed the purchase by then.
    """
    seats = _periods(files["seats"], "valid_from", "valid_to")
    owned, announced = (_ownership(files["owners"], begins) for begins in ("closed_on", "announced_on"))
    of_seat = ("country", "legal_country", "evidence", "basis", "checked_on", "note")
    rows = _held(_cut(files, seats, pl.concat([owned, announced])), seats, of_seat, "_seat")
    rows = _topmost(_topmost(_held(rows, owned, ("owner_id",), ""), owned, "ultimate"), announced, "announced")
    for owner in ("ultimate", "announced"):
        rows = _held(rows, seats, ("country",), f"_of_{owner}", key=owner)
    names = files["organizations"].select("organization_id", "name")
    for owner, name in (("organization_id", "organization"), ("owner_id", "parent"), ("ultimate", "ultimate_owner")):
        rows = rows.join(names.rename({"organization_id": owner, "name": name}), owner, "left")
    told = rows.join(files["organizations"].select("organization_id", "kind", "website"), "organization_id", "left")
    page = pl.concat_str(pl.lit("https://huggingface.co/"), "namespace")
    pieces = told.select(
        *("line", "namespace", "organization", "kind", "parent", "ultimate_owner"),
        pl.when(pl.col("begin") != FAR_PAST).then("begin").alias("valid_from"),
        pl.when(pl.col("end") != FAR_FUTURE).then("end").alias("valid_to"),
        country="country_seat",
        legal_country="legal_country_seat",
        ultimate_owner_country="country_of_ultimate",
        announced_owner_country="country_of_announced",
        evidence=pl.coalesce("evidence_seat", "evidence", "website", page),
        basis="basis_seat",
        account_basis="basis",
        checked_on="checked_on_seat",
        note=pl.concat_str("note", "note_seat", separator="; ", ignore_nulls=True).replace("", None),
    )
    persons = files["persons"].with_columns(
        kind=pl.lit(PERSON), organization="name", account_basis="basis", evidence=pl.coalesce("evidence", page)
    )
    mapped = pl.concat([pieces, persons.drop("name")], how="diagonal").select("line", *MAP_COLUMNS)
    return merge_periods(mapped.sort(pl.col("namespace").str.to_lowercase(), "namespace", "valid_from"))


def _periods(rows: pl.DataFrame, begin: str, end: str) -> pl.DataFrame:
    return rows.with_columns(
        pl.col(begin).fill_null(FAR_PAST).alias("begin"), pl.col(end).fill_null(FAR_FUTURE).alias("end")
    )


def _ownership(owners: pl.DataFrame, begins: str) -> pl.DataFrame:
    """Who owned what and when, if owning `begins` on that day: since ever if no day is known, until the next owner."""
    is_known = pl.col(begins).is_not_null() | pl.col("announced_on").is_null()
    began = owners.filter(is_known).with_columns(pl.coalesce(begins, "closed_on").alias("began_on"))
    periods = _periods(began, "began_on", "ended_on").sort("organization_id", "begin", maintain_order=True)
    next_begin = pl.col("begin").shift(-1).over("organization_id")
    return periods.select("organization_id", "owner_id", "begin", pl.min_horizontal("end", next_begin).alias("end"))


def _cut(files: Files, seats: pl.DataFrame, owned: pl.DataFrame) -> pl.DataFrame:
    """Accounts in pieces: those of organisations that move or are owned, cut wherever any seat or owner changes."""
    accounts = _periods(files["accounts"], "valid_from", "valid_to")
    days = pl.concat(rows.select(start=side) for rows in (seats, owned) for side in ("begin", "end")).unique()
    moved = seats.filter(pl.col("organization_id").is_duplicated())
    changing = pl.concat(rows.select("organization_id") for rows in (moved, owned))
    cuts = accounts.join(changing, "organization_id", "semi").join(days, how="cross")
    starts = [
        accounts.select("line", start="begin"),
        cuts.filter(pl.col("start").is_between("begin", "end", closed="none")).select("line", "start"),
    ]
    return (
        accounts.join(pl.concat(starts), "line")
        .sort("line", "start")
        .with_columns(pl.col("start").shift(-1).over("line").fill_null(pl.col("end")).alias("end"), begin="start")
        .drop("start")
    )


def _held(
    rows: pl.DataFrame, facts: pl.DataFrame, columns: tuple[str, ...], suffix: str, key: str = "organization_id"
) -> pl.DataFrame:
    """Rows with what held of the organisation `key` when each begins, null where nothing did."""
    told = facts.select(
        pl.col("organization_id").alias(key),
        pl.col("begin").alias("since"),
        pl.col("end").alias("until"),
        *(pl.col(column).alias(f"{column}{suffix}") for column in columns),
    )
    held = (
        rows.select("line", "begin", key).join(told, key).filter(pl.col("begin").is_between("since", "until", "left"))
    )
    return rows.join(held.drop(key, "since", "until"), ["line", "begin"], "left")


def _topmost(rows: pl.DataFrame, owned: pl.DataFrame, name: str) -> pl.DataFrame:
    """Rows with the owner above whom there is none when each begins; the organisation itself if nobody owns it."""
    found = rows.with_columns(pl.col("organization_id").alias(name))
    for _ in range(DEEPEST_OWNERSHIP):
        found = _held(found, owned, ("owner_id",), "_above", key=name)
        found = found.with_columns(pl.coalesce("owner_id_above", name).alias(name)).drop("owner_id_above")
    return found


def merge_periods(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows of a namespace that follow on one another and say the same of it as one row, in the order of the rows."""
    said = pl.struct(pl.exclude("line", "valid_from", "valid_to"))
    follows = (pl.col("valid_from") == pl.col("valid_to").shift(1)) & (said == said.shift(1))
    run = (~follows.fill_null(value=False)).cum_sum().alias("run")
    merged = rows.group_by(run, maintain_order=True).agg(pl.exclude("valid_to").first(), pl.col("valid_to").last())
    return merged.select(rows.columns)
