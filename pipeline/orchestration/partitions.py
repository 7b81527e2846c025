"""The months of the census as Dagster partitions."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import dagster as dg

from pipeline import settings
from pipeline.months import FIRST_MONTH, next_month
from synthetic_hub.timeline import MONTHS as SAMPLE_MONTHS


def sample_mark() -> Path:
    """The file that says that the lake of this home holds the sample, and so no other months."""
    return settings.census_home() / "lake" / "holds-the-sample"


def mark_sample(lake_url: str) -> None:
    """Notes that this home's own lake holds the sample."""
    if lake_url == settings.own_lake_url():
        sample_mark().touch()


def partitions() -> dg.TimeWindowPartitionsDefinition:
    """Calendar months in UTC that have closed, by their first day; in a home of the sample those that the sample has.

    So no month is shown as missing that cannot be made.
    """
    first, end = (SAMPLE_MONTHS[0], next_month(SAMPLE_MONTHS[-1])) if sample_mark().exists() else (FIRST_MONTH, None)
    return dg.MonthlyPartitionsDefinition(
        start_date=first.isoformat(), end_date=end.isoformat() if end else None, timezone="UTC"
    )


MONTHS = partitions()
"""The running month is not among them."""


def month_of(context: dg.AssetExecutionContext) -> date:
    """The month that the run is about."""
    return date.fromisoformat(context.partition_key)
