"""The tables of the lake that are not declared in `assets` yet."""

from __future__ import annotations

from pipeline.schema.declaration import Table
from pipeline.tables import listings

TABLES: tuple[Table, ...] = listings.TABLES
