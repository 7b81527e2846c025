"""Reads the reviewed registry of organisations, compiles it into the map, and finds its defects."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import polars as pl
from polars.exceptions import PolarsError

from pipeline.errors import CensusError
from pipeline.reference.registry_links import LINKS
from pipeline.reference.registry_map import MAP_SCHEMA, SEATS_OF_VARIANTS, compile_map, merge_periods
from pipeline.reference.registry_rules import RULES, RULES_OF_THE_FILES, RegistryRule

_KNOWN = ("evidence", "basis", "checked_on", "note")
_DAYS = {"valid_from", "valid_to", "announced_on", "closed_on", "ended_on", "checked_on"}
_SEAT = ("country", "valid_from", "valid_to", "rule", "legal_country", "disputed_country", "disputed_by")


def _schema(*columns: str) -> pl.Schema:
    return pl.Schema({column: pl.Date if column in _DAYS else pl.String for column in columns})


FILES = {
    "organizations": _schema("organization_id", "name", "kind", "wikidata", "ror", "website", "note"),
    "seats": _schema("organization_id", *_SEAT, "quote", *_KNOWN),
    "owners": _schema("organization_id", "owner_id", "announced_on", "closed_on", "ended_on", *_KNOWN),
    "accounts": _schema("namespace", "organization_id", "role", "valid_from", "valid_to", "former_name", *_KNOWN),
    "persons": _schema("namespace", "name", "valid_from", "valid_to", *_KNOWN),
    "canonical_models": _schema("model_id", "organization_id", *_KNOWN),
}
"""The registry's files by name, each with its columns; `canonical_models` lists the models without a namespace."""


_MAY_BE_ABSENT = ("ultimate_owner", "ultimate_owner_country", "evidence", "account_basis", "checked_on", "note")
"""Columns that a registry in one file may lack."""


@dataclass(frozen=True)
class Registry:
    """The registry's map (`organizations`), the models without a namespace, and a digest of the files.

    `pieces` is the map with the countries that its variants ask for, and a row for each period of these too.
    """

    organizations: pl.DataFrame
    canonical_models: pl.DataFrame
    digest: str
    pieces: pl.DataFrame


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
    return Path(str(files("pipeline.reference"))) / "registry"


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
    ours = _typed(_lines(path if path.is_dir() else our_registry()))
    if path.is_dir():
        mapped = compile_map(ours)
    else:
        nothing = [pl.lit(None, pl.String).alias(name) for name in SEATS_OF_VARIANTS]
        mapped = _Lines(path, MAP_SCHEMA).typed().with_columns(nothing)
    return Registry(merge_periods(mapped.select(*MAP_SCHEMA)), _canonical(ours), _digest(path), mapped)


def registry_defects(path: Path | None = None) -> list[Defect]:
    """Every defect of the registry at `path`, file by file in the order of the lines.

    Raises:
        CensusError: a file cannot be read or lacks a column.
    """
    path = path or our_registry()
    if not path.is_dir():
        return _Lines(path, MAP_SCHEMA).defects(RULES)
    lines = _lines(path)
    found = [defect for some in lines.values() for defect in some.defects(RULES_OF_THE_FILES)]
    read = _typed(lines)
    for link in LINKS:
        found += lines[link.file].as_defects(link.offenders(read), link.problem, link.remedy, decides=link.decides)
    order = [f"{name}.csv" for name in FILES]
    return sorted(dict.fromkeys(found), key=lambda defect: (order.index(defect.file), defect.line))


def registry_lines(path: Path | None = None) -> pl.DataFrame:
    """The map's rows, each with the `line` of the file that names its account (persons' have the line of theirs)."""
    path = path or our_registry()
    if not path.is_dir():
        return _Lines(path, MAP_SCHEMA).typed()
    lines = _lines(path)
    named = [lines[name].typed().select("namespace", "line") for name in ("accounts", "persons")]
    first = pl.concat(named).unique("namespace", keep="first", maintain_order=True)
    return read_registry(path).organizations.join(first, on="namespace", how="left").select("line", *MAP_SCHEMA)


def read_files(folder: Path | None = None) -> dict[str, pl.DataFrame]:
    """The registry's files as they are written, by name, each row with its `line`."""
    return _typed(_lines(folder or our_registry()))


def _lines(folder: Path) -> dict[str, _Lines]:
    return {name: _Lines(folder / f"{name}.csv", schema) for name, schema in FILES.items()}


def _typed(lines: dict[str, _Lines]) -> dict[str, pl.DataFrame]:
    return {name: some.typed() for name, some in lines.items()}


def _canonical(read: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """The models without a namespace, with their makers at their seats of today."""
    seats = read["seats"].filter(pl.col("valid_to").is_null()).select("organization_id", "country")
    makers = read["organizations"].select("organization_id", pl.col("name").alias("organization"), "kind")
    return (
        read["canonical_models"]
        .join(makers.join(seats, on="organization_id"), on="organization_id", maintain_order="left")
        .select("model_id", "organization", "country", "kind", *_KNOWN)
    )


def _digest(path: Path) -> str:
    read = (
        [path / f"{name}.csv" for name in FILES] if path.is_dir() else [path, our_registry() / "canonical_models.csv"]
    )
    return hashlib.sha256(b"".join(file.read_bytes() for file in read)).hexdigest()


class _Lines:
    """A registry's file: its values as they are written, each row with its line."""

    def __init__(self, path: Path, schema: pl.Schema) -> None:
        self._path = path
        self._schema = schema
        try:
            text = pl.read_csv(path, infer_schema=False, null_values=[""])
        except (PolarsError, OSError) as error:
            raise CensusError(f"the registry {path} cannot be read as CSV ({error}): check the file") from error
        text = text.with_columns(
            pl.lit(None, pl.String).alias(name)
            for name in _MAY_BE_ABSENT
            if name in schema and name not in text.columns
        )
        if missing := [column for column in schema if column not in text.columns]:
            raise CensusError(f"{path.name}, line 1 lacks the columns {', '.join(missing)}: add them to the header")
        broken = pl.sum_horizontal(pl.col(column).str.count_matches("\n").fill_null(0) for column in text.columns)
        line = pl.int_range(pl.len()) + 2 + broken.cum_sum().shift(1, fill_value=0)
        self._text = text.select(line.alias("line"), *schema)

    def typed(self) -> pl.DataFrame:
        """The rows as declared, with their lines; a value that is not of its column's type is null."""
        return self._text.select("line", *(_value(column, dtype) for column, dtype in self._schema.items()))

    def defects(self, rules: tuple[RegistryRule, ...]) -> list[Defect]:
        """What is wrong by the rules about one file, in the order of the lines."""
        typed = self.typed()
        found = []
        for column in (column for column, dtype in self._schema.items() if dtype == pl.Date):
            mistyped = self._text.filter(self._text[column].is_not_null() & typed[column].is_null())
            problem = pl.format(f"{column} {{}} is not a day", column)
            found += self.as_defects(mistyped, problem, "write it as 2025-07-01", decides=column != "checked_on")
        for rule in rules:
            if set(rule.columns) <= set(typed.columns):
                rows = rule.offenders(typed.lazy()).collect()
                found += self.as_defects(rows, rule.problem, rule.remedy, decides=rule.severity == "critical")
        return sorted(found, key=lambda defect: defect.line)

    def as_defects(self, rows: pl.DataFrame, problem: pl.Expr, remedy: str, *, decides: bool) -> list[Defect]:
        """The rows as defects of this file."""
        subject = pl.col(next(iter(self._schema))).fill_null("no name").alias("subject")
        stated = rows.select("line", subject, problem.alias("problem")).sort("line")
        return [
            Defect(self._path.name, line, name, problem, remedy, decides) for line, name, problem in stated.iter_rows()
        ]


def _value(column: str, dtype: pl.DataType) -> pl.Expr:
    value = pl.col(column)
    return value.str.to_date("%Y-%m-%d", strict=False) if dtype == pl.Date else value.cast(dtype)
