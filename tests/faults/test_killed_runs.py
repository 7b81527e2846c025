"""A month's run, and a publication, killed at random moments: what is left is whole, and the next run ends undisturbed.

Every third publication is killed where versions change places, which random moments seldom meet. The long form, by
`make test-faults`.
"""

import random
import shutil
import time
from collections import Counter

import pytest

from pipeline.definitions import CATALOGUE
from pipeline.lake.store import Lake
from pipeline.publish.folder import VERSIONS_KEPT, PublishedFolder
from pipeline.publish.verify import verify
from tests.faults.figures import keep
from tests.faults.remains import (
    KILLS,
    MONTH,
    differing,
    digests_of,
    published_content,
    torn_files,
    while_time_is_left,
)

pytestmark = pytest.mark.faults


def healed(worker, job, left_by, undisturbed, counted):
    """Runs the job again to its end, and counts whether it left what an undisturbed one leaves."""
    assert worker.run(*job)["failures"] == []
    counted["run_again_to_the_end"] += 1
    counted["not_the_same"] += left_by(worker.home) != undisturbed


def has_switched(folder, current, moments):
    """Whether the version that was current is not any more; then, after a moment."""
    if folder.current() == current:
        return False
    time.sleep(moments.uniform(0, 0.01))
    return True


def nothing_was_harmed(outcomes, kind, counted):
    found = outcomes.by_kind[kind]
    assert [found["lost"], found["torn"], found["wrong"], counted["not_the_same"]] == [0, 0, 0, 0]
    assert counted["killed"] >= counted["run_again_to_the_end"]


def test_a_month_killed_a_hundred_times_at_random_moments_is_the_undisturbed_one_run_again(
    small_hub, worker_in, tmp_path, outcomes
):
    moments, counted, job = random.Random(10), Counter(), ("monthly_census", MONTH)
    worker = worker_in(tmp_path / "undisturbed", small_hub.endpoint)
    assert worker.run(*job)["failures"] == []
    work = worker.run(*job)["processor_seconds"]
    undisturbed = digests_of(worker.home)
    worker = worker_in(tmp_path / "killed", small_hub.endpoint)
    for attempt in while_time_is_left():
        if attempt % 4 == 2:
            shutil.rmtree(worker.home / "lake", ignore_errors=True)
        if attempt % 10 == 0:
            shutil.rmtree(worker.home / "cache", ignore_errors=True)
        before = digests_of(worker.home)
        if worker.killed_after(moments.uniform(0, work), *job):
            left = digests_of(worker.home)
            counted["killed"] += 1
            counted["killed_with_some_of_its_files_made"] += bool(left.keys() - before.keys())
            counted["files_left_whole"] += len(left)
            lost, torn = len(before.keys() - left.keys()), len(torn_files(worker.home))
            outcomes.add("process: killed in a month's run", lost=lost, torn=torn, wrong=differing(left, undisturbed))
        if attempt % 4 == 3:
            healed(worker, job, digests_of, undisturbed, counted)
        if counted["killed"] == KILLS:
            break
    healed(worker, job, digests_of, undisturbed, counted)
    nothing_was_harmed(outcomes, "process: killed in a month's run", counted)
    keep("runs", {"killed_months": dict(counted)})


def test_a_publication_killed_a_hundred_times_at_random_moments_is_whole_and_the_undisturbed_one(
    small_hub, worker_in, tmp_path, outcomes
):
    moments, counted = random.Random(11), Counter()
    worker = worker_in(tmp_path / "home", small_hub.endpoint)
    assert worker.run("monthly_census", MONTH)["failures"] == []
    assert worker.run("publish")["failures"] == []
    work = worker.run("publish")["processor_seconds"]
    undisturbed = published_content(worker.home)
    folder = PublishedFolder(worker.home / "published")
    for attempt in while_time_is_left():
        current, before = folder.current(), len(folder.versions())
        if attempt % 3 == 2:
            killed = worker.killed_once(lambda _pid, current=current: has_switched(folder, current, moments), "publish")
        else:
            killed = worker.killed_after(moments.uniform(0, work), "publish")
        if killed:
            counted["killed"] += 1
            counted["killed_after_the_new_version_was_current"] += folder.current() != current
            outcomes.add(
                "process: killed in a publication",
                lost=folder.current() is None or len(folder.versions()) < min(before, VERSIONS_KEPT + 1),
                torn=len(verify(Lake(str(worker.home / "lake")), CATALOGUE, folder.path).findings),
                wrong=published_content(worker.home) != undisturbed,
            )
        if attempt % 5 == 4:
            healed(worker, ("publish",), published_content, undisturbed, counted)
        if counted["killed"] == KILLS:
            break
    healed(worker, ("publish",), published_content, undisturbed, counted)
    counted["left_behind"] = len(list((folder.path / "versions").glob(".*")))
    assert counted["left_behind"] == 0
    nothing_was_harmed(outcomes, "process: killed in a publication", counted)
    keep("runs", {"killed_publications": dict(counted)})
