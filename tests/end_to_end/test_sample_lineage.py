"""Who derives from whom in the sample is what was planted: edges, roots, weights, families, flows."""

from datetime import date

import polars as pl
import pytest
from polars import selectors as cs

from pipeline.reference.lists import renames
from tests.end_to_end.sample import MONTHS, each_month, found_in, truth_of

SINCE_BASE_MODELS = [date(2025, 7, 1), date(2025, 8, 1), date(2025, 9, 1)]
"""From here on the archive has the Hub's `baseModels`, and with it the ids of renamed parents."""
NOT_STATED = {"unspecified": "unknown", "other": "unknown"}
EVIDENCE = {"typed": "base_models", "free_text": "typed_tag", "untyped": "untyped_tag", "card": "card"}


class Census:
    """A month as the census found it and as it was planted; names are those at the world's end."""

    def __init__(self, sample, month):
        self.month = month
        self.sample = sample
        self.listed = self.found("listings/hub_snapshots").select("hub_id", "model_id")
        today = self.planted("models").select("hub_id", pl.col("model_id").alias("today"))
        self.today = dict(self.listed.join(today, on="hub_id").select("model_id", "today").iter_rows())

    def found(self, table):
        return found_in(self.sample, table, self.month)

    def planted(self, name):
        return truth_of(self.sample, name)

    def edges(self):
        """Planted derivations of this month's repositories: child, parent, and how they are stated."""
        edges = self.planted("edges").filter(pl.col("child_hub_id").is_in(self.listed["hub_id"].implode()))
        return edges.filter(pl.col("child_hub_id").ne_missing(pl.col("parent_hub_id")))

    def renamed(self, names):
        return [self.today.get(name, name) for name in names]


@pytest.fixture(scope="module")
def censuses(sample):
    return {month: Census(sample, month) for month in MONTHS}


def keyed(frame, keys, *values):
    rows = frame.select(*keys, *values).with_columns(cs.decimal().cast(pl.Float64))
    return {row[: len(keys)]: row[len(keys) :] for row in rows.iter_rows()}


@each_month(MONTHS)
def test_every_planted_edge_is_found_and_no_other(censuses, month):
    census = censuses[month]
    planted = census.edges()
    if month not in SINCE_BASE_MODELS:
        # A repository's former name on old cards leads nowhere while no source gives the id behind it.
        former = set(census.planted("renames")["former_id"])
        planted = planted.with_columns(
            pl.when(pl.col("named_as").is_in(former) & ~pl.col("named_as").is_in(census.listed["model_id"].implode()))
            .then(pl.lit(None, pl.String))
            .otherwise("parent_hub_id")
            .alias("unresolved")
        )
        moved = {row["renamed_from"] for row in renames().collect().to_dicts() if row["kind"] == "namespace"}
        is_reviewed = pl.col("named_as").str.split("/").list.first().is_in(moved)
        planted = planted.with_columns(
            pl.when(is_reviewed).then("parent_hub_id").otherwise("unresolved").alias("parent_hub_id")
        )
    found = census.found("lineage/derivations")
    name = pl.when(pl.col("parent_hub_id").is_null()).then
    assert keyed(
        found.with_columns(name("parent_model_id").alias("unlisted")),
        ["child_hub_id", "parent_hub_id", "unlisted"],
        "relation",
    ) == keyed(
        planted.with_columns(name("named_as").alias("unlisted"), pl.col("relation").replace(NOT_STATED)),
        ["child_hub_id", "parent_hub_id", "unlisted"],
        "relation",
    )


def test_each_edge_says_where_it_was_planted(censuses):
    census = censuses[date(2025, 9, 1)]
    planted = census.edges().filter(pl.col("parent_hub_id").is_not_null())
    found = census.found("lineage/derivations").filter("parent_listed")
    keys = ["child_hub_id", "parent_hub_id"]
    assert keyed(found, keys, "evidence") == keyed(
        planted.with_columns(pl.col("evidence").replace(EVIDENCE)), keys, "evidence"
    )


@each_month(SINCE_BASE_MODELS)
def test_each_derivative_has_the_roots_and_weights_planted_for_it(censuses, month):
    census = censuses[month]
    found = census.found("lineage/origin_weights")
    found = keyed(
        found.with_columns(pl.Series("root_model_id", census.renamed(found["root_model_id"]))),
        ["hub_id", "root_model_id"],
        "weight",
    )
    planted = census.planted("roots").filter(pl.col("hub_id").is_in(census.listed["hub_id"].implode()))
    planted = keyed(planted, ["hub_id", "root_model_id"], "weight")
    assert found.keys() == planted.keys()
    # Weights are cut to 12 digits, and the heaviest root takes what that leaves of all the others.
    assert max(abs(found[key][0] - planted[key][0]) for key in planted) < 1e-10


@each_month(SINCE_BASE_MODELS)
def test_each_family_has_the_figures_planted_for_it(censuses, month):
    census = censuses[month]
    found = census.found("shares/family_shares").filter(pl.col("level") == "root_model")
    found = found.with_columns(pl.Series("root_model_id", census.renamed(found["family"])))
    planted = census.planted("families").filter(pl.col("month") == month)
    figures = ["new_derivatives", "derivatives", "downloads", "downloads_derivatives", "downloads_quantized"]
    found, planted = (keyed(frame, ["root_model_id"], *figures) for frame in (found, planted))
    assert found.keys() == planted.keys()
    for root, values in planted.items():
        assert found[root] == pytest.approx(values, rel=1e-6, abs=1e-6), root


@each_month(MONTHS)
def test_flows_between_countries_are_the_planted_ones(censuses, month):
    """Persons and unmapped organisations together: which of them a small account is, the census does not ask."""
    census = censuses[month]
    figures = ["new_derivatives", "derivatives", "downloads"]

    def flows(frame):
        sides = [pl.col(side).replace("unmapped", "unaffiliated") for side in ("base_country", "derivative_country")]
        summed = frame.group_by(*sides).agg(pl.col(figures).sum()).sort("base_country", "derivative_country")
        return keyed(summed.filter(pl.col("derivatives") > 0), ["base_country", "derivative_country"], *figures)

    found = flows(census.found("shares/derivation_flows"))
    planted = flows(census.planted("flows").filter(pl.col("month") == month))
    assert found.keys() == planted.keys()
    for pair, values in planted.items():
        assert found[pair] == pytest.approx(values, rel=1e-6, abs=1e-6), pair
