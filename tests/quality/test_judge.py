from __future__ import annotations

import subprocess
import sys
from textwrap import dedent

import polars as pl
import pytest

from pipeline.quality.judge import judge
from pipeline.schema.declaration import Column, Expectation, Measure, Rule

PATH = "listings/models"
WAYS = pytest.mark.parametrize("row_limit_for_frames", [100, -1], ids=["frames", "facts"])
LIKES_NOT_NEGATIVE = Expectation("ExpectColumnValuesToBeBetween", {"column": "likes", "min_value": 0})


def models(**columns) -> pl.DataFrame:
    return pl.DataFrame(columns, schema_overrides={"model_id": pl.String, "likes": pl.Int64})


def verdicts(table, frames, limit=100) -> dict:
    return {verdict.name: verdict for verdict in judge(table, frames, row_limit_for_frames=limit)}


def failed(table, frames, limit=100) -> list[str]:
    return [name for name, verdict in verdicts(table, frames, limit).items() if not verdict.passed]


@WAYS
def test_a_sound_table_passes_everything(models_table, frames_of, row_limit_for_frames):
    frames = frames_of({PATH: models(model_id=["a", "b"], likes=[0, None])})

    assert failed(models_table(LIKES_NOT_NEGATIVE), frames, row_limit_for_frames) == []


@WAYS
def test_a_failure_says_what_was_expected_and_shows_at_most_twenty_rows(models_table, frames_of, row_limit_for_frames):
    frames = frames_of({PATH: models(model_id=[f"m{at:02}" for at in range(40)], likes=[None] * 10 + [-1] * 30)})

    verdict = verdicts(models_table(LIKES_NOT_NEGATIVE), frames, row_limit_for_frames)["likes_between"]

    assert not verdict.passed
    assert verdict.expected == "every value of likes must be at least 0"
    assert verdict.observed == "30 of 30 rows fail"
    assert (verdict.rows, verdict.failed_rows, verdict.failed_share) == (30, 30, 1.0)
    assert verdict.samples == [{"likes": -1, "model_id": f"m{at}"} for at in range(10, 30)]


@WAYS
def test_all_members_of_a_duplicate_count(models_table, frames_of, row_limit_for_frames):
    frames = frames_of({PATH: models(model_id=["a", "b", "a", "a"], likes=[1, 2, 3, 4])})

    verdict = verdicts(models_table(), frames, row_limit_for_frames)["model_id_unique"]

    assert (verdict.failed_rows, verdict.failed_share) == (3, 0.75)


@WAYS
def test_whole_numbers_beside_gaps_keep_their_last_digit(models_table, frames_of, row_limit_for_frames):
    table = models_table(Expectation("ExpectColumnValuesToBeUnique", {"column": "likes"}))
    frames = frames_of({PATH: models(model_id=["a", "b", "c"], likes=[2**53, 2**53 + 1, None])})

    assert failed(table, frames, row_limit_for_frames) == []


@WAYS
def test_a_number_that_is_none_counts_as_absent(models_table, frames_of, row_limit_for_frames):
    table = models_table(columns=(Column("model_id", pl.String, "Name."), Column("share", pl.Float64, "A share.")))
    frames = frames_of({PATH: pl.DataFrame({"model_id": ["a", "b"], "share": [float("nan"), 0.5]})})

    assert failed(table, frames, row_limit_for_frames) == ["required_values_present"]


@WAYS
def test_columns_in_another_order_or_of_another_type_fail(models_table, frames_of, row_limit_for_frames):
    frames = frames_of({PATH: pl.DataFrame({"likes": [1.0], "model_id": ["a"]})})

    found = verdicts(models_table(), frames, row_limit_for_frames)

    assert not found["columns_in_order"].passed
    assert found["columns_in_order"].observed == "2 columns differ from the declaration"
    assert found["columns_in_order"].samples[0] == {"position": 1, "declared": "model_id", "stored": "likes"}
    assert found["column_types"].samples == [{"column": "likes", "declared": "Int64", "stored": "Float64"}]


@WAYS
def test_a_column_that_is_not_stored_fails_its_checks_and_hides_no_other(models_table, frames_of, row_limit_for_frames):
    frames = frames_of({PATH: models(model_id=["a", "a"])})

    found = verdicts(models_table(LIKES_NOT_NEGATIVE), frames, row_limit_for_frames)

    assert "likes is not stored" in found["likes_between"].error
    assert found["required_values_present"].passed
    assert found["model_id_unique"].failed_rows == 2


@WAYS
def test_values_that_cannot_be_compared_fail_their_check_and_hide_no_other(
    models_table, frames_of, row_limit_for_frames
):
    frames = frames_of({PATH: pl.DataFrame({"model_id": ["a"], "likes": ["many"]})})

    found = verdicts(models_table(LIKES_NOT_NEGATIVE), frames, row_limit_for_frames)

    assert not found["likes_between"].passed
    assert found["likes_between"].error
    assert found["model_id_unique"].passed


@WAYS
def test_a_rule_that_raises_has_failed_and_hides_no_other(models_table, frames_of, row_limit_for_frames):
    table = models_table(
        Rule("covered", "All are covered.", lambda frames: frames.scan("listings/absent")),
        Rule("late", "Fails late.", lambda frames: frames.scan(PATH).filter(pl.col("stars") > 0)),
        Rule("liked", "All are liked.", lambda frames: frames.scan(PATH).filter(pl.col("likes") < 1)),
    )
    frames = frames_of({PATH: models(model_id=["a", "b"], likes=[0, 1])})

    found = verdicts(table, frames, row_limit_for_frames)

    assert found["covered"].error == "LookupError: listings/absent is not there"
    assert "stars" in found["late"].error
    assert found["liked"].samples == [{"model_id": "a", "likes": 0}]
    assert not any(found[name].passed for name in ("covered", "late", "liked"))


def test_a_rule_may_allow_exceptions(models_table, frames_of):
    def unliked(frames):
        return frames.scan(PATH).filter(pl.col("likes") < 1)

    frames = frames_of({PATH: models(model_id=["a", "b"], likes=[0, 0])})

    assert failed(models_table(Rule("liked", "Liked.", unliked, allowed=1)), frames) == ["liked"]
    assert failed(models_table(Rule("liked", "Liked.", unliked, allowed=2)), frames) == []


def test_a_rule_quotes_the_first_row_that_breaks_it(models_table, frames_of):
    def disliked(frames):
        return frames.scan(PATH).filter(pl.col("likes") < 1).select("model_id", pl.col("likes") / 3)

    frames = frames_of({PATH: models(model_id=["a\n", "b", "c"], likes=[-1, 0, 1])})
    rule = Rule("liked", "Liked.", disliked, quoted=("model_id", "likes"))

    found = verdicts(models_table(rule), frames)["liked"]

    assert found.observed == "2 exceptions, the first: model_id a\\n, likes -0.3333"


@pytest.mark.parametrize(
    ("likes", "passes", "observed"), [([1, 3], True, 2.0), ([5, 9], False, 7.0), ([None, None], False, None)]
)
def test_a_measure_must_exist_and_lie_within_its_bounds(models_table, frames_of, likes, passes, observed):
    table = models_table(
        Measure("mean_likes", "Mean", lambda frames: frames.scan(PATH).select(pl.col("likes").mean()), 0, 5)
    )

    verdict = verdicts(table, frames_of({PATH: models(model_id=["a", "b"], likes=likes)}))["mean_likes"]

    assert verdict.passed == passes
    assert verdict.observed == observed or verdict.error == (
        "NoValueError: there is no value: what it is computed from is absent or cancels out"
    )


def test_a_measure_of_several_rows_has_failed(models_table, frames_of):
    table = models_table(Measure("likes", "Likes", lambda frames: frames.scan(PATH).select("likes"), 0))

    verdict = verdicts(table, frames_of({PATH: models(model_id=["a", "b"], likes=[1, 2])}))["likes"]

    assert verdict.error == "ValueError: a measure is one value, but this one came to 2 rows"


def test_a_rule_may_look_at_the_month_before(models_table, frames_of):
    def vanished(frames):
        previous = frames.scan_previous(PATH)
        assert previous is not None
        return previous.join(frames.scan(PATH), on="model_id", how="anti")

    frames = frames_of(
        {PATH: models(model_id=["a"], likes=[1])}, previous={PATH: models(model_id=["a", "b"], likes=[1, 1])}
    )

    verdict = verdicts(models_table(Rule("kept", "None vanished.", vanished)), frames)["kept"]

    assert verdict.samples == [{"model_id": "b", "likes": 1}]


def test_a_table_that_cannot_be_read_fails_every_check(models_table, frames_of):
    found = verdicts(models_table(LIKES_NOT_NEGATIVE), frames_of({}))

    assert {verdict.error for verdict in found.values()} == {"LookupError: listings/models is not there"}
    assert not any(verdict.passed for verdict in found.values())


def test_hostile_text_in_samples_is_cut_and_cannot_act(models_table, frames_of):
    hostile = "<img src=x onerror=alert(1)>\x1b[2J\u202e\r\n" + "x" * 10_000
    frames = frames_of({PATH: models(model_id=[hostile], likes=[-1])})

    [row] = verdicts(models_table(LIKES_NOT_NEGATIVE), frames)["likes_between"].samples

    assert row["model_id"].startswith(r"<img src=x onerror=alert(1)>\x1b[2J\u202e\r\n")
    assert row["model_id"].isprintable()
    assert len(row["model_id"]) < 250


def test_numbers_that_a_browser_cannot_hold_are_shown_as_text(models_table, frames_of):
    frames = frames_of({PATH: models(model_id=["a"], likes=[-(2**60)])})

    [row] = verdicts(models_table(LIKES_NOT_NEGATIVE), frames)["likes_between"].samples

    assert row["likes"] == str(-(2**60))


def test_judging_prints_nothing():
    script = """
        import polars as pl
        from pipeline.quality.judge import judge
        from pipeline.schema.declaration import Column, Expectation, Table

        table = Table("listings", "models", "model", "Made up.", (Column("model_id", pl.String, "Name."),),
                      ("model_id",), rules=())

        class Frames:
            def scan(self, path):
                return pl.LazyFrame({"model_id": ["a", "a", None]})

            def scan_previous(self, path):
                return None

        assert len(judge(table, Frames())) == len(judge(table, Frames(), row_limit_for_frames=0)) == 5
    """
    finished = subprocess.run([sys.executable, "-c", dedent(script)], capture_output=True, text=True, check=False)

    assert (finished.returncode, finished.stdout, finished.stderr) == (0, "", "")


@WAYS
def test_rows_that_lack_required_values_are_counted_by_column(models_table, frames_of, row_limit_for_frames):
    table = models_table(columns=(Column("model_id", pl.String, "Name."), Column("task", pl.String, "Task.")))
    frames = frames_of({PATH: pl.DataFrame({"model_id": ["a", "b", None], "task": ["t", None, None]})})

    verdict = verdicts(table, frames, row_limit_for_frames)["required_values_present"]

    assert (verdict.passed, verdict.failed_rows, verdict.rows) == (False, 2, 3)
    assert verdict.observed == "2 of 3 rows fail: model_id in 1, task in 2"
    assert {"model_id": "b", "task": None} in verdict.samples
