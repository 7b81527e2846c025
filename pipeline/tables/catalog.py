"""Every table of the census, in the order of the chain."""

from __future__ import annotations

from pipeline.schema.declaration import Table
from pipeline.tables import attributes, attribution, families, lineage, listings, measures, published, shares

TABLES: tuple[Table, ...] = (
    *listings.TABLES,
    *attribution.TABLES,
    *lineage.TABLES,
    *shares.TABLES,
    *attributes.TABLES,
    *measures.TABLES,
    *families.TABLES,
    *published.TABLES,
)
TABLES_BY_PATH: dict[str, Table] = {table.path: table for table in TABLES}
SEALED_TABLES: tuple[Table, ...] = tuple(
    table for table in TABLES if table.monthly and table.group != published.MONTH_SEALS.group
)
"""The tables that make up a month: all of them must be there, checked and unchanged for it to be published."""
