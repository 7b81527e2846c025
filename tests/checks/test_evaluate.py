from __future__ import annotations

import subprocess
import sys
from decimal import Decimal
from textwrap import dedent

import polars as pl
import pytest

from pipeline.checks.evaluate import evaluate
from pipeline.checks.rules import mostly, mostly_unique, none_where
from pipeline.schema.declaration import Column, Measure, Rule

PATH = "listings/models"


def models(**columns) -> pl.DataFrame:
    return pl.DataFrame(columns, schema_overrides={"model_id": pl.String, "likes": pl.Int64})


def results(table, frames) -> dict:
    return {result.check.name: result for result in evaluate(table, frames)}


def broken(result) -> dict[str, int]:
    """The constraints that rows broke, and how many did."""
    counts = result.observed.by_column
    return {f"{one['column']} {one['constraint']}": one["failed"] for one in counts if one["failed"]}


def failed(table, frames) -> list[str]:
    return [name for name, result in results(table, frames).items() if not result.passed]


@pytest.fixture
def of_columns(models_table, frames_of):
    """The result of `as_declared` over rows of these columns, beside a key."""

    def build(*columns, **values):
        length = max(map(len, values.values()))
        table = models_table(columns=(Column("model_id", pl.String, "Name."), *columns))
        rows = pl.DataFrame({"model_id": [f"m{at:02}" for at in range(length)], **values}, schema=table.schema)
        return results(table, frames_of({PATH: rows}))["as_declared"]

    return build


def test_a_sound_table_passes_everything(models_table, frames_of):
    result = results(models_table(), frames_of({PATH: models(model_id=["a", "b"], likes=[0, None])}))["as_declared"]

    assert (result.passed, result.judged, result.observed.words) == (True, True, "0 of 2 rows failed")
    assert [tuple(count.values()) for count in result.observed.by_column] == [
        ("model_id", "occurs once", 2, 0),
        ("model_id", "is in order", 2, 0),
        ("model_id", "is present", 2, 0),
        ("likes", "is at least 0", 1, 0),
    ]


def test_a_failure_says_which_constraint_broke_and_shows_at_most_twenty_rows(models_table, frames_of):
    frames = frames_of({PATH: models(model_id=[f"m{at:02}" for at in range(40)], likes=[None] * 10 + [-1] * 30)})

    result = results(models_table(), frames)["as_declared"]

    assert not result.passed
    assert result.observed.words == "30 of 40 rows failed (likes is at least 0: 30)"
    assert (result.observed.rows, result.observed.failed_rows) == (40, 30)
    assert result.samples == [
        {"model_id": f"m{at}", "must hold": "likes is at least 0", "value": "-1"} for at in range(10, 30)
    ]


def test_the_rows_shown_are_shared_out_over_the_constraints_that_broke(models_table, frames_of):
    frames = frames_of({PATH: models(model_id=["a", "a"] + [f"m{at:02}" for at in range(40)], likes=[-1] * 42)})

    result = results(models_table(), frames)["as_declared"]

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
def test_a_constraint_counts_the_rows_that_break_it(of_columns, column, values, fails):
    result = of_columns(column, n=values)

    assert (sum(broken(result).values()), result.observed.failed_rows, result.passed) == (fails, fails, fails == 0)


def test_a_column_may_bound_another(of_columns):
    low, high = Column("low", pl.Float64, "Low.", maximum="high"), Column("high", pl.Float64, "High.", nullable=True)
    result = of_columns(low, high, low=[0.1, 0.2, 0.3], high=[0.1, 0.1, None])

    assert broken(result) == {"low is at most high": 1}
    assert result.samples == [{"model_id": "m01", "must hold": "low is at most high", "value": "0.2, 0.1"}]


def test_a_key_of_several_columns_occurs_once_together(models_table, frames_of):
    table = models_table(key=("model_id", "likes"))
    frames = frames_of({PATH: models(model_id=["a", "a", "b", "b"], likes=[1, 2, 3, 3])})

    assert broken(results(table, frames)["as_declared"]) == {"model_id, likes occur once together": 2}


@pytest.mark.parametrize(
    ("ids", "likes", "early"),
    [("aba", [1, 1, 1], 1), ("aab", [2, 1, 1], 1), ("aab", [1, None, 1], 1), ("aab", [None, 1, 1], 0)],
)
def test_rows_stand_in_the_order_of_the_key_absent_values_first(models_table, frames_of, ids, likes, early):
    table = models_table(key=("model_id", "likes"))
    result = results(table, frames_of({PATH: models(model_id=list(ids), likes=likes)}))["as_declared"]

    assert (result.passed, sum(broken(result).values())) == (not early, early)


def test_a_table_without_rows_fails_unless_it_may_be_empty(models_table, frames_of):
    frames = frames_of({PATH: models(model_id=[], likes=[])})

    assert failed(models_table(may_be_empty=False), frames) == ["as_declared"]
    assert failed(models_table(), frames) == []


def test_columns_in_another_order_fail(models_table, frames_of):
    result = results(models_table(), frames_of({PATH: models(likes=[1], model_id=["a"])}))["as_declared"]

    assert not result.passed
    assert result.observed.words == "0 of 1 row failed (model_id, likes are in this order, not likes, model_id: 1)"


@pytest.mark.parametrize(
    ("stored", "said"),
    [
        ({"model_id": ["a", "a"], "likes": [1.0, -1.0]}, "likes is stored as Int64, not as Float64"),
        ({"model_id": ["a", "a"]}, "likes is stored as Int64, not as nothing"),
    ],
)
def test_a_column_of_another_type_or_none_fails_and_hides_no_other(models_table, frames_of, stored, said):
    result = results(models_table(), frames_of({PATH: pl.DataFrame(stored)}))["as_declared"]

    assert not result.passed
    assert broken(result) == {said: 1, "model_id occurs once": 2}


def test_a_rule_that_raises_has_failed_and_hides_no_other(models_table, frames_of):
    table = models_table(
        Rule("covered", "All are covered.", lambda frames: frames.scan("listings/absent")),
        Rule("late", "Fails late.", lambda frames: frames.scan(PATH).filter(pl.col("stars") > 0)),
        none_where(PATH, "liked", "All are liked.", pl.col("likes") < 1),
    )
    found = results(table, frames_of({PATH: models(model_id=["a", "b"], likes=[0, 1])}))

    assert found["covered"].error == "LookupError: listings/absent is not there"
    assert "stars" in found["late"].error
    assert (found["liked"].observed.words, found["liked"].samples) == ("1 row failed", [{"model_id": "a", "likes": 0}])
    assert not any(found[name].passed for name in ("covered", "late", "liked"))
    assert found["as_declared"].passed


@pytest.mark.parametrize(("allowed", "passes"), [(1, False), (2, True)])
def test_a_rule_may_allow_rows_that_fail(models_table, frames_of, allowed, passes):
    liked = Rule("liked", "Liked.", lambda frames: frames.scan(PATH).filter(pl.col("likes") < 1), allowed=allowed)

    result = results(models_table(liked), frames_of({PATH: models(model_id=["a", "b"], likes=[0, 0])}))["liked"]

    assert (result.passed, result.observed.words) == (passes, "2 rows failed")


def test_a_rule_quotes_the_first_row_that_breaks_it(models_table, frames_of):
    def disliked(frames):
        return frames.scan(PATH).filter(pl.col("likes") < 1).select("model_id", pl.col("likes") / 3)

    rule = Rule("liked", "Liked.", disliked, quoted=("model_id", "likes"))
    frames = frames_of({PATH: models(model_id=["a\n", "b", "c"], likes=[-1, 0, 1])})

    assert results(models_table(rule), frames)["liked"].observed.words == (
        "2 rows failed, the first: model_id a\\n, likes -0.3333"
    )


@pytest.mark.parametrize(
    ("likes", "passes", "observed"),
    [([5, 5], True, "5"), ([0, 0], True, "0"), ([5, 6], False, "5.5"), ([None, None], False, None)],
)
def test_a_measure_must_exist_and_lie_within_its_bounds(models_table, frames_of, likes, passes, observed):
    mean = Measure("mean_likes", "Mean", lambda frames: frames.scan(PATH).select(pl.col("likes").mean()), 0, 5)

    result = results(models_table(mean), frames_of({PATH: models(model_id=["a", "b"], likes=likes)}))["mean_likes"]

    assert result.passed == passes
    assert result.observed.words == observed or result.error == (
        "ValueError: there is no number: what it is computed from is absent or cancels out"
    )


def test_a_measure_of_several_rows_has_failed(models_table, frames_of):
    table = models_table(Measure("likes", "Likes", lambda frames: frames.scan(PATH).select("likes"), 0))

    result = results(table, frames_of({PATH: models(model_id=["a", "b"], likes=[1, 2])}))["likes"]

    assert result.error == "ValueError: a measure is one value, but this one came to 2 rows"


@pytest.mark.parametrize(("liked", "passes"), [(3, True), (2, False)])
def test_a_warning_of_most_rows_shows_the_others(models_table, frames_of, liked, passes):
    table = models_table(mostly(PATH, "mostly_liked", "Share of models with likes", pl.col("likes") > 0, 0.75))
    frames = frames_of({PATH: models(model_id=list("abcd"), likes=[1] * liked + [0] * (4 - liked))})

    result = results(table, frames)["mostly_liked"]

    assert (result.check.severity, result.passed) == ("warning", passes)
    assert [row["model_id"] for row in result.samples] == ([] if passes else ["c", "d"])


def test_a_repeated_value_may_only_warn(models_table, frames_of):
    table = models_table(mostly_unique(PATH, "likes"))
    frames = frames_of({PATH: models(model_id=list("abcde"), likes=[1, 2, 1, None, None])})

    result = results(table, frames)["likes_unique"]

    assert (result.check.severity, result.passed, result.observed.failed_rows) == ("warning", False, 2)


def vanished(frames):
    return frames.scan_previous(PATH).join(frames.scan(PATH), on="model_id", how="anti")


def test_a_rule_may_look_at_the_month_before(models_table, frames_of):
    frames = frames_of({PATH: models(model_id=["a"], likes=[1])}, {PATH: models(model_id=["a", "b"], likes=[1, 1])})

    result = results(models_table(Rule("kept", "None vanished.", vanished)), frames)["kept"]

    assert (result.passed, result.judged, result.samples) == (False, True, [{"model_id": "b", "likes": 1}])


def test_a_check_that_compares_with_an_absent_month_is_not_judged(models_table, frames_of):
    table = models_table(Rule("kept", "None vanished.", vanished), Measure("gone", "Gone.", vanished, maximum=0))

    found = results(table, frames_of({PATH: models(model_id=["a"], likes=[1])}))

    assert {found[name].observed.words for name in ("kept", "gone")} == {"not evaluated: 2025-03 is not in the lake"}
    assert [(found[name].passed, found[name].judged) for name in ("kept", "gone")] == [(True, False)] * 2
    assert found["as_declared"].judged


def test_only_the_checks_that_are_named_are_evaluated(models_table, frames_of):
    table = models_table(Rule("kept", "None vanished.", vanished))

    assert [one.check.name for one in evaluate(table, frames_of({PATH: models(model_id=[])}), {"kept"})] == ["kept"]
    assert evaluate(table, frames_of({}), set()) == []


def test_a_table_that_cannot_be_read_fails_every_check(models_table, frames_of):
    found = results(models_table(none_where(PATH, "none", "None.", pl.col("likes") > 0)), frames_of({}))

    assert {result.error for result in found.values()} == {"LookupError: listings/models is not there"}
    assert not any(result.passed for result in found.values())


def test_hostile_text_in_samples_is_cut_and_cannot_act(models_table, frames_of):
    hostile = "<img src=x onerror=alert(1)>\x1b[2J\u202e\r\n" + "x" * 10_000
    frames = frames_of({PATH: models(model_id=[hostile], likes=[-1])})

    [row] = results(models_table(), frames)["as_declared"].samples

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
def test_what_a_browser_cannot_hold_is_shown_as_text_and_long_text_cut(models_table, frames_of, values, shown):
    table = models_table(none_where(PATH, "none", "No models.", pl.lit(value=True)))
    row = {"model_id": "a", "likes": 1} | values

    [sample] = results(table, frames_of({PATH: models(**{name: [value] for name, value in row.items()})}))[
        "none"
    ].samples

    assert sample == {"model_id": "a", "likes": 1} | shown


def test_evaluating_prints_nothing():
    script = """
        import polars as pl
        from pipeline.checks.evaluate import evaluate
        from pipeline.schema.declaration import Column, Table

        table = Table("listings", "models", "model", "Made up.", (Column("id", pl.String, "Id."),), ("id",))

        class Frames:
            def scan(self, path):
                return pl.LazyFrame({"id": ["a", "a", None]})

        [result] = evaluate(table, Frames())
        assert result.observed.failed_rows == 3
    """
    finished = subprocess.run([sys.executable, "-c", dedent(script)], capture_output=True, text=True, check=False)

    assert (finished.returncode, finished.stdout, finished.stderr) == (0, "", "")
