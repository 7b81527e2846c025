"""Whether the month that closed last is there: a check on every mart, and on every published table that has months.

Dagster's own freshness policies look at when an asset was last made, of whatever month.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import dagster as dg

from pipeline import settings
from pipeline.databases import open_published
from pipeline.lake.store import Lake
from pipeline.months import previous_month
from pipeline.orchestration.resources import LakeResource
from pipeline.publish.manifest import MONTH_MANIFEST, source_of
from pipeline.publish.warehouse import FILE_NAME
from pipeline.schema.catalogue import Catalogue
from pipeline.synthetic import is_synthetic

LATEST_MONTH = "latest_month_is_there"
GRACE = timedelta(hours=24)
"""How long after its close a month may take to be published."""


def month_due(now: datetime) -> date:
    """The last month that should be published."""
    return previous_month((now - GRACE).date().replace(day=1))


def is_of_the_real_hub(lake: Lake) -> bool:
    """Whether the lake's months were measured: the synthetic sample has no clock, and misses no month."""
    finished = lake.months(MONTH_MANIFEST)
    return bool(finished) and not is_synthetic(source_of(lake, finished[-1]))


def freshness(catalogue: Catalogue) -> dg.AssetChecksDefinition:
    """A warning on each mart and published table that lacks the month which closed last."""
    published = [name for name, found in catalogue.published.items() if "month" in found.table.schema]
    marts = {dg.AssetKey([table.group, table.name]): table for table in catalogue.monthly if table.group == "shares"}
    keys = [*marts, *(dg.AssetKey(["published", "tables", name]) for name in published)]

    @dg.multi_asset_check(
        name="latest_months",
        specs=[
            dg.AssetCheckSpec(
                LATEST_MONTH,
                asset=key,
                description="Warns when the last month is missing a day after it closed. The sample has no clock.",
            )
            for key in keys
        ],
        can_subset=True,
    )
    def check_freshness(context: dg.AssetCheckExecutionContext, lake: LakeResource) -> Iterator[dg.AssetCheckResult]:
        store, due = lake.store(), month_due(datetime.now(UTC))
        has_a_clock = is_of_the_real_hub(store)
        chosen = {key.asset_key for key in context.selected_asset_check_keys}
        with open_published(settings.published_folder() / FILE_NAME) as warehouse:
            for key in (key for key in keys if key in chosen):
                if key in marts:
                    latest = max(store.months(marts[key]), default=None)
                else:
                    [(latest,)] = warehouse.execute(f"select max(month) from {key.path[-1]}").fetchall()  # noqa: S608 - our names
                yield dg.AssetCheckResult(
                    asset_key=key,
                    check_name=LATEST_MONTH,
                    passed=not has_a_clock or (latest is not None and latest >= due),
                    severity=dg.AssetCheckSeverity.WARN,
                    metadata={
                        "expected": f"{due:%Y-%m} or later" if has_a_clock else "no month: the sample has no clock",
                        "observed": f"{latest:%Y-%m}" if latest else "no month",
                    },
                )

    return check_freshness
