"""Facts and frames must give the same verdict: the size of a table may not decide whether it passes."""

from __future__ import annotations

from datetime import UTC, date, datetime

import polars as pl
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from pipeline.quality.judge import Verdict, judge
from pipeline.quality.kinds import KINDS
from pipeline.schema.declaration import TIMESTAMP, Column, Expectation, Table

COLUMNS = (
    Column("name", pl.String, "Text.", nullable=True),
    Column("whole", pl.Int64, "A whole number.", nullable=True),
    Column("small", pl.Int32, "A small whole number.", nullable=True),
    Column("ratio", pl.Float64, "A number.", nullable=True),
    Column("rate", pl.Float64, "Another number.", nullable=True),
    Column("moment", TIMESTAMP, "A moment.", nullable=True),
    Column("day", pl.Date, "A day.", nullable=True),
    Column("flag", pl.Boolean, "Yes or no.", nullable=True),
    Column("items", pl.List(pl.String), "A list.", nullable=True),
    Column("parts", pl.Struct({"a": pl.Int64}), "A struct.", nullable=True),
)
PATTERNS = (
    r"^a$",
    r"^\S+$",
    r"\s",
    r"^[^/\s]+(/[^/\s]+)?$",
    r"^\w+$",
    r"\W",
    r"\d",
    r"^(a|b)*$",
    r"[$]",
    r"\$",
    r"a.b",
    r"^$",
)
NUMBERS = (-(2**53), -1, 0, 1, 2, 2**53)
MOMENTS = ("2022-03-02T23:29:04Z", datetime(2024, 1, 1, tzinfo=UTC), date(2024, 1, 1))


def expectation(kind: str, **arguments: object) -> Expectation:
    return Expectation(kind, arguments)


def with_share(kind: str, **arguments: st.SearchStrategy) -> st.SearchStrategy[Expectation]:
    return st.builds(expectation, st.just(kind), **arguments, mostly=st.sampled_from((1, 1, 0.9, 0.5, 1 / 3)))


def column(*names: str) -> st.SearchStrategy[str]:
    return st.sampled_from(names or [one.name for one in COLUMNS])


def bounds(*stated: object) -> dict[str, st.SearchStrategy]:
    return {
        "min_value": st.sampled_from(stated[: len(stated) // 2 + 1]),
        "max_value": st.sampled_from((*stated[len(stated) // 2 + 1 :], None)),
        "strict_min": st.booleans(),
        "strict_max": st.booleans(),
    }


STRATEGIES = {
    "ExpectTableColumnsToMatchOrderedList": st.permutations(["name", "whole", "small"]).map(
        lambda names: expectation("ExpectTableColumnsToMatchOrderedList", column_list=names)
    ),
    "ExpectTableRowCountToBeBetween": st.builds(
        expectation, st.just("ExpectTableRowCountToBeBetween"), **bounds(0, 1, 2, 3, 4)
    ),
    "ExpectColumnSumToBeBetween": st.builds(
        expectation, st.just("ExpectColumnSumToBeBetween"), column=column("whole", "small", "ratio"), **bounds(*NUMBERS)
    ),
    "ExpectColumnValuesToNotBeNull": with_share("ExpectColumnValuesToNotBeNull", column=column()),
    "ExpectColumnValuesToBeNull": with_share("ExpectColumnValuesToBeNull", column=column()),
    "ExpectColumnValuesToBeUnique": with_share(
        "ExpectColumnValuesToBeUnique", column=column("name", "whole", "small", "ratio", "moment", "day", "flag")
    ),
    "ExpectColumnValuesToBeBetween": st.one_of(
        with_share(
            "ExpectColumnValuesToBeBetween", column=column("whole", "small", "ratio"), **bounds(*NUMBERS, 0.5, 0.25)
        ).filter(lambda one: one.arguments["max_value"] is None or one.arguments["max_value"] >= 1),
        with_share(
            "ExpectColumnValuesToBeBetween",
            column=column("moment", "day"),
            min_value=st.sampled_from(MOMENTS),
            strict_min=st.booleans(),
        ),
    ),
    "ExpectColumnValuesToBeInSet": st.one_of(
        with_share("ExpectColumnValuesToBeInSet", column=column("name"), value_set=st.just(["a", "b", ""])),
        with_share("ExpectColumnValuesToBeInSet", column=column("whole", "small"), value_set=st.just([0, 1, 2])),
        with_share("ExpectColumnValuesToBeInSet", column=column("flag"), value_set=st.just([True])),
    ),
    "ExpectColumnValuesToMatchRegex": with_share(
        "ExpectColumnValuesToMatchRegex", column=column("name"), regex=st.sampled_from(PATTERNS)
    ),
    "ExpectColumnValueLengthsToBeBetween": with_share(
        "ExpectColumnValueLengthsToBeBetween", column=column("name"), **bounds(0, 1, 2, 3)
    ),
    "ExpectColumnPairValuesAToBeGreaterThanB": st.one_of(
        *(
            with_share(
                "ExpectColumnPairValuesAToBeGreaterThanB",
                column_A=column(*pair),
                column_B=column(*pair),
                or_equal=st.booleans(),
                ignore_row_if=st.sampled_from(("both_values_are_missing", "either_value_is_missing", "neither")),
            )
            for pair in (("whole", "small"), ("ratio", "rate"), ("moment", "day"))
        )
    ),
    "ExpectCompoundColumnsToBeUnique": with_share(
        "ExpectCompoundColumnsToBeUnique",
        column_list=st.permutations(["name", "whole", "ratio", "moment", "day", "flag"]).map(lambda names: names[:2]),
        ignore_row_if=st.sampled_from(("all_values_are_missing", "any_value_is_missing", "never")),
    ),
}

ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "name": st.none() | st.text("ab/ \n\x1c\u00a0é½\uff11_$<", max_size=3),
            "whole": st.none() | st.sampled_from((*NUMBERS, 2**53 + 1, -(2**63), 2**63 - 1)),
            "small": st.none() | st.integers(-2, 3),
            "ratio": st.none() | st.sampled_from((0.0, -0.0, 0.5, 1.0, float("nan"), float("inf"), float("-inf"))),
            "rate": st.none() | st.sampled_from((0.0, 0.5, float("nan"), float("inf"))),
            "moment": st.none()
            | st.sampled_from(
                (
                    datetime(2022, 3, 2, 23, 29, 4, tzinfo=UTC),
                    datetime(2024, 1, 1, tzinfo=UTC),
                    datetime(1, 1, 1, tzinfo=UTC),
                    datetime(9999, 1, 1, 0, 0, 0, 1, tzinfo=UTC),
                )
            ),
            "day": st.none() | st.sampled_from((date(2024, 1, 1), date(2022, 3, 2), date(9999, 12, 31))),
            "flag": st.none() | st.booleans(),
            "items": st.none() | st.lists(st.sampled_from(("x", None)), max_size=2),
            "parts": st.none() | st.fixed_dictionaries({"a": st.none() | st.just(1)}),
        }
    ),
    max_size=8,
)


def a_table(expectations: list[Expectation]) -> Table:
    return Table(
        group="listings",
        name="anything",
        grain="row",
        description="Made up.",
        columns=COLUMNS,
        key=("name",),
        may_be_empty=True,
        expectations=tuple(expectations),
    )


def essence(verdict: Verdict) -> tuple[object, ...]:
    observed = pytest.approx(verdict.observed, nan_ok=True) if isinstance(verdict.observed, float) else verdict.observed
    return (
        verdict.name,
        verdict.passed,
        observed,
        verdict.rows,
        verdict.failed_rows,
        verdict.failed_share,
        str(verdict.samples),
        verdict.error,
    )


def distinct(expectations: list[Expectation]) -> list[Expectation]:
    implied = a_table([]).all_expectations()
    return [one for at, one in enumerate(expectations) if one not in implied and one not in expectations[:at]]


def test_every_supported_kind_is_compared():
    assert set(STRATEGIES) == set(KINDS)


# An example takes half a second, so a failure is shown as it was found: making it smaller would take minutes.
@settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
@given(
    rows=ROWS,
    expectations=st.tuples(*STRATEGIES.values(), *STRATEGIES.values()).map(list).map(distinct),
)
def test_facts_and_frames_give_the_same_verdict_on_any_rows(frames_of, rows, expectations):
    table = a_table(expectations)
    frames = frames_of({table.path: pl.DataFrame(rows, schema=table.schema)})

    over_frames = judge(table, frames, row_limit_for_frames=len(rows))
    over_facts = judge(table, frames, row_limit_for_frames=-1)

    assert [essence(verdict) for verdict in over_facts] == [essence(verdict) for verdict in over_frames]
    assert not [verdict.error for verdict in over_facts if verdict.error and "NoValueError" not in verdict.error]
