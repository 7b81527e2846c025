"""Nothing that is published changes, shrinks or mixes what does not belong together without being told."""

from contextlib import nullcontext
from datetime import date

import pytest

from pipeline import settings
from pipeline.errors import CensusError
from pipeline.publish import publication as guards
from pipeline.publish.manifest import ORIGIN_RULE, FinishedMonths, require_same_world
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
    with folder.new_version() as (version, draft):
        warehouse(draft, shares or {"CN": 0.6, "US": 0.4}, **more)
    return version


@pytest.mark.parametrize(
    ("sources", "is_one_world"),
    [
        (("sample", "sample", "hub_stats"), False),
        (("sample", "hub (synthetic)"), True),
        (("hub_stats", "hub"), True),
    ],
)
def test_synthetic_and_real_months_are_never_published_together_those_of_one_world_are(lake, sources, is_one_world):
    months = [JUNE, JULY, AUGUST][: len(sources)]
    for month, source in zip(months, sources, strict=True):
        make_month(lake, month, source=source)
    said = r"holds 2 synthetic months \(2025-06 and on\) and 1 real ones, .* by setting CENSUS_HOME"
    with nullcontext() if is_one_world else pytest.raises(CensusError, match=said):
        guards.require_one_world(lake, months)


def test_months_by_different_registries_are_refused_by_name_with_the_command(lake):
    for month, registry in ((JUNE, "old"), (JULY, "new"), (AUGUST, "new")):
        make_month(lake, month, registry=registry)
    [said] = guards.mixed_lists(lake, CATALOGUE, [JUNE, JULY, AUGUST])
    assert said.startswith("2025-06 were made by another version of registry than 2025-08: `census run --from 2025-06 ")
    assert not [*guards.mixed_lists(lake, CATALOGUE, [JULY, AUGUST])]


@pytest.mark.parametrize(("registry", "refused"), [("old", 0), ("new", 1)])
def test_the_published_registry_is_the_one_that_the_months_were_made_with(lake, registry, refused):
    make_month(lake, AUGUST, registry="old")
    write_registry(lake, registry)
    said = [*guards.mixed_lists(lake, CATALOGUE, [AUGUST])]
    assert said == [] or "attribution/organizations is of another version of registry" in said[0]
    assert len(said) == refused


def test_a_publication_without_a_published_month_is_refused_with_the_reason(folder):
    assert not [*guards.lost_months(None, FinishedMonths([JULY], {}))]
    published(folder, months=(JUNE, JULY, AUGUST))
    before = folder.current_path()
    [said] = guards.lost_months(before, FinishedMonths([JUNE, AUGUST], {JULY: "a table is missing"}))
    assert "1 of 3 published months would no longer be published (2025-07: a table is missing: `census run" in said
    [said] = guards.lost_months(before, FinishedMonths([JUNE, AUGUST], {}))
    assert "2025-07: the lake has none of it" in said
    assert not [*guards.lost_months(before, FinishedMonths([date(2025, 5, 1), JUNE, JULY, AUGUST], {}))]


def test_a_version_whose_warehouse_is_spoilt_can_be_replaced(folder, draft):
    published(folder)
    change_one_byte(folder.current_path() / "census.duckdb", 0)
    assert not [*guards.lost_months(folder.current_path(), FinishedMonths([JULY], {}))]
    assert not [*guards.changed_headline(folder.current_path(), warehouse(draft, {"US": 1.0}))]


@pytest.mark.parametrize(("share", "is_refused"), [(0.6049, False), (0.6051, True), (0.5949, True)])
def test_a_headline_may_move_by_half_a_percentage_point(folder, draft, share, is_refused):
    assert not [*guards.changed_headline(None, draft)]
    published(folder, {"CN": 0.6, "US": 0.2})
    said = [*guards.changed_headline(folder.current_path(), warehouse(draft, {"CN": share, "US": 0.2}))]
    assert bool(said) == is_refused
    assert not said or "would change (CN: " in said[0]


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (
            (0.6, 0.4),
            (0.4, 0.6),
            "US leads 2025-08, CN did in {0}; CN: 40.00%, 60.00% in {0}; US: 60.00%, 40.00% in {0}",
        ),
        ((0.501, 0.499), (0.499, 0.501), "US leads 2025-08, CN did in {0}"),
    ],
    ids=["a correction that flips the headline", "a change of places, however small"],
)
def test_a_change_of_the_headline_is_told_with_both_figures(folder, draft, outcomes, before, after, told):
    version = published(folder, dict(zip(("CN", "US"), before, strict=True)))
    said = [
        *guards.changed_headline(folder.current_path(), warehouse(draft, dict(zip(("CN", "US"), after, strict=True))))
    ]
    outcomes.add("registry: a correction that flips the headline", said, wrong=not said)
    assert f"would change ({told.format(f'version {version}')}): look for the cause" in said[0]


@pytest.mark.parametrize("what", settings.ALLOWANCES)
def test_what_is_refused_may_be_allowed_by_name(what):
    with pytest.raises(CensusError, match=f"^it changed; if it is meant, `census publish --allow {what}`$"):
        guards.refuse(["it changed"], what, set(settings.ALLOWANCES) - {what})
    guards.refuse(["it changed"], what, {what})


def test_a_country_that_is_gone_from_the_headline_is_told_with_nothing_left(folder, draft):
    version = published(folder, {"CN": 0.6, "US": 0.3})
    [said] = guards.changed_headline(folder.current_path(), warehouse(draft, {"CN": 0.6}))
    assert f"would change (US: 0.00%, 30.00% in version {version})" in said


def test_a_period_that_holds_more_months_than_before_is_no_correction(folder, draft):
    published(folder, {"CN": 0.6}, months_in_period=3)
    assert not [*guards.changed_headline(folder.current_path(), warehouse(draft, {"CN": 0.1}, months_in_period=4))]


@pytest.fixture
def made_by_rules(lake, monkeypatch):
    """One month by our rule, one by another, one without any derivative."""
    rules = {JUNE: {ORIGIN_RULE: "equal_parts"}, JULY: {ORIGIN_RULE: "majority"}, AUGUST: {}}
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
    require_same_world(lake, asked)
    make_month(lake, JULY, source=there)
    with pytest.raises(CensusError, match=f"give {kind} data its own: CENSUS_HOME=~/census-{kind} census run --source"):
        require_same_world(lake, asked, AUGUST)
    require_same_world(lake, asked, JULY)
    require_same_world(lake, there, AUGUST)
