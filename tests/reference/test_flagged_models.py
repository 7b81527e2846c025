"""The reviewed list of traffic that is not people's use."""

from datetime import date

import polars as pl
import pytest

from pipeline.errors import CensusError
from pipeline.reference.flagged import flagged_models
from pipeline.reference.registry_rules import EVIDENCE_BASES


def listed(tmp_path, *lines):
    path = tmp_path / "flagged_models.csv"
    path.write_text("repository,first_month,last_month,kind,evidence,basis,note\n" + "\n".join(lines))
    return path


def test_a_line_holds_in_its_months_and_no_other(tmp_path):
    path = listed(tmp_path, "maker/burst,2024-09,2024-10,burst,,,")
    flagged = [bool(flagged_models(date(2024, month, 1), path).repositories) for month in (8, 9, 10, 11)]
    assert flagged == [False, True, True, False]


def test_a_line_without_months_holds_always_and_may_name_a_whole_namespace(tmp_path):
    flagged = flagged_models(date(2030, 1, 1), listed(tmp_path, "ci/*,,,test_traffic,,,", "maker/a,,,burst,,,"))
    assert (flagged.namespaces, flagged.repositories) == (("ci",), ("maker/a",))


def test_a_month_that_is_none_is_refused_with_its_line(tmp_path):
    with pytest.raises(CensusError, match="flags 'maker/a' in a month that is none"):
        flagged_models(date(2025, 1, 1), listed(tmp_path, "maker/a,2025-13,,burst,,,"))


def test_every_line_of_our_list_has_a_reason_and_evidence():
    lines = pl.read_csv("pipeline/reference/flagged_models.csv", infer_schema=False)
    assert lines.select("repository", "kind", "evidence", "basis", "note").null_count().sum_horizontal().item() == 0
    assert set(lines["kind"]) == {"test_traffic", "burst"}
    assert lines["repository"].is_unique().all()


@pytest.mark.parametrize("name", ["incidents", "flagged_models", "plausible_downloads"])
def test_every_fact_about_months_says_how_we_know_it(name):
    lines = pl.read_csv(f"pipeline/reference/{name}.csv", infer_schema=False)
    assert set(lines["basis"]) <= set(EVIDENCE_BASES)
    assert lines.select("evidence", "note").null_count().sum_horizontal().item() == 0
