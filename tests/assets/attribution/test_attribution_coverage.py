"""How much is attributed, and of which months as much as half is asked for."""

from datetime import date

import polars as pl
import pytest

from assets.attribution.attribution_coverage import (
    ATTRIBUTION_COVERAGE,
    FEW_ACCOUNTS,
    coverage_of,
    unmapped_namespaces,
)
from pipeline.errors import CensusError
from pipeline.settings import least_attributed
from tests.checks.scenario import FramesInMemory


def too_little(attributed, accounts):
    """The attributed share and what was asked for, where a month of so many accounts is refused for it."""
    tables = {
        ATTRIBUTION_COVERAGE.path: {"method": ["registry", "unmapped"], "downloads": [attributed, 100 - attributed]},
        "attribution/model_attribution": {"namespace": [f"account-{number}" for number in range(accounts)]},
    }
    [rule] = [rule for rule in ATTRIBUTION_COVERAGE.rules if rule.name == "enough_is_attributed"]
    frames = FramesInMemory({path: pl.DataFrame(columns) for path, columns in tables.items()}, {})
    return rule.violations(frames).collect().rows()


@pytest.mark.parametrize(("least", "refused"), [(None, False), ("0.4", False), ("0.41", True), ("1", True)])
def test_months_of_few_accounts_may_be_unmapped_unless_the_least_is_set(monkeypatch, least, refused):
    if least:
        monkeypatch.setenv("CENSUS_LEAST_ATTRIBUTED", least)
    assert too_little(40, FEW_ACCOUNTS // 2) == ([(0.4, float(least))] if refused else [])
    assert bool(too_little(40, 2 * FEW_ACCOUNTS)) is (refused or not least)


def test_too_little_stops_a_month_and_everything_else_warns():
    severities = {one.name: one.severity for one in (*ATTRIBUTION_COVERAGE.rules, *ATTRIBUTION_COVERAGE.measures)}
    assert severities.pop("enough_is_attributed") == "critical"
    assert set(severities.values()) == {"warning"}


@pytest.mark.parametrize("written", ["half", "50", "-0.1", "nan"])
def test_what_is_no_share_is_refused(monkeypatch, written):
    monkeypatch.setenv("CENSUS_LEAST_ATTRIBUTED", written)
    with pytest.raises(CensusError, match="write a number from 0 to 1"):
        least_attributed()


def test_coverage_counts_by_rule_and_names_the_unmapped_with_their_share():
    rows = [
        ("known", "registry", 60.0),
        ("small", "unmapped", 10.0),
        ("big", "unmapped", 10.0),
        (None, "unmapped", 20.0),
    ]
    names, methods, amounts = zip(*rows, strict=True)
    hub_ids = ["1", "2", "3", "4"]
    downloads = pl.LazyFrame({"month": date(2025, 8, 1), "hub_id": hub_ids, "downloads": amounts})
    attribution = pl.LazyFrame(
        {"hub_id": hub_ids, "namespace": names, "model_id": "big", "method": methods, "kind": methods}
    )
    covered = coverage_of(downloads, attribution).collect().sort("method")
    assert covered.select("method", "models", "downloads", "share_of_downloads").rows() == [
        ("registry", 1, 60.0, 0.6),
        ("unmapped", 3, 40.0, 0.4),
    ]
    found = unmapped_namespaces(downloads, attribution).sort("namespace").collect()
    assert found.rows() == [("big", 2, 30.0, 0.3), ("small", 1, 10.0, 0.1)]
