"""Pools: what may run at the same time, over all runs of an instance, whoever launched them.

A step is in one pool at most. Steps that read or make a table which grows with the Hub hold most of a month's memory:
so many of them at once as the machine has room for.
"""

from collections.abc import Iterable

import dagster as dg

from pipeline import settings
from pipeline.schema.declaration import Table

HUB_POOL = "hub_api"
"""One step at a time speaks with the Hub: its quota is one, and crawls must not share it."""
HEAVY_POOL = "heavy_steps"
"""Steps over tables with a row for each repository or edge; `CENSUS_HEAVY_STEPS` of them at a time."""


def pool_of(tables: Iterable[Table]) -> str | None:
    """The pool of a step that reads or makes these tables; None where it needs none."""
    return HEAVY_POOL if any(table.is_large for table in tables) else None


def limit_pools(instance: dg.DagsterInstance) -> None:
    """Gives the heavy steps their places; every other pool has the default of `dagster.yaml`, one.

    Raises:
        CensusError: CENSUS_HEAVY_STEPS is no number of steps.
    """
    wanted = settings.heavy_steps()
    storage = instance.event_log_storage
    limits = {pool.name: pool.limit for pool in storage.get_pool_limits() if not pool.from_default}
    if limits.get(HEAVY_POOL) != wanted:
        storage.set_concurrency_slots(HEAVY_POOL, wanted)
