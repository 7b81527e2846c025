"""The months of the census as Dagster partitions."""

from __future__ import annotations

from datetime import date

import dagster as dg

from pipeline.months import FIRST_MONTH

MONTHS = dg.MonthlyPartitionsDefinition(start_date=FIRST_MONTH.isoformat(), timezone="UTC")
"""Calendar months in UTC, keyed by their first day; the running month is not among them."""


def month_of(context: dg.AssetExecutionContext) -> date:
    """The month that the run is about."""
    return date.fromisoformat(context.partition_key)
