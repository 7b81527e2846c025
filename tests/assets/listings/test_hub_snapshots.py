"""From a source's rows to the snapshot as the census keeps it."""

from datetime import UTC, datetime

import pytest

from tests.assets.listings.scenario import snapshot_of


def test_a_repository_without_an_id_is_identified_by_its_name_and_says_so():
    frame = snapshot_of({"model_id": "a/b"}, {"hub_id": "1", "model_id": "c/d"})
    assert frame.select("hub_id", "identified_by").rows() == [("1", "hub_id"), ("a/b", "name")]


def test_the_namespace_is_the_part_before_the_slash():
    frame = snapshot_of({"hub_id": "1", "model_id": "a/b"}, {"hub_id": "2", "model_id": "bert-base-uncased"})
    assert frame["namespace"].to_list() == ["a", None]


def test_tags_that_lineage_needs_stand_apart_in_their_order():
    tags = ["pytorch", "base_model:a/b", None, "distillation", "my_base_model:c", "base_model:merge:a/b", "en"]
    frame = snapshot_of(
        {"hub_id": "1", "model_id": "c/d", "tags": tags},
        {"hub_id": "2", "model_id": "e/f", "tags": ["en"]},
        {"hub_id": "3", "model_id": "g/h"},
    )
    assert frame["tags"].to_list() == [tags, ["en"], None]
    assert frame["lineage_tags"].to_list() == [["base_model:a/b", "distillation", "base_model:merge:a/b"], [], None]


@pytest.mark.parametrize(
    ("observed_at", "counter"),
    [(datetime(2025, 2, 26, 12, tzinfo=UTC), None), (datetime(2025, 3, 1, tzinfo=UTC), 0)],
)
def test_a_counter_of_nothing_beside_downloads_is_missing_only_before_counters_were_complete(observed_at, counter):
    row = {"hub_id": "1", "model_id": "a/b", "downloads_all_time": 0, "downloads_30d": 5}
    assert snapshot_of(row, observed_at=observed_at)["downloads_all_time"].to_list() == [counter]
