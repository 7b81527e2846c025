"""A publication killed at random moments: readers see a whole one, and the next run publishes what it would have been.

Every third one is killed where versions change places, which random moments seldom meet. The long form, by
`make test-faults`.
"""

import random
import time
from collections import Counter

import pytest

from pipeline.definitions import CATALOGUE
from pipeline.lake.store import Lake
from pipeline.publish.folder import VERSIONS_KEPT, PublishedFolder
from pipeline.publish.verify import verify
from tests.faults.figures import keep
from tests.faults.remains import KILLS, MONTH, published_content, while_time_is_left

pytestmark = pytest.mark.faults


def has_switched(folder, current, seconds):
    """Says of a process whether the new version has been current for so long."""

    def reached(_pid):
        if folder.current() == current:
            return False
        time.sleep(seconds)
        return True

    return reached


def test_a_publication_killed_a_hundred_times_at_random_moments_is_whole_and_the_undisturbed_one(
    small_hub, worker_in, tmp_path, outcomes
):
    moments = random.Random(11)
    counted = Counter()
    home = tmp_path / "home"
    worker = worker_in(home, small_hub.endpoint)
    assert worker.run("monthly_census", MONTH)["failures"] == []
    assert worker.run("publish")["failures"] == []
    work = worker.run("publish")["processor_seconds"]
    undisturbed = published_content(home)
    folder = PublishedFolder(home / "published")
    for attempt in while_time_is_left():
        current, before = folder.current(), len(folder.versions())
        if attempt % 3 == 2:
            killed = worker.killed_once(has_switched(folder, current, moments.uniform(0, 0.01)), "publish")
        else:
            killed = worker.killed_after(moments.uniform(0, work), "publish")
        if killed:
            counted["killed"] += 1
            counted["killed_after_the_new_version_was_current"] += folder.current() != current
            kept = len(folder.versions())
            outcomes.add(
                "process: killed in a publication",
                lost=folder.current() is None or kept < min(before, VERSIONS_KEPT + 1),
                torn=len(verify(Lake(str(home / "lake")), CATALOGUE, folder.path).findings),
                wrong=published_content(home) != undisturbed,
            )
        if attempt % 5 == 4:
            assert worker.run("publish")["failures"] == []
            counted["run_again_to_the_end"] += 1
            counted["not_the_same"] += published_content(home) != undisturbed
        if counted["killed"] == KILLS:
            break
    assert worker.run("publish")["failures"] == []
    counted["not_the_same"] += published_content(home) != undisturbed
    counted["left_behind"] = len(list((folder.path / "versions").glob(".*")))
    kinds = outcomes.by_kind["process: killed in a publication"]
    assert [kinds["lost"], kinds["torn"], kinds["wrong"]] == [0, 0, 0]
    assert [counted["not_the_same"], counted["left_behind"]] == [0, 0]
    assert counted["killed"] > counted["run_again_to_the_end"]
    keep("runs", {"killed_publications": dict(counted)})
