"""Reads the reviewed registry of organisations, compiles it into the map, and finds its defects."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from polars.exceptions import PolarsError

from pipeline.errors import CensusError
from pipeline.reference.lists import FOLDER
from pipeline.reference.registry_links import LINKS
from pipeline.reference.registry_map import MAP_COLUMNS, compile_map
from pipeline.reference.registry_rules import RULES

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
    problem: str
    remedy: str
    decides: bool

    def __str__(self) -> str:
        return f"{self.file}, line {self.line} ({self.subject}): {self.problem}: {self.remedy}"


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
    ours = read_files(path if path.is_dir() else our_registry())
    if path.is_dir():
        mapped, read = compile_map(ours), [path / f"{name}.csv" for name in FILES]
    else:
        mapped = _typed(_as_written(path, MAP_COLUMNS)).select(MAP_COLUMNS)
        read = [path, our_registry() / "canonical_models.csv"]
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in read)).hexdigest()
    return Registry(mapped, _canonical(ours), digest)


def registry_defects(path: Path | None = None) -> list[Defect]:
    """Every defect of the registry at `path`, file by file in the order of the lines.

    Raises:
        CensusError: a file cannot be read or lacks a column.
    """
    path = path or our_registry()
    if not path.is_dir():
        return sorted(_defects_of_file(path, MAP_COLUMNS), key=lambda defect: defect.line)
    found = [defect for name, columns in FILES.items() for defect in _defects_of_file(path / f"{name}.csv", columns)]
    files = read_files(path)
    for link in LINKS:
        found += _as_defects(f"{link.file}.csv", link.offenders(files), link.problem, link.remedy, link.decides)
    order = [f"{name}.csv" for name in FILES]
    return sorted(dict.fromkeys(found), key=lambda defect: (order.index(defect.file), defect.line))


def registry_lines(path: Path | None = None) -> pl.DataFrame:
    """The map's rows, each with the `line` of the file that names its account (persons' have the line of theirs)."""
    path = path or our_registry()
    if not path.is_dir():
        return _typed(_as_written(path, MAP_COLUMNS))
    read = read_files(path)
    named = pl.concat(read[name].select("namespace", "line") for name in ("accounts", "persons"))
    first = named.unique("namespace", keep="first", maintain_order=True)
    return read_registry(path).organizations.join(first, on="namespace", how="left").select("line", *MAP_COLUMNS)


def read_files(folder: Path | None = None) -> dict[str, pl.DataFrame]:
    """The registry's files by name, each row with its `line`; a day that is none is absent."""
    folder = folder or our_registry()
    return {name: _typed(_as_written(folder / f"{name}.csv", columns)) for name, columns in FILES.items()}


def _canonical(read: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """The models without a namespace, with their makers at their seats of today."""
    seats = read["seats"].filter(pl.col("valid_to").is_null()).select("organization_id", "country")
    makers = read["organizations"].select("organization_id", pl.col("name").alias("organization"), "kind")
    return (
        read["canonical_models"]
        .join(makers.join(seats, on="organization_id"), on="organization_id", maintain_order="left")
        .select("model_id", "organization", "country", "kind", *_KNOWN)
    )


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


def _typed(text: pl.DataFrame) -> pl.DataFrame:
    return text.with_columns(pl.col(sorted(_DAYS & {*text.columns})).str.to_date("%Y-%m-%d", strict=False))


def _defects_of_file(path: Path, columns: Iterable[str]) -> Iterator[Defect]:
    """What is wrong in one file by itself."""
    text = _as_written(path, columns)
    typed = _typed(text)
    for day in (column for column in text.columns if column in _DAYS):
        mistyped = text.filter(text[day].is_not_null() & typed[day].is_null())
        problem = f"{day} {{{day}}} is not a day"
        yield from _as_defects(path.name, mistyped, problem, "write it as 2025-07-01", day != "checked_on")
    for rule in RULES:
        if {*rule.is_broken.meta.root_names()} <= {*text.columns}:
            decides = rule.severity == "critical"
            yield from _as_defects(path.name, typed.filter(rule.is_broken), rule.problem, rule.remedy, decides)


def _as_defects(file: str, rows: pl.DataFrame, problem: str, remedy: str, decides: bool) -> Iterator[Defect]:  # noqa: FBT001
    """The rows as defects; a row is known by what stands in its first column."""
    for row in rows.sort("line").iter_rows(named=True):
        said = {column: "(none)" if value is None else value for column, value in row.items()}
        subject = next(str(value) for column, value in said.items() if column != "line")
        yield Defect(file, row["line"], subject, problem.format(**said), remedy, decides)
