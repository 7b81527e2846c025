"""Every table of the census, in the order of the chain."""

from __future__ import annotations

from pipeline.schema.declaration import Table
from pipeline.tables import attributes, families, listings, measures, shares

TABLES: tuple[Table, ...] = (
    *listings.TABLES,
    *shares.TABLES,
    *attributes.TABLES,
    *measures.TABLES,
    *families.TABLES,
)
