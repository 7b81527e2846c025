"""Reads the reviewed registry of organisations and the list of models without a namespace."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import polars as pl
from polars.exceptions import PolarsError

from pipeline.errors import CensusError
from pipeline.tables.attribution import ORGANIZATIONS, overlapping_periods

CANONICAL_SCHEMA = pl.Schema(
    {"model_id": pl.String, "organization": pl.String, "country": pl.String, "kind": pl.String}
)


@dataclass(frozen=True)
class Registry:
    """The registry's rows (`attribution/organizations`), the canonical models, and a digest of both."""

    organizations: pl.DataFrame
    canonical_models: pl.DataFrame
    digest: str


def read_registry(path: Path | None = None) -> Registry:
    """The registry at `path`, by default the one that comes with the census.

    Raises:
        CensusError: the file cannot be read, lacks a column, or puts a namespace into two organisations at once.
    """
    reference = Path(str(files("pipeline.reference")))
    path = path or reference / "organizations.csv"
    canonical_path = reference / "canonical_models.csv"
    organizations = _read_csv(path, ORGANIZATIONS.schema)
    overlapping = overlapping_periods(organizations.lazy()).collect()
    if not overlapping.is_empty():
        first = overlapping.row(0, named=True)
        raise CensusError(
            f"{path.name} puts namespace {first['namespace']!r} into two organisations at once: end the earlier row's "
            "valid_to before the later row's valid_from"
        )
    digest = hashlib.sha256(path.read_bytes() + canonical_path.read_bytes()).hexdigest()
    return Registry(organizations, _read_csv(canonical_path, CANONICAL_SCHEMA), digest)


def _read_csv(path: Path, schema: pl.Schema) -> pl.DataFrame:
    try:
        text = pl.read_csv(path, infer_schema=False, null_values=[""])
    except (PolarsError, OSError) as error:
        raise CensusError(f"the registry {path} cannot be read as CSV ({error}): check the file") from error
    if missing := [column for column in schema if column not in text.columns]:
        raise CensusError(f"{path.name} lacks the columns {', '.join(missing)}: add them to its header")
    try:
        return text.select(_typed(column, dtype) for column, dtype in schema.items())
    except PolarsError as error:
        first = str(error).splitlines()[0]
        raise CensusError(f"{path.name} has a value that is not of its column's type ({first}): mend it") from error


def _typed(column: str, dtype: pl.DataType) -> pl.Expr:
    return pl.col(column).str.to_date("%Y-%m-%d") if dtype == pl.Date else pl.col(column).cast(dtype)
