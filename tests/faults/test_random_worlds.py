"""Random worlds, each under a random schedule of faults: the same marts as without them, or a refusal with its reason.

The long form, by `make test-faults`.
"""

import random
import shutil
from collections import Counter

import pytest

from synthetic_hub.server import LocalHub
from tests.faults.figures import keep
from tests.faults.remains import MONTH, WORLDS, differing, digests_of, torn_files, while_time_is_left
from tests.mirror import Mirror, Misbehaviour, cut, half, redirect, slow, status

pytestmark = pytest.mark.faults

KINDS = {
    "put off": lambda chance: status(429, *chance.choice([("RateLimit", '"api";r=0;t=0'), ()])),
    "failed": lambda chance: status(chance.choice([500, 502, 503, 504, 403, 404])),
    "cut": lambda chance: cut(chance.random()),
    "slow": lambda _: slow(0.2),
    "half an answer": lambda _: half,
    "redirected": lambda chance: redirect(chance.choice(["http://127.0.0.1:9/", "file:///etc/passwd"])),
}


def path(chance):
    return chance.choice(["/api/datasets", "/datasets", "/"])


def hits(chance):
    return tuple(sorted(chance.sample(range(1, 12), k=chance.randint(1, 4))))


def test_twenty_random_worlds_under_random_faults_end_in_the_same_marts_or_in_a_refusal(
    world_of, worker_in, tmp_path, outcomes
):
    counted, scheduled, job = Counter(), Counter(), ("monthly_census", MONTH)
    for number in while_time_is_left():
        chance, world = random.Random(1000 + number), world_of(2000 + number)
        own = tmp_path / str(number)
        with LocalHub(world) as hub:
            worker = worker_in(own / "undisturbed", hub.endpoint)
            ended = worker.run(*job)
            assert ended["failures"] == []
            undisturbed = digests_of(worker.home)
        kinds = chance.choices(sorted(KINDS), k=chance.randint(2, 5))
        scheduled.update(kinds)
        misbehaviours = [Misbehaviour(KINDS[kind](chance), path(chance), hits(chance)) for kind in kinds]
        with LocalHub(world) as hub, Mirror(hub.endpoint, tuple(misbehaviours)) as mirror:
            worker = worker_in(own / "disturbed", mirror.endpoint)
            if chance.random() < 0.5:
                scheduled["killed"] += worker.killed_after(chance.uniform(0, ended["processor_seconds"]), *job)
            ended = worker.run(*job, WITHOUT_PAUSES="yes")
        found = {"wrong": differing(digests_of(worker.home), undisturbed), "torn": len(torn_files(worker.home))}
        with LocalHub(world) as hub:
            assert worker_in(worker.home, hub.endpoint).run(*job)["failures"] == []
        found["lost"] = digests_of(worker.home) != undisturbed
        outcomes.unharmed("schedule: several faults at random in a random world", ended["failures"], **found)
        counted["worlds"] += 1
        counted["refused" if ended["status"] else "the_same_marts_at_once"] += 1
        shutil.rmtree(own)
        if counted["worlds"] == WORLDS:
            break
    of_faults = {f"scheduled_{kind}": scheduled[kind] for kind in sorted(scheduled)}
    keep("runs", {"random_worlds": {**counted, **of_faults}})
