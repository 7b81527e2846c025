"""What a publication says of itself: what each check found in each month."""

from datetime import date

import dagster as dg
import pytest

from assets.published.about import recorded_results

AUGUST = date(2025, 8, 1)


def evaluation(**facts):
    stated = {"passed": True, "severity": dg.AssetCheckSeverity.WARN, "partition": AUGUST.isoformat()}
    return dg.AssetCheckEvaluation(
        asset_key=dg.AssetKey(["shares", "country_shares"]), check_name="no_jumps", **stated | facts
    )


@pytest.mark.parametrize(
    ("said", "severity"), [(dg.AssetCheckSeverity.ERROR, "critical"), (dg.AssetCheckSeverity.WARN, "warning")]
)
def test_the_result_of_a_check_says_what_was_found_and_how_grave_it_is(said, severity):
    metadata = {"judged": False, "observed": "1 of 3 rows failed", "expected": "none", "rows": 3, "failed_rows": 1}
    found = evaluation(severity=said, passed=False, metadata=metadata)
    with dg.DagsterInstance.ephemeral() as instance:
        [row] = recorded_results(instance, [], [AUGUST], [found]).rows()
    assert row == (
        *(AUGUST, "shares/country_shares", "no_jumps", False, severity, False, "1 of 3 rows failed", "none", 3, 1),
    )


def test_a_result_that_counts_no_rows_and_says_nothing_else_was_judged():
    with dg.DagsterInstance.ephemeral() as instance:
        [row] = recorded_results(instance, [], [AUGUST], [evaluation()]).rows(named=True)
    assert (row["was_judged"], row["observed"], row["rows"], row["failed_rows"]) == (True, "", None, None)
