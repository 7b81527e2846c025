"""A disk that is full or closed, two at once, a clock that jumps: what was there stays, and one sentence says why."""

import multiprocessing
import os
import resource
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import dagster as dg
import duckdb
import polars as pl
import pytest

from pipeline.errors import storage_trouble
from pipeline.lake.provenance import Provenance
from pipeline.lake.store import Lake
from pipeline.orchestration.table_assets import in_plain_words
from pipeline.publish.folder import PublishedFolder
from tests.faults.remains import file_system
from tests.lake import scenario
from tests.lake.scenario import AUGUST, COUNTS

FEW, MANY = 10, 200_000


def rows(number, n=1):
    return scenario.rows(*(f"{i * 2654435761 % 2**32:x}-{i}" for i in range(number)), n=n)


@pytest.fixture
def no_room():
    """From its call on, no file of this process may grow beyond a few kilobytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    yield lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (32_768, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, ignored)


def sentence_of(do):
    """What a step says that ends so."""
    with pytest.raises(dg.Failure) as failed:
        in_plain_words(do)()
    assert not failed.value.allow_retries
    return failed.value.description


def test_a_full_disk_leaves_the_month_as_it_was_and_is_one_sentence(tmp_path, no_room, outcomes):
    lake = Lake(str(tmp_path))
    lake.write(COUNTS, AUGUST, rows(FEW))
    before = lake.digest(COUNTS, AUGUST)
    no_room()
    said = sentence_of(lambda: lake.write(COUNTS, AUGUST, rows(MANY)))
    beside = [path.name for path in lake.path(COUNTS, AUGUST).parent.iterdir() if path.name != "part-0.parquet"]
    assert "could not be written (file too large): make room" in said
    lost, wrong = not lake.holds(COUNTS, AUGUST), lake.digest(COUNTS, AUGUST) != before
    outcomes.unharmed("disk: full while a table is written", [said], lost=lost, torn=len(beside), wrong=wrong)


def test_a_disk_that_is_full_where_a_files_footer_begins_is_the_same_sentence(tmp_path, no_room, outcomes):
    lake = Lake(str(tmp_path))
    made_from = {f"listings/table-{number}": f"{number:064x}" for number in range(1_000)}
    no_room()
    said = sentence_of(lambda: lake.write(COUNTS, AUGUST, rows(FEW), Provenance(inputs=made_from)))
    assert "could not be written (no space left on device): make room" in said
    left = list(lake.path(COUNTS, AUGUST).parent.iterdir())
    outcomes.unharmed("disk: full while a table is written", [said], torn=len(left))


def test_a_full_disk_leaves_the_publication_as_it_was(tmp_path, no_room, outcomes):
    folder = PublishedFolder(tmp_path / "published")
    with folder.new_version() as (_, draft):
        (draft / "report.html").write_text("first")
    first = folder.current()
    no_room()

    def publish():
        with folder.new_version() as (_, draft), duckdb.connect(str(draft / "census.duckdb")) as connection:
            connection.sql("create table mart as select random() as x from range(500000)")
            connection.sql("checkpoint")

    said = sentence_of(publish)
    assert "could not be written" in said
    wrong = (tmp_path / "published" / "report.html").read_text() != "first"
    lost, torn = folder.current() != first, len(folder.versions()) - 1
    outcomes.unharmed("disk: full while a version is written", [said], lost=lost, torn=torn, wrong=wrong)


@pytest.fixture
def closed_folder(tmp_path):
    """A folder that may be read alone; root may write wherever the file system lets it."""
    folder = tmp_path / "closed"
    folder.mkdir()
    if os.geteuid() == 0:
        with file_system(folder, "ro"):
            yield folder
    else:
        folder.chmod(0o555)
        yield folder
        folder.chmod(0o755)


def test_a_folder_that_may_not_be_written_is_one_sentence(closed_folder, outcomes):
    def write():
        Lake(str(closed_folder)).write(COUNTS, AUGUST, rows(FEW))

    def publish():
        with PublishedFolder(closed_folder / "published").new_version():
            pass

    for attempt in (write, publish):
        said = sentence_of(attempt)
        assert "could not be written" in said
        outcomes.unharmed("disk: read-only", [said])


def test_a_home_that_may_not_be_written_is_one_sentence_of_the_command(closed_folder, outcomes):
    finished = subprocess.run(
        [sys.executable, "-c", "from pipeline.cli import main; main()", "status"],
        env=os.environ | {"CENSUS_HOME": str(closed_folder / "home"), "DAGSTER_HOME": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    outcomes.unharmed("disk: read-only", [finished.stderr.strip()])
    assert finished.returncode == 2
    assert finished.stderr.startswith("census: a file could not be written (")
    assert finished.stderr.count("\n") == 1


def test_an_error_of_another_kind_is_not_taken_for_a_full_disk():
    assert storage_trouble(ValueError("something else")) is None
    with pytest.raises(FileNotFoundError):
        in_plain_words(lambda: open("/nowhere/at/all"))()  # noqa: SIM115, PTH123


def write_again_and_again(url, n, times):
    for _ in range(times):
        Lake(url).write(COUNTS, AUGUST, rows(2_000, n))


def test_writers_of_one_month_leave_the_file_of_one_of_them_whole(tmp_path, outcomes):
    lake = Lake(str(tmp_path))
    lake.write(COUNTS, AUGUST, rows(2_000, 0))
    mixed = 0
    with ThreadPoolExecutor() as threads:
        writers = [threads.submit(write_again_and_again, lake.url, n, 25) for n in range(1, 5)]
        while not all(writer.done() for writer in writers):
            mixed += lake.scan(COUNTS, AUGUST).select(pl.col("n").n_unique(), pl.len()).collect().row(0) != (1, 2_000)
    for writer in writers:
        writer.result()
    beside = len(list(lake.path(COUNTS, AUGUST).parent.iterdir())) - 1
    outcomes.unharmed("at once: two writers of one table", torn=beside, wrong=mixed)


def publish_a_number(folder, number):
    with PublishedFolder(folder).new_version() as (_, draft):
        for name in ("a", "b", "c"):
            (draft / name).write_text(str(number))


def test_publishers_at_the_same_time_follow_one_another_and_every_version_is_of_one_of_them(tmp_path, outcomes):
    context = multiprocessing.get_context("fork")
    publishers = [context.Process(target=publish_a_number, args=(tmp_path, number)) for number in range(4)]
    for publisher in publishers:
        publisher.start()
    for publisher in publishers:
        publisher.join(60)
    folder = PublishedFolder(tmp_path)
    assert [publisher.exitcode for publisher in publishers] == [0] * 4
    versions = [(tmp_path / "versions" / version).iterdir() for version in folder.versions()]
    mixed = sum(len({path.read_text() for path in files}) != 1 for files in versions)
    outcomes.unharmed("at once: four publishers", lost=4 - len(versions), wrong=mixed)


def test_a_clock_that_was_set_back_publishes_the_latest_all_the_same(tmp_path, monkeypatch, outcomes):
    publish_a_number(tmp_path, 1)

    class SetBack(datetime):
        @classmethod
        def now(cls, zone=None):
            return datetime(2020, 1, 1, tzinfo=zone)

    monkeypatch.setattr("pipeline.publish.folder.datetime", SetBack)
    made = [PublishedFolder(tmp_path).current()]
    for number in range(2, 7):
        publish_a_number(tmp_path, number)
        outcomes.unharmed("clock: set back before a publication", wrong=(tmp_path / "a").read_text() != str(number))
        made.append(PublishedFolder(tmp_path).current())
    assert PublishedFolder(tmp_path).versions() == made[:-5:-1]


def test_a_clock_that_jumps_forward_costs_no_writer_its_file(tmp_path, monkeypatch, outcomes):
    lake = Lake(str(tmp_path))
    lake.write(COUNTS, AUGUST, rows(FEW))
    monkeypatch.setattr("pipeline.lake.store.time.time", lambda: 4e9)
    lake.write(COUNTS, AUGUST, rows(FEW, 2))
    wrong = lake.scan(COUNTS, AUGUST).select(pl.col("n").unique()).collect()["n"].to_list() != [2]
    outcomes.unharmed("clock: set forward before a table is written", wrong=wrong)
