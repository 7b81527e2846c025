"""Repositories as archive and listing API write them, old and new, become one canonical form."""

import json
from datetime import UTC, datetime

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from pipeline.errors import UnusableSnapshotError
from pipeline.sources.listing_crawl import packed
from pipeline.sources.observations import OBSERVATION_SCHEMA
from pipeline.sources.record_parsers import read_json_lines, read_pages, read_parquet

CREATED = datetime(2025, 8, 1, 10, 11, 12, tzinfo=UTC)


def archive_row(**fields):
    return {
        "_id": "64a",
        "id": "maker/model",
        "createdAt": CREATED.replace(tzinfo=None),
        "downloads": 3,
        "downloadsAllTime": 9,
        "likes": 1,
        "tags": ["transformers", "license:mit"],
        "safetensors": {"parameters": {"BF16": 5}, "total": 5},
        "baseModels": {"relation": "finetune", "models": [{"_id": "63b", "id": "other/base"}]},
        "cardData": json.dumps({"base_model": ["other/base", "third/base"]}),
    } | fields


def api_record(**fields):
    record = archive_row(createdAt="2025-08-01T10:11:12.000Z", gated=False)
    record["cardData"] = {"base_model": ["other/base", "third/base"]}
    return record | fields


def from_parquet(tmp_path, *rows, **options):
    path = tmp_path / "2025-08-31.parquet"
    pl.DataFrame(list(rows), **options).write_parquet(path)
    return read_parquet(path).collect()


def from_json(tmp_path, *records):
    path = tmp_path / "2025-08-31.jsonl"
    path.write_text("\n".join(json.dumps(record) for record in records))
    return read_json_lines([path]).collect()


def from_pages(tmp_path, *pages):
    paths = [tmp_path / f"page-{number:06d}.json.zst" for number in range(len(pages))]
    for path, page in zip(paths, pages, strict=True):
        path.write_bytes(packed(page if isinstance(page, bytes) else json.dumps(page).encode()))
    return read_pages(paths).collect()


def test_archive_and_listing_say_the_same_of_a_repository(tmp_path):
    archived = from_parquet(tmp_path, archive_row()).row(0, named=True)
    listed = from_json(tmp_path, api_record()).row(0, named=True)
    assert archived == listed | {"gated": None}
    assert listed["created_at"] == CREATED
    assert listed["downloads_all_time"] == 9
    assert listed["license"] == "mit"
    assert listed["safetensors_parameters"] == 5
    assert listed["base_models"] == [{"hub_id": "63b", "model_id": "other/base"}]
    assert listed["card_base_models"] == ["other/base", "third/base"]


def test_both_come_in_the_canonical_schema(tmp_path):
    assert from_parquet(tmp_path, archive_row()).schema == OBSERVATION_SCHEMA
    assert from_json(tmp_path, api_record()).schema == OBSERVATION_SCHEMA


def test_columns_that_an_older_archive_lacks_are_null(tmp_path):
    row = from_parquet(tmp_path, {"id": "maker/model", "downloads": 3}).row(0, named=True)
    assert row["downloads_30d"] == 3
    assert row["hub_id"] is row["downloads_all_time"] is row["base_models"] is row["created_at"] is None


def test_nested_values_written_as_json_text_are_understood(tmp_path):
    row = from_parquet(tmp_path, archive_row(gguf=json.dumps({"total": 7, "architecture": "llama"})))
    assert row["gguf_parameters"].to_list() == [7]


def test_the_oldest_records_are_read(tmp_path):
    frame = from_json(tmp_path, {"modelId": "bert-base-uncased", "downloads": None}, {"id": "a/b"})
    assert frame["model_id"].to_list() == ["bert-base-uncased", "a/b"]
    assert frame["downloads_30d"].to_list() == [None, None]


def test_one_array_of_records_is_read_as_well(tmp_path):
    path = tmp_path / "2025-08-31.json"
    path.write_text(json.dumps([api_record(), api_record(_id="64b", id="maker/second")]))
    assert read_json_lines([path]).collect().height == 2


def test_spooled_pages_and_lines_say_the_same_of_a_repository_in_the_pages_order(tmp_path):
    records = [
        api_record(),
        api_record(_id="64b", cardData={"base_model": "other/base"}, gated="manual", gguf={"total": 7}),
        api_record(_id="64c", cardData={"base_model": []}, safetensors={"total": None}, baseModels=None),
        {"_id": "64d", "modelId": "bert-base-uncased"},
    ]
    assert_frame_equal(from_pages(tmp_path, records[:3], records[3:]), from_json(tmp_path, *records))


NESTED_DEEPLY = json.loads("[" * 700 + "]" * 700)


@pytest.mark.parametrize(
    "fields",
    [
        {"cardData": "text"},
        {"cardData": [1, {"base_model": "a/b"}]},
        {"cardData": {"base_model": {"name": "a/b"}}},
        {"cardData": {"base_model": ["a/b", None, 3, ["c/d"]]}},
        {"cardData": {"base_model": "one half of a pair \ud83d"}},
        {"cardData": {"notes": [NESTED_DEEPLY, NESTED_DEEPLY]}},
        {"cardData": {"size": 2**70}},
        {"safetensors": [5]},
        {"safetensors": {"total": "5"}},
        {"gguf": "none"},
        {"gated": {"by": "form"}},
        {"tags": ["sound", None, {"odd": 1}]},
        {"baseModels": "other/base"},
        {"baseModels": {"relation": 5, "models": ["other/base", None]}},
        {"downloads": "3"},
        {"library_name": ["a", "b"]},
    ],
)
def test_a_record_of_an_odd_shape_costs_no_row_and_no_field_of_another(tmp_path, fields):
    odd = api_record(_id="64b", id="maker/odd", **fields)
    frame = from_pages(tmp_path, [api_record(), odd, api_record(_id="64c")])
    assert frame["model_id"].to_list() == ["maker/model", "maker/odd", "maker/model"]
    assert frame["downloads_all_time"].to_list() == [9, 9, 9]
    assert_frame_equal(frame[[0]], from_json(tmp_path, api_record()))
    sound = [column for column in ("created_at", "likes", "pipeline_tag") if column not in fields]
    assert_frame_equal(frame[[1]].select(sound), frame[[0]].select(sound))


@pytest.mark.parametrize("page", [b'[{"id": ', b"<html>", b'[{"id": "a/b"}, 5]', [{"name": "x"}]])
def test_a_spoilt_page_is_refused_in_one_sentence(tmp_path, page):
    with pytest.raises(UnusableSnapshotError, match=r"page-000000\.json\.zst"):
        from_pages(tmp_path, page)


@pytest.mark.parametrize(
    "card", ["{broken", '"text"', "[1, 2]", '{"base_model": null}', '{"base_model": {"a": 1}}', ""]
)
def test_a_card_of_any_shape_never_breaks_the_reading(tmp_path, card):
    assert from_parquet(tmp_path, archive_row(cardData=card)).height == 1


def test_a_base_model_written_as_one_string_is_a_list_of_one(tmp_path):
    frame = from_parquet(tmp_path, archive_row(cardData=json.dumps({"base_model": "other/base"})))
    assert frame["card_base_models"].to_list() == [["other/base"]]


def truncated(path):
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


@pytest.mark.parametrize("spoil", [truncated, lambda path: path.write_bytes(b""), lambda path: path.write_bytes(b"no")])
def test_a_spoilt_parquet_file_is_refused_in_one_sentence(tmp_path, spoil):
    path = tmp_path / "2025-08-31.parquet"
    pl.DataFrame([archive_row()]).write_parquet(path)
    spoil(path)
    with pytest.raises(UnusableSnapshotError, match=r"2025-08-31.parquet cannot be read as Parquet .* fetch it again"):
        read_parquet(path)


def test_a_parquet_file_that_names_no_repositories_is_refused(tmp_path):
    with pytest.raises(UnusableSnapshotError, match="has no column `id`"):
        from_parquet(tmp_path, {"name": "maker/model"})


@pytest.mark.parametrize("text", ["", '{"id": ', "[1, 2]", '{"name": "x"}', "<html>"])
def test_a_spoilt_listing_is_refused_in_one_sentence(tmp_path, text):
    path = tmp_path / "2025-08-31.jsonl"
    path.write_text(text)
    with pytest.raises(UnusableSnapshotError, match=r"2025-08-31\.jsonl"):
        read_json_lines([path]).collect()
