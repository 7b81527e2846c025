"""A table of counts by repository, and rows for it."""

from datetime import date

import polars as pl

from assets.columns import HUB_ID, MONTH
from pipeline.schema.declaration import Column, Table

AUGUST = date(2025, 8, 1)
COUNTS = Table("listings/counts", "repository", "Counts.", (MONTH, HUB_ID, Column("n", pl.Int64, "N.")), ("hub_id",))


def rows(*hub_ids, n=1):
    """The month's rows of these repositories."""
    return pl.LazyFrame(
        {"month": [AUGUST] * len(hub_ids), "hub_id": list(hub_ids), "n": [n] * len(hub_ids)}, schema=COUNTS.schema
    )
