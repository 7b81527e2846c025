"""Every declared check has a result, whatever the rows are, and says what it found in words that cannot act."""

from decimal import Decimal

import polars as pl
import pytest

from pipeline.checks.rules import mostly, mostly_unique, none_where
from pipeline.schema.declaration import Column, Measure, Rule
from tests.checks.scenario import (
    MODEL_ID,
    PATH,
    broken,
    checked,
    models,
    models_table,
    result_of,
    results,
)


def as_declared(rows, **declared):
    """The result of the check of columns over rows of the table."""
    return checked(models_table(**declared), rows)


def of_columns(*columns, **values):
    """The same over rows of these columns, beside a key."""
    ids = [f"m{at:02}" for at in range(max(map(len, values.values())))]
    schema = {column.name: column.type for column in (MODEL_ID, *columns)}
    return as_declared(pl.DataFrame({"model_id": ids, **values}, schema=schema), columns=(MODEL_ID, *columns))


def test_a_sound_table_passes_everything():
    result = as_declared(models(model_id=["a", "b"], likes=[0, None]))
    assert (result.passed, result.judged, result.observed) == (True, True, "0 of 2 rows failed")
    assert [tuple(count.values()) for count in result.by_column] == [
        ("model_id", "occurs once", 2, 0),
        ("model_id", "is in order", 2, 0),
        ("model_id", "is present", 2, 0),
        ("likes", "is at least 0", 1, 0),
    ]


def test_a_failure_says_which_constraint_broke_and_shows_at_most_twenty_rows():
    result = as_declared(models(model_id=[f"m{at:02}" for at in range(40)], likes=[None] * 10 + [-1] * 30))
    assert not result.passed
    assert result.observed == "30 of 40 rows failed (likes is at least 0: 30)"
    assert (result.rows, result.failed_rows) == (40, 30)
    assert result.samples == [
        {"model_id": f"m{at}", "must hold": "likes is at least 0", "value": "-1"} for at in range(10, 30)
    ]


def test_the_rows_shown_are_shared_out_over_the_constraints_that_broke():
    result = as_declared(models(model_id=["a", "a"] + [f"m{at:02}" for at in range(40)], likes=[-1] * 42))
    assert broken(result) == {"model_id occurs once": 2, "likes is at least 0": 42}
    assert [row["must hold"] for row in result.samples] == ["model_id occurs once"] * 2 + ["likes is at least 0"] * 10


@pytest.mark.parametrize(
    ("column", "values", "fails"),
    [
        (Column("n", pl.Int64, "N."), [0, None], 1),
        (Column("n", pl.Float64, "N."), [0.0, float("nan")], 1),
        (Column("n", pl.Int64, "N.", nullable=True, minimum=3), [2, 3, None], 1),
        (Column("n", pl.Float64, "N.", nullable=True, maximum=0.5), [0.5, 0.5000001, float("nan")], 1),
        (Column("n", pl.Float64, "N.", minimum=0), [-0.0, 0.0, float("inf")], 0),
        (Column("n", pl.Decimal(38, 6), "N.", minimum=0, maximum=1), [Decimal("-0.000001"), Decimal("1.000000")], 1),
        (Column("n", pl.Decimal(18, 12), "N.", minimum=1e-12), [Decimal(0), Decimal("0.000000000001")], 1),
        (Column("n", pl.Int64, "N.", maximum=2**53), [2**53, 2**53 + 1], 1),
        (Column("n", pl.String, "N.", nullable=True, values=("a", "b")), ["a", "c", None], 1),
        (Column("n", pl.Enum(("a", "c")), "N.", values=("a", "b")), ["a", "c"], 1),
        (Column("n", pl.Int32, "N.", values=(1, 3)), [1, 2, 3], 1),
        (Column("n", pl.String, "N.", nullable=True, pattern="^[a-z]+$"), ["a", "a\n", "A", None], 2),
        (Column("n", pl.String, "N.", nullable=True, unique=True), ["a", "b", "a", None, None], 2),
        (Column("n", pl.Int64, "N.", nullable=True, unique=True), [2**53, 2**53 + 1, None], 0),
    ],
    ids=str,
)
def test_a_constraint_counts_the_rows_that_break_it(column, values, fails):
    result = of_columns(column, n=values)
    assert (sum(broken(result).values()), result.failed_rows, result.passed) == (fails, fails, fails == 0)


def test_a_column_may_bound_another():
    low, high = Column("low", pl.Float64, "Low.", maximum="high"), Column("high", pl.Float64, "High.", nullable=True)
    result = of_columns(low, high, low=[0.1, 0.2, 0.3], high=[0.1, 0.1, None])
    assert broken(result) == {"low is at most high": 1}
    assert result.samples == [{"model_id": "m01", "must hold": "low is at most high", "value": "0.2, 0.1"}]


@pytest.mark.parametrize(
    ("ids", "likes", "fails"),
    [
        ("aabb", [1, 2, 3, 3], {"model_id, likes occur once together": 2}),
        ("aba", [1, 1, 1], {"model_id, likes are in order": 1}),
        ("aab", [2, 1, 1], {"model_id, likes are in order": 1}),
        ("aab", [1, None, 1], {"model_id, likes are in order": 1}),
        ("aab", [None, 1, 1], {}),
    ],
)
def test_a_key_of_several_columns_occurs_once_together_and_in_order_absent_values_first(ids, likes, fails):
    assert broken(as_declared(models(model_id=list(ids), likes=likes), key=("model_id", "likes"))) == fails


@pytest.mark.parametrize(
    ("stored", "fails"),
    [
        ({"likes": [1], "model_id": ["a"]}, {"model_id, likes are in this order, not likes, model_id": 1}),
        (
            {"model_id": ["a", "a"], "likes": [1.0, -1.0]},
            {"likes is stored as Int64, not as Float64": 1, "model_id occurs once": 2},
        ),
        ({"model_id": ["a", "a"]}, {"likes is stored as Int64, not as nothing": 1, "model_id occurs once": 2}),
    ],
)
def test_a_column_of_another_type_or_place_or_none_fails_and_hides_no_other(stored, fails):
    result = as_declared(pl.DataFrame(stored))
    assert (result.passed, broken(result)) == (False, fails)


def test_a_rule_that_raises_has_failed_and_hides_no_other():
    table = models_table(
        Rule("covered", "All are covered.", lambda frames: frames.scan("listings/absent")),
        Rule("late", "Fails late.", lambda frames: frames.scan(PATH).filter(pl.col("stars") > 0)),
        none_where(PATH, "liked", "All are liked.", pl.col("likes") < 1),
    )
    found = results(table, models(model_id=["a", "b"], likes=[0, 1]))
    assert found["covered"].error == "LookupError: listings/absent is not there"
    assert "stars" in found["late"].error
    assert (found["liked"].observed, found["liked"].samples) == ("1 row failed", [{"model_id": "a", "likes": 0}])
    assert [name for name, result in found.items() if result.passed] == ["as_declared"]


def test_a_rule_quotes_the_first_row_that_breaks_it():
    def disliked(frames):
        return frames.scan(PATH).filter(pl.col("likes") < 1).select("model_id", pl.col("likes") / 3)

    rule = Rule("liked", "Liked.", disliked, quoted=("model_id", "likes"))
    found = result_of(rule, models(model_id=["a\n", "b", "c"], likes=[-1, 0, 1]))
    assert found.observed == "2 rows failed, the first: model_id a\\n, likes -0.3333"


@pytest.mark.parametrize(
    ("likes", "passes", "observed"),
    [([5, 5], True, "5"), ([0, 0], True, "0"), ([5, 6], False, "5.5"), ([None, None], False, None)],
)
def test_a_measure_must_exist_and_lie_within_its_bounds(likes, passes, observed):
    mean = Measure("mean_likes", "Mean", lambda frames: frames.scan(PATH).select(pl.col("likes").mean()), 0, 5)
    result = result_of(mean, models(model_id=["a", "b"], likes=likes))
    assert result.passed == passes
    assert result.observed == observed or result.error == (
        "ValueError: there is no number: what it is computed from is absent or cancels out"
    )


def test_a_measure_of_several_rows_has_failed():
    likes = Measure("likes", "Likes", lambda frames: frames.scan(PATH).select("likes"), 0)
    result = result_of(likes, models(model_id=["a", "b"], likes=[1, 2]))
    assert result.error == "ValueError: a measure is one value, but this one came to 2 rows"


@pytest.mark.parametrize(("liked", "passes"), [(3, True), (2, False)])
def test_a_warning_of_most_rows_shows_the_others(liked, passes):
    rule = mostly(PATH, "mostly_liked", "Share of models with likes", pl.col("likes") > 0, 0.75)
    result = result_of(rule, models(model_id=list("abcd"), likes=[1] * liked + [0] * (4 - liked)))
    assert (result.check.severity, result.passed) == ("warning", passes)
    assert [row["model_id"] for row in result.samples] == ([] if passes else ["c", "d"])


def test_a_repeated_value_may_only_warn():
    result = result_of(mostly_unique(PATH, "likes"), models(model_id=list("abcde"), likes=[1, 2, 1, None, None]))
    assert (result.check.severity, result.passed, result.failed_rows) == ("warning", False, 2)


def vanished(frames):
    return frames.scan_previous(PATH).join(frames.scan(PATH), on="model_id", how="anti")


def test_a_check_that_compares_with_an_absent_month_is_not_judged():
    table = models_table(Rule("kept", "None vanished.", vanished), Measure("gone", "Gone.", vanished, maximum=0))
    found = results(table, models(model_id=["a"], likes=[1]))
    assert {found[name].observed for name in ("kept", "gone")} == {"not evaluated: 2025-03 is not in the lake"}
    assert [(found[name].passed, found[name].judged) for name in ("kept", "gone")] == [(True, False)] * 2
    assert found["as_declared"].judged


def test_a_table_that_cannot_be_read_fails_every_check():
    found = results(models_table(none_where(PATH, "none", "None.", pl.col("likes") > 0)), None)
    assert {result.error for result in found.values()} == {"LookupError: listings/models is not there"}
    assert not any(result.passed for result in found.values())


def test_hostile_text_in_samples_is_cut_and_cannot_act():
    hostile = "<img src=x onerror=alert(1)>\x1b[2J\u202e\r\n" + "x" * 10_000
    [row] = as_declared(models(model_id=[hostile], likes=[-1])).samples
    assert row["model_id"].startswith(r"<img src=x onerror=alert(1)>\x1b[2J\u202e\r\n")
    assert row["model_id"].isprintable()


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ({"likes": 2**53}, {"likes": 2**53}),
        ({"likes": 2**53 + 1}, {"likes": str(2**53 + 1)}),
        ({"likes": -(2**53) - 1}, {"likes": str(-(2**53) - 1)}),
        ({"model_id": "x" * 200}, {"model_id": "x" * 200}),
        ({"model_id": "x" * 201}, {"model_id": "x" * 199 + "…"}),
    ],
)
def test_what_a_browser_cannot_hold_is_shown_as_text_and_long_text_cut(values, shown):
    row = {"model_id": "a", "likes": 1}
    rows = models(**{name: [value] for name, value in (row | values).items()})
    assert result_of(none_where(PATH, "none", "No models.", pl.lit(value=True)), rows).samples == [row | shown]
