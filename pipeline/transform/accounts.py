"""The month's accounts as a whole: how it was measured, and what it is to be compared with.

The method is `docs/methodology.md`, section "The month's accounts".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from pipeline.months import days_in
from pipeline.reference.incidents import AT_AN_OBSERVATION, Incident
from pipeline.tables.listings import MONTH_ACCOUNTS
from pipeline.transform.downloads import MonthBasis
from pipeline.transform.sums import totals_by


@dataclass(frozen=True)
class KnownOfMonth:
    """What is known of a month from elsewhere: incidents upstream, and the plausible downloads a day, if any."""

    incidents: Sequence[Incident]
    plausible: tuple[float, float] | None


def month_accounts(
    basis: MonthBasis,
    by_case: pl.DataFrame,
    downloads: pl.LazyFrame,
    closing: pl.LazyFrame,
    opening: pl.LazyFrame,
    known: KnownOfMonth,
) -> pl.DataFrame:
    """`listings/month_accounts`: one row, from `listings/download_accounts` and what it was made from."""
    days = days_in(basis.month)
    total = by_case["downloads"].sum()
    by_30d = closing.select(pl.col("downloads_30d").sum()).collect().item() * days / 30
    flagged = totals_by(
        downloads.filter("is_flagged").select("hub_id", "basis", "downloads").sort("hub_id").collect(),
        ["basis"],
        ["downloads"],
    )
    renamed = (
        opening.select("hub_id", pl.col("model_id").alias("former_id"))
        .join(closing.select("hub_id", "model_id"), on="hub_id")
        .filter(pl.col("former_id") != pl.col("model_id"))
        .select(pl.len())
    )
    low, high = known.plausible or (None, None)
    a_day = float(total) / days
    row = {
        "month": basis.month,
        "basis": basis.basis,
        "quality": basis.quality,
        "opened_at": basis.opened_at,
        "closed_at": basis.closed_at,
        "days_observed": basis.days_observed,
        "scaling": basis.scaling,
        "models": int(by_case.filter(pl.col("flow_case") != "disappeared")["models"].sum()),
        "models_renamed": renamed.collect(engine="streaming").item(),
        "downloads": total,
        "downloads_a_day": a_day,
        "downloads_by_30d_counter": by_30d,
        "ratio_to_30d_counter": float(total) / by_30d if by_30d else None,
        "models_flagged": int(flagged["models"].sum()),
        "downloads_flagged": flagged["downloads"].sum(),
        "plausible_low": low,
        "plausible_high": high,
        "is_plausible": low <= a_day <= high if low is not None and high is not None else None,
        "incidents": _said(known.incidents),
        "incidents_at_observation": _said(
            incident
            for incident in known.incidents
            if incident.kind in AT_AN_OBSERVATION and _observed_during(incident, basis.opened_at, basis.closed_at)
        ),
        "source": by_case.item(0, "source"),
        "source_revision": by_case.item(0, "source_revision"),
    }
    return pl.DataFrame([row], schema=MONTH_ACCOUNTS.schema)


def _observed_during(incident: Incident, *observations: datetime | None) -> bool:
    return any(incident.covers(moment) for moment in observations)


def _said(incidents: Iterable[Incident]) -> str | None:
    return "; ".join(str(incident) for incident in incidents) or None
