"""What is said of a period is said of all the months that it holds, and the missing ones are named."""

from datetime import date
from decimal import Decimal
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.attribution.attribution_coverage import ATTRIBUTION_COVERAGE
from assets.listings.reconciliation import MONTH_RECONCILIATION
from assets.published.dim_month import DIM_MONTH, DIM_PERIOD
from pipeline.months import add_months, in_words
from tests.assets.rows import rows_of
from tests.report.scenario import months_promised

A_MONTH = st.fixed_dictionaries(
    {
        "source": st.sampled_from(["hub", "hub_stats", "sample"]),
        "basis": st.sampled_from(["all_time_delta", "rolling_30d"]),
        "quality": st.sampled_from(["exact", "scaled", "estimated"]),
        "is_synthetic": st.booleans(),
        "downloads": st.integers(0, 1000).map(Decimal),
        "coverage": st.sampled_from([0.25, 0.5, 1.0, None]),
        "incidents": st.sampled_from([None, "freeze 2025-07-16 (hub)", "freeze 2025-07-16 (hub); burst (x)"]),
    }
)
SERIES = st.dictionaries(st.integers(0, 30).map(lambda later: add_months(date(2024, 8, 1), later)), A_MONTH, min_size=1)


class Months:
    """The published months, of which `dim_month` says what it is given."""

    def __init__(self, known):
        self.months = tuple(sorted(known))
        self._rows = rows_of(DIM_MONTH.table, [row | {"month": month} for month, row in known.items()])

    def published(self, name):
        assert name == "dim_month"
        return self._rows


@given(SERIES)
def test_a_period_is_the_months_that_it_holds(known):
    rows = DIM_PERIOD.make(Months(known)).collect().rows(named=True)
    assert len(rows) == 4 * len(known)
    for row in rows:
        wanted = months_promised(row["period"], row["month"], known)
        held = [month for month in wanted if month in known]
        assert row["first_month"] == wanted[0]
        assert row["months"] == in_words(held)
        assert row["months_missing"] == (in_words([month for month in wanted if month not in known]) or None)
        assert (row["months_in_period"], row["is_complete"]) == (len(held), held == wanted)


@given(SERIES)
def test_basis_quality_sources_coverage_and_incidents_are_those_of_all_its_months(known):
    for row in DIM_PERIOD.make(Months(known)).collect().rows(named=True):
        held = [known[month] for month in months_promised(row["period"], row["month"], known) if month in known]
        for name in ("basis", "quality"):
            values = {month[name] for month in held}
            assert row[name] == (values.pop() if len(values) == 1 else "mixed")
        assert row["source"].split(", ") == sorted({month["source"] for month in held})
        assert row["is_synthetic"] == any(month["is_synthetic"] for month in held)
        total = sum(month["downloads"] for month in held)
        attributed = sum(float(month["downloads"]) * (month["coverage"] or 0) for month in held)
        assert row["coverage"] == (attributed / float(total) if total else None)
        told = (row["incidents"] or "").split("; ")
        for month in held:
            assert set((month["incidents"] or "").split("; ")) <= {*told, ""}
        assert len(told) == len(set(told))


@pytest.mark.parametrize(
    ("downloads", "shares", "coverage"),
    [
        (100, {"registry": 0.5, "canonical": 0.25, "unmapped": 0.25}, 0.75),
        (100, {"registry": 1.0}, 1.0),
        (100, {"unmapped": 1.0}, 0.0),
        (0, {"registry": 0.0, "unmapped": 0.0}, None),
    ],
)
def test_coverage_of_a_month_is_what_is_not_unmapped_of_what_was_downloaded(downloads, shares, coverage):
    facts = {"month": date(2025, 8, 1), "source": "hub", "downloads": Decimal(downloads)}
    rows = [{"month": date(2025, 8, 1), "method": name, "share_of_downloads": share} for name, share in shares.items()]
    of_tables = {MONTH_RECONCILIATION: [facts], ATTRIBUTION_COVERAGE: rows}
    months = SimpleNamespace(
        edition=SimpleNamespace(origin_rule="equal_parts"),
        scan=lambda table: rows_of(table, of_tables[table]),
    )
    assert DIM_MONTH.make(months).collect()["coverage"].to_list() == [coverage]
