"""Whole runs on a disk that is full or closed, and two of them at once, in processes of their own.

The long form, by `make test-faults`.
"""

import pytest

from pipeline.definitions import CATALOGUE
from pipeline.lake.store import Lake
from pipeline.publish.folder import PublishedFolder
from pipeline.publish.verify import verify
from tests.faults.remains import MONTH, differing, digests_of, file_system, published_content, torn_files

pytestmark = pytest.mark.faults


def made_and_published(worker):
    assert worker.run("monthly_census", MONTH)["failures"] == []
    assert worker.run("publish")["failures"] == []


@pytest.fixture(scope="module")
def undisturbed(small_hub, worker_in, tmp_path_factory):
    """A home with the month and a publication of it."""
    worker = worker_in(tmp_path_factory.mktemp("undisturbed"), small_hub.endpoint)
    made_and_published(worker)
    return worker.home


@pytest.fixture
def worker(small_hub, worker_in, tmp_path):
    """Runs jobs in an empty home."""
    return worker_in(tmp_path / "home", small_hub.endpoint)


@pytest.fixture
def nothing_harmed(outcomes, undisturbed):
    """Counts how a fault ended, and holds what is there of the month and the publication to the undisturbed ones."""

    def held(kind, home, said, *, lost=0):
        folder = home / "published"
        published = folder.exists() and PublishedFolder(folder).current() is not None
        outcomes.unharmed(
            kind,
            said,
            lost=lost,
            torn=len(torn_files(home))
            + (published and len(verify(Lake(str(home / "lake")), CATALOGUE, folder).findings)),
            wrong=differing(digests_of(home), digests_of(undisturbed))
            or (published and published_content(home) != published_content(undisturbed)),
        )

    return held


def size_of(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


@pytest.mark.parametrize("part", [0.0, 0.2, 0.4, 0.6, 0.8, 0.95])
def test_a_month_on_a_disk_with_room_for_a_part_of_it_is_refused_and_the_next_run_makes_it(
    undisturbed, worker, nothing_harmed, part
):
    room = int(size_of(undisturbed / "lake") * part)
    with file_system(worker.home / "lake", f"size={room or 4096}"):
        ended = worker.run("monthly_census", MONTH)
    assert ended["status"] != 0
    assert any("make room" in said for said in ended["failures"]), ended["failures"]
    nothing_harmed("disk: full in a month's run", worker.home, ended["failures"])
    assert worker.run("monthly_census", MONTH)["failures"] == []
    assert digests_of(worker.home) == digests_of(undisturbed)


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
def test_a_publication_on_a_disk_with_room_for_a_part_of_it_leaves_the_one_before(worker, nothing_harmed, part):
    made_and_published(worker)
    folder = PublishedFolder(worker.home / "published")
    before = folder.current()
    room = int(size_of(folder.path / "versions") * (1 + part))
    with file_system(folder.path, f"size={room}"):
        ended = worker.run("publish")
    assert any("make room" in said for said in ended["failures"]), ended["failures"]
    nothing_harmed("disk: full in a publication", worker.home, ended["failures"], lost=folder.current() != before)
    assert worker.run("publish")["failures"] == []
    nothing_harmed("disk: full in a publication, run again", worker.home, [])


def test_a_month_and_a_publication_on_a_disk_that_may_only_be_read_are_refused(undisturbed, worker, nothing_harmed):
    made_and_published(worker)
    for job, folder in ((("monthly_census", MONTH), "lake"), (("publish",), "published")):
        with file_system(worker.home / folder, "ro"):
            ended = worker.run(*job)
        assert any("could not be written" in said for said in ended["failures"]), ended["failures"]
        lost = digests_of(worker.home).keys() != digests_of(undisturbed).keys()
        nothing_harmed(f"disk: read-only in a run of {job[0]}", worker.home, ended["failures"], lost=lost)


A_MONTH, A_PUBLICATION = ("monthly_census", MONTH), ("publish",)


@pytest.mark.parametrize("attempt", range(3))
@pytest.mark.parametrize(
    ("kind", "jobs"),
    [
        ("two runs of one month", [A_MONTH, A_MONTH]),
        ("two publications", [A_PUBLICATION, A_PUBLICATION]),
        ("a publication and a run of its month", [A_PUBLICATION, A_MONTH]),
    ],
)
def test_two_at_once_harm_nothing_and_end_as_undisturbed(undisturbed, worker, nothing_harmed, kind, jobs, attempt):
    publishes = jobs.count(A_PUBLICATION)
    if publishes:
        made_and_published(worker)
    running = [worker.start(*job) for job in jobs]
    said = [sentence for pid in running for sentence in worker.end(pid)["failures"]]
    assert publishes < 2 or said == []
    lost = 3 - len(PublishedFolder(worker.home / "published").versions()) if publishes == 2 else 0
    nothing_harmed(f"at once: {kind}", worker.home, said, lost=lost)
    for job in jobs:
        assert worker.run(*job)["failures"] == []
    assert digests_of(worker.home) == digests_of(undisturbed)
