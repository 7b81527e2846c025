"""How many steps run at a time: one that speaks with the Hub, and as many over large tables as there is room for."""

import threading
import time

import dagster as dg
import pytest

from pipeline.definitions import defs
from pipeline.errors import CensusError
from pipeline.orchestration.runs import limit_pools
from pipeline.orchestration.table_assets import HEAVY_POOL, HUB_POOL


@dg.op(pool=HEAVY_POOL)
def heavy():
    return time.time()


@dg.job(executor_def=dg.in_process_executor)
def month():
    heavy()


def pools():
    return {node.name: node.pool for node in defs.resolve_job_def("monthly_census").graph.node_defs}


def test_steps_that_grow_with_the_hub_are_in_a_pool_and_those_that_do_not_are_in_none():
    found = pools()
    assert {name for name, pool in found.items() if pool == HUB_POOL} == {
        "listings__hub_snapshots",
        "listings__hub_accounts",
        "listings__closing_counters",
        "listings__opening_counters",
    }
    for name in ("lineage", "models__models", "shares__country_shares", "listings__hub_snapshots__checks"):
        assert found[name] == HEAVY_POOL, name
    for name in (
        "published__month_manifest",
        "shares__concentration__checks",
        "listings__month_reconciliation__checks",
    ):
        assert found[name] is None, name


@pytest.mark.parametrize(("set_to", "places"), [(None, 2), ("5", 5)])
def test_the_places_of_heavy_steps_are_set_and_the_hub_keeps_one(instance, monkeypatch, set_to, places):
    if set_to:
        monkeypatch.setenv("CENSUS_HEAVY_STEPS", set_to)
    limit_pools(instance)
    limits = {pool.name: pool.limit for pool in instance.event_log_storage.get_pool_limits()}
    assert limits[HEAVY_POOL] == places
    assert instance.event_log_storage.get_pool_config().default_pool_limit == 1


@pytest.mark.parametrize("written", ["0", "-1", "many"])
def test_a_number_of_steps_that_is_none_is_one_sentence(instance, monkeypatch, written):
    monkeypatch.setenv("CENSUS_HEAVY_STEPS", written)
    with pytest.raises(CensusError, match="write 1 or more, or unset it"):
        limit_pools(instance)


def test_a_run_of_one_process_waits_for_a_place_and_gives_it_back(instance, monkeypatch):
    monkeypatch.setenv("CENSUS_HEAVY_STEPS", "1")
    limit_pools(instance)
    storage = instance.event_log_storage
    another = instance.create_run_for_job(month, status=dg.DagsterRunStatus.STARTED)
    storage.claim_concurrency_slot(HEAVY_POOL, another.run_id, "heavy")
    given_back = []

    def give_back():
        given_back.append(time.time())
        storage.free_concurrency_slots_for_run(another.run_id)

    later = threading.Timer(2, give_back)
    later.start()
    result = month.execute_in_process(instance=instance)
    later.join()
    assert result.output_for_node("heavy") >= given_back[0]
    assert storage.get_concurrency_info(HEAVY_POOL).active_slot_count == 0
