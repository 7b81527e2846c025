"""A month's run killed at random moments: what is left is whole, and the next run makes of it what it would have been.

The long form, by `make test-faults`.
"""

import random
import shutil
from collections import Counter

import pytest

from tests.faults.figures import keep
from tests.faults.remains import KILLS, MONTH, differing, digests_of, torn_files, while_time_is_left

pytestmark = pytest.mark.faults


def test_a_month_killed_a_hundred_times_at_random_moments_is_the_undisturbed_one_run_again(
    small_hub, worker_in, tmp_path, outcomes
):
    moments = random.Random(10)
    counted = Counter()
    worker = worker_in(tmp_path / "undisturbed", small_hub.endpoint)
    assert worker.run("monthly_census", MONTH)["failures"] == []
    work = worker.run("monthly_census", MONTH)["processor_seconds"]
    undisturbed = digests_of(worker.home)
    worker = worker_in(tmp_path / "killed", small_hub.endpoint)
    for attempt in while_time_is_left():
        if attempt % 4 == 2:
            shutil.rmtree(worker.home / "lake", ignore_errors=True)
        if attempt % 10 == 0:
            shutil.rmtree(worker.home / "cache", ignore_errors=True)
        before = digests_of(worker.home)
        if worker.killed_after(moments.uniform(0, work), "monthly_census", MONTH):
            left = digests_of(worker.home)
            counted["killed"] += 1
            counted["killed_with_some_of_its_files_made"] += bool(left.keys() - before.keys())
            counted["files_left_whole"] += len(left)
            outcomes.add(
                "process: killed in a month's run",
                lost=len(before.keys() - left.keys()),
                torn=len(torn_files(worker.home)),
                wrong=differing(left, undisturbed),
            )
        if attempt % 4 == 3:
            assert worker.run("monthly_census", MONTH)["failures"] == []
            counted["run_again_to_the_end"] += 1
            counted["not_the_same_bytes"] += digests_of(worker.home) != undisturbed
        if counted["killed"] == KILLS:
            break
    assert worker.run("monthly_census", MONTH)["failures"] == []
    counted["not_the_same_bytes"] += digests_of(worker.home) != undisturbed
    kinds = outcomes.by_kind["process: killed in a month's run"]
    assert [kinds["lost"], kinds["torn"], kinds["wrong"], counted["not_the_same_bytes"]] == [0, 0, 0, 0]
    assert counted["killed"] > counted["run_again_to_the_end"]
    keep("runs", {"killed_months": dict(counted)})
