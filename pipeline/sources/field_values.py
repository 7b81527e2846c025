"""Values of listing records, in the types in which tools write them, become the canonical ones.

Naive times are UTC. What is there and cannot be read is null, and listed in the column `unreadable`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import polars as pl

from pipeline.sources.observations import (
    BASE_MODELS,
    COLUMN_OF_FIELD,
    LARGEST_COUNT,
    OBSERVATION_SCHEMA,
    VALUE_SHOWN,
)

COUNTS = ("downloads", "downloadsAllTime", "likes")
TEXTS = {"_id": "hub_id", "pipeline_tag": "pipeline_tag", "library_name": "library_name", "gated": "gated"}
ODD = "odd "
"""How a column is named that holds a field's text where that is of no shape that the field may have."""

DECLARED = pl.Struct({"relation": pl.String, "models": BASE_MODELS})
NAMES_OF_PARENTS = ("id", "name", "model_id", "modelId", "model", "repo_id", "base_model")
"""The keys under which an object may name a parent."""


def observations(records: pl.LazyFrame) -> pl.LazyFrame:
    """Rows in `OBSERVATION_SCHEMA` from records, of which each field may be absent but `id`.

    Counters and `createdAt` may have any type; `tags` is a list of texts, `baseModels` is `DECLARED`, `safetensors` and
    `gguf` are numbers of parameters, and `base_model` and `base_model_relation` are those of the card, as text. Records
    that name no repository are left out.
    """
    schema = records.collect_schema()
    values = _values(schema)
    values["unreadable"] = _unreadable(schema, values)
    return records.filter(pl.col("id").is_not_null()).select(
        values.get(column, pl.lit(None)).cast(dtype).alias(column) for column, dtype in OBSERVATION_SCHEMA.items()
    )


def absent_columns(records: pl.Schema) -> frozenset[str]:
    """The columns that records with these fields cannot fill."""
    return frozenset(OBSERVATION_SCHEMA).difference(_values(records), ["unreadable"])


def moment(field: str, dtype: pl.DataType) -> pl.Expr:
    """A time in UTC; null where it cannot be read."""
    value = pl.col(field)
    if isinstance(dtype, pl.Datetime):
        in_utc = value.dt.convert_time_zone("UTC") if dtype.time_zone else value.dt.replace_time_zone("UTC")
        return in_utc.dt.cast_time_unit("us")
    if dtype == pl.Date:
        return value.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    text = value.cast(pl.String)
    read = _parsed(text)
    for completed in ("Z", ":00Z", "T00:00:00Z"):
        read = pl.coalesce(read, _parsed(pl.when(read.is_null()).then(pl.concat_str(text, pl.lit(completed)))))
    return read


def count(field: str, dtype: pl.DataType) -> pl.Expr:
    """A number without fraction of at most `LARGEST_COUNT`; null where it is none."""
    value = pl.col(field)
    if dtype.is_integer():
        number = value.cast(pl.Int64, strict=False)
    elif dtype.is_float():
        number = _if_whole(value)
    else:
        number = _whole_number_in(value.cast(pl.String))
    return pl.when(number <= LARGEST_COUNT).then(number)


def parameters(text: pl.Expr) -> pl.Expr:
    """The number of parameters that the JSON of `safetensors` or `gguf` states.

    A total below the sum of its own parameters by type cannot be right: the sum counts. Above it may be, because packed
    types hold several parameters in one. Where there is no total, the sum counts.
    """
    total = _whole_number_in(text.str.json_path_match("$.total"))
    number = _whole_number_in(pl.element().str.extract(r"([\d.eE+]+)"))
    stated = text.str.json_path_match("$.parameters").str.extract_all(r':\s*"?[\d.eE+]+').list.eval(number)
    return larger_count(total, pl.when(stated.list.len() > 0).then(stated.list.sum()))


def larger_count(total: pl.Expr, by_type: pl.Expr) -> pl.Expr:
    """The number of parameters, of a stated total and the sum of the parameters by type."""
    return pl.max_horizontal(pl.when(total >= 0).then(total), by_type)


def declared_base_models(text: pl.Expr) -> pl.Expr:
    """The parents that JSON of any shape, or a plain name, states, as `DECLARED`; null where it names none."""
    return text.map_elements(_declared, return_dtype=DECLARED)


def _values(schema: pl.Schema) -> dict[str, pl.Expr]:
    """How each column is made from the fields that are there."""
    values = {"model_id": pl.col("id")}
    values |= {column: pl.col(field) for field, column in TEXTS.items() if field in schema}
    values |= {COLUMN_OF_FIELD[field]: count(field, schema[field]) for field in COUNTS if field in schema}
    values |= {COLUMN_OF_FIELD[field]: pl.col(field) for field in ("safetensors", "gguf") if field in schema}
    if "createdAt" in schema:
        values["created_at"] = moment("createdAt", schema["createdAt"])
    if "tags" in schema:
        values["tags"] = pl.col("tags")
        values["license"] = _tag_value("license")
    relations = []
    if "baseModels" in schema:
        values["base_models"] = pl.col("baseModels").struct.field("models")
        relations.append(pl.col("baseModels").struct.field("relation"))
    if "base_model" in schema:
        values["card_base_models"], relation = _card(pl.col("base_model"))
        relations += [pl.col("base_model_relation").str.strip_chars(' []"'), relation]
    if relations:
        values["base_model_relation"] = pl.coalesce(relations)
    return values


def _card(base_model: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    """The parents that a card's `base_model`, text or JSON, names, and the relation that its objects agree on."""
    has_objects = base_model.str.contains(r"^\s*[\[{]") & base_model.str.contains("{", literal=True)
    objects = declared_base_models(pl.when(has_objects).then(base_model)).struct
    of_objects = objects.field("models").list.eval(pl.element().struct.field("model_id").fill_null("")).fill_null([])
    several = base_model.str.extract_all(r'"(?:[^"\\]|\\.)*"').list.eval(pl.element().str.strip_chars('"'))
    plain = pl.when(base_model.str.starts_with("[")).then(several).otherwise(pl.concat_list(base_model))
    names = pl.when(has_objects).then(of_objects).when(base_model.is_not_null()).then(plain)
    return names, objects.field("relation")


def _unreadable(schema: pl.Schema, values: dict[str, pl.Expr]) -> pl.Expr:
    found: list[pl.Expr] = [_entry(name.removeprefix(ODD), pl.col(name)) for name in schema if name.startswith(ODD)]
    for field in (*COUNTS, "createdAt"):
        if field in schema and not _always_readable(schema[field]):
            unread = pl.when(values[COLUMN_OF_FIELD[field]].is_null()).then(pl.col(field)).cast(pl.String)
            found.append(pl.when(unread != "").then(_entry(field, unread)))
    if not found:
        return pl.lit(None, pl.List(pl.String))
    return pl.when(pl.any_horizontal(one.is_not_null() for one in found)).then(pl.concat_list(found).list.drop_nulls())


def _always_readable(dtype: pl.DataType) -> bool:
    return dtype.is_temporal() or dtype in (pl.Int8, pl.Int16, pl.Int32, pl.UInt8, pl.UInt16, pl.UInt32, pl.Null)


def _entry(field: str, text: pl.Expr) -> pl.Expr:
    return pl.when(text.is_not_null()).then(pl.concat_str(pl.lit(f"{field}: "), text.str.slice(0, VALUE_SHOWN)))


def _parsed(text: pl.Expr) -> pl.Expr:
    return text.str.to_datetime("%+", time_unit="us", time_zone="UTC", strict=False)


def _whole_number_in(text: pl.Expr) -> pl.Expr:
    number = text.cast(pl.Int64, strict=False)
    rest = pl.when(number.is_null()).then(text.str.strip_chars()).cast(pl.Float64, strict=False)
    return pl.coalesce(number, _if_whole(rest))


def _if_whole(number: pl.Expr) -> pl.Expr:
    is_whole = number.is_between(-(2.0**63), 2.0**63, closed="left") & (number == number.floor())
    return pl.when(is_whole).then(number).cast(pl.Int64, strict=False)


def _tag_value(prefix: str) -> pl.Expr:
    """The value of the first tag `prefix:value`."""
    tag = pl.element()
    has_value = tag.str.starts_with(f"{prefix}:") & (tag.str.len_bytes() > len(prefix) + 1)
    return pl.col("tags").list.filter(has_value).list.first().str.slice(len(prefix) + 1)


def _declared(text: str) -> dict[str, Any] | None:
    parents = list(_parents(text))
    relations = {parent.pop("relation") for parent in parents}
    return {"relation": relations.pop() if len(relations) == 1 else None, "models": parents} if parents else None


def _parents(text: str) -> Iterator[dict[str, str | None]]:
    """Id, name and relation of every parent; what is neither text, list nor object states none."""
    waiting: list[tuple[Any, str | None]]
    try:
        waiting = [(json.loads(text) if text.lstrip().startswith(("[", "{", '"')) else text, None)]
    except (ValueError, RecursionError):
        return
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
