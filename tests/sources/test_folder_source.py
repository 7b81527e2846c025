"""A folder of dated dumps serves the months that they close."""

import gzip
import shutil
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from pipeline.errors import CensusError, MonthNotServedError, UnusableSnapshotError
from pipeline.sources.folder import FolderSource
from pipeline.sources.listing_crawl import packed
from pipeline.sources.snapshots import months_to_read

MAY = date(2026, 5, 1)


def dumps(folder, *names, **options):
    """A source over a folder with such dumps, each of one repository named by its path."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if name.endswith(".parquet"):
            pl.DataFrame({"id": [f"maker/{name}"]}).write_parquet(folder / name)
        else:
            (folder / name).write_text(f'{{"id": "maker/{name}"}}\n')
    return FolderSource(folder, **options)


def names_read(snapshot):
    return [name.removeprefix("maker/") for name in snapshot.rows.collect()["model_id"]]


def test_the_dump_nearest_to_the_boundary_closes_the_month(tmp_path):
    source = dumps(tmp_path, "2026-05-29.parquet", "2026-06-01.parquet", "2026-06-15.parquet")
    snapshot = source.closing_snapshot(MAY)
    assert names_read(snapshot) == ["2026-06-01.parquet"]
    assert (snapshot.source, snapshot.observed_at) == ("folder", datetime(2026, 6, 1, 12, tzinfo=UTC))
    assert source.months() == [MAY]


@pytest.mark.parametrize(
    ("name", "served"),
    [
        ("2026-06-04T12-00.parquet", [MAY]),
        ("2026-06-04T12-01.parquet", []),
        ("2026-05-28T12-00.parquet", [MAY]),
        ("2026-05-28T11-59.parquet", []),
    ],
)
def test_a_dump_may_be_three_and_a_half_days_from_the_boundary_unless_told_otherwise(tmp_path, name, served):
    assert dumps(tmp_path, name).months() == served
    assert dumps(tmp_path, tolerance=timedelta(days=10)).months() == [MAY]


@pytest.mark.parametrize(
    "name",
    [
        *(
            "2026-05-31T23-50.parquet",
            "2026-05-31T2350.jsonl",
            "2026-05-31T23:50.jsonl",
            "2026-05-31T23-50/part.parquet",
        ),
        *("2026-05-31T23-50-12Z.parquet", "2026-05-31T235012.parquet"),
    ],
)
def test_a_time_in_the_name_is_the_time_of_observation(tmp_path, name):
    snapshot = dumps(tmp_path, name).closing_snapshot(MAY)
    assert (snapshot.observed_at, names_read(snapshot)) == (datetime(2026, 5, 31, 23, 50, tzinfo=UTC), [name])


PARTS = {
    "nothing but a file": ["2026-05-31.parquet"],
    "Spark": ["2026-05-31.parquet/part-0-c000.snappy.parquet", "2026-05-31.parquet/part-1-c000.snappy.parquet"],
    "Dask": ["2026-05-31/part.0.parquet", "2026-05-31/part.1.parquet", "2026-05-31/part.2.parquet"],
    "partitions": ["2026-05-31/kind=a/0.parquet", "2026-05-31/kind=b/0.parquet"],
    "lines": ["2026-05-31/part-0.jsonl", "2026-05-31/part-1.jsonl"],
    "numbers": ["2026-05-31-1-of-2.parquet", "2026-05-31-2-of-2.parquet"],
    "a part each": ["2026-05-31_part-0.jsonl", "2026-05-31_part-1.jsonl"],
}


@pytest.mark.parametrize("tool", PARTS)
def test_parts_are_one_dump_whose_digest_is_that_of_all(tmp_path, tool):
    source = dumps(tmp_path, *PARTS[tool])
    if "/" in PARTS[tool][0]:
        beside = (tmp_path / PARTS[tool][0]).parent
        (beside / "_SUCCESS").touch()
        (beside / ".part-0.crc").touch()
    first = source.closing_snapshot(MAY)
    assert names_read(first) == PARTS[tool]
    assert first.notes.get("files") == (f"{len(PARTS[tool])} parts" if len(PARTS[tool]) > 1 else None)
    dumps(tmp_path / "other", PARTS[tool][0] * 2)
    (tmp_path / PARTS[tool][-1]).write_bytes((tmp_path / "other" / (PARTS[tool][0] * 2)).read_bytes())
    assert dumps(tmp_path).closing_snapshot(MAY).source_revision != first.source_revision


REFUSED = {
    "two forms of a day": (["2026-05-31.parquet", "2026-05-31.jsonl"], "2026-05-31.jsonl and 2026-05-31.parquet"),
    "a part beside a whole": (["2026-05-31.parquet", "2026-05-31-1.parquet"], "keep one, or say in the names at"),
    "a part missing": (["2026-05-31-1-of-3.parquet", "2026-05-31-3-of-3.parquet"], "one of 3 parts, and 2 are there"),
    "parts of two forms": (
        ["2026-05-31/a.parquet", "2026-05-31/b.jsonl"],
        "holds other files beside the parts of one dump",
    ),
    "something else in it": (
        ["2026-05-31/a.parquet", "2026-05-31/notes.txt"],
        "the folder 2026-05-31 holds other files beside",
    ),
    "still being written": (["2026-05-31/_temporary/0.parquet", "2026-05-31/a.parquet"], "is still being written"),
    "no such day": (["2026-02-31.parquet"], "2026-02-31.parquet is named by a date that does not exist: rename it"),
    "nothing dated": (["models.parquet"], "holds no dated dumps: name them like 2026-05-31.parquet"),
    "another format": (["2026-05-31.csv"], r"holds no dated dumps \(it holds 2026-05-31.csv\)"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_one_dump_is_refused_by_name(tmp_path, case):
    names, said = REFUSED[case]
    with pytest.raises(CensusError, match=said):
        dumps(tmp_path, *names).months()


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(CensusError, match="does not exist: set `snapshots` or CENSUS_SNAPSHOTS"):
        FolderSource(tmp_path / "nowhere").months()
    dumps(tmp_path, "2026-05-31.parquet")
    with pytest.raises(CensusError, match="is a file: set `snapshots` or CENSUS_SNAPSHOTS"):
        FolderSource(tmp_path / "2026-05-31.parquet").months()


def test_what_looks_like_a_dump_and_is_none_is_told_with_the_month(tmp_path):
    source = dumps(tmp_path, "2026-05-31.parquet", "models-2026-05-31.csv", "2026-04-30.jsonl.bz2")
    assert source.closing_snapshot(MAY).notes["not_read"] == "2026-04-30.jsonl.bz2, models-2026-05-31.csv"


@pytest.mark.parametrize("folder", ["dumps [hub]", "100 % {a}", "what?", "a*b", "ünï ☃", "%41", "'one' \"two\""])
@pytest.mark.parametrize("name", ["2026-05-31.parquet", "2026-05-31.jsonl", "2026-05-31/part [0].parquet"])
def test_a_path_of_any_signs_is_read(tmp_path, folder, name):
    (tmp_path / folder).mkdir()
    assert names_read(dumps(tmp_path / folder, name).closing_snapshot(MAY)) == [name]


@pytest.mark.parametrize("form", ["parquet", "jsonl"])
def test_a_copy_of_an_older_dump_is_passed_over_or_refused(tmp_path, form):
    source = dumps(tmp_path, f"2026-04-30.{form}")
    shutil.copy(tmp_path / f"2026-04-30.{form}", tmp_path / f"2026-05-31.{form}")
    with pytest.raises(
        MonthNotServedError, match=f"close 2026-05: 2026-05-31.{form} is byte for byte a copy of 2026-04-30.{form}"
    ):
        source.closing_snapshot(MAY)
    snapshot = dumps(tmp_path, f"2026-05-30.{form}").closing_snapshot(MAY)
    assert names_read(snapshot) == [f"2026-05-30.{form}"]
    assert "2026-05-31" in snapshot.notes["refused"]


def test_a_month_without_a_dump_near_its_close_is_refused_with_the_nearest_and_the_tolerance(tmp_path):
    source = dumps(tmp_path, "2026-05-20.parquet")
    nearest = r"nearest to a month's end is 2026-05-20.parquet, 11.5 days from 2026-06-01 00:00 UTC \(at most 3.5 are"
    with pytest.raises(MonthNotServedError, match=f"cannot close 2026-05: .*{nearest}"):
        source.closing_snapshot(MAY)
    with pytest.raises(MonthNotServedError, match=f"serves no month now: the {nearest}"):
        months_to_read(source, None, None)
    with pytest.raises(MonthNotServedError, match=f"does not serve 2026-05: the {nearest}"):
        months_to_read(source, MAY, MAY)


def test_a_series_with_gaps_is_read_around_them(tmp_path):
    days = [f"2026-0{month}-28T23-00.parquet" for month in (1, 2, 4, 5)]
    source = dumps(tmp_path, "2019-03-31.parquet", *days, tolerance=timedelta(days=5))
    held = [date(2026, month, 1) for month in (1, 2, 4, 5)]
    assert months_to_read(source, None, None) == held
    assert months_to_read(source, held[1], held[3]) == held[1:]
    with pytest.raises(MonthNotServedError, match=r"2026-03: it has 2026-01 to 2026-02, 2026-04 to 2026-05; choose"):
        months_to_read(source, date(2026, 3, 1), None)


def test_months_long_before_the_archives_are_served_and_those_before_the_census_are_not(tmp_path):
    assert dumps(tmp_path, "2021-06-30.parquet").months() == [date(2021, 6, 1)]
    (tmp_path / "2021-06-30.parquet").rename(tmp_path / "2019-06-30.parquet")
    with pytest.raises(MonthNotServedError, match="no month now: its dumps are of months before 2020-01, the first"):
        months_to_read(dumps(tmp_path), None, None)


@pytest.mark.parametrize("sent", [0.3, 0.6, 0.9])
@pytest.mark.parametrize("form", ["gz", "zst"])
def test_a_packed_dump_that_is_cut_off_is_refused_wherever_the_cut_is(tmp_path, form, sent):
    pack = gzip.compress if form == "gz" else packed
    whole = b"".join(pack(b'{"id": "maker/model-%d"}\n' % number) for number in range(3))
    (tmp_path / f"2026-05-31.jsonl.{form}").write_bytes(whole[: int(len(whole) * sent)])
    with pytest.raises(UnusableSnapshotError, match=f"2026-05-31.jsonl.{form} (is cut off|cannot be read)"):
        dumps(tmp_path).closing_snapshot(MAY)


@pytest.mark.parametrize("name", ["2026-05-31.json", "2026-05-31.parquet"])
def test_a_dump_of_nothing_is_refused(tmp_path, name):
    source = dumps(tmp_path, name)
    if name.endswith(".json"):
        (tmp_path / name).write_text("[]")
    else:
        pl.DataFrame({"id": []}, schema={"id": pl.String}).write_parquet(tmp_path / name)
    with pytest.raises(UnusableSnapshotError, match=f"{name} holds no repositories"):
        source.closing_snapshot(MAY)


def test_counters_are_read_from_the_other_dumps_near_the_boundary_that_can_be_used(tmp_path):
    source = dumps(tmp_path, "2026-05-20.parquet", "2026-05-30.parquet", "2026-05-31.parquet", "2026-06-02.jsonl")
    shutil.copy(tmp_path / "2026-05-30.parquet", tmp_path / "2026-06-03.parquet")
    (tmp_path / "2026-06-01.parquet").write_text("cut")
    nearest = source.closing_snapshot(MAY)
    others = source.counters_around(MAY, nearest.source_revision)
    assert [other.observed_at.day for other in others] == [30, 2]
