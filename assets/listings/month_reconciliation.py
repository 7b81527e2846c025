"""`listings/month_reconciliation`: the month as a whole, how it was measured, and what it is to be compared with.

The method is `docs/methodology.md`, section "Reconciliation of the month".
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import dagster as dg
import polars as pl

from assets.columns import BASIS, MONTH, PROVENANCE, count, downloads, number
from assets.listings.boundary import READ_FROM_SEVERAL
from assets.listings.download_reconciliation import (
    CLOSED_AT,
    DAYS_OBSERVED,
    DOWNLOAD_RECONCILIATION,
    OPENED_AT,
    QUALITY,
    basis_of,
)
from assets.listings.hub_snapshots import HUB_SNAPSHOTS
from assets.listings.model_downloads import MODEL_DOWNLOADS
from assets.listings.opening_counters import OPENING_COUNTERS
from pipeline.checks.rules import none_where
from pipeline.months import closing_of, days_in, opening_of
from pipeline.orchestration.table_assets import inputs, table_asset
from pipeline.reference.incidents import AT_AN_OBSERVATION, Incident, incidents_between, plausible_downloads
from pipeline.schema.declaration import DECIMAL, Column, Table

MONTH_RECONCILIATION = Table(
    group="listings",
    name="month_reconciliation",
    grain="month",
    description=(
        "The month as a whole: between which observations it was measured and how far that was scaled, how its total "
        "compares with the 30-day counters and with what others measured, and what went wrong upstream."
    ),
    columns=(
        MONTH,
        BASIS,
        QUALITY,
        OPENED_AT,
        CLOSED_AT,
        DAYS_OBSERVED,
        number(
            "scaling", "The factor from what was observed to the month's downloads.", "factor", minimum=0.5, maximum=2
        ),
        count("models", "Repositories at the month's close."),
        count("models_renamed", "Repositories with another name than at the opening."),
        downloads("Downloads in the month."),
        number("downloads_a_day", "Average downloads per day of the month.", "downloads/day"),
        number(
            "downloads_by_30d_counter",
            "What the 30-day counters at the close give for the month: their sum, times the month's days / 30.",
            "downloads",
        ),
        number(
            "ratio_to_30d_counter",
            "`downloads` / `downloads_by_30d_counter`; the Hub's two counters differ by 3 to 9 %.",
            "fraction",
            nullable=True,
        ),
        count("models_flagged", "Repositories with flagged traffic."),
        Column("downloads_flagged", DECIMAL, "Downloads of flagged repositories, included in the total.", "downloads"),
        number("plausible_low", "Lowest plausible downloads a day.", "downloads/day", nullable=True),
        number("plausible_high", "Highest plausible downloads a day.", "downloads/day", nullable=True),
        Column(
            "is_plausible",
            pl.Boolean,
            "Whether daily downloads match independent estimates; absent where there are none.",
            nullable=True,
        ),
        Column(
            "incidents", pl.String, "Known incidents upstream between the two observations, by `; `.", nullable=True
        ),
        Column(
            "incidents_at_observation",
            pl.String,
            "Known incidents that spoilt counters on the day of an observation, by `; `.",
            nullable=True,
        ),
        *PROVENANCE,
    ),
    key=("month",),
    rules=(
        # The Hub's two counters differ by 3 to 9 %; much more is a fault of one of them.
        none_where(
            "listings/month_reconciliation",
            "counters_agree",
            "Downloads are between half and twice what the 30-day counters give.",
            ~pl.col("ratio_to_30d_counter").is_between(0.5, 2),
            "warning",
        ),
        none_where(
            "listings/month_reconciliation",
            "total_plausible",
            "Daily downloads match independent estimates.",
            ~pl.col("is_plausible"),
            "warning",
        ),
        none_where(
            "listings/month_reconciliation",
            "observed_on_sound_days",
            "Neither observation was made while counters were known to be rolled back, frozen or missing.",
            pl.col("incidents_at_observation").is_not_null(),
            "warning",
        ),
    ),
)


@dataclass(frozen=True)
class KnownOfMonth:
    """What is known of a month from elsewhere: incidents upstream, and the plausible downloads a day, if any."""

    incidents: Sequence[Incident]
    plausible: tuple[float, float] | None


def whole_month(
    by_case: pl.DataFrame, downloads: pl.LazyFrame, closing: pl.LazyFrame, opening: pl.LazyFrame, known: KnownOfMonth
) -> pl.DataFrame:
    """One row, from `listings/download_reconciliation` and what it was made from."""
    basis = basis_of(by_case)
    days = days_in(basis.month)
    total = by_case["downloads"].sum()
    by_30d = closing.select(pl.col("downloads_30d").sum()).collect().item() * days / 30
    models_flagged, downloads_flagged = (
        downloads.filter("is_flagged").select(pl.len(), pl.col("downloads").sum()).collect().row(0)
    )
    renamed = (
        opening.select("hub_id", pl.col("model_id").alias("former_id"))
        .join(closing.select("hub_id", "model_id"), on="hub_id")
        .filter(pl.col("former_id") != pl.col("model_id"))
        .select(pl.len())
    )
    low, high = known.plausible or (None, None)
    a_day = float(total) / days
    observed_at = [basis.opened_at, basis.closed_at]
    if downloads.select(pl.col("boundary").is_in(READ_FROM_SEVERAL).any()).collect().item():
        # What was known to be wrong there is bridged: see `listings/counter_days`.
        observed_at = [time for time in observed_at if time not in (opening_of(basis.month), closing_of(basis.month))]
    row = by_case.row(0, named=True) | {
        "scaling": basis.scaling,
        "models": by_case.filter(pl.col("flow_case") != "disappeared")["models"].sum(),
        "models_renamed": renamed.collect(engine="streaming").item(),
        "downloads": total,
        "downloads_a_day": a_day,
        "downloads_by_30d_counter": by_30d,
        "ratio_to_30d_counter": float(total) / by_30d if by_30d else None,
        "models_flagged": models_flagged,
        "downloads_flagged": downloads_flagged,
        "plausible_low": low,
        "plausible_high": high,
        "is_plausible": low <= a_day <= high if low is not None and high is not None else None,
        "incidents": _said(known.incidents),
        "incidents_at_observation": _said(
            incident
            for incident in known.incidents
            if incident.kind in AT_AN_OBSERVATION and any(incident.covers(moment) for moment in observed_at)
        ),
    }
    schema = MONTH_RECONCILIATION.schema
    return pl.DataFrame([{name: row[name] for name in schema}], schema=schema)


def _said(incidents: Iterable[Incident]) -> str | None:
    return "; ".join(str(incident) for incident in incidents) or None


@table_asset(
    MONTH_RECONCILIATION,
    ins=inputs(
        by_case=DOWNLOAD_RECONCILIATION, measured=MODEL_DOWNLOADS, closing=HUB_SNAPSHOTS, opening=OPENING_COUNTERS
    ),
)
def month_reconciliation(
    context: dg.AssetExecutionContext,
    by_case: pl.LazyFrame,
    measured: pl.LazyFrame,
    closing: pl.LazyFrame,
    opening: pl.LazyFrame,
) -> pl.DataFrame:
    """The month as a whole, and what it is to be compared with."""
    cases = by_case.collect()
    basis = basis_of(cases)
    incidents = incidents_between(basis.opened_at or opening_of(basis.month), basis.closed_at, cases.item(0, "source"))
    known = KnownOfMonth(incidents, plausible_downloads(basis.month))
    whole = whole_month(cases, measured, closing, opening, known)
    context.log.info(f"known incidents: {whole.item(0, 'incidents') or 'none'}")
    return whole
