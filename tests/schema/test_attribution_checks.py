"""The checks of attribution: what they let pass and what they name."""

from datetime import date

import polars as pl
import pytest

from pipeline.schema.declaration import MonthAbsentError
from pipeline.tables.attribution import ATTRIBUTION_COVERAGE

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


def coverage(attributed, unmapped):
    return {COVERAGE: pl.LazyFrame({"method": ["registry", "unmapped"], "downloads": [attributed, unmapped]})}


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


def test_a_month_whose_downloads_are_mostly_unmapped_is_an_error():
    assert measured("attributed_share_of_downloads", Months(coverage(49.0, 51.0))) == (0.49, False, "critical")
    assert measured("attributed_share_of_downloads", Months(coverage(90.0, 10.0))) == (0.9, True, "critical")


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


def test_an_unmapped_namespace_that_was_large_before_is_not_new():
    assert named(Months(models(old=50.0), models(old=60.0))) == []
