"""`listings/download_reconciliation`, `boundary_reconciliation`, `month_reconciliation`: how a month was measured.

What was measured how, and what was not; and the month as a whole with what it is to be compared with. The method is
`docs/methodology.md`, section "Reconciliation of the month".
"""

from collections.abc import Iterable, Sequence

import dagster as dg
import polars as pl

from assets.columns import BASIS, MONTH, PROVENANCE, boolean, count, downloads, number, text
from assets.listings.boundary import BOUNDARIES, READ_FROM_SEVERAL
from assets.listings.closing_counters import CLOSING_COUNTERS
from assets.listings.hub_snapshots import HUB_SNAPSHOTS
from assets.listings.model_downloads import FLOW_CASES, MODEL_DOWNLOADS, QUALITIES, MonthBasis, month_basis
from assets.listings.opening_counters import OPENING_COUNTERS
from pipeline.checks.rules import none_where
from pipeline.months import closing_of, days_in, opening_of
from pipeline.orchestration.partitions import month_of
from pipeline.orchestration.table_assets import table_asset
from pipeline.reference.incidents import AT_AN_OBSERVATION, Incident, incidents_between, plausible_downloads
from pipeline.schema.declaration import DECIMAL, TIMESTAMP, Column, Table

CASES = (*FLOW_CASES, "disappeared")
NOT_BETWEEN_TWO = "not_between_two"
_HOW = (BASIS, text("quality", "As in `listings/model_downloads`.", values=QUALITIES))
_BETWEEN = (
    Column("opened_at", TIMESTAMP, "Observation at the month's opening.", "UTC", nullable=True),
    Column("closed_at", TIMESTAMP, "Observation at the month's close.", "UTC"),
)
_DAYS = number("days_observed", "Days between the two observations.", "days", nullable=True)

DOWNLOAD_RECONCILIATION = Table(
    "listings/download_reconciliation",
    grain="flow case",
    description="How the month's repositories and downloads were measured, and how many could not be.",
    columns=(
        MONTH,
        text("flow_case", "As in `listings/model_downloads`; `disappeared`: listed at the opening only.", values=CASES),
        count("models", "Repositories in this case.", minimum=0),
        downloads("Downloads counted in the month's flow."),
        count("downloads_lost", "Downloads by which cumulative counters fell.", "downloads", minimum=0),
        *_HOW,
        _DAYS,
        *_BETWEEN,
        *PROVENANCE,
    ),
    key=("flow_case",),
)


def reconciled(
    basis: MonthBasis, downloads: pl.LazyFrame, closing: pl.LazyFrame, opening: pl.LazyFrame
) -> pl.LazyFrame:
    """Repositories and downloads by flow case, those that disappeared among them."""
    amounts = ("models", "downloads", "downloads_lost")
    counted = pl.len().cast(pl.Int64).alias("models")
    measured = downloads.group_by("flow_case").agg(counted, pl.col("downloads", "downloads_lost").sum())
    gone = opening.join(closing, on="hub_id", how="anti").select(pl.lit("disappeared").alias("flow_case"), counted)
    stated = {name: getattr(basis, name) for name in ("month", *(column.name for column in (*_HOW, *_BETWEEN, _DAYS)))}
    return (
        pl.LazyFrame({"flow_case": CASES}, schema={"flow_case": pl.String})
        .join(pl.concat([measured, gone], how="diagonal"), on="flow_case", how="left")
        .with_columns(pl.col(amounts).fill_null(0))
        .join(closing.select("source", "source_revision").head(1), how="cross")
        .with_columns(pl.lit(value, DOWNLOAD_RECONCILIATION.schema[name]).alias(name) for name, value in stated.items())
    )


def basis_of(by_case: pl.DataFrame) -> MonthBasis:
    """How the month was measured, as its reconciliation says."""
    return MonthBasis(*by_case.select("month", "basis", "quality", "opened_at", "closed_at").row(0))


@table_asset(DOWNLOAD_RECONCILIATION, measured=MODEL_DOWNLOADS, closing=CLOSING_COUNTERS, opening=OPENING_COUNTERS)
def download_reconciliation(
    context: dg.AssetExecutionContext, measured: pl.LazyFrame, closing: pl.LazyFrame, opening: pl.LazyFrame
) -> pl.LazyFrame:
    """Repositories and downloads by flow case."""
    return reconciled(month_basis(month_of(context), closing, opening), measured, closing, opening)


BOUNDARY_RECONCILIATION = Table(
    "listings/boundary_reconciliation",
    grain="way in which boundaries are known",
    description="Repositories and downloads of the month by how the counters at its boundaries are known.",
    columns=(
        MONTH,
        text(
            "boundary",
            "As in `listings/model_downloads`; `not_between_two`: nothing is counted between two.",
            values=(*BOUNDARIES, NOT_BETWEEN_TWO),
        ),
        count("models", "Repositories.", minimum=0),
        downloads("Downloads of these repositories."),
    ),
    key=("boundary",),
)


@table_asset(BOUNDARY_RECONCILIATION, measured=MODEL_DOWNLOADS)
def boundary_reconciliation(measured: pl.LazyFrame) -> pl.LazyFrame:
    """Repositories and downloads by how the counters at the month's boundaries are known; only the ways that occur."""
    boundary = pl.col("boundary").fill_null(NOT_BETWEEN_TWO)
    return measured.group_by("month", boundary).agg(pl.col("downloads").sum(), models=pl.len().cast(pl.Int64))


MONTH_RECONCILIATION = Table(
    "listings/month_reconciliation",
    grain="month",
    description="How the month was measured, how its total compares with other counts, and what went wrong upstream.",
    columns=(
        MONTH,
        *_HOW,
        *_BETWEEN,
        _DAYS,
        number("scaling", "Factor from the observed to the month's downloads.", "factor", minimum=0.5, maximum=2),
        count("models", "Repositories at the month's close."),
        count("models_renamed", "Repositories with another name than at the opening."),
        downloads("Downloads in the month."),
        number("downloads_a_day", "Average downloads per day of the month.", "downloads/day"),
        number("downloads_by_30d_counter", "Sum of the 30-day counters at the close, times days / 30.", "downloads"),
        number("ratio_to_30d_counter", "`downloads` / `downloads_by_30d_counter`.", "fraction", nullable=True),
        count("models_flagged", "Repositories with flagged traffic."),
        Column("downloads_flagged", DECIMAL, "Downloads of flagged repositories, included in the total.", "downloads"),
        number("plausible_low", "Lowest plausible downloads a day.", "downloads/day", nullable=True),
        number("plausible_high", "Highest plausible downloads a day.", "downloads/day", nullable=True),
        boolean("is_plausible", "Whether daily downloads match independent estimates, if any.", nullable=True),
        text("incidents", "Known incidents upstream between the two observations, by `; `.", nullable=True),
        text("incidents_at_observation", "Incidents that spoilt counters as they were observed.", nullable=True),
        *PROVENANCE,
    ),
    key=("month",),
    rules=tuple(
        none_where("listings/month_reconciliation", name, meaning, offends, "warning")
        for name, meaning, offends in (
            # The Hub's two counters differ by 3 to 9 %; much more is a fault of one of them.
            (
                "counters_agree",
                "Downloads are between half and twice what the 30-day counters give.",
                ~pl.col("ratio_to_30d_counter").is_between(0.5, 2),
            ),
            ("total_plausible", "Daily downloads match independent estimates.", ~pl.col("is_plausible")),
            (
                "observed_on_sound_days",
                "Neither observation was made while counters were known to be rolled back, frozen or missing.",
                pl.col("incidents_at_observation").is_not_null(),
            ),
        )
    ),
)


def whole_month(
    by_case: pl.DataFrame,
    downloads: pl.LazyFrame,
    closing: pl.LazyFrame,
    opening: pl.LazyFrame,
    incidents: Sequence[Incident],
    plausible: tuple[float, float] | None,
) -> pl.DataFrame:
    """One row, from `listings/download_reconciliation` and what it was made from."""
    basis, total = basis_of(by_case), by_case["downloads"].sum()
    days = days_in(basis.month)
    by_30d = closing.select(pl.col("downloads_30d").sum()).collect().item() * days / 30
    of_flagged = downloads.filter("is_flagged").select(
        models_flagged=pl.len(), downloads_flagged=pl.col("downloads").sum()
    )
    renamed = opening.select("hub_id", former_id="model_id").join(closing.select("hub_id", "model_id"), on="hub_id")
    low, high = plausible or (None, None)
    a_day = float(total) / days
    observed_at = [basis.opened_at, basis.closed_at]
    if downloads.select(pl.col("boundary").is_in(READ_FROM_SEVERAL).any()).collect().item():
        # What was known to be wrong there is bridged: see `listings/counter_days`.
        observed_at = [time for time in observed_at if time not in (opening_of(basis.month), closing_of(basis.month))]
    spoilt = (
        incident
        for incident in incidents
        if incident.kind in AT_AN_OBSERVATION and any(incident.covers(moment) for moment in observed_at)
    )
    stated = by_case.row(0, named=True) | of_flagged.collect().row(0, named=True)
    row = stated | {
        "scaling": basis.scaling,
        "models": by_case.filter(pl.col("flow_case") != "disappeared")["models"].sum(),
        "models_renamed": renamed.filter(pl.col("former_id") != pl.col("model_id")).select(pl.len()).collect().item(),
        "downloads": total,
        "downloads_a_day": a_day,
        "downloads_by_30d_counter": by_30d,
        "ratio_to_30d_counter": float(total) / by_30d if by_30d else None,
        "plausible_low": low,
        "plausible_high": high,
        "is_plausible": plausible and plausible[0] <= a_day <= plausible[1],
        "incidents": _said(incidents),
        "incidents_at_observation": _said(spoilt),
    }
    return pl.DataFrame([row], schema=MONTH_RECONCILIATION.schema)


def _said(incidents: Iterable[Incident]) -> str | None:
    return "; ".join(map(str, incidents)) or None


@table_asset(
    MONTH_RECONCILIATION,
    by_case=DOWNLOAD_RECONCILIATION,
    measured=MODEL_DOWNLOADS,
    closing=HUB_SNAPSHOTS,
    opening=OPENING_COUNTERS,
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
    whole = whole_month(cases, measured, closing, opening, incidents, plausible_downloads(basis.month))
    context.log.info(f"known incidents: {whole.item(0, 'incidents') or 'none'}")
    return whole
