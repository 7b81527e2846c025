"""Models are found in a month's other tables: at their rows, and by their ids where the rows are others."""

import polars as pl
import pytest

from pipeline.transform.alignment import of_models

MODELS = pl.DataFrame({"row": [1, 3], "hub_id": ["b", "d"]}, schema_overrides={"row": pl.UInt32})


@pytest.mark.parametrize(
    "hub_ids",
    [["a", "b", "c", "d"], ["a", "b", "d"], ["b", "c", "d", "e"], ["d", "c", "b", "a"]],
    ids=["in the same rows", "without a repository", "with others", "in another order"],
)
def test_models_are_found_whatever_the_rows_of_a_table_are(hub_ids):
    table = pl.LazyFrame({"hub_id": hub_ids, "country": [hub_id.upper() for hub_id in hub_ids], "more": hub_ids})
    found = of_models(MODELS, table, ["country"])
    assert found.sort("hub_id").rows() == [("b", "B"), ("d", "D")]


def test_a_model_that_a_table_lacks_is_not_found():
    table = pl.LazyFrame({"hub_id": ["a", "b", "c"], "country": ["A", "B", "C"]})
    assert of_models(MODELS, table, ["country"]).rows() == [("b", "B")]
