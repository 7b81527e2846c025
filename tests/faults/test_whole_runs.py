"""Whole runs on a disk that is full or closed, and two of them at once, in processes of their own.

The long form, by `make test-faults`.
"""

import os
import subprocess
from contextlib import contextmanager

import pytest

from pipeline.definitions import CATALOGUE
from pipeline.lake.store import Lake
from pipeline.publish.folder import PublishedFolder
from pipeline.publish.verify import verify
from tests.faults.remains import MONTH, differing, digests_of, published_content, torn_files

pytestmark = pytest.mark.faults


@contextmanager
def file_system(folder, options):
    """A file system of its own at `folder`, with what the folder held."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a file system")
    kept = folder.with_name(f"{folder.name}-kept")
    folder.mkdir(parents=True, exist_ok=True)
    folder.rename(kept)
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("root may not mount a file system here")
    try:
        subprocess.run(["cp", "-a", f"{kept}/.", folder], check=True)
        subprocess.run(["mount", "-o", f"remount,{options}", folder], check=True)
        yield
        subprocess.run(["mount", "-o", "remount,rw,size=1g", folder], check=True)
        subprocess.run(["cp", "-a", f"{folder}/.", kept], check=True)
    finally:
        subprocess.run(["umount", folder], check=True)
        folder.rmdir()
        kept.rename(folder)


@pytest.fixture(scope="module")
def undisturbed(small_hub, worker_in, tmp_path_factory):
    """A home with the month and a publication of it."""
    worker = worker_in(tmp_path_factory.mktemp("undisturbed"), small_hub.endpoint)
    assert worker.run("monthly_census", MONTH)["failures"] == []
    assert worker.run("publish")["failures"] == []
    return worker.home


@pytest.fixture
def worker(small_hub, worker_in, tmp_path):
    """Runs jobs in an empty home."""
    return worker_in(tmp_path / "home", small_hub.endpoint)


def size_of(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


@pytest.mark.parametrize("part", [0.0, 0.2, 0.4, 0.6, 0.8, 0.95])
def test_a_month_on_a_disk_with_room_for_a_part_of_it_is_refused_and_the_next_run_makes_it(
    undisturbed, worker, outcomes, part
):
    room = int(size_of(undisturbed / "lake") * part)
    with file_system(worker.home / "lake", f"size={room or 4096}"):
        ended = worker.run("monthly_census", MONTH)
    left = digests_of(worker.home)
    counted = outcomes.add(
        "disk: full in a month's run",
        ended["failures"],
        torn=len(torn_files(worker.home)),
        wrong=differing(left, digests_of(undisturbed)),
    )
    assert ended["status"] != 0
    assert any("make room" in said for said in ended["failures"]), ended["failures"]
    assert counted["torn"] == counted["wrong"] == counted["unclear"] == 0
    assert worker.run("monthly_census", MONTH)["failures"] == []
    assert digests_of(worker.home) == digests_of(undisturbed)


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
def test_a_publication_on_a_disk_with_room_for_a_part_of_it_leaves_the_one_before(undisturbed, worker, outcomes, part):
    assert worker.run("monthly_census", MONTH)["failures"] == []
    assert worker.run("publish")["failures"] == []
    folder = PublishedFolder(worker.home / "published")
    before = folder.current()
    room = int(size_of(folder.path / "versions") * (1 + part))
    with file_system(folder.path, f"size={room}"):
        ended = worker.run("publish")
    counted = outcomes.add(
        "disk: full in a publication",
        ended["failures"],
        lost=folder.current() != before,
        torn=len(verify(Lake(str(worker.home / "lake")), CATALOGUE, folder.path).findings),
        wrong=published_content(worker.home) != published_content(undisturbed),
    )
    assert any("make room" in said for said in ended["failures"]), ended["failures"]
    assert counted["lost"] == counted["torn"] == counted["wrong"] == counted["unclear"] == 0
    assert worker.run("publish")["failures"] == []
    assert published_content(worker.home) == published_content(undisturbed)


def test_a_month_and_a_publication_on_a_disk_that_may_only_be_read_are_refused(undisturbed, worker, outcomes):
    assert worker.run("monthly_census", MONTH)["failures"] == []
    assert worker.run("publish")["failures"] == []
    for job, folder in ((("monthly_census", MONTH), "lake"), (("publish",), "published")):
        with file_system(worker.home / folder, "ro"):
            ended = worker.run(*job)
        counted = outcomes.add(
            f"disk: read-only in a run of {job[0]}",
            ended["failures"],
            lost=digests_of(worker.home).keys() != digests_of(undisturbed).keys(),
            torn=len(verify(Lake(str(worker.home / "lake")), CATALOGUE, worker.home / "published").findings),
            wrong=differing(digests_of(worker.home), digests_of(undisturbed))
            or published_content(worker.home) != published_content(undisturbed),
        )
        assert any("could not be written" in said for said in ended["failures"]), ended["failures"]
        assert counted["lost"] == counted["torn"] == counted["wrong"] == counted["unclear"] == 0


@pytest.mark.parametrize("attempt", range(3))
def test_two_runs_of_one_month_at_once_end_in_the_month(undisturbed, worker, outcomes, attempt):
    running = [worker.start("monthly_census", MONTH), worker.start("monthly_census", MONTH)]
    said = [sentence for pid in running for sentence in worker.end(pid)["failures"]]
    found = digests_of(worker.home)
    counted = outcomes.add(
        "at once: two runs of one month",
        said,
        torn=len(torn_files(worker.home)),
        wrong=differing(found, digests_of(undisturbed)),
    )
    assert counted["torn"] == counted["wrong"] == counted["unclear"] == 0, said
    assert worker.run("monthly_census", MONTH)["failures"] == []
    assert digests_of(worker.home) == digests_of(undisturbed)


@pytest.mark.parametrize("attempt", range(3))
def test_two_publications_at_once_follow_one_another(undisturbed, worker, outcomes, attempt):
    assert worker.run("monthly_census", MONTH)["failures"] == []
    running = [worker.start("publish"), worker.start("publish")]
    said = [sentence for pid in running for sentence in worker.end(pid)["failures"]]
    folder = PublishedFolder(worker.home / "published")
    counted = outcomes.add(
        "at once: two publications",
        said,
        lost=2 - len(folder.versions()),
        torn=len(verify(Lake(str(worker.home / "lake")), CATALOGUE, folder.path).findings),
        wrong=published_content(worker.home) != published_content(undisturbed),
    )
    assert said == []
    assert counted["lost"] == counted["torn"] == counted["wrong"] == 0


def test_a_month_run_while_it_is_published_changes_no_publication(undisturbed, worker, outcomes):
    assert worker.run("monthly_census", MONTH)["failures"] == []
    running = [worker.start("publish"), worker.start("monthly_census", MONTH)]
    said = [sentence for pid in running for sentence in worker.end(pid)["failures"]]
    counted = outcomes.add(
        "at once: a publication and a run of its month",
        said,
        torn=len(torn_files(worker.home)),
        wrong=differing(digests_of(worker.home), digests_of(undisturbed)),
    )
    assert counted["torn"] == counted["wrong"] == counted["unclear"] == 0, said
    assert worker.run("publish")["failures"] == []
    assert published_content(worker.home) == published_content(undisturbed)
