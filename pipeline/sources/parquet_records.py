"""Reads listing records from Parquet, in the archive's schema of any era and in those that other tools write."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import polars as pl
import pyarrow as pa
from polars.exceptions import PanicException, PolarsError
from pyarrow import parquet

from pipeline.errors import UnusableSnapshotError
from pipeline.sources.field_values import (
    COUNTS,
    ODD,
    TEXTS,
    absent_columns,
    larger_count,
    moment,
    observations,
    parameters,
)
from pipeline.sources.json_records import columns_of_fields, observed_in
from pipeline.sources.observations import Observed

TEXT_TYPES = (pl.String, pl.Categorical, pl.Enum, pl.Null)


def read_parquet(paths: Sequence[Path]) -> Observed:
    """Repositories of Parquet files, which are parts of one listing where there are several.

    Columns are found by name; one that a file lacks becomes null.

    Raises:
        UnusableSnapshotError: a file is empty, truncated, not Parquet, or has no column that names repositories.
    """
    return Observed.joined([_read(path) for path in paths])


def newest_creation(created: pa.ChunkedArray | None) -> datetime | None:
    """The latest of the creation times, as archives write them; None where there is none."""
    if created is None:
        return None
    column = pl.DataFrame({"createdAt": pl.from_arrow(created)})
    newest = column.select(moment("createdAt", column.schema["createdAt"]).max()).item()
    return newest if isinstance(newest, datetime) else None


def _read(path: Path) -> Observed:
    if views := _list_views(path):
        raise UnusableSnapshotError(f"{path.name} has a list_view in its column `{views[0]}`: write it as a list")
    try:
        raw = pl.scan_parquet(path, glob=False)
        schema = raw.collect_schema()
        count = raw.select(pl.len()).collect().item()
    except (PolarsError, PanicException, OSError) as error:
        raise UnusableSnapshotError(
            f"{path.name} cannot be read as Parquet ({str(error).strip().splitlines()[0][:200]}): fetch it again or "
            "remove it"
        ) from error
    columns = columns_of_fields(schema.names())
    if not columns["id"]:
        raise UnusableSnapshotError(
            f"{path.name} has no column `id` that names the repositories: write it in the hub-stats or listing schema"
        )
    there = {field: found[0] for field, found in columns.items() if found}
    for field, column in there.items():
        if not _is_understood(field, schema[column]):
            raise UnusableSnapshotError(
                f"{path.name} has {schema[column]} in its column `{column}`: write it in the hub-stats or the listing "
                "schema"
            )
    native = {field: _native(field, column, schema[column]) for field, column in there.items()}
    if not all(native.values()):
        return observed_in([path], columns, "(select to_json(columns(*)) from read_parquet($files))", {})
    values = {name: value for made in native.values() for name, value in made.items()}
    records = raw.select(**values | {"id": pl.coalesce(pl.col(columns["id"]).cast(pl.String))})
    return Observed.of_records(count, observations(records), absent_columns(records.collect_schema()), path.name)


def _list_views(path: Path) -> list[str]:
    """The columns of a type that Polars does not know, and says so by a panic; none where it is no Parquet."""
    try:
        return [column.name for column in parquet.read_schema(path) if "list_view<" in str(column.type)]
    except (pa.ArrowException, OSError):
        return []


def _is_understood(field: str, dtype: pl.DataType) -> bool:
    """Whether the column's type can mean what its name says; of the other fields, each value is judged by itself."""
    if field == "tags" and isinstance(dtype, pl.List | pl.Array):
        return dtype.inner in TEXT_TYPES
    if field in (*TEXTS, "id"):
        return dtype in TEXT_TYPES or (field == "gated" and dtype == pl.Boolean)
    return dtype not in (pl.Duration, pl.Time, pl.Binary)


def _native(field: str, column: str, dtype: pl.DataType) -> dict[str, pl.Expr]:
    """The field as `observations` takes it; nothing where its type needs a detour over JSON."""
    value, is_text = pl.col(column), dtype in TEXT_TYPES
    read: dict[str, pl.Expr] = {}
    if field in (*TEXTS, "id"):
        read = {field: value.cast(pl.String)}
    elif (field in COUNTS and (is_text or dtype.is_numeric())) or (
        field == "createdAt" and (is_text or dtype in (pl.Datetime, pl.Date))
    ):
        read = {field: value}
    elif field == "tags" and (dtype == pl.Null or isinstance(dtype, pl.List)):
        read = {field: value.cast(pl.List(pl.String))}
    elif field == "cardData" and is_text:
        read = {name: _card_value(value.cast(pl.String), name) for name in ("base_model", "base_model_relation")}
    elif field in ("safetensors", "gguf") and is_text:
        text = value.cast(pl.String)
        is_odd = ~text.str.contains(r"^\s*\{") | text.str.json_path_match("$.total").is_not_null()
        odd = pl.when(is_odd & parameters(text).is_null() & ~text.is_in(["", "null"])).then(text)
        read = {field: parameters(text), f"{ODD}{field}": odd}
    elif field in ("safetensors", "gguf") and isinstance(dtype, pl.Struct) and dict(dtype).get("total") == pl.Int64:
        read = {field: _parameters(value, dtype)}
    elif field == "baseModels" and _is_declaration(dtype):
        model = pl.element().struct
        named = pl.struct(hub_id=model.field("_id").cast(pl.String), model_id=model.field("id").cast(pl.String))
        models = value.struct.field("models").list.eval(named)
        stated = pl.struct(relation=value.struct.field("relation").cast(pl.String), models=models)
        read = {field: pl.when(value.is_not_null()).then(stated)}
    return read


def _is_declaration(dtype: pl.DataType) -> bool:
    """Whether it says which models a repository is derived from, and how."""
    fields = dict(dtype) if isinstance(dtype, pl.Struct) else {}
    models = fields.get("models")
    named = dict(models.inner) if isinstance(models, pl.List) and isinstance(models.inner, pl.Struct) else {}
    return all(said in TEXT_TYPES for said in (fields.get("relation"), named.get("_id"), named.get("id")))


def _parameters(value: pl.Expr, dtype: pl.Struct) -> pl.Expr:
    total, by_type = value.struct.field("total"), dict(dtype).get("parameters")
    if by_type is None:
        return total
    if isinstance(by_type, pl.Struct) and all(kind.is_integer() for kind in dict(by_type).values()):
        counts = [value.struct.field("parameters").struct.field(name) for name in dict(by_type)]
        stated = pl.any_horizontal(count.is_not_null() for count in counts)
        return larger_count(total, pl.when(stated).then(pl.sum_horizontal(counts)))
    return parameters(value.struct.json_encode())


def _card_value(text: pl.Expr, name: str) -> pl.Expr:
    """A card's field: its text, or JSON where it is more than that; null where the card has none."""
    has_it = text.str.contains(f'"{name}"', literal=True)
    return pl.when(has_it).then(text).str.json_path_match(f"$.{name}")
