"""An operator's thresholds take the place of declared ones in warnings, and in nothing else."""

import polars as pl
import pytest

from pipeline.checks.declared import declared_checks
from pipeline.checks.rules import mostly_known
from pipeline.checks.thresholds import parse_thresholds, settable, with_thresholds
from pipeline.definitions import CATALOGUE
from pipeline.errors import CensusError
from pipeline.schema.declaration import Measure, Rule
from tests.checks.scenario import models, models_table, results

LIKED = mostly_known("listings/models", "likes", 0.9)
FEW_UNLOVED = Rule(
    "few_unloved",
    "Models have likes.",
    lambda frames: frames.scan("listings/models").filter(pl.col("likes") == 0),
    severity="warning",
    allowed=1,
)
MEAN_LIKES = Measure(
    "mean_likes",
    "Likes a model",
    lambda frames: frames.scan("listings/models").select(pl.col("likes").mean()),
    minimum=10.0,
    severity="warning",
)
CRITICAL = Measure(
    "most_likes", "Most likes", lambda frames: frames.scan("listings/models").select(pl.col("likes").max()), maximum=9.0
)


TABLE = models_table(LIKED, FEW_UNLOVED, MEAN_LIKES, CRITICAL)


def passes(chosen):
    """Which of the warnings pass over models of which two have no like and one is not known to have any."""
    rows = models(model_id=list("abcde"), likes=[0, 0, 4, 8, None])
    found = results(with_thresholds(TABLE, chosen), rows)
    return {name for name, result in found.items() if result.passed} & set(settable(TABLE))


def test_each_kind_of_warning_is_judged_by_the_number_that_was_set():
    assert passes({}) == set()
    assert passes({"likes_mostly_known": 0.8}) == {"likes_mostly_known"}
    assert passes({"few_unloved": 2}) == {"few_unloved"}
    assert passes({"mean_likes": 3}) == {"mean_likes"}
    assert passes({"mean_likes": 3.1}) == set()


@pytest.mark.parametrize("check", ["most_likes", "as_declared", "nothing_of_the_kind"])
def test_what_protects_publication_and_what_does_not_exist_cannot_be_set(check):
    with pytest.raises(CensusError, match=f"listings/models/{check} has no threshold that can be set"):
        with_thresholds(TABLE, {check: 1e9})


@pytest.mark.parametrize(
    ("check", "number"),
    [("few_unloved", -1), ("few_unloved", 0.5)],
)
def test_a_number_that_makes_no_sense_is_refused_in_words(check, number):
    with pytest.raises(CensusError, match=f"listings/models/{check} is set to {number}: give "):
        with_thresholds(TABLE, {check: number})


def test_no_critical_check_of_the_census_can_be_set():
    for table in CATALOGUE.tables.values():
        severities = {check.name: check.severity for check in declared_checks(table)}
        assert {severities[name] for name in settable(table)} <= {"warning"}, table.path


def test_thresholds_are_written_by_table_and_check():
    assert parse_thresholds(" lineage/model_lineage/cycle_share=0.02, shares/country_shares/no_jumps=3,") == {
        "lineage/model_lineage": {"cycle_share": 0.02},
        "shares/country_shares": {"no_jumps": 3},
    }
    assert parse_thresholds("") == {}


@pytest.mark.parametrize("written", ["cycle_share=1", "lineage/model_lineage/cycle_share", "a/b/c=nan", "a/b/c=x"])
def test_what_sets_no_threshold_is_one_sentence(written):
    with pytest.raises(CensusError, match="sets no threshold: write group/table/check=number"):
        parse_thresholds(written)
