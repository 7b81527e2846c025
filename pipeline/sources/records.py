"""Reads listing records, in JSON as the listing API sends them and in Parquet as archives and other tools write them.

`_is_plain` says which types of Parquet columns are read as they are. All else, JSON first, becomes a frame of
such columns through DuckDB; from there on there is one way, `_observations`. Naive times are UTC. What is there and
cannot be read is null, and listed in the column `unreadable`.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
from polars.exceptions import PanicException, PolarsError
from pyarrow import parquet

from pipeline.databases import open_files
from pipeline.errors import UnusableSnapshotError
from pipeline.sources.snapshots import (
    BASE_MODELS,
    COLUMN_OF_FIELD,
    OBSERVATION_SCHEMA,
    Observed,
)

COUNTS = ("downloads", "downloadsAllTime", "likes")
TEXTS = ("id", "_id", "pipeline_tag", "library_name", "gated")
PARAMETERS = ("safetensors", "gguf")
OTHERS = (*COUNTS, "createdAt", "cardData", *PARAMETERS)
FIELDS = (*TEXTS, *OTHERS, "tags", "baseModels")
"""The fields of a record that the census reads, as the listing API names them."""
NAMES = {field: (field, re.sub("[A-Z]", lambda capital: f"_{capital[0].lower()}", field)) for field in FIELDS} | {
    "id": ("id", "modelId", "model_id")
}
"""Under which names a field is looked for: the listing API's, and that in the snake case of other tools."""

FIELDS_OF_COLUMN = {column: [field] for field, column in COLUMN_OF_FIELD.items()} | {
    "license": ["tags"],
    "base_model_relation": ["baseModels", "cardData"],
}
TEXT_TYPES = (pl.String, pl.Categorical, pl.Enum, pl.Null)
STATED = pl.Struct({"relation": pl.String, "models": pl.List(pl.Struct({"_id": pl.String, "id": pl.String}))})
"""The parents as the Hub's `baseModels` states them, and as they are read."""
DECLARED = pl.Struct({"relation": pl.String, "models": BASE_MODELS})
NAMES_OF_PARENTS = ("id", "name", "model_id", "modelId", "model", "repo_id", "base_model")
"""The keys under which an object may name a parent."""
ODD = "odd "
"""How a column is named that holds a field's text where that is of no shape in which the field is usually written."""
READ = "read "
"""How a column is named that holds what was read, while the fields are still there."""

ESCAPE = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<half>\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\."
)
"""An escape in JSON; `half` of a pair that stands for one character is none."""
LARGEST_COUNT = 10**12
"""More than all of the Hub's downloads since it began: a counter or a number of likes above it counts nothing."""
LARGEST_RECORD_BYTES = 32 * 2**20
"""DuckDB sets twice as much memory aside for each file that it reads, so not more than a record can need."""
RECORDS_IN_A_BATCH = 2_048
BATCHES_AT_ONCE = 100


def read_json(paths: Sequence[Path]) -> Observed:
    """Repositories of files with one listing record a line, or one array of records a file; in the files' order.

    Raises:
        UnusableSnapshotError: a file is empty, not JSON, or has no field that names repositories.
    """
    if empty := [path.name for path in paths if path.stat().st_size == 0]:
        raise UnusableSnapshotError(f"{empty[0]} is empty: fetch it again or remove it")
    columns = dict.fromkeys((name for names in NAMES.values() for name in names), "VARCHAR")
    records = "read_json($files, columns = $columns, maximum_object_size = $largest)"
    read = partial(
        read_texts, records=records, params={"columns": columns, "largest": LARGEST_RECORD_BYTES}, texts=NAMES
    )
    try:
        return read(paths)
    except UnusableSnapshotError as error:
        if not re.search("surrogate|invalid UTF-8", str(error)):
            raise
    with TemporaryDirectory(prefix="census-json-") as folder:
        return read([_mended(path, Path(folder)) for path in paths])


def read_parquet(paths: Sequence[Path]) -> Observed:
    """Repositories of Parquet files, which are parts of one listing where there are several.

    Columns are found by name; one that a file lacks becomes null.

    Raises:
        UnusableSnapshotError: a file is empty, truncated, not Parquet, or has no column that names repositories.
    """
    return Observed.joined([_read_parquet(path) for path in paths])


def counters_in(table: pa.Table) -> pl.LazyFrame:
    """Rows in `OBSERVATION_SCHEMA` from some columns of an archive's file."""
    return _observations(pl.DataFrame(pl.from_arrow(table)).lazy())


def newest_creation(table: pa.Table) -> datetime | None:
    """The latest of the times in the column `createdAt` of an archive's file; None where there is none."""
    frame = pl.DataFrame(pl.from_arrow(table))
    if "createdAt" not in frame.columns:
        return None
    newest: datetime | None = frame.select(_moment(pl.col("createdAt"), frame.schema["createdAt"]).max()).item()
    return newest


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


def _read_parquet(path: Path) -> Observed:
    try:
        # Polars does not know views of lists, and says so by a panic.
        views = [column.name for column in parquet.read_schema(path) if "list_view<" in str(column.type)]
        raw = pl.scan_parquet(path, glob=False)
        schema = pl.Schema() if views else raw.collect_schema()
        count = 0 if views else raw.select(pl.len()).collect().item()
    except (PolarsError, PanicException, pa.ArrowException, OSError) as error:
        raise _not_readable(path.name, "Parquet", error) from error
    if views:
        raise _not_understood(path.name, "a list_view", views[0])
    columns = columns_of_fields(schema.names())
    if not columns["id"]:
        raise UnusableSnapshotError(
            f"{path.name} has no column `id` that names the repositories: write it in the hub-stats or listing schema"
        )
    there = {field: found[0] for field, found in columns.items() if found}
    for field, column in there.items():
        if not _is_understood(field, schema[column]):
            raise _not_understood(path.name, schema[column], column)
    if not all(_is_plain(field, schema[column]) for field, column in there.items()):
        texts = {field: [f"to_json({column}) ->> '$'" for column in found] for field, found in columns.items()}
        return read_texts([path], "read_parquet($files)", {}, texts)
    id_of = pl.coalesce(pl.col(columns["id"]).cast(pl.String))
    records = raw.select(**{field: pl.col(column) for field, column in there.items()} | {"id": id_of})
    absent = frozenset(column for column, fields in FIELDS_OF_COLUMN.items() if there.keys().isdisjoint(fields))
    return Observed.of_records(count, _observations(records), absent, path.name)


def _not_understood(name: str, kind: pl.DataType | str, column: str) -> UnusableSnapshotError:
    return UnusableSnapshotError(
        f"{name} has {kind} in its column `{column}`: write it in the hub-stats or the listing schema"
    )


def columns_of_fields(columns: Sequence[str]) -> dict[str, list[str]]:
    """The columns that hold each field, however a tool writes its name: `createdAt`, `created_at`, `createdat`."""

    def plain(name: str) -> str:
        return name if name.startswith("_") else name.replace("_", "").lower()

    by_name = {plain(column): column for column in reversed(columns)}
    return {field: [by_name[plain(name)] for name in names if plain(name) in by_name] for field, names in NAMES.items()}


def _is_understood(field: str, dtype: pl.DataType) -> bool:
    """Whether the column's type can mean what its name says; of the other fields, each value is judged by itself."""
    if field == "tags" and isinstance(dtype, pl.List | pl.Array):
        return dtype.inner in TEXT_TYPES
    if field in TEXTS:
        return dtype in TEXT_TYPES or (field == "gated" and dtype == pl.Boolean)
    return dtype not in (pl.Duration, pl.Time, pl.Binary)


def _is_plain(field: str, dtype: pl.DataType) -> bool:
    """Whether `_observations` takes the column as it is."""
    fields: dict[str, Any] = dict(dtype) if isinstance(dtype, pl.Struct) else {}
    if field in PARAMETERS and fields:
        by_type = fields.get("parameters", pl.Struct({}))
        are_counts = isinstance(by_type, pl.Struct) and all(kind.is_integer() for kind in dict(by_type).values())
        return fields.get("total") == pl.Int64 and are_counts
    if field == "baseModels":
        models = fields.get("models")
        named = dict(models.inner) if isinstance(models, pl.List) and isinstance(models.inner, pl.Struct) else {}
        return all(said in TEXT_TYPES for said in (fields.get("relation"), named.get("_id"), named.get("id")))
    if field == "tags":
        return dtype in (pl.Null, pl.List)
    is_own = (field in COUNTS and dtype.is_numeric()) or (field == "createdAt" and dtype in (pl.Datetime, pl.Date))
    return is_own or field in TEXTS or dtype in TEXT_TYPES


def read_texts(
    paths: Sequence[Path], records: str, params: dict[str, Any], texts: Mapping[str, Sequence[str]]
) -> Observed:
    """What stands in files, from the text of each field: the first that there is of some SQL over `records`."""
    count, portions = 0, [pl.DataFrame(schema=OBSERVATION_SCHEMA)]
    name = paths[0].name if len(paths) == 1 else f"{paths[0].name} and {len(paths) - 1} more"
    fields = ", ".join(f"coalesce({', '.join((*texts[field], 'null::varchar'))}) as {field}" for field in FIELDS)
    try:
        with open_files(paths) as connection:
            found = connection.sql(f"from {records}", params=params | {"files": [str(path) for path in paths]})
            reader = _in_plain_columns(found.select(fields)).to_arrow_reader(RECORDS_IN_A_BATCH)
            while batches := list(islice(reader, BATCHES_AT_ONCE)):
                portion = pl.DataFrame(pa.Table.from_batches(batches))
                count += portion.height
                portions.append(_observations(portion.lazy()).collect())
    except (duckdb.Error, OSError) as error:  # the second through Arrow
        raise _not_readable(name, "listing records", error) from error
    rows = pl.concat(portions)
    absent = frozenset(column.name for column in rows if column.null_count() == rows.height)
    return Observed.of_records(count, rows.lazy(), absent, name)


def _in_plain_columns(texts: duckdb.DuckDBPyRelation) -> duckdb.DuckDBPyRelation:
    """The fields in columns that `_is_plain` takes, and in odd ones what is not of their shape."""
    no_word = {field: rf"regexp_matches({field}, '^([\[{{]|true$|false$)')" for field in TEXTS}
    no_word["gated"] = r"regexp_matches(gated, '^[\[{]')"
    read = [f"case when not {odd} then nullif({field}, '') end as {field}" for field, odd in no_word.items()]
    told = [f'case when {odd} then {field} end as "{ODD}{field}"' for field, odd in no_word.items() if field != "id"]
    told += [
        f'case when listed is null then tags end as "{ODD}tags"',
        "case when declared.models is null or len(list_filter(declared.models, lambda model: model.id is null)) > 0 "
        f"then nullif(baseModels, '') end as \"{ODD}baseModels\"",
    ]
    shapes = {
        "tags": '["VARCHAR"]',
        "baseModels": '{"relation": "VARCHAR", "models": [{"_id": "VARCHAR", "id": "VARCHAR"}]}',
    }
    listed, declared = (f"try(json_transform({field}, '{shape}'))" for field, shape in shapes.items())
    return texts.select(f"*, {listed} as listed, {declared} as declared").select(
        ", ".join((*read, *told, *OTHERS, "listed as tags", "declared as baseModels"))
    )


def _not_readable(name: str, kind: str, error: BaseException) -> UnusableSnapshotError:
    said = str(error).strip().splitlines()[0][:200]
    return UnusableSnapshotError(f"{name} cannot be read as {kind} ({said}): fetch it again or remove it")


def _observations(records: pl.LazyFrame) -> pl.LazyFrame:
    """Rows in `OBSERVATION_SCHEMA` from columns that `_is_plain` takes; a field that is not there has no value.

    Records that name no repository are left out. What several columns are made from is a column of its own.
    """
    there = records.collect_schema()
    no_value = {field: pl.lit(None, STATED if field == "baseModels" else None) for field in FIELDS}
    records = records.with_columns(**{field: value for field, value in no_value.items() if field not in there})
    schema = records.collect_schema()
    return (
        records.filter(pl.col("id").is_not_null())
        .with_columns(**_parents_stated(schema))
        .with_columns(value.alias(f"{READ}{column}") for column, value in _values(schema).items())
        .select(
            *(
                pl.col(f"{READ}{column}").cast(dtype).alias(column)
                for column, dtype in OBSERVATION_SCHEMA.items()
                if column != "unreadable"
            ),
            _unreadable(schema).alias("unreadable"),
        )
    )


def _values(schema: pl.Schema) -> dict[str, pl.Expr]:
    """How each column is made from the fields and from `_parents_stated`."""
    tags, declared = pl.col("tags").cast(pl.List(pl.String)), pl.col("declared").struct
    licenses = pl.element().filter(pl.element().str.contains("^license:."))
    in_card, relation_of_objects = _parents_in_card(pl.col("base_model"))
    relation_in_card = _card_value("base_model_relation").str.strip_chars(' []"')
    return (
        {COLUMN_OF_FIELD[field]: pl.col(field).cast(pl.String) for field in TEXTS}
        | {COLUMN_OF_FIELD[field]: _count(pl.col(field), schema[field]) for field in COUNTS}
        | {COLUMN_OF_FIELD[field]: _parameters(pl.col(field), schema[field]) for field in PARAMETERS}
        | {
            "created_at": _moment(pl.col("createdAt"), schema["createdAt"]),
            "tags": tags,
            "license": tags.list.eval(licenses).list.first().str.slice(len("license:")),
            "base_models": declared.field("models"),
            "card_base_models": in_card,
            "base_model_relation": pl.coalesce(declared.field("relation"), relation_in_card, relation_of_objects),
        }
    )


def _unreadable(schema: pl.Schema) -> pl.Expr:
    """What is there and cannot be read, as `field: value`."""
    unread = {name.removeprefix(ODD): pl.col(name) for name in schema if name.startswith(ODD)}
    is_unread = {field: pl.col(f"{READ}{COLUMN_OF_FIELD[field]}").is_null() for field in FIELDS}
    for field in (*COUNTS, "createdAt"):
        if not schema[field].is_temporal():
            unread[field] = pl.when(is_unread[field]).then(pl.col(field)).cast(pl.String)
    for field in ("cardData", *PARAMETERS):
        if schema[field] in TEXT_TYPES:
            text = pl.col(field).cast(pl.String)
            is_odd = ~text.str.contains(r"^\s*\{")
            if field in PARAMETERS:
                unread_text = pl.when(is_unread[field]).then(text)
                is_odd = is_unread[field] & (is_odd | unread_text.str.json_path_match("$.total").is_not_null())
            unread[field] = pl.when(is_odd & (text != "null")).then(text)
    if "baseModels" in unread:
        text = pl.when(is_unread["baseModels"]).then(unread["baseModels"])
        names_none = text.str.contains(r"^\s*[\[{]") & text.str.json_path_match("$").is_not_null()
        unread["baseModels"] = pl.when(~names_none).then(text)
    entries = [
        pl.when(text != "").then(pl.concat_str(pl.lit(f"{field}: "), text.str.slice(0, 40)))
        for field, text in unread.items()
    ]
    return pl.when(pl.any_horizontal(entry.is_not_null() for entry in entries)).then(
        pl.concat_list(entries).list.drop_nulls()
    )


def _count(value: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """A number without fraction of at most `LARGEST_COUNT`; null where it is none."""
    written = value if dtype.is_numeric() else value.cast(pl.String).str.strip_chars()
    number = written.cast(pl.Float64, strict=False)  # exact up to 2^53
    return pl.when((number == number.floor()) & (number <= LARGEST_COUNT)).then(number).cast(pl.Int64, strict=False)


def _moment(value: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """A time in UTC; null where it cannot be read."""
    if isinstance(dtype, pl.Datetime):
        in_utc = value.dt.convert_time_zone("UTC") if dtype.time_zone else value.dt.replace_time_zone("UTC")
        return in_utc.dt.cast_time_unit("us")
    if dtype == pl.Date:
        return value.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    text = value.cast(pl.String)
    read = _moment_in(text)
    shorter = pl.when(read.is_null()).then(text)
    return pl.coalesce(read, *(_moment_in(shorter + rest) for rest in ("Z", ":00Z", "T00:00:00Z")))


def _moment_in(text: pl.Expr) -> pl.Expr:
    return text.str.to_datetime("%+", time_unit="us", time_zone="UTC", strict=False)


def _parameters(value: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """The number of parameters that `safetensors` or `gguf`, a struct or the JSON of one, states.

    A total below the sum of its own parameters by type cannot be right: the sum counts. Above it may be, because packed
    types hold several parameters in one. Where there is no total, the sum counts.
    """
    if isinstance(dtype, pl.Struct):
        total = value.struct.field("total")
        kinds = dict(dtype).get("parameters")
        by_kind = value.struct.field("parameters").struct
        counts = [by_kind.field(kind) for kind, _ in kinds] if isinstance(kinds, pl.Struct) else []
        by_type = pl.sum_horizontal(counts) if counts else pl.lit(None, pl.Int64)
        total = pl.when(total >= 0).then(total)
    else:
        text = value.cast(pl.String).str
        number = r"[\d.eE+]+"
        total = text.json_path_match("$.total").str.extract(rf"^\s*({number})\s*$").cast(pl.Float64, strict=False)
        listed = text.json_path_match("$.parameters").str.extract_all(rf':\s*"?{number}')
        by_type = listed.list.eval(pl.element().str.strip_chars(': "').cast(pl.Float64, strict=False)).list.sum()
    return pl.max_horizontal(total, by_type.replace(0, None)).cast(pl.Int64, strict=False)


def _parents_stated(schema: pl.Schema) -> dict[str, pl.Expr]:
    """`declared`, what `baseModels` states, and `base_model`, what the card states."""
    stated, model = pl.col("baseModels"), pl.element().struct
    named = pl.struct(hub_id=model.field("_id").cast(pl.String), model_id=model.field("id").cast(pl.String))
    models = stated.struct.field("models").list.eval(named)
    usual = pl.struct(relation=stated.struct.field("relation").cast(pl.String), models=models)
    declared: pl.Expr = pl.when(stated.is_not_null()).then(usual)
    if f"{ODD}baseModels" in schema:
        odd = pl.col(f"{ODD}baseModels")
        declared = pl.coalesce(_parents_named(odd), pl.when(odd.is_null()).then(declared))
    return {"declared": declared, "base_model": _card_value("base_model")}


def _card_value(name: str) -> pl.Expr:
    """A card's field: its text, or JSON where it is more than that; null where the card has none."""
    text = pl.col("cardData").cast(pl.String)
    has_it = text.str.contains(f'"{name}"', literal=True)
    return pl.when(has_it).then(text).str.json_path_match(f"$.{name}")


def _parents_in_card(base_model: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    """The parents that a card's `base_model`, text or JSON, names, and the relation that its objects agree on."""
    has_objects = base_model.str.contains(r"^\s*[\[{]") & base_model.str.contains("{", literal=True)
    objects = _parents_named(pl.when(has_objects).then(base_model)).struct
    of_objects = objects.field("models").list.eval(pl.element().struct.field("model_id").fill_null("")).fill_null([])
    several = base_model.str.extract_all(r'"(?:[^"\\]|\\.)*"').list.eval(pl.element().str.strip_chars('"'))
    plain = pl.when(base_model.str.starts_with("[")).then(several).otherwise(pl.concat_list(base_model))
    names = pl.when(has_objects).then(of_objects).when(base_model.is_not_null()).then(plain)
    return names, objects.field("relation")


def _parents_named(text: pl.Expr) -> pl.Expr:
    """The parents that JSON of any shape, or a plain name, states, as `DECLARED`; null where it names none."""

    def declared(written: str) -> dict[str, Any] | None:
        parents = list(_parents(written))
        relations = {parent.pop("relation") for parent in parents}
        return {"relation": relations.pop() if len(relations) == 1 else None, "models": parents} if parents else None

    return text.map_elements(declared, return_dtype=DECLARED)


def _parents(text: str) -> Iterator[dict[str, str | None]]:
    """Id, name and relation of every parent; what is neither text, list nor object states none."""
    waiting: list[tuple[Any, str | None]]
    try:
        waiting = [(json.loads(text), None)]
    except RecursionError:
        return
    except ValueError:
        waiting = [] if text.lstrip().startswith(("[", "{", '"')) else [(text, None)]
    while waiting:
        value, relation = waiting.pop()
        if isinstance(value, str):
            yield {"hub_id": None, "model_id": value, "relation": relation}
        elif isinstance(value, list):
            waiting += [(one, relation) for one in reversed(value)]
        elif isinstance(value, dict):
            relation = _first_text(value, "relation", "base_model_relation") or relation
            name, hub_id = _first_text(value, *NAMES_OF_PARENTS), _first_text(value, "_id")
            if name is not None or hub_id is not None:
                yield {"hub_id": hub_id, "model_id": name, "relation": relation}
            elif "models" in value:
                waiting.append((value["models"], relation))


def _first_text(value: dict[str, Any], *keys: str) -> str | None:
    return next((value[key] for key in keys if isinstance(value.get(key), str)), None)
