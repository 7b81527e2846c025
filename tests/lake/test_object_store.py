"""The lake on an object store: as on a disk, and what happens when the store refuses, fails or takes its time."""

from datetime import date

import polars as pl
import pytest
import s3fs

from pipeline.errors import CensusError
from pipeline.lake.provenance import Provenance
from pipeline.lake.store import Lake
from tests.lake.object_store import ObjectStoreServer, unavailable
from tests.lake.scenario import AUGUST, COUNTS, rows

JULY = date(2025, 7, 1)
KEY = f"lake/listings/counts/month={AUGUST}/part-0.parquet"


@pytest.fixture(scope="module")
def server():
    with ObjectStoreServer() as server:
        yield server


@pytest.fixture
def store(server, monkeypatch):
    return server.new_bucket(monkeypatch)


@pytest.fixture
def lake(store):
    return Lake(store.url)


def test_a_month_is_one_object_with_the_bytes_that_a_disk_would_hold(store, lake, tmp_path):
    provenance = Provenance({"listings/hub_snapshots": "0" * 64}, source="local")
    on_disk = Lake(str(tmp_path))
    on_disk.write(COUNTS, AUGUST, rows("b", "a"), provenance)
    stored = lake.write(COUNTS, AUGUST, rows("a", "b"), provenance)
    assert store.keys() == [KEY]
    assert lake.digest(COUNTS, AUGUST) == on_disk.digest(COUNTS, AUGUST)
    assert lake.scan(COUNTS, AUGUST).collect().equals(on_disk.scan(COUNTS, AUGUST).collect())
    assert lake.provenance(COUNTS, AUGUST) == provenance
    assert (stored.rows, stored.bytes) == (2, on_disk.stored(COUNTS, AUGUST).bytes)
    assert lake.stored(COUNTS, AUGUST) == stored


def test_months_are_found_whatever_else_is_in_the_bucket_and_without_any_folder(store, lake):
    for month in (AUGUST, JULY):
        lake.write(COUNTS, month, rows("a"))
    for key in ("lake/listings/counts/", "lake/listings/counts/month=2025-09-01/", f"{KEY}.tmp", f"copies/{KEY}"):
        store.client().put_object(Bucket=store.bucket, Key=key, Body=b"")
    store.requests.clear()
    assert lake.months(COUNTS) == [JULY, AUGUST]
    assert len(store.requests) == 1


def test_what_another_machine_wrote_or_removed_meanwhile_is_seen(store, lake):
    assert lake.months(COUNTS) == []
    assert not lake.holds(COUNTS, AUGUST)
    lake.write(COUNTS, AUGUST, rows("a"))
    before = lake.state(COUNTS, AUGUST)
    assert lake.state(COUNTS, AUGUST) == before
    lake.write(COUNTS, AUGUST, rows("b"))
    assert lake.state(COUNTS, AUGUST) not in (before, None)
    body = store.client().get_object(Bucket=store.bucket, Key=KEY)["Body"].read()
    store.client().put_object(Bucket=store.bucket, Key=KEY.replace(str(AUGUST), str(JULY)), Body=body)
    assert lake.months(COUNTS) == [JULY, AUGUST]
    store.client().delete_object(Bucket=store.bucket, Key=KEY)
    assert lake.months(COUNTS) == [JULY]
    assert not lake.holds(COUNTS, AUGUST)
    assert lake.state(COUNTS, AUGUST) is None


def test_rows_and_digest_are_told_without_reading_the_rows(store, lake):
    many = pl.LazyFrame({"hub_id": [f"{number * 7919 % 1_000_003:07d}" for number in range(300_000)]}).with_columns(
        month=AUGUST, n=pl.col("hub_id").hash() % 2**31
    )
    stored = lake.write(COUNTS, AUGUST, many)
    sent = []

    def count(number, environ):
        def answer(environ, start_response):
            body = b"".join(store.answer(environ, start_response))
            sent.append(0 if environ["REQUEST_METHOD"] == "HEAD" else len(body))
            return [body]

        return answer

    with store.failing(count):
        assert lake.stored(COUNTS, AUGUST) == stored
        digest = lake.digest_while_unchanged(COUNTS, AUGUST)
    assert sum(sent) < stored.bytes / 4
    assert digest == lake.digest(COUNTS, AUGUST)


def test_an_object_that_another_tool_put_there_has_the_digest_of_its_bytes(store, lake):
    lake.write(COUNTS, AUGUST, rows("a"))
    before = lake.digest_while_unchanged(COUNTS, AUGUST)
    lake.write(COUNTS, JULY, rows("b"))
    other = store.client().get_object(Bucket=store.bucket, Key=KEY.replace(str(AUGUST), str(JULY)))["Body"].read()
    store.client().put_object(Bucket=store.bucket, Key=KEY, Body=other)
    assert lake.digest_while_unchanged(COUNTS, AUGUST) == lake.digest(COUNTS, JULY) != before


def test_errors_and_cut_answers_that_pass_change_nothing(store, lake):
    lake.write(COUNTS, AUGUST, rows("a"))

    def two_of_three(number, environ):
        return unavailable if number % 3 else None

    with store.failing(two_of_three):
        lake.write(COUNTS, AUGUST, rows("a", "b"))
        assert lake.scan(COUNTS, AUGUST).collect()["hub_id"].to_list() == ["a", "b"]
        assert lake.months(COUNTS) == [AUGUST]

    def cut_once(number, environ):
        return store.cut if environ["REQUEST_METHOD"] == "GET" and number == first_get(store.requests) else None

    with store.failing(cut_once):
        assert len(lake.digest(COUNTS, AUGUST)) == 64
    with store.failing(cut_once):
        assert lake.scan(COUNTS, AUGUST).collect().height == 2
    with store.failing(lambda number, environ: store.slowly):
        lake.write(COUNTS, AUGUST, rows("c"))
        assert lake.scan(COUNTS, AUGUST).collect()["hub_id"].to_list() == ["c"]


def first_get(requests):
    return next(number for number, (method, _) in enumerate(requests, 1) if method == "GET")


def test_an_upload_that_fails_for_good_leaves_the_old_month_and_no_parts(store, lake, monkeypatch):
    lake.write(COUNTS, AUGUST, rows("a"))
    monkeypatch.setattr("s3fs.core.calculate_chunksize", lambda size, chunksize=None: 5 * 2**20)
    big = pl.LazyFrame({"hub_id": [f"{number:08d}" for number in range(2_000_000)]}).with_columns(
        month=AUGUST, n=pl.col("hub_id").hash().shuffle(seed=1).reinterpret(signed=True)
    )

    def no_second_part(number, environ):
        return unavailable if "partNumber=2" in environ["QUERY_STRING"] else None

    with (
        store.failing(no_second_part),
        pytest.raises(CensusError, match=r"^s3://\S+: the object store does not answer.*what was there before is kept"),
    ):
        lake.write(COUNTS, AUGUST, big)
    assert any(method == "POST" for method, _ in store.requests)
    assert store.unfinished_uploads() == []
    assert store.keys() == [KEY]
    assert lake.scan(COUNTS, AUGUST).collect()["hub_id"].to_list() == ["a"]


def every_way_to_ask(lake):
    return [
        lambda: lake.write(COUNTS, AUGUST, rows("b")),
        lambda: lake.months(COUNTS),
        lambda: lake.holds(COUNTS, AUGUST),
        lambda: lake.scan(COUNTS, AUGUST),
        lambda: lake.stored(COUNTS, AUGUST),
        lambda: lake.state(COUNTS, AUGUST),
        lambda: lake.digest(COUNTS, AUGUST),
        lambda: lake.digest_while_unchanged(COUNTS, AUGUST),
        lambda: lake.provenance(COUNTS, AUGUST),
    ]


def test_wrong_credentials_are_one_sentence_and_no_month_changes(store, lake):
    lake.write(COUNTS, AUGUST, rows("a"))
    with store.knowing_nobody():
        for ask in every_way_to_ask(lake):
            with pytest.raises(CensusError, match=r"^s3://\S+: the object store refuses the credentials: check AWS_"):
                ask()
    assert lake.scan(COUNTS, AUGUST).collect()["hub_id"].to_list() == ["a"]


def test_a_store_that_is_not_there_is_one_sentence(store, lake, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    s3fs.S3FileSystem.clear_instance_cache()
    lake = Lake(f"{store.url}/elsewhere")
    with pytest.raises(CensusError, match=r"the object store does not answer.*check AWS_ENDPOINT_URL"):
        lake.write(COUNTS, AUGUST, rows("b"))
