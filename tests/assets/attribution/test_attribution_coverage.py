"""How much is attributed, and what the checks of it let pass and name."""

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
from pipeline.schema.declaration import MonthAbsentError
from pipeline.settings import least_attributed

COVERAGE = "attribution/attribution_coverage"
DOWNLOADS = "listings/model_downloads"
ATTRIBUTION = "attribution/model_attribution"


class Months:
    """This month's tables and the month before's, as rules see them."""

    def __init__(self, now, before=None):
        self._now, self._before = now, before

    def scan(self, table):
        return self._now[table]

    def scan_previous(self, table):
        if self._before is None:
            raise MonthAbsentError(date(2025, 3, 1))
        return self._before[table]


def coverage(attributed, unmapped, accounts=FEW_ACCOUNTS):
    return {
        COVERAGE: pl.LazyFrame({"method": ["registry", "unmapped"], "downloads": [attributed, unmapped]}),
        ATTRIBUTION: pl.LazyFrame({"namespace": [f"account-{number}" for number in range(accounts)]}),
    }


def models(**downloads):
    """One model per unmapped namespace, beside one of the registry with a thousand downloads."""
    names = ["registered", *downloads]
    hub_ids = [str(number) for number in range(len(names))]
    return {
        DOWNLOADS: pl.LazyFrame({"hub_id": hub_ids, "downloads": [1000.0, *downloads.values()]}),
        ATTRIBUTION: pl.LazyFrame(
            {
                "hub_id": hub_ids,
                "namespace": names,
                "model_id": [f"{name}/model" for name in names],
                "method": ["registry"] + ["unmapped"] * len(downloads),
            }
        ),
    }


def measured(name, frames):
    [measure] = [measure for measure in ATTRIBUTION_COVERAGE.measures if measure.name == name]
    value = measure.value(frames).collect().item()
    return value, value >= measure.minimum, measure.severity


def named(frames):
    [rule] = [rule for rule in ATTRIBUTION_COVERAGE.rules if rule.name == "no_newly_large_unmapped_namespace"]
    assert rule.severity == "warning"
    return rule.violations(frames).collect()["namespace"].to_list()


def too_little(frames):
    """The attributed share and what was asked for, where a month is refused for it."""
    [rule] = [rule for rule in ATTRIBUTION_COVERAGE.rules if rule.name == "enough_is_attributed"]
    assert rule.severity == "critical"
    return rule.violations(frames).collect().rows()


@pytest.mark.parametrize(("attributed", "refused"), [(49.9, True), (50.0, False), (90.0, False), (0.0, True)])
def test_a_month_of_the_hub_with_less_than_half_attributed_is_refused(attributed, refused):
    months = Months(coverage(attributed, 100.0 - attributed, accounts=2 * FEW_ACCOUNTS))
    assert too_little(months) == ([(attributed / 100, 0.5)] if refused else [])
    value, passed, severity = measured("attributed_share_of_downloads", months)
    assert (value, passed, severity) == (pytest.approx(attributed / 100), not refused, "warning")


@pytest.mark.parametrize(("least", "refused"), [(None, False), ("0.4", False), ("0.41", True), ("1", True)])
def test_months_of_few_accounts_may_be_unmapped_unless_the_least_is_set(monkeypatch, least, refused):
    if least:
        monkeypatch.setenv("CENSUS_LEAST_ATTRIBUTED", least)
    assert bool(too_little(Months(coverage(40.0, 60.0, FEW_ACCOUNTS // 2)))) is refused
    assert bool(too_little(Months(coverage(40.0, 60.0, 2 * FEW_ACCOUNTS)))) is (refused or not least)


@pytest.mark.parametrize("written", ["half", "50", "-0.1", "nan"])
def test_what_is_no_share_is_refused(monkeypatch, written):
    monkeypatch.setenv("CENSUS_LEAST_ATTRIBUTED", written)
    with pytest.raises(CensusError, match="write a number from 0 to 1"):
        least_attributed()


@pytest.mark.parametrize(("before", "now", "passes"), [(90.0, 88.5, True), (90.0, 87.5, False), (80.0, 95.0, True)])
def test_the_attributed_share_may_not_fall_more_than_two_points_in_a_month(before, now, passes):
    months = Months(coverage(now, 100 - now), coverage(before, 100 - before))
    change, passed, severity = measured("change_in_attributed_share", months)
    assert change == pytest.approx((now - before) / 100)
    assert (passed, severity) == (passes, "warning")


def test_without_a_month_before_nothing_is_compared():
    with pytest.raises(MonthAbsentError):
        measured("change_in_attributed_share", Months(coverage(50.0, 50.0)))
    with pytest.raises(MonthAbsentError):
        named(Months(models(large=50.0, small=5.0)))


def test_a_newly_large_unmapped_namespace_is_named():
    assert named(Months(models(newcomer=50.0, small=5.0), models(small=5.0))) == ["newcomer"]
    assert named(Months(models(grown=50.0), models(grown=5.0))) == ["grown"]
    assert named(Months(models(old=50.0), models(old=60.0))) == []


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
