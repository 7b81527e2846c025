"""Reads listing records from JSON, as the listing API sends them and as tools dump them.

Parquet whose columns have other types than the archive's is read here too, as the JSON that its values are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa

from pipeline.databases import open_files
from pipeline.errors import UnusableSnapshotError
from pipeline.sources.field_values import DECLARED, ODD, declared_base_models, observations, parameters
from pipeline.sources.observations import OBSERVATION_SCHEMA, Observed

FIELDS = (
    *("_id", "id", "createdAt", "downloads", "downloadsAllTime", "likes", "pipeline_tag", "library_name", "gated"),
    *("tags", "cardData", "safetensors", "gguf", "baseModels"),
)
"""The fields of a record that the census reads, as the listing API names them."""
NAMES = {field: (field, re.sub("[A-Z]", lambda capital: f"_{capital[0].lower()}", field)) for field in FIELDS} | {
    "id": ("id", "modelId", "model_id")
}
"""Under which names a field is looked for: the listing API's, and that in the snake case of other tools."""
WORDS = "('VARCHAR', 'UBIGINT', 'BIGINT', 'DOUBLE')"
KINDS = {
    "_id": WORDS,
    "id": WORDS,
    "pipeline_tag": WORDS,
    "library_name": WORDS,
    "gated": "('VARCHAR', 'BOOLEAN')",
    "tags": "('ARRAY')",
    "cardData": "('OBJECT')",
    "safetensors": "('OBJECT')",
    "gguf": "('OBJECT')",
    "baseModels": "('OBJECT', 'ARRAY')",
}
"""The JSON types that fields may have. Of counters and times, each value is judged by itself."""
NESTED = ("tags", "cardData", "safetensors", "gguf", "baseModels")

BROKEN_TEXT = re.compile("surrogate|invalid UTF-8")
ESCAPE = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<half>\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\."
)
"""An escape in JSON; `half` of a pair that stands for one character is none."""

DECLARED_JSON = '{"relation": "VARCHAR", "models": [{"_id": "VARCHAR", "id": "VARCHAR"}]}'
SHAPES = (
    """json_transform(tags, '["VARCHAR"]') as tags""",
    "cardData ->> '$.base_model' as base_model",
    "cardData ->> '$.base_model_relation' as base_model_relation",
    "listed",
    """case when json_type(baseModels) in ('OBJECT', 'ARRAY', 'VARCHAR')
    and (listed.models is null or len(list_filter(listed.models, lambda model: model.id is null)) > 0)
    then baseModels ->> '$' end as stated""",
)
"""What DuckDB makes of the nested fields; `stated` is what is not in the form in which the Hub lists parents."""

LARGEST_RECORD_BYTES = 32 * 2**20
"""DuckDB sets twice as much memory aside for each file that it reads, so not more than a record can need."""
RECORDS_AT_ONCE = 100_000

MACROS = """
create macro unwrapped(value) as
case when json_type(value) = 'VARCHAR' and json_valid(value ->> '$') then (value ->> '$')::json else value end;
create macro misstated(value) as
value ->> '$.total' is not null and coalesce(try_cast(value ->> '$.total' as double), -1) not between 0 and 9.2e18
"""
"""A value, or the JSON that it holds as text; whether a number of parameters is none."""


def read_json(paths: Sequence[Path]) -> Observed:
    """Repositories of files with one listing record a line, or one array of records a file; in the files' order.

    Raises:
        UnusableSnapshotError: a file is empty, not JSON, or has no field that names repositories.
    """
    if empty := [path.name for path in paths if path.stat().st_size == 0]:
        raise UnusableSnapshotError(f"{empty[0]} is empty: fetch it again or remove it")
    try:
        return _observed_in_json(paths)
    except UnusableSnapshotError as error:
        if not BROKEN_TEXT.search(str(error)):
            raise
    with TemporaryDirectory(prefix="census-json-") as folder:
        return _observed_in_json([_mended(path, Path(folder)) for path in paths])


def columns_of_fields(columns: Sequence[str]) -> dict[str, list[str]]:
    """The columns that hold each field, however a tool writes its name: `createdAt`, `created_at`, `createdat`."""

    def plain(name: str) -> str:
        return name if name.startswith("_") else name.replace("_", "").lower()

    by_name = {plain(column): column for column in reversed(columns)}
    return {field: [by_name[plain(name)] for name in names if plain(name) in by_name] for field, names in NAMES.items()}


def observed_in(
    paths: Sequence[Path], columns: Mapping[str, Sequence[str]], records: str, params: dict[str, Any]
) -> Observed:
    """What stands in files, from the JSON columns of each field in `records`, SQL over `$files` and `params`.

    Raises:
        UnusableSnapshotError: the files cannot be read, or name no repositories.
    """
    count = 0
    portions = []
    try:
        for portion in _portions(paths, columns, records, params):
            count += portion.height
            portions.append(observations(_shaped(portion)).collect())
    except (duckdb.Error, OSError) as error:  # the second through Arrow
        raise UnusableSnapshotError(
            f"{name_of(paths)} cannot be read as listing records ({str(error).strip().splitlines()[0][:200]}): fetch "
            "it again or remove it"
        ) from error
    rows = pl.concat(portions) if portions else pl.DataFrame(schema=OBSERVATION_SCHEMA)
    absent = frozenset(column.name for column in rows if column.null_count() == rows.height)
    return Observed.of_records(count, rows.lazy(), absent, name_of(paths))


def _observed_in_json(paths: Sequence[Path]) -> Observed:
    types = dict.fromkeys((name for names in NAMES.values() for name in names), "JSON")
    records = "read_json($files, columns = $types, maximum_object_size = $largest)"
    return observed_in(paths, NAMES, records, {"types": types, "largest": LARGEST_RECORD_BYTES})


def _mended(path: Path, folder: Path) -> Path:
    """A copy of the file in which what is no character, as cards may hold it, is the sign for that."""
    copy = folder / re.sub(r"(\.gz|\.zst)?$", ".zst", path.name, count=1)
    rest = b""
    with pa.input_stream(str(path), compression="detect") as source, pa.output_stream(str(copy), "zstd") as mended:
        while block := source.read(2**22):
            whole, quote, rest = (rest + block).rpartition(b'"')
            text = (whole + quote).decode(errors="replace").encode()
            mended.write(ESCAPE.sub(lambda escape: rb"\ufffd" if escape["half"] else escape[0], text))
        mended.write(rest)
    return copy


def name_of(paths: Sequence[Path]) -> str:
    """How files that are read together are called."""
    return paths[0].name if len(paths) == 1 else f"{paths[0].name} and {len(paths) - 1} more"


def _portions(
    paths: Sequence[Path], columns: Mapping[str, Sequence[str]], records: str, params: dict[str, Any]
) -> Iterator[pl.DataFrame]:
    """The records, portion by portion; each field as text, as what it should be, or as the odd text that it is."""
    fields = []
    for field in NAMES:
        value = f"coalesce({', '.join(columns[field])})" if columns[field] else "null::json"
        fields.append(f"{f'unwrapped({value})' if field in NESTED else value} as {field}")
    odd = {field: f"json_type({field}) not in {kinds}" for field, kinds in KINDS.items()}
    odd |= {field: f"({odd[field]} or misstated({field}))" for field in ("safetensors", "gguf")}
    texts = [
        f"case when {odd.get(field, 'false')} then null else nullif({field} ->> '$', '') end as {field}"
        for field in NAMES
        if field not in ("tags", "cardData", "baseModels")
    ]
    told = [
        f"case when {is_odd} then nullif({field} ->> '$', '') end as \"{ODD}{field}\""
        for field, is_odd in odd.items()
        if field != "id"  # of which the record is told
    ]
    with open_files(paths) as connection:
        connection.execute(MACROS)
        relation = (
            connection.sql(f"from {records}", params=params | {"files": [str(path) for path in paths]})
            .select(", ".join(fields))
            .select(f"*, json_transform(baseModels, '{DECLARED_JSON}') as listed")
            .select(", ".join((*texts, *told, *SHAPES)))
        )
        waiting: list[pl.DataFrame] = []
        for batch in relation.to_arrow_reader(RECORDS_AT_ONCE):
            waiting.append(pl.DataFrame(batch))
            if sum(portion.height for portion in waiting) >= RECORDS_AT_ONCE:
                yield pl.concat(waiting, rechunk=True)
                waiting.clear()
        if waiting:
            yield pl.concat(waiting, rechunk=True)


def _shaped(portion: pl.DataFrame) -> pl.LazyFrame:
    """The portion as `observations` takes it."""
    listed, model = pl.col("listed").struct, pl.element().struct
    models = listed.field("models").list.eval(
        pl.struct(model.field("_id").alias("hub_id"), model.field("id").alias("model_id"))
    )
    declared = pl.when(listed.field("models").is_not_null() & pl.col("stated").is_null()).then(
        pl.struct(listed.field("relation"), models.alias("models"))
    )
    return (
        portion.lazy()
        .with_columns(
            pl.coalesce(declared_base_models(pl.col("stated")), declared).cast(DECLARED).alias("baseModels"),
            parameters(pl.col("safetensors")).alias("safetensors"),
            parameters(pl.col("gguf")).alias("gguf"),
        )
        .with_columns(pl.when(pl.col("baseModels").is_null()).then(f"{ODD}baseModels").alias(f"{ODD}baseModels"))
    )
