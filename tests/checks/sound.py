"""Rows that fulfil everything that a table declares of its columns and key, made from the declaration alone."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import cycle, islice
from typing import Any

import polars as pl

from pipeline.schema.declaration import Column, Table, conform
from tests.checks.scenario import checked

FEW = 28
"""So many different values are enough for a column that may repeat them: large tables are made quickly."""
TEXTS = ("all", "US", "CN", "DE", "FR", "x/one", "x/two", *(f"{number:x}" * 64 for number in range(4)))


def sound_rows(table: Table, count: int = 2, **columns: Sequence[Any]) -> pl.DataFrame:
    """Rows of the table, in order, that break no constraint, with these columns in place of the ones made up."""
    made = {column.name: _values(column, table, count) for column in table.columns if column.name not in columns}
    frame = {name: pl.Series(name, (made | columns)[name], dtype) for name, dtype in table.schema.items()}
    return pl.DataFrame(frame).sort(table.key)


def _values(column: Column, table: Table, count: int) -> list[Any]:
    distinct = count if column.unique or column.name in table.key else min(count, FEW)
    return list(islice(cycle([_value(column, table, at) for at in range(distinct)]), count))


def _value(column: Column, table: Table, at: int) -> Any:
    """The value of the row at this place; rows differ wherever the constraints allow it."""
    dtype, value = table.schema[column.name], None
    bounding = [bound for bound in (column.minimum, column.maximum) if isinstance(bound, str)]
    if bounding:
        value = _value(table.column(bounding[0]), table, at)
    elif column.values:
        value = column.values[at % len(column.values)]
    elif dtype.is_numeric():
        value = _number(column, dtype, at)
    elif dtype in (pl.Date, pl.Datetime):
        value = datetime(2025, 4, 1, tzinfo=UTC) + timedelta(days=at)
    elif dtype == pl.Boolean:
        value = False
    elif dtype.is_nested():
        value = []
    elif column.pattern or isinstance(dtype, pl.Enum):
        texts = dtype.categories if isinstance(dtype, pl.Enum) else TEXTS
        fitting = [text for text in texts if re.search(column.pattern or "", text)]
        value = fitting[at % len(fitting)]
    else:
        value = f"{column.name}/{at:04}"
    return value.date() if dtype == pl.Date else value


def _number(column: Column, dtype: pl.DataType, at: int) -> Any:
    least = 0 if column.minimum is None else column.minimum
    if dtype.is_integer():
        return int(least) + (at if column.maximum is None else 0)
    most = least + 100 if column.maximum is None else column.maximum
    value = least + (most - least) * (at % 7 + 1) / 8
    return Decimal(str(round(value, 6))) if dtype == pl.Decimal else value


def faults_of(table, frame):
    """What breaks a constraint of the table's columns or its key."""
    result = checked(table, conform(frame.lazy(), table).collect())
    assert result.error is None
    return [] if result.passed else [row for row in result.by_column if row["failed"]]
