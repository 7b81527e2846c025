"""Nothing that is published changes, shrinks or mixes what does not belong together without being told."""

from datetime import date

import pytest

from pipeline import settings
from pipeline.errors import CensusError
from pipeline.publish import guards
from pipeline.publish.manifest import FinishedMonths
from tests.publish.scenario import (
    AUGUST,
    CATALOGUE,
    JULY,
    JUNE,
    change_one_byte,
    make_month,
    warehouse,
    write_registry,
)


@pytest.fixture
def draft(tmp_path):
    (tmp_path / "draft").mkdir()
    return tmp_path / "draft"


def published(folder, shares=None, **more):
    with folder.new_version() as draft:
        warehouse(draft.path, shares or {"CN": 0.6, "US": 0.4}, **more)
    return draft.version


def test_synthetic_and_real_months_are_never_published_together(lake):
    for month, source in ((JUNE, "sample"), (JULY, "sample"), (AUGUST, "hub_stats")):
        make_month(lake, month, source=source)
    said = r"holds 2 synthetic months \(2025-06 and on\) and 1 real ones, .* never published together: start a home .*"
    with pytest.raises(CensusError, match=f"{said} by setting CENSUS_HOME"):
        guards.require_one_world(lake, [JUNE, JULY, AUGUST])


@pytest.mark.parametrize("sources", [("sample", "hub (synthetic)"), ("hub_stats", "hub")], ids=["synthetic", "real"])
def test_months_of_several_sources_of_one_world_are_published_together(lake, sources):
    for month, source in zip((JULY, AUGUST), sources, strict=True):
        make_month(lake, month, source=source)
    guards.require_one_world(lake, [JULY, AUGUST])


def test_months_by_different_registries_are_refused_by_name_with_the_command(lake):
    make_month(lake, JUNE, registry="old")
    make_month(lake, JULY, registry="new")
    make_month(lake, AUGUST, registry="new")
    with pytest.raises(CensusError, match=r"^2025-06 were made by another version of registry than 2025-08: `"):
        guards.require_made_alike(lake, CATALOGUE, [JUNE, JULY, AUGUST])
    guards.require_made_alike(lake, CATALOGUE, [JULY, AUGUST])
    guards.require_made_alike(lake, CATALOGUE, [JUNE, JULY, AUGUST], {guards.MIXED_LISTS})


def test_the_published_registry_is_the_one_that_the_months_were_made_with(lake):
    make_month(lake, AUGUST, registry="old")
    write_registry(lake, "old")
    guards.require_made_alike(lake, CATALOGUE, [AUGUST])
    write_registry(lake, "new")
    with pytest.raises(CensusError, match="attribution/organizations is of another version of registry"):
        guards.require_made_alike(lake, CATALOGUE, [AUGUST])


def test_a_publication_without_a_published_month_is_refused_with_the_reason(folder):
    guards.require_no_fewer_months(folder, FinishedMonths([JULY], {}))
    published(folder, months=(JUNE, JULY, AUGUST))
    fewer = FinishedMonths([JUNE, AUGUST], {JULY: "a table is missing"})
    with pytest.raises(CensusError, match=r"1 of 3 published months .* \(2025-07: a table is missing: `census run"):
        guards.require_no_fewer_months(folder, fewer)
    with pytest.raises(CensusError, match="2025-07: the lake has none of it"):
        guards.require_no_fewer_months(folder, FinishedMonths([JUNE, AUGUST], {}))
    guards.require_no_fewer_months(folder, fewer, {guards.FEWER_MONTHS})
    guards.require_no_fewer_months(folder, FinishedMonths([date(2025, 5, 1), JUNE, JULY, AUGUST], {}))


def test_a_version_whose_warehouse_is_spoilt_can_be_replaced(folder, draft):
    published(folder)
    change_one_byte(folder.current_path() / "census.duckdb", 0)
    guards.require_no_fewer_months(folder, FinishedMonths([JULY], {}))
    guards.require_same_headline(folder, warehouse(draft, {"US": 1.0}))


@pytest.mark.parametrize(("share", "is_refused"), [(0.6049, False), (0.6051, True), (0.5949, True)])
def test_a_headline_may_move_by_half_a_percentage_point(folder, draft, share, is_refused):
    guards.require_same_headline(folder, draft)
    published(folder, {"CN": 0.6, "US": 0.2})
    after = warehouse(draft, {"CN": share, "US": 0.2})
    if is_refused:
        with pytest.raises(CensusError, match=r"would change \(CN: .* --allow changed-headline"):
            guards.require_same_headline(folder, after)
        guards.require_same_headline(folder, after, {guards.CHANGED_HEADLINE})
    else:
        guards.require_same_headline(folder, after)


def test_a_correction_that_flips_the_headline_is_told_with_both_figures(folder, draft, outcomes):
    version = published(folder, {"CN": 0.6, "US": 0.4})
    said = guards.headline_changes(folder.current_path(), warehouse(draft, {"CN": 0.4, "US": 0.6}))
    outcomes.add("registry: a correction that flips the headline", said[:1], wrong=not said)
    assert said == [
        f"US leads 2025-08, CN did in version {version}",
        f"CN: 40.00%, 60.00% in version {version}",
        f"US: 60.00%, 40.00% in version {version}",
    ]


def test_a_change_of_places_is_told_however_small(folder, draft):
    published(folder, {"CN": 0.501, "US": 0.499})
    [said] = guards.headline_changes(folder.current_path(), warehouse(draft, {"CN": 0.499, "US": 0.501}))
    assert said.startswith("US leads 2025-08")


def test_a_period_that_holds_more_months_than_before_is_no_correction(folder, draft):
    published(folder, {"CN": 0.6}, months_in_period=3)
    guards.require_same_headline(folder, warehouse(draft, {"CN": 0.1}, months_in_period=4))


@pytest.fixture
def made_by_rules(lake, monkeypatch):
    """One month by our rule, one by another, one without any derivative."""
    rules = {JUNE: {guards.ORIGIN_RULE: "equal_parts"}, JULY: {guards.ORIGIN_RULE: "majority"}, AUGUST: {}}
    monkeypatch.setattr(guards, "made_by", lambda _, month: rules[month])
    return lake


@pytest.mark.parametrize(
    ("rule", "kept", "held_back"), [("equal_parts", [JUNE, AUGUST], JULY), ("majority", [JULY, AUGUST], JUNE)]
)
def test_a_month_split_by_another_rule_is_held_back_with_the_reason(made_by_rules, rule, kept, held_back):
    chosen = guards.split_by_rule(made_by_rules, FinishedMonths([JUNE, JULY, AUGUST], {}), rule)
    assert chosen.publishable == kept
    assert list(chosen.held_back) == [held_back]
    assert f"in this publication by {rule}" in chosen.held_back[held_back]


def test_the_rule_is_the_one_asked_for_else_the_environments_else_ours(monkeypatch):
    monkeypatch.delenv("CENSUS_ORIGIN_RULE", raising=False)
    assert settings.origin_rule() == "equal_parts"
    monkeypatch.setenv("CENSUS_ORIGIN_RULE", "majority")
    assert (settings.origin_rule(), settings.origin_rule("first_parent")) == ("majority", "first_parent")
    monkeypatch.setenv("CENSUS_ORIGIN_RULE", "lottery")
    with pytest.raises(CensusError, match="there is no origin rule 'lottery': choose one of equal_parts"):
        settings.origin_rule()


@pytest.mark.parametrize(
    ("there", "asked", "kind"),
    [("sample", "hub_stats", "real"), ("hub", "sample", "synthetic"), ("hub", "hub (synthetic)", "synthetic")],
)
def test_a_month_of_the_other_world_is_refused_with_the_way_to_a_home_of_its_own(lake, there, asked, kind):
    guards.require_same_world(lake, asked)
    make_month(lake, JULY, source=there)
    with pytest.raises(CensusError, match=f"give {kind} data its own: CENSUS_HOME=~/census-{kind} census run --source"):
        guards.require_same_world(lake, asked, AUGUST)
    guards.require_same_world(lake, asked, JULY)
    guards.require_same_world(lake, there, AUGUST)
