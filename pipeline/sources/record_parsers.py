"""Reads repositories as the archive (Parquet) and the listing API (JSON) write them, old and new.

Columns are found by name; one that an older file lacks becomes null. Nested values may come as structs or as JSON
text: both are understood.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
from polars.exceptions import PanicException, PolarsError

from pipeline.databases import open_files
from pipeline.errors import UnusableSnapshotError
from pipeline.sources.observations import BASE_MODELS, OBSERVATION_SCHEMA

COUNT_COLUMNS = {"downloads_30d": "downloads", "downloads_all_time": "downloadsAllTime", "likes": "likes"}
TEXT_COLUMNS = {"hub_id": "_id", "pipeline_tag": "pipeline_tag", "library_name": "library_name"}

RECORD_TYPES = {
    "_id": "VARCHAR",
    "id": "VARCHAR",
    "modelId": "VARCHAR",
    "createdAt": "VARCHAR",
    "downloads": "BIGINT",
    "downloadsAllTime": "BIGINT",
    "likes": "BIGINT",
    "pipeline_tag": "VARCHAR",
    "library_name": "VARCHAR",
    "gated": "JSON",
    "tags": "VARCHAR[]",
    "cardData": "JSON",
    "safetensors": "JSON",
    "gguf": "JSON",
    "baseModels": "JSON",
}
"""The fields of a listing record that the census reads, in DuckDB's types; what has no fixed shape stays JSON."""

CARD_BASE_MODEL = "card_base_model"
"""Column for what the card's `base_model` says, before it is brought into the form of a list."""

RECORD_SCHEMA = pl.Schema(
    {
        "_id": pl.String(),
        "id": pl.String(),
        "modelId": pl.String(),
        "createdAt": pl.String(),
        "downloads": pl.Int64(),
        "downloadsAllTime": pl.Int64(),
        "likes": pl.Int64(),
        "pipeline_tag": pl.String(),
        "library_name": pl.String(),
        "gated": pl.String(),
        "tags": pl.List(pl.String()),
        "cardData": pl.Struct({"base_model": pl.List(pl.String())}),
        "safetensors": pl.Struct({"total": pl.Int64()}),
        "gguf": pl.Struct({"total": pl.Int64()}),
        "baseModels": pl.Struct(
            {"relation": pl.String(), "models": pl.List(pl.Struct({"_id": pl.String(), "id": pl.String()}))}
        ),
    }
)
"""Listing records once they are read; the same fields as in `RECORD_TYPES`."""

LARGEST_RECORD_BYTES = 32 * 2**20
"""DuckDB sets twice as much memory aside for each file that it reads, so not more than a record can need."""

TEXT = (pl.String, pl.Categorical, pl.Enum, pl.Null)
NUMBERS = (
    *(pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64),
    *(pl.Float32, pl.Float64, pl.Decimal),
)
UNDERSTOOD_TYPES = {
    **dict.fromkeys(("id", "modelId", *TEXT_COLUMNS.values()), TEXT),
    **dict.fromkeys(COUNT_COLUMNS.values(), (*NUMBERS, *TEXT)),
    **dict.fromkeys(("safetensors", "gguf"), (pl.Struct, *TEXT)),
    "gated": (pl.Boolean, *TEXT),
    "createdAt": (pl.Datetime, pl.Date, *TEXT),
}
"""The types in which a Parquet file may have a field; cards and declared parents of another type count as absent."""

BASE_MODELS_JSON = '{"relation": "VARCHAR", "models": [{"_id": "VARCHAR", "id": "VARCHAR"}]}'


def read_parquet(path: Path) -> pl.LazyFrame:
    """Repositories of a Parquet file in the archive's schema, of any era.

    Raises:
        UnusableSnapshotError: the file is empty, truncated, not Parquet, has no column that names repositories, or
            one whose type cannot mean what its name says.
    """
    try:
        raw = pl.scan_parquet(path)
        schema = raw.collect_schema()
    except (PolarsError, PanicException, OSError) as error:
        raise UnusableSnapshotError(
            f"{path.name} cannot be read as Parquet ({_first_line(error)}): fetch it again or remove it"
        ) from error
    for field, dtype in schema.items():
        if not _is_understood(field, dtype):
            raise UnusableSnapshotError(
                f"{path.name} has {dtype} in its column `{field}`: write it in the hub-stats or listing schema"
            )
    return _observations(raw, schema, path.name)


def absent_columns(path: Path) -> list[str]:
    """The columns of a snapshot that a Parquet file in the archive's schema does not have, and which become null."""
    found = _expressions(pl.scan_parquet(path).collect_schema(), path.name)
    return [column for column in OBSERVATION_SCHEMA if column not in found]


def newest_creation(created: pa.ChunkedArray | None) -> datetime | None:
    """The latest of the creation times, as archives write them; None where there is none."""
    if created is None:
        return None
    column = pl.DataFrame({"createdAt": pl.from_arrow(created)})
    newest = column.select(_timestamp("createdAt", column.schema["createdAt"]).max()).item()
    return newest if isinstance(newest, datetime) else None


def read_json_lines(paths: Sequence[Path]) -> pl.LazyFrame:
    """Repositories of files with one listing record a line, or one array of records a file.

    Raises:
        UnusableSnapshotError: a file is empty, not JSON, or has no field that names repositories.
    """
    if empty := [path.name for path in paths if path.stat().st_size == 0]:
        raise UnusableSnapshotError(f"{empty[0]} is empty: fetch it again or remove it")
    return _named_observations(_records_of_any_shape(paths), _name_of(paths))


def read_pages(paths: Sequence[Path]) -> pl.LazyFrame:
    """Repositories of listing pages as they are spooled: one array of records each, Zstandard. In the pages' order.

    Raises:
        UnusableSnapshotError: a page is not JSON, or no page has a field that names repositories.
    """
    with ThreadPoolExecutor(pl.thread_pool_size()) as readers:
        return _named_observations(pl.concat(readers.map(_page_records, paths)), _name_of(paths))


def _page_records(path: Path) -> pl.DataFrame:
    """A page's records in `RECORD_SCHEMA`.

    Polars reads what has the expected shape in half the time, and refuses the rest, which DuckDB can take.
    """
    with pa.input_stream(str(path), compression="zstd") as page:
        body = page.read()
    try:
        return pl.read_json(body, schema=RECORD_SCHEMA)
    except PolarsError:
        return _records_of_any_shape([path])


def _records_of_any_shape(paths: Sequence[Path]) -> pl.DataFrame:
    """Records in `RECORD_SCHEMA`. A value of another shape than that is null, or the JSON text that it is."""
    connection = open_files(paths)
    try:
        raw: pl.DataFrame = connection.sql(
            """
            select * exclude (cardData) replace (
                gated ->> '$' as gated,
                json_transform(safetensors, '{"total": "BIGINT"}') as safetensors,
                json_transform(gguf, '{"total": "BIGINT"}') as gguf,
                json_transform(baseModels, $base_models) as baseModels
            ), cardData ->> '$.base_model' as card_base_model
            from read_json($files, columns = $types, maximum_object_size = $largest)
            """,
            params={
                "files": [str(path) for path in paths],
                "types": RECORD_TYPES,
                "base_models": BASE_MODELS_JSON,
                "largest": LARGEST_RECORD_BYTES,
            },
        ).pl()
    except duckdb.Error as error:
        raise UnusableSnapshotError(
            f"{_name_of(paths)} cannot be read as listing records ({_first_line(error)}): fetch it again or remove it"
        ) from error
    finally:
        connection.close()
    card = pl.struct(_as_list(CARD_BASE_MODEL).alias("base_model"))
    return raw.with_columns(card.alias("cardData")).select(
        pl.col(field).cast(dtype) for field, dtype in RECORD_SCHEMA.items()
    )


def _named_observations(records: pl.DataFrame, name: str) -> pl.LazyFrame:
    """Records in `RECORD_SCHEMA` as observations, if they name any repository."""
    if records["id"].null_count() == records["modelId"].null_count() == records.height:
        raise UnusableSnapshotError(
            f"{name} names no repositories in a field `id`: write it as the listing API writes its records"
        )
    return _observations(records.lazy(), RECORD_SCHEMA, name)


def _name_of(paths: Sequence[Path]) -> str:
    return paths[0].name if len(paths) == 1 else f"{len(paths)} listing pages"


def _observations(raw: pl.LazyFrame, schema: pl.Schema, name: str) -> pl.LazyFrame:
    expressions = _expressions(schema, name)
    if schema.get("cardData") == pl.String:
        raw = raw.with_columns(_card_value("base_model").alias(CARD_BASE_MODEL))
    rows = raw.select(
        expressions.get(column, pl.lit(None)).cast(dtype).alias(column) for column, dtype in OBSERVATION_SCHEMA.items()
    )
    return rows.filter(pl.col("model_id").is_not_null())


def _expressions(schema: pl.Schema, name: str) -> dict[str, pl.Expr]:
    """How each column is made from those that are there; the others are left out."""
    identifier = next((column for column in ("id", "modelId") if column in schema), None)
    if identifier is None:
        raise UnusableSnapshotError(
            f"{name} has no column `id` that names the repositories: write it in the hub-stats or listing schema"
        )
    expressions: dict[str, pl.Expr] = {"model_id": pl.col(identifier).cast(pl.String)}
    if identifier == "id" and "modelId" in schema:
        expressions["model_id"] = pl.coalesce(pl.col("id"), pl.col("modelId")).cast(pl.String)
    for column, field in (*TEXT_COLUMNS.items(), ("gated", "gated")):
        if field in schema:
            expressions[column] = pl.col(field).cast(pl.String)
    for column, field in COUNT_COLUMNS.items():
        if field in schema:
            value = pl.col(field).cast(pl.String) if schema[field] in TEXT else pl.col(field)
            expressions[column] = value.cast(pl.Int64, strict=False)
    if "createdAt" in schema:
        expressions["created_at"] = _timestamp("createdAt", schema["createdAt"])
    if "tags" in schema and isinstance(schema["tags"], pl.List):
        expressions["tags"] = pl.col("tags").cast(pl.List(pl.String))
        expressions["license"] = _tag_value("license")
    for column, field in (("safetensors_parameters", "safetensors"), ("gguf_parameters", "gguf")):
        if field in schema:
            expressions[column] = _nested_total(field, schema[field])
    if "baseModels" in schema:
        expressions |= _declared_base_models(schema["baseModels"])
    expressions |= _card_base_models(schema.get("cardData"))
    return expressions


def _timestamp(field: str, dtype: pl.DataType) -> pl.Expr:
    if dtype in TEXT:
        return pl.col(field).cast(pl.String).str.to_datetime("%+", time_unit="us", time_zone="UTC", strict=False)
    if isinstance(dtype, pl.Datetime) and dtype.time_zone is not None:
        return pl.col(field).dt.convert_time_zone("UTC").dt.cast_time_unit("us")
    return pl.col(field).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")


def _tag_value(prefix: str) -> pl.Expr:
    """The value of the first tag `prefix:value`."""
    tag = pl.element()
    has_value = tag.str.starts_with(f"{prefix}:") & (tag.str.len_bytes() > len(prefix) + 1)
    return pl.col("tags").list.filter(has_value).list.first().str.slice(len(prefix) + 1)


def _nested_total(field: str, dtype: pl.DataType) -> pl.Expr:
    if isinstance(dtype, pl.Struct):
        if "total" in {member.name for member in dtype.fields}:
            return pl.col(field).struct.field("total").cast(pl.Int64, strict=False)
        return pl.lit(None)
    return pl.col(field).cast(pl.String).str.json_path_match("$.total").cast(pl.Int64, strict=False)


def _declared_base_models(dtype: pl.DataType) -> dict[str, pl.Expr]:
    if not _is_declaration(dtype):
        return {}
    models = pl.col("baseModels").struct.field("models")
    return {
        "base_model_relation": pl.col("baseModels").struct.field("relation").cast(pl.String),
        "base_models": models.list.eval(
            pl.struct(
                pl.element().struct.field("_id").cast(pl.String).alias("hub_id"),
                pl.element().struct.field("id").cast(pl.String).alias("model_id"),
            )
        ).cast(BASE_MODELS),
    }


def _is_understood(field: str, dtype: pl.DataType) -> bool:
    if field == "tags":
        return dtype == pl.Null or (isinstance(dtype, pl.List) and dtype.inner in TEXT)
    return field not in UNDERSTOOD_TYPES or dtype in UNDERSTOOD_TYPES[field]


def _is_declaration(dtype: pl.DataType) -> bool:
    """Whether it says which models a repository is derived from, and how."""
    fields = dict(dtype) if isinstance(dtype, pl.Struct) else {}
    models = fields.get("models")
    named = dict(models.inner) if isinstance(models, pl.List) and isinstance(models.inner, pl.Struct) else {}
    return all(said in TEXT for said in (fields.get("relation"), named.get("_id"), named.get("id")))


def _card_base_models(dtype: pl.DataType | None) -> dict[str, pl.Expr]:
    if dtype == pl.String:
        return {"card_base_models": _as_list(CARD_BASE_MODEL)}
    if dtype == RECORD_SCHEMA["cardData"]:
        return {"card_base_models": pl.col("cardData").struct.field("base_model")}
    return {}


def _card_value(field: str) -> pl.Expr:
    """A card's field: its text, or JSON where it is more than that; null where the card has none."""
    has_it = pl.col("cardData").str.contains(f'"{field}"', literal=True)
    return pl.when(has_it).then(pl.col("cardData")).str.json_path_match(f"$.{field}")


def _as_list(card_value: str) -> pl.Expr:
    """A card's value that is one string or a list of strings, as a list; null where there is none."""
    value = pl.col(card_value)
    many = value.str.extract_all(r'"(?:[^"\\]|\\.)*"').list.eval(pl.element().str.strip_chars('"'))
    return pl.when(value.str.starts_with("[")).then(many).when(value.is_not_null()).then(pl.concat_list(value))


def _first_line(error: Any) -> str:
    return str(error).strip().splitlines()[0][:200]
