"""How the published tables hang together: keys, what columns refer to, and which table explains a member."""

from __future__ import annotations

from pipeline.schema.declaration import Table
from pipeline.tables import published

REFERENCES = {
    "month": (published.DIM_MONTH, "month"),
    "hub_id": (published.DIM_MODEL, "hub_id"),
    "country": (published.DIM_COUNTRY, "country"),
    "base_country": (published.DIM_COUNTRY, "country"),
    "derivative_country": (published.DIM_COUNTRY, "country"),
}
"""The dimension that explains a column's values, by the column's name, which means the same everywhere."""


def key_of(table: Table) -> tuple[str, ...]:
    """The key of the table with all its months together."""
    return ("month", *table.key) if table.monthly and "month" not in table.key else table.key


def reference_of(table: Table, column: str) -> tuple[Table, str] | None:
    """The table and column that explain the column's values, if there are any."""
    target = REFERENCES.get(column)
    return None if target is None or target[0] is table else target
