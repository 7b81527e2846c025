"""Our counts are what Great Expectations itself counts over the rows."""

from typing import Any

import pandas as pd
import polars as pl
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from pipeline.schema.declaration import Column, Table
from tests.checks.scenario import checked

NUMBERS = (-(2**53), -1, 0, 1, 2, 2**53)
PATTERNS = (r"^a$", r"^[^/ ]+(/[^/ ]+)?$", r"^[a-z]+$", r"b", r"^$", r"[$]", r"a.b")
VALUES = {
    "name": st.none() | st.text("ab/ \n\u00e9_$<", max_size=3),
    "whole": st.none() | st.sampled_from((*NUMBERS, 2**53 + 1, -(2**63), 2**63 - 1)),
    "other": st.none() | st.integers(-2, 3),
    "ratio": st.none() | st.sampled_from((0.0, -0.0, 0.5, 1.0, float("nan"), float("inf"), float("-inf"))),
}
BOUNDS = st.tuples(st.none() | st.sampled_from(NUMBERS[:4]), st.none() | st.sampled_from(NUMBERS[3:]))


@st.composite
def tables(draw) -> Table:
    """A table of four columns that all have some constraints."""
    (low, high), (least, most) = draw(BOUNDS), draw(BOUNDS)
    listed = draw(st.sampled_from(((), ("a", "b", ""))))
    pattern = draw(st.none() | st.sampled_from(PATTERNS))
    flags = [draw(st.booleans()) for _ in range(6)]
    columns = (
        Column("name", pl.String, "Text.", nullable=flags[0], values=listed, pattern=pattern, unique=flags[1]),
        Column("whole", pl.Int64, "Whole.", nullable=flags[2], minimum=low, maximum=high, unique=flags[3]),
        Column("other", pl.Int64, "Whole.", nullable=flags[4], maximum="whole"),
        Column("ratio", pl.Float64, "Number.", nullable=flags[5], minimum=least, maximum=most),
    )
    key = tuple(draw(st.permutations(["name", "whole", "other"]))[:2])
    return Table("listings/made_up", "row", "Made up.", columns, key, may_be_empty=True)


def as_expectations(table: Table) -> dict[str, Any]:
    """What the table declares, in Great Expectations' own vocabulary, by the words of our constraint."""
    from great_expectations import expectations as gxe

    words = counts(table, []).keys()
    found = {
        f"{', '.join(table.key)} occur once together": gxe.ExpectCompoundColumnsToBeUnique(
            column_list=list(table.key), ignore_row_if="never"
        )
    }
    for column in table.columns:
        about, name = {"column": column.name}, column.name
        bounds = {"min_value": column.minimum, "max_value": column.maximum}
        if column.pattern is not None:
            # Python's `$` would let a line feed at the end pass.
            regex = column.pattern if "[$]" in column.pattern else column.pattern.replace("$", r"\Z")
            found[f"{name} matches {column.pattern}"] = gxe.ExpectColumnValuesToMatchRegex(regex=regex, **about)
        found |= {
            f"{name} is present": gxe.ExpectColumnValuesToNotBeNull(**about),
            f"{name} occurs once": gxe.ExpectColumnValuesToBeUnique(**about),
            f"{name} is one of {', '.join(map(str, column.values))}": gxe.ExpectColumnValuesToBeInSet(
                value_set=list(column.values), **about
            ),
            f"{name} is at most whole": gxe.ExpectColumnPairValuesAToBeGreaterThanB(
                column_A="whole", column_B=name, or_equal=True, ignore_row_if="either_value_is_missing"
            ),
        }
        if not column.bounding_columns and any(bound is not None for bound in bounds.values()):
            [said] = [one for one in words if one.startswith(f"{name} is at ")]
            found[said] = gxe.ExpectColumnValuesToBeBetween(**bounds, **about)
    return {said: found[said] for said in words}


def counts(table: Table, rows: list[dict]) -> dict[str, dict]:
    """What we count of each constraint that Great Expectations has, too: it knows no order of rows."""

    result = checked(table, pl.DataFrame(rows, schema=table.schema))
    assert result.error is None
    named = {f"{one['column']} {one['constraint']}": dict(one) for one in result.by_column}
    return {said: one for said, one in named.items() if not said.endswith("are in order")}


@pytest.fixture(scope="module")
def batch_definition():
    import great_expectations as gx

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False, "metric_calculations": False}
    return context.data_sources.add_pandas("p").add_dataframe_asset("a").add_batch_definition_whole_dataframe("w")


# An example takes half a second, so a failure is shown as it was found: making it smaller would take minutes.
@settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
@given(table=tables(), rows=st.lists(st.fixed_dictionaries(VALUES), min_size=1, max_size=8))
@pytest.mark.filterwarnings("ignore")
def test_our_counts_are_great_expectations_own(batch_definition, table, rows):
    expected = as_expectations(table)
    rows = pl.DataFrame(rows, schema=table.schema).sort(table.key).to_dicts()
    # As objects, whole numbers beside gaps keep their last digit.
    frame = pd.DataFrame({name: pd.Series([row[name] for row in rows], dtype=object) for name in VALUES})
    frame["ratio"] = frame["ratio"].astype(float)
    batch = batch_definition.get_batch({"dataframe": frame})
    ours = counts(table, rows)
    theirs = {}
    for said, expectation in expected.items():
        result = batch.validate(expectation, result_format="BASIC").result
        theirs[said] = (result["element_count"] - result.get("missing_count", 0), result["unexpected_count"])
    assert {said: (one["rows"], one["failed"]) for said, one in ours.items()} == theirs
