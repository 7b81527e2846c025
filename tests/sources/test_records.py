"""Repositories as the listing API, archives and other tools write them become one canonical form."""

import gzip
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import product

import polars as pl
import pyarrow as pa
import pytest
from polars.testing import assert_frame_equal
from pyarrow import parquet

from pipeline.errors import UnusableSnapshotError
from pipeline.sources.listing_crawl import packed
from pipeline.sources.records import read_json, read_parquet
from pipeline.sources.snapshots import OBSERVATION_SCHEMA

CREATED = datetime(2025, 8, 1, 10, 11, 12, tzinfo=UTC)
DAY = datetime(2025, 8, 1, tzinfo=UTC)
MANY = 400


def record(**fields):
    """One repository as the listing API writes it."""
    return {
        "_id": "64a",
        "id": "maker/model",
        "createdAt": "2025-08-01T10:11:12.000Z",
        "downloads": 3,
        "downloadsAllTime": 9,
        "likes": 1,
        "gated": False,
        "tags": ["transformers", "license:mit"],
        "safetensors": {"parameters": {"BF16": 5}, "total": 5},
        "baseModels": {"relation": "finetune", "models": [{"_id": "63b", "id": "other/base"}]},
        "cardData": {"base_model": ["other/base", "third/base"]},
    } | fields


def archived(**fields):
    """The same repository as the archive writes it."""
    return record() | {"createdAt": CREATED.replace(tzinfo=None), "cardData": json.dumps(record()["cardData"])} | fields


def json_lines(folder, *records, name="2025-08-31.jsonl", pack=lambda text: text):
    path = folder / name
    path.write_bytes(pack("\n".join(json.dumps(one) for one in records).encode()))
    return read_json([path])


def from_json(folder, *records, **options):
    return json_lines(folder, *records, **options).rows.collect()


def from_parquet(folder, *records, **columns):
    """Rows of a Parquet file with these records, some of the columns given as they are written, by Arrow."""
    table = pa.Table.from_pylist(list(records))
    for name, values in columns.items():
        at = table.schema.get_field_index(name)
        table = table.append_column(name, values) if at < 0 else table.set_column(at, name, values)
    parquet.write_table(table, folder / "2025-08-31.parquet")
    return read_parquet([folder / "2025-08-31.parquet"]).rows.collect()


def from_pages(folder, *pages):
    paths = [folder / f"page-{number:06d}.json.zst" for number in range(len(pages))]
    for path, page in zip(paths, pages, strict=True):
        path.write_bytes(packed(page if isinstance(page, bytes) else json.dumps(page).encode()))
    return read_json(paths).rows.collect()


def only_row(frame):
    assert frame.schema == OBSERVATION_SCHEMA
    return frame.row(0, named=True)


def test_archive_and_listing_say_the_same_of_a_repository(tmp_path):
    listed = only_row(from_json(tmp_path, record()))
    assert listed == only_row(from_parquet(tmp_path, archived())) | {"gated": "false"}
    assert listed["created_at"] == CREATED
    assert (listed["downloads_30d"], listed["downloads_all_time"]) == (3, 9)
    assert (listed["license"], listed["safetensors_parameters"]) == ("mit", 5)
    assert listed["base_models"] == [{"hub_id": "63b", "model_id": "other/base"}]
    assert listed["card_base_models"] == ["other/base", "third/base"]
    assert listed["unreadable"] is None


def snake_case(one):
    names = {
        "createdAt": "created_at",
        "downloadsAllTime": "downloads_all_time",
        "cardData": "card_data",
        "baseModels": "base_models",
        "id": "model_id",
    }
    return {names.get(name, name): value for name, value in one.items()}


JSON_SHAPES = {
    "snake case": snake_case,
    "a card as JSON text": lambda one: one | {"cardData": json.dumps(one["cardData"])},
    "base models as JSON text": lambda one: one | {"baseModels": json.dumps(one["baseModels"])},
    "tags as JSON text": lambda one: one | {"tags": json.dumps(one["tags"])},
    "wider objects": lambda one: (
        one
        | {"baseModels": {"relation": "finetune", "models": [{"_id": "63b", "id": "other/base", "likes": 4}], "n": 1}}
        | {"cardData": one["cardData"] | {"license": "mit"}}
    ),
    "counters as text": lambda one: one | {"downloads": "3", "downloadsAllTime": " 9 "},
    "counters with a point": lambda one: one | {"downloads": 3.0, "downloadsAllTime": "9.0"},
    "a time without a zone": lambda one: one | {"createdAt": "2025-08-01T10:11:12"},
    "a time as Python prints it": lambda one: one | {"createdAt": "2025-08-01 10:11:12+00:00"},
    "a time in another zone": lambda one: one | {"createdAt": "2025-08-01T12:11:12+02:00"},
}
PACKED = {
    "plain": ("2025-08-31.ndjson", lambda text: text),
    "gzip": ("2025-08-31.jsonl.gz", gzip.compress),
    "zstd": ("2025-08-31.jsonl.zst", packed),
    "one array": ("2025-08-31.json", lambda text: b"[" + text.replace(b"\n", b",") + b"]"),
}


@pytest.mark.parametrize("shape", JSON_SHAPES)
def test_json_of_another_shape_says_the_same(tmp_path, shape):
    assert only_row(from_json(tmp_path, JSON_SHAPES[shape](record()))) == only_row(from_json(tmp_path, record()))


@pytest.mark.parametrize("form", PACKED)
def test_json_in_any_packing_says_the_same(tmp_path, form):
    name, pack = PACKED[form]
    records = [record(), record(_id="64b", id="maker/second")]
    assert_frame_equal(from_json(tmp_path, *records, name=name, pack=pack), from_json(tmp_path, *records))


def text_array(values, kind):
    return pa.array([values], type=kind)


PARQUET_SHAPES = {
    "other columns beside": {"more": pa.array([1])},
    "dictionaries": {
        "id": pa.array(["maker/model"]).dictionary_encode(),
        "tags": pa.ListArray.from_arrays([0, 2], pa.array(["transformers", "license:mit"]).dictionary_encode()),
    },
    "large lists": {"tags": text_array(["transformers", "license:mit"], pa.large_list(pa.large_string()))},
    "lists of a fixed size": {"tags": text_array(["transformers", "license:mit"], pa.list_(pa.string(), 2))},
    "tags as JSON text": {"tags": pa.array(['["transformers", "license:mit"]'])},
    "base models as JSON text": {"baseModels": pa.array([json.dumps(record()["baseModels"])])},
    "a card as a struct": {"cardData": pa.array([record()["cardData"] | {"license": "mit", "metrics": [1.5]}])},
    "wider base models": {
        "baseModels": pa.array(
            [{"n": 1, "relation": "finetune", "models": [{"a": 1, "_id": "63b", "id": "other/base"}]}]
        )
    },
    "parameters as a map": {
        "safetensors": pa.array(
            [{"total": 5, "parameters": [("BF16", 5)]}],
            type=pa.struct({"total": pa.int64(), "parameters": pa.map_(pa.string(), pa.int64())}),
        )
    },
    "parameters as JSON text": {"safetensors": pa.array(['{"total": 5}'])},
    "parameters in a total alone": {"safetensors": pa.array([{"total": 5}])},
    "counters with a point": {"downloads": pa.array([3.0]), "downloadsAllTime": pa.array([9.0], pa.float32())},
    "counters as decimals": {"downloads": pa.array([Decimal(3)]), "likes": pa.array([1], pa.uint64())},
    "counters as text": {"downloads": pa.array(["3"]), "downloadsAllTime": pa.array(["9"])},
    "times as text": {"createdAt": pa.array(["2025-08-01 10:11:12"])},
    "times in another zone": {"createdAt": pa.array([CREATED], pa.timestamp("ns", "Asia/Tokyo"))},
}


@pytest.mark.parametrize("shape", PARQUET_SHAPES)
def test_parquet_of_other_types_says_the_same(tmp_path, shape):
    usual, other = from_parquet(tmp_path, archived()), from_parquet(tmp_path, archived(), **PARQUET_SHAPES[shape])
    assert only_row(other) == only_row(usual)


def test_columns_that_a_tool_wrote_in_small_letters_are_found(tmp_path):
    written = {name.lower(): value for name, value in archived().items()}
    assert only_row(from_parquet(tmp_path, written)) == only_row(from_parquet(tmp_path, archived()))


def test_parts_with_columns_of_their_own_are_one_listing(tmp_path):
    paths = [tmp_path / f"part-{number}.parquet" for number in range(3)]
    pl.DataFrame([archived()]).write_parquet(paths[0])
    pl.DataFrame({"id": ["a/b"], "downloads": ["7"]}).write_parquet(paths[1])
    pl.DataFrame({"modelId": ["bert"], "tags": [None]}).write_parquet(paths[2])
    observed = read_parquet(paths)
    assert observed.rows.select("model_id", "downloads_30d").collect().rows() == [
        ("maker/model", 3),
        ("a/b", 7),
        ("bert", None),
    ]
    assert observed.absent_columns & {"hub_id", "likes", "gguf_parameters"} == {"gguf_parameters"}


@pytest.mark.parametrize("read", [from_json, from_parquet])
def test_columns_that_are_not_there_are_null_and_named(tmp_path, read):
    row = only_row(read(tmp_path, {"id": "maker/model", "downloads": 3}))
    assert (row["downloads_30d"], row["hub_id"], row["created_at"], row["base_models"]) == (3, None, None, None)
    observed = json_lines(tmp_path, {"id": "maker/model", "downloads": 3})
    assert observed.notes("x")["absent_columns"].startswith("hub_id, created_at, downloads_all_time, likes, ")


def test_the_oldest_records_are_read(tmp_path):
    frame = from_json(tmp_path, {"modelId": "bert-base-uncased", "downloads": None}, {"id": "a/b"})
    assert frame["model_id"].to_list() == ["bert-base-uncased", "a/b"]


def test_spooled_pages_and_lines_say_the_same_of_a_repository_in_the_pages_order(tmp_path):
    records = [
        record(),
        record(_id="64b", cardData={"base_model": "other/base"}, gated="manual", gguf={"total": 7}),
        record(_id="64c", cardData={"base_model": []}, safetensors={"total": None}, baseModels=None),
        {"_id": "64d", "modelId": "bert-base-uncased"},
    ]
    assert_frame_equal(from_pages(tmp_path, records[:3], records[3:], []), from_json(tmp_path, *records))


CARDS = {
    "a name": ({"base_model": "other/base"}, ["other/base"], None),
    "a name with a relation": ({"base_model": ["a/b"], "base_model_relation": "adapter"}, ["a/b"], "adapter"),
    "an object": ({"base_model": {"name": "other/base", "relation": "quantized"}}, ["other/base"], "quantized"),
    "objects": (
        {"base_model": [{"model": "a/b", "relation": "merge"}, {"id": "c/d", "relation": "merge"}]},
        ["a/b", "c/d"],
        "merge",
    ),
    "objects that differ": ({"base_model": [{"id": "a/b", "relation": "merge"}, {"id": "c/d"}]}, ["a/b", "c/d"], None),
    "names and an object": ({"base_model": ["a/b", {"base_model": "c/d"}]}, ["a/b", "c/d"], None),
    "an object that names nothing": ({"base_model": {"a": [1, {"b": None}]}}, [], None),
}


@pytest.mark.parametrize("card", CARDS)
@pytest.mark.parametrize(("read", "written"), [(from_json, dict), (from_parquet, json.dumps)])
def test_parents_in_cards_are_names_however_they_are_written(tmp_path, read, written, card):
    said, names, relation = CARDS[card]
    row = only_row(read(tmp_path, record(cardData=written(said), baseModels=None)))
    assert (row["card_base_models"], row["base_model_relation"]) == (names, relation)
    assert only_row(read(tmp_path, record(cardData=written(said))))["base_model_relation"] == "finetune"


@pytest.mark.parametrize(
    ("stated", "relation", "parents"),
    [
        (["other/base"], None, [(None, "other/base")]),
        ([{"id": "a/b", "relation": "merge"}, {"_id": "5", "id": "c/d"}], None, [(None, "a/b"), ("5", "c/d")]),
        ({"relation": "merge", "models": ["a/b", None, 3]}, "merge", [(None, "a/b")]),
        ({"relation": "merge", "models": []}, "merge", None),
        ("other/base", None, [(None, "other/base")]),
    ],
)
def test_base_models_in_other_shapes_state_the_same_parents(tmp_path, stated, relation, parents):
    row = only_row(from_json(tmp_path, record(baseModels=stated)))
    found = row["base_models"] and [(parent["hub_id"], parent["model_id"]) for parent in row["base_models"]]
    assert (row["base_model_relation"], found or None) == (relation, parents)
    assert row["unreadable"] is None


@pytest.mark.parametrize(
    ("parameters", "total", "counted"),
    [
        ({"BF16": 7_615_616_512}, 333_312, 7_615_616_512),
        ({"BF16": 700, "F32": 50}, 749, 750),
        ({"BF16": 700, "F32": 50}, 750, 750),
        ({"BF16": 100, "U8": 1000}, 2100, 2100),
        ({"I32": 1000}, 900, 1000),
        ({"BF16": 100}, None, 100),
        ({"BF16": "700", "F32": 5e1}, "700", 750),
        ({}, 7.6e9, 7_600_000_000),
        ({}, 80, 80),
        (None, 80, 80),
    ],
)
def test_a_total_below_the_sum_of_its_parameters_is_that_sum(tmp_path, parameters, total, counted):
    stated = {"parameters": parameters, "total": total}
    assert only_row(from_json(tmp_path, record(safetensors=stated)))["safetensors_parameters"] == counted
    as_text = archived(safetensors=json.dumps(stated))
    assert only_row(from_parquet(tmp_path, as_text))["safetensors_parameters"] == counted


@pytest.mark.parametrize(
    ("parameters", "total", "counted"),
    [({"BF16": 700, "F32": 50}, 749, 750), ({"BF16": 100, "F32": None}, 2100, 2100), ({"F32": 100}, None, 100)],
)
def test_parameters_by_type_in_columns_of_their_own_count_alike(tmp_path, parameters, total, counted):
    integers = pa.struct({name: pa.int64() for name in parameters})
    kind = pa.struct({"parameters": integers, "total": pa.int64()})
    stated = pa.array([{"parameters": parameters, "total": total}, None], kind)
    rows = from_parquet(tmp_path, archived(), archived(_id="64b", id="made/two"), safetensors=stated)
    assert rows["safetensors_parameters"].to_list() == [counted, None]


UNREADABLE = {
    "thousands": ("downloads", "1,200"),
    "a suffix": ("downloads", "3k"),
    "a truth": ("likes", True),
    "beyond 64 bits": ("downloadsAllTime", 2**63),
    "the end of 64 bits": ("downloads", 2**63 - 1),
    "more than the whole Hub": ("likes", 10**12 + 1),
    "no number": ("downloads", float("nan")),
    "a fraction": ("likes", 1.5),
    "milliseconds": ("createdAt", 1746864000000),
    "a word": ("createdAt", "soon"),
    "an impossible day": ("createdAt", "2025-02-30T00:00:00Z"),
    "tags in one text": ("tags", "a, b"),
    "a card that is no object": ("cardData", "license: mit"),
    "parameters in words": ("safetensors", "7B"),
    "base models that are a number": ("baseModels", 5),
    "base models that break off": ("baseModels", '["a/b'),
    "an id of another kind": ("_id", {"$oid": "64b"}),
    "a truth for a name": ("library_name", True),
    "a total in words": ("gguf", {"total": "7B"}),
    "a total below nothing": ("safetensors", {"total": -5}),
}


@pytest.mark.parametrize("value", UNREADABLE)
def test_one_value_that_cannot_be_read_costs_no_row_and_no_other_value_and_is_told(tmp_path, value):
    field, unread = UNREADABLE[value]
    sound = record(library_name="transformers", gguf={"total": 7})
    observed = json_lines(tmp_path, sound, sound | {"id": "maker/odd", field: unread}, sound | {"_id": "64c"})
    rows = observed.rows.collect()
    assert rows.height == 3
    shown = unread if isinstance(unread, str) else json.dumps(unread, separators=(",", ":"))
    assert rows["unreadable"].to_list() == [None, [f"{field}: {shown}"], None]
    told = observed.notes("dump")["unreadable"]
    assert told == f"1 of 3 values of `{field}` cannot be read, for example {shown!r}"
    assert_frame_equal(rows[[0]], from_json(tmp_path, sound))
    same = ("created_at", "downloads_all_time", "tags", "base_models")
    touched = {"createdAt": "created_at", "downloadsAllTime": "downloads_all_time", "baseModels": "base_models"}
    kept = [column for column in same if column not in (field, touched.get(field))]
    assert_frame_equal(rows[[1]].select(kept), rows[[0]].select(kept))


@pytest.mark.parametrize(
    ("column", "refused"),
    [
        (pa.array([1.0, float("nan"), 2.5, None] * 100), "200 of 300 values of `downloads` cannot be read"),
        (pa.array([True, False] * 200), "400 of 400 values of `downloads` cannot be read, for example 'true'"),
        (pa.array([2**63] * 5 + [1] * 395, pa.uint64()), "5 of 400 values of `downloads` cannot be read"),
        (pa.array([10**12 + 1] * 5 + [10**12] * 395), "5 of 400 values of `downloads` cannot be read"),
        (pa.array(['{"total": "7B"}'] * 5 + ['{"total": 7}'] * 395), "5 of 400 values of `gguf` cannot be read"),
        (pa.array(["7B", "[7]", "5", "null"] * 5 + ["{}"] * 380), "15 of 15 values of `gguf` cannot be read"),
    ],
)
def test_parquet_is_held_to_the_same(tmp_path, column, refused):
    parquet.write_table(
        pa.table({"id": [f"a/{n}" for n in range(400)], refused.split("`")[1]: column}), tmp_path / "dump.parquet"
    )
    with pytest.raises(UnusableSnapshotError, match=f"2025-08-31: {refused}"):
        read_parquet([tmp_path / "dump.parquet"]).notes("2025-08-31")


@pytest.mark.parametrize(
    ("bad", "sound", "without", "is_refused"),
    [
        *[(4, 396, 0, False), (5, 395, 0, True), (2, 4, 0, False), (3, 3, 0, True)],
        *[(1, 0, 0, True), (1, 0, 100, False), (2, 0, 100, True)],
    ],
)
def test_above_one_percent_of_a_field_and_two_values_or_of_all_where_none_is_sound_the_snapshot_is_refused(
    tmp_path, bad, sound, without, is_refused
):
    named = [{"id": "a/b", "likes": "3k"}] * bad + [{"id": "a/b", "likes": 3}] * sound + [{"id": "a/b"}] * without
    observed = json_lines(tmp_path, *named)
    told = f"{bad} of {bad + sound} values of `likes` cannot be read, for example '3k'"
    if is_refused:
        with pytest.raises(UnusableSnapshotError, match=f"dump: {told}: write them as the listing API does"):
            observed.notes("dump")
    else:
        assert observed.notes("dump")["unreadable"] == told


def test_records_that_name_nothing_are_told_or_refused(tmp_path):
    named = [{"id": f"a/{number}"} for number in range(MANY)]
    assert json_lines(tmp_path, {"likes": 1}, *named).notes("x")["unreadable"] == "1 records name no repository"
    with pytest.raises(UnusableSnapshotError, match="40 name no repository in a field `id`"):
        json_lines(tmp_path, *[{"likes": 1}] * 40, *named)


NESTED_DEEPLY = json.loads("[" * 700 + "]" * 700)


@pytest.mark.parametrize(
    "fields",
    [
        {"cardData": {"base_model": ["a/b", None, 3, ["c/d"]]}},
        {"cardData": {"base_model": "one half of a pair \ud83d"}},
        {"cardData": {"notes": [NESTED_DEEPLY, NESTED_DEEPLY]}},
        {"cardData": {"size": 2**70}},
        {"gated": {"by": "form"}},
        {"tags": ["sound", None, {"odd": 1}]},
        {"library_name": ["a", "b"]},
        {"pipeline_tag": "x" * 100_000},
    ],
)
def test_a_record_with_odd_words_costs_no_row_and_no_field_of_another(tmp_path, fields):
    frame = from_pages(tmp_path, [record(), record(_id="64b", id="maker/odd", **fields), record(_id="64c")])
    assert frame["model_id"].to_list() == ["maker/model", "maker/odd", "maker/model"]
    assert_frame_equal(frame[[0]], from_json(tmp_path, record()))


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (rb"half \ud83d", "half �"),
        (rb"\ud83d\ude00 whole", "😀 whole"),
        (rb"\ude00\ud83d\ude00", "�😀"),
        (rb"\\ud83d is text", r"\ud83d is text"),
        (b"\xff bytes", "� bytes"),
    ],
)
def test_characters_that_are_none_cost_nothing_else(tmp_path, written, read):
    path = tmp_path / "2025-08-31.jsonl"
    path.write_bytes(b'{"id": "a/b", "library_name": "\\ud83d"}\n{"id": "c/d", "library_name": "' + written + b'"}')
    assert read_json([path]).rows.collect()["library_name"].to_list() == ["�", read]


SPOILT = [
    b'{"id": ',
    b"[1, 2]",
    b'{"name": "x"}',
    b"<html>",
    b'{"id": "a/b"}\n{"id": "c/d", "lik',
    b'[{"id": "a/b"}, 5]',
]


@pytest.mark.parametrize(("suffix", "content"), [(".jsonl", b""), *product((".jsonl", ".json.zst"), SPOILT)])
def test_a_spoilt_listing_is_refused_in_one_sentence(tmp_path, suffix, content):
    path = tmp_path / f"2025-08-31{suffix}"
    path.write_bytes(packed(content) if suffix == ".json.zst" else content)
    with pytest.raises(UnusableSnapshotError, match=rf"2025-08-31\{suffix}") as refused:
        read_json([path])
    assert "\n" not in str(refused.value)


def truncated(path):
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


@pytest.mark.parametrize("spoil", [truncated, lambda path: path.write_bytes(b""), lambda path: path.write_bytes(b"no")])
def test_a_spoilt_parquet_file_is_refused_in_one_sentence(tmp_path, spoil):
    path = tmp_path / "2025-08-31.parquet"
    pl.DataFrame([archived()]).write_parquet(path)
    spoil(path)
    with pytest.raises(UnusableSnapshotError, match=r"2025-08-31.parquet cannot be read as Parquet .* fetch it again"):
        read_parquet([path])


@pytest.mark.parametrize(
    "columns",
    [
        {"id": pa.array([b"maker/model"])},
        {"pipeline_tag": pa.array([["a"]])},
        {"_id": pa.array([{"oid": "64a"}])},
        {"tags": pa.array([[1, 2]])},
        {"createdAt": pa.array([timedelta(1)])},
        {"likes": pa.array([b"1"])},
        {"tags": pa.array([["license:mit"]], pa.list_view(pa.string()))},
        {"of_no_field": pa.array([["a"]], pa.list_view(pa.string()))},
    ],
)
def test_a_column_whose_type_cannot_mean_its_name_is_refused_by_name_and_nothing_else_is_said(tmp_path, capfd, columns):
    with pytest.raises(UnusableSnapshotError, match=f"31.parquet has .* in its column `{next(iter(columns))}`: write"):
        from_parquet(tmp_path, archived(), **columns)
    assert not capfd.readouterr().err


def test_a_parquet_file_that_names_no_repositories_is_refused(tmp_path):
    with pytest.raises(UnusableSnapshotError, match="has no column `id`"):
        from_parquet(tmp_path, {"name": "maker/model"})


def test_rows_that_repeat_a_repository_are_counted_and_told(tmp_path):
    twice = json_lines(tmp_path, record(), record(downloads=9), {"id": "a/b"}, {"id": "a/b"}, {"id": "c/d"})
    assert twice.notes("dump")["listed_twice"] == (
        "2 rows repeat a repository that is listed already, for example 'a/b': one row of each counts"
    )
    assert "listed_twice" not in json_lines(tmp_path, record(), {"id": "a/b"}).notes("dump")
