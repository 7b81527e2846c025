"""Whether the month that closed last is published: a check shown on every published table that has months.

Dagster's own freshness policies look at when an asset was last made, of whatever month.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import dagster as dg

from pipeline import settings
from pipeline.databases import open_published
from pipeline.months import previous_month
from pipeline.publish.warehouse import FILE_NAME
from pipeline.schema.catalogue import Catalogue

LATEST_MONTH = "latest_month_published"
GRACE = timedelta(hours=24)
"""How long after its close a month may take to be published."""


def month_due(now: datetime) -> date:
    """The last month that should be published."""
    return previous_month((now - GRACE).date().replace(day=1))


def freshness(
    catalogue: Catalogue,
) -> tuple[dg.AssetChecksDefinition, dg.ScheduleDefinition]:
    """A warning on each published table that lacks the month which closed last, and the schedule that looks daily."""
    tables = [name for name, found in catalogue.published.items() if "month" in found.table.schema]
    keys = {name: dg.AssetCheckKey(dg.AssetKey(["published", "tables", name]), LATEST_MONTH) for name in tables}

    @dg.multi_asset_check(
        name="latest_months",
        specs=[
            dg.AssetCheckSpec(
                LATEST_MONTH,
                asset=key.asset_key,
                description="Warns when the last month is missing a day after it closed. The sample has no clock.",
            )
            for key in keys.values()
        ],
        can_subset=True,
    )
    def check_freshness(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        due = month_due(datetime.now(UTC))
        with open_published(settings.published_folder() / FILE_NAME) as warehouse:
            [(is_synthetic,)] = warehouse.execute("select bool_or(is_synthetic) from dim_month").fetchall()
            for name, key in keys.items():
                if key not in context.selected_asset_check_keys:
                    continue
                [(latest,)] = warehouse.execute(f"select max(month) from {name}").fetchall()  # noqa: S608 - our names
                yield dg.AssetCheckResult(
                    asset_key=key.asset_key,
                    check_name=key.name,
                    passed=bool(is_synthetic) or (latest is not None and latest >= due),
                    severity=dg.AssetCheckSeverity.WARN,
                    metadata={
                        "expected": "no month: the sample has no clock" if is_synthetic else f"{due:%Y-%m} or later",
                        "observed": f"{latest:%Y-%m}" if latest else "no month",
                    },
                )

    job = dg.define_asset_job(
        "freshness",
        selection=dg.AssetSelection.checks(*keys.values()),
        description="Checks that the last closed month is published.",
    )
    schedule = dg.ScheduleDefinition(
        name="freshness_schedule",
        job=job,
        cron_schedule="30 1 * * *",
        execution_timezone="UTC",
        description="Checks every night that the last closed month is published.",
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )
    return check_freshness, schedule
