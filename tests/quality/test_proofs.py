"""A proof spares a count only where nothing can fail; where it cannot tell, what fails is found as ever."""

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.quality.judge import judge
from pipeline.quality.kinds import KINDS
from pipeline.schema.declaration import Rule
from pipeline.tables.attribution import ATTRIBUTION_COVERAGE
from pipeline.tables.coverage_rules import covers_snapshot, lies_within, runs, stand_side_by_side
from pipeline.tables.lineage import DERIVATIONS, MODEL_LINEAGE

VALUES = {
    "name": st.none() | st.sampled_from("abc"),
    "whole": st.none() | st.integers(-2, 2),
    "ratio": st.none() | st.sampled_from((-0.0, 0.0, 0.5, float("nan"))),
    "flag": st.none() | st.booleans(),
}
SCHEMA = {"name": pl.String, "whole": pl.Int64, "ratio": pl.Float64, "flag": pl.Boolean}
KEYS = st.lists(st.sampled_from(list(VALUES)), min_size=1, max_size=3, unique=True)


def uniqueness(columns):
    if len(columns) == 1:
        return KINDS["ExpectColumnValuesToBeUnique"].reading({"column": columns[0]}, pl.Schema(SCHEMA))
    return KINDS["ExpectCompoundColumnsToBeUnique"].reading({"column_list": columns}, pl.Schema(SCHEMA))


@given(st.lists(st.fixed_dictionaries(VALUES), max_size=6), KEYS, st.booleans())
def test_rows_that_are_proven_to_differ_do(rows, key, in_order):
    frame = pl.DataFrame(rows, schema=SCHEMA)
    frame = frame.sort(key) if in_order else frame
    reading = uniqueness(key)
    proven, repeated = frame.select(reading.proof.alias("proven"), reading.violated.sum().alias("repeated")).row(0)
    assert not (proven and repeated)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(-2, 2)), unique=True, max_size=6))
def test_different_rows_in_the_order_of_their_key_are_proven_to_differ(rows):
    frame = pl.DataFrame(sorted(rows), schema={"name": pl.String, "whole": pl.Int64}, orient="row")
    assert frame.select(uniqueness(["name", "whole"]).proof).item()


def verdict(table, frames, name):
    [found] = [one for one in judge(table, frames, row_limit_for_frames=-1) if one.name == name]
    return found


IDS = st.lists(st.sampled_from("abcdef"), max_size=6)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(IDS, IDS)
def test_a_repository_without_a_row_is_found_in_whatever_order_the_tables_stand(
    frames_of, models_table, listed, placed
):
    table = models_table(covers_snapshot("covered", "All are there.", "listings/models"))
    frames = frames_of(
        {
            "listings/hub_snapshots": pl.DataFrame({"hub_id": listed}, schema={"hub_id": pl.String}),
            "listings/models": pl.DataFrame(
                {"model_id": placed, "likes": None, "hub_id": placed},
                schema={"model_id": pl.String, "likes": pl.Int64, "hub_id": pl.String},
            ),
        }
    )
    missing = sum(one not in placed for one in listed)
    found = verdict(table, frames, "covered")
    assert (found.passed, found.failed_rows) == (missing == 0, missing)


def a_rule(proof):
    every_row = lambda frames: frames.scan("listings/models")  # noqa: E731
    return Rule("nothing", "There is nothing.", every_row, proof=proof)


@pytest.mark.parametrize(
    ("proof", "failed"),
    [
        (lambda frames: frames.scan("listings/models").select(pl.lit(value=True)), 0),
        (lambda frames: frames.scan("listings/models").select(pl.lit(value=False)).head(1), 2),
        (lambda frames: frames.scan("listings/models").select(pl.lit(None, pl.Boolean)).head(1), 2),
        (lambda frames: frames.scan("listings/models").select("no_such_column"), 2),
    ],
    ids=["holds", "does not hold", "cannot tell", "cannot be run"],
)
def test_violations_are_counted_unless_a_proof_holds(frames_of, models_table, proof, failed):
    table = models_table(a_rule(lambda frames: proof(frames).head(1)))
    frames = frames_of({table.path: pl.DataFrame({"model_id": ["a", "b"], "likes": [1, 2]})})
    found = verdict(table, frames, "nothing")
    assert (found.passed, found.failed_rows) == (failed == 0, failed)


@given(IDS)
def test_runs_are_what_stands_together_once(values):
    rows = pl.LazyFrame({"value": values}, schema={"value": pl.String})
    once = [value for place, value in enumerate(values) if place == 0 or values[place - 1] != value]
    assert runs(rows, "value").collect()["value"].to_list() == once


@given(IDS, IDS)
def test_columns_stand_side_by_side_only_where_they_are_equal(one, other):
    frames = [pl.LazyFrame({"value": values}, schema={"value": pl.String}) for values in (one, other)]
    assert stand_side_by_side(*frames).collect().item() == (one == other)


@pytest.mark.parametrize(
    ("rule", "table"),
    [("derivatives_as_declared", "lineage/derivations"), ("every_derivative_weighted", "lineage/origin_weights")],
)
def test_a_derivative_that_another_table_lacks_is_found(frames_of, rule, table):
    placed = pl.DataFrame({"hub_id": ["a", "b", "c"], "is_derivative": [False, True, True]})
    children = pl.DataFrame({"child_hub_id": ["b", "c", "c"], "hub_id": ["b", "c", "c"]})
    covered = stated(MODEL_LINEAGE, rule)
    assert outcome(covered, frames_of({"lineage/model_lineage": placed, table: children})) == (True, 0)
    lacking = frames_of({"lineage/model_lineage": placed, table: children.head(1)})
    assert outcome(covered, lacking) == (False, 1)
    assert covered.violations(lacking).collect()["hub_id"].to_list() == ["c"]


@given(IDS, IDS, st.booleans())
def test_values_are_proven_to_lie_within_others_only_where_they_do(part, whole, in_order):
    part, whole = (sorted(set(part)), sorted(set(whole))) if in_order else (part, whole)
    frames = [pl.LazyFrame({"value": values}, schema={"value": pl.String}) for values in (part, whole)]
    proven, is_so = lies_within(*frames).collect().item(), set(part) <= set(whole)
    assert proven == is_so if in_order else not proven or is_so


def stated(table, name):
    [rule] = [one for one in table.rules if one.name == name]
    return rule


def outcome(rule, frames):
    """What the proof says, and how many rows offend."""
    return rule.proof(frames).collect().item(), rule.violations(frames).collect().height


LISTED = pl.DataFrame({"hub_id": ["a", "b", "c"]})


def edges(*parents, child="b"):
    hub_ids, are_listed = zip(*parents, strict=True)
    return pl.DataFrame(
        {
            "child_hub_id": [child] * len(parents),
            "parent_hub_id": hub_ids,
            "parent_model_id": [f"parent-{number}" for number in range(len(parents))],
            "parent_listed": are_listed,
        },
        schema_overrides={"parent_hub_id": pl.String},
    )


@pytest.mark.parametrize(
    ("parents", "failing"),
    [
        ([("a", True), (None, False), ("c", True), ("a", True)], 0),
        ([("a", True), ("nowhere", True)], 1),
        ([("a", False)], 1),
        ([(None, True)], 1),
    ],
    ids=["as stated", "not listed", "listed after all", "marked as listed without an id"],
)
def test_a_parent_that_is_not_as_stated_is_found(frames_of, parents, failing):
    frames = frames_of({"listings/hub_snapshots": LISTED, "lineage/derivations": edges(*parents)})
    assert outcome(stated(DERIVATIONS, "parents_listed_as_stated"), frames) == (failing == 0, failing)


@pytest.mark.parametrize(("child", "failing"), [("b", 0), ("nowhere", 2)])
def test_a_child_that_is_not_listed_is_found(frames_of, child, failing):
    derivations = edges(("a", True), (None, False), child=child)
    frames = frames_of({"listings/hub_snapshots": LISTED, "lineage/derivations": derivations})
    assert outcome(stated(DERIVATIONS, "children_listed"), frames) == (failing == 0, failing)


def shares_of_namespaces(frames_of, downloads):
    hub_ids = [f"{number:04}" for number in range(len(downloads))]
    measured = pl.DataFrame({"hub_id": hub_ids, "downloads": downloads}, schema_overrides={"downloads": pl.Float64})
    unmapped = pl.DataFrame(
        {
            "hub_id": hub_ids,
            "model_id": hub_ids,
            "namespace": [f"someone-{number}" for number in range(len(downloads))],
            "method": "unmapped",
        }
    )
    return frames_of({"listings/model_downloads": measured, "attribution/model_attribution": unmapped})


@pytest.mark.parametrize(
    ("downloads", "proven", "failing"),
    [
        ([1.0] * 1000, True, 0),
        ([1.0] * 1000 + [20.0], False, 1),
        ([1.0] * 1000 + [8.0], False, 0),
        ([0.0] * 3, False, 0),
        ([3.0, -2.0] * 500, False, 0),
    ],
    ids=["none is large", "one is large", "one may be large", "nothing was downloaded", "sums that hide"],
)
def test_a_large_unmapped_namespace_is_found(frames_of, downloads, proven, failing):
    frames = shares_of_namespaces(frames_of, downloads)
    assert outcome(stated(ATTRIBUTION_COVERAGE, "no_newly_large_unmapped_namespace"), frames) == (proven, failing)
