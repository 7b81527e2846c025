"""What a column's type is called wherever the published tables go."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from pipeline.errors import CensusError
from pipeline.schema.declaration import Column


@dataclass(frozen=True)
class TypeNames:
    """One type in DuckDB, PostgreSQL, Frictionless and Croissant metadata, and in a reader's word."""

    duckdb: str
    postgres: str
    frictionless: str
    croissant: str
    word: str


_NAMES = {
    "String": TypeNames("VARCHAR", "text", "string", "sc:Text", "text"),
    "Int32": TypeNames("INTEGER", "integer", "integer", "cr:Int32", "integer"),
    "Int64": TypeNames("BIGINT", "bigint", "integer", "cr:Int64", "integer"),
    "Float64": TypeNames("DOUBLE", "double precision", "number", "cr:Float64", "number"),
    "Boolean": TypeNames("BOOLEAN", "boolean", "boolean", "sc:Boolean", "yes or no"),
    "Date": TypeNames("DATE", "date", "date", "sc:Date", "date"),
    "Datetime(time_unit='us', time_zone='UTC')": TypeNames(
        "TIMESTAMP WITH TIME ZONE", "timestamp with time zone", "datetime", "sc:DateTime", "time"
    ),
}


def type_names(column: Column) -> TypeNames:
    """The names of the column's type.

    Raises:
        CensusError: it is none that is published.
    """
    if isinstance(column.type, pl.Decimal):
        digits = f"({column.type.precision},{column.type.scale})"
        return TypeNames(f"DECIMAL{digits}", f"numeric{digits}", "number", "sc:Float", "number")
    names = _NAMES.get(str(column.type))
    if names is None:
        raise CensusError(f"column {column.name} has type {column.type}, which is not published: add it to {__name__}")
    return names
