"""The months of the census as Dagster partitions: those that can be made, so that none is shown as missing for ever."""

from datetime import date
from pathlib import Path

import dagster as dg

from pipeline import settings
from pipeline.months import next_month, parse_month
from synthetic_hub.timeline import MONTHS as SAMPLE_MONTHS


def sample_mark() -> Path:
    """The file that says that the lake of this home holds the sample, and so no other months."""
    return settings.census_home() / "lake" / "holds-the-sample"


def mark_sample(lake_url: str) -> None:
    """Notes that this home's own lake holds the sample."""
    if lake_url == settings.own_lake_url():
        sample_mark().touch()


def offer_months_from(month: date) -> None:
    """Notes that months are run from this one on, where that is earlier than what the home offers so far."""
    if month < first_month():
        _earlier_months().write_text(month.isoformat())


def first_month() -> date:
    """CENSUS_FIRST_MONTH, or an earlier one that was run by a command."""
    stated = parse_month(settings.first_month())
    return min(stated, parse_month(known.read_text())) if (known := _earlier_months()).exists() else stated


def partitions() -> dg.TimeWindowPartitionsDefinition:
    """Calendar months in UTC that have closed, by their first day; in a home of the sample those of the sample."""
    is_sample = sample_mark().exists()
    return dg.MonthlyPartitionsDefinition(
        start_date=(SAMPLE_MONTHS[0] if is_sample else first_month()).isoformat(),
        end_date=next_month(SAMPLE_MONTHS[-1]).isoformat() if is_sample else None,
        timezone="UTC",
    )


def _earlier_months() -> Path:
    return settings.dagster_folder() / "first-month"


MONTHS = partitions()
"""The running month is not among them."""


def month_of(context: dg.AssetExecutionContext) -> date:
    """The month that the run is about."""
    return date.fromisoformat(context.partition_key)
