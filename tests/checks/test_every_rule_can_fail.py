"""Each rule and measure of the census passes at the edge of what it allows and fails just beyond it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from pipeline.checks.evaluate import evaluate
from pipeline.definitions import CATALOGUE
from tests.checks.scenario import FramesInMemory
from tests.checks.sound import sound_rows

SNAPSHOT, DOWNLOADS = "listings/hub_snapshots", "listings/model_downloads"
ATTRIBUTION, COVERAGE = "attribution/model_attribution", "attribution/attribution_coverage"
DERIVATIONS, RECONCILIATION = "lineage/derivations", "lineage/derivation_reconciliation"
MODELS, WEIGHTS = "models/models", "lineage/origin_weights"
APRIL, A_MOMENT = date(2025, 4, 1), datetime(2025, 4, 30, tzinfo=UTC)
OCTOBER = datetime(2025, 10, 1, tzinfo=UTC)
"""The first moment of a day on which counters are known to have been frozen."""
Month = Mapping[str, pl.DataFrame]
Columns = Mapping[str, list[Any]]


@dataclass(frozen=True)
class Scenario:
    """Tables of a month over which a check passes, those over which it fails, and the month before."""

    passes: Month
    fails: tuple[Month, ...]
    before: Month = field(default_factory=dict)


def rows(path: str, **columns: list[Any]) -> dict[str, pl.DataFrame]:
    """The table of that path with these values, and sound ones wherever none are given; all of April."""
    table = CATALOGUE.tables[path]
    length = len(next(iter(columns.values())))
    exact = {
        name: [Decimal(str(value)) for value in values]
        for name, values in columns.items()
        if table.schema[name] == pl.Decimal
    }
    months = {"month": [APRIL] * length} if table.monthly else {}
    return {path: sound_rows(table, length, **{**months, **columns, **exact})}


def either(path: str, passing: Columns, *failing: Columns, also: Month | None = None) -> Scenario:
    """Over one table with these columns the check passes, with each of those it fails; `also` is there in all."""
    there = also or {}
    return Scenario(rows(path, **passing) | there, tuple(rows(path, **{**passing, **one}) | there for one in failing))


def some(value: Any, count: int, other: Any, whole: int = 100) -> list[Any]:
    return [value] * count + [other] * (whole - count)


def share_of(path: str, column: str, value: Any, other: Any, allowed: int, whole: int = 100, **columns: list[Any]):
    """As many rows as are allowed have the value, and one more."""
    one, more = ({column: some(value, count, other, whole)} for count in (allowed, allowed + 1))
    return either(path, {**one, **columns}, more)


def covers(path: str) -> Scenario:
    return either(path, {"hub_id": ["1", "2"]}, {"hub_id": ["1", "3"]}, also=LISTED)


def registry(passing: Columns, failing: Columns) -> Scenario:
    """Two sound rows of the registry, with something else in one of them."""
    sound = {
        "namespace": ["a", "b"],
        "organization": ["A", "B"],
        "country": ["US", "CN"],
        "kind": ["company"] * 2,
        "parent": [None] * 2,
        "valid_from": [None] * 2,
        "valid_to": [None] * 2,
        "evidence": ["https://a.example/about"] * 2,
        "basis": ["read"] * 2,
        "checked_on": [APRIL] * 2,
        "ultimate_owner": [None] * 2,
    }
    return either("attribution/organizations", {**sound, **passing}, failing)


REGISTRY: Mapping[str, tuple[Columns, Columns]] = {
    "namespaces_are_names": ({}, {"namespace": ["a", "b/c"]}),
    "organizations_are_named": ({}, {"organization": ["A", " "]}),
    "kinds_are_known": ({}, {"kind": ["company", "firm"]}),
    "countries_exist": ({"country": ["GB", "international"]}, {"country": ["UK", "CN"]}),
    "persons_alone_have_no_country": (
        {"kind": ["company", "individual"], "country": ["US", None]},
        {"kind": ["company", "company"]},
    ),
    "periods_end_after_they_begin": (
        {"valid_from": [APRIL, None], "valid_to": [APRIL + timedelta(1), None]},
        {"valid_to": [APRIL, None]},
    ),
    "periods_do_not_overlap": (
        {"namespace": ["a", "a"], "valid_from": [None, APRIL], "valid_to": [APRIL, None]},
        {"valid_from": [None, APRIL - timedelta(1)]},
    ),
    "organizations_are_in_one_country": (
        {"organization": ["A", "A"], "country": ["US", "US"]},
        {"country": ["US", "CN"]},
    ),
    "parents_exist": ({"parent": ["B", None]}, {"parent": ["C", None]}),
    "evidence_is_an_address": ({}, {"evidence": ["https://a.example/about", "a.example"]}),
    "evidence_is_not_refused": ({}, {"evidence": ["https://a.example/about", "https://grokipedia.com/b"]}),
    "basis_is_stated": ({}, {"basis": ["read", "heard"]}),
    "what_was_read_says_when": (
        {"basis": ["read", "well_known"], "checked_on": [APRIL, None]},
        {"basis": ["read", "read"]},
    ),
}
"""By rule: what a sound registry has, and what breaks it."""


GROUP = {
    "population": "all",
    "attribution": "uploader",
    "dimension": "licence",
    "within": "all",
    "level": "root_model",
}


def of_members(path: str, passing: Columns, *failing: Columns, also: Month | None = None) -> Scenario:
    """Rows of one share table that are of one group, but for what is given."""
    length = len(next(iter(passing.values())))
    same = {name: [value] * length for name, value in GROUP.items() if name in CATALOGUE.tables[path].schema}
    return either(path, {**same, **passing}, *failing, also=also)


def jumps(path: str) -> Scenario:
    """Members that grew by half, or are new and small; then one that grew by more, or is new and large."""
    members = {"member": ["US", "CN"], "basis": ["all_time_delta"] * 2}
    models = rows(DOWNLOADS, hub_id=["1"]) | rows(ATTRIBUTION, hub_id=["1"]) | rows(MODELS, hub_id=["1"])
    now = of_members(
        path, {**members, "share": [0.3, 0.0299]}, {"share": [0.301, 0]}, {"share": [0.2, 0.03]}, also=models
    )
    return Scenario(now.passes, now.fails, of_members(path, {**members, "share": [0.2, 0]}, also=models).passes)


def new_derivatives(count: int) -> Month:
    """Ten models created in the month, so many of which derive from others."""
    return rows(MODELS, created_at=[A_MOMENT] * 10, is_derivative=some(True, count, False, 10))


LINEAGE = {"hub_id": ["1", "2"], "is_derivative": [False, True], "root_hub_id": ["1", "1"]}
EDGE = {"child_hub_id": ["2"], "parent_hub_id": ["1"], "parent_model_id": ["x/1"], "parent_listed": [True]}


def gone(allowed: int, whole: int, first: int = 0) -> Callable[[str], Scenario]:
    """An opening of which as many repositories are missing at the close as are allowed; then one more, in a row."""

    def scenario(path: str) -> Scenario:
        names = [f"{number:06}" for number in range(whole)]
        opening = rows(path, hub_id=names)
        closing = (rows(SNAPSHOT, hub_id=names[:first] + names[first + count :]) for count in (allowed, allowed + 1))
        passes, fails = (opening | snapshot for snapshot in closing)
        return Scenario(passes, (fails,))

    return scenario


LISTED = rows(SNAPSHOT, hub_id=["1", "2"])
DECLARED = {"base_models": [[{"hub_id": "1", "model_id": "x/1"}]], "lineage_tags": [["base_model:x/1"]]}

SCENARIOS: Mapping[str, Callable[[str], Scenario]] = {
    "created_before_observed": lambda path: either(
        path, {"created_at": [A_MOMENT], "observed_at": [A_MOMENT]}, {"created_at": [A_MOMENT + timedelta(seconds=1)]}
    ),
    "model_id_unique": lambda path: either(path, {"model_id": ["x/1", "x/2"]}, {"model_id": ["x/1", "x/1"]}),
    "likes_not_negative": lambda path: either(path, {"likes": [0]}, {"likes": [-1]}),
    "names_mostly_well_formed": lambda path: share_of(path, "model_id", "x/y/z", "x/y", 1, 1000),
    "downloads_30d_mostly_known": lambda path: share_of(path, "downloads_30d", None, 1, 5),
    "created_at_mostly_known": lambda path: share_of(path, "created_at", None, A_MOMENT, 5),
    "one_basis": lambda path: either(
        path, {"basis": ["rolling_30d"] * 2}, {"basis": ["rolling_30d", "all_time_delta"]}
    ),
    "snapshot_covered": covers,
    "every_model_attributed_once": covers,
    "every_model_placed": covers,
    "late_arrival_share": lambda path: share_of(path, "flow_case", "late_arrival", "continued", 5),
    "counter_reset_share": lambda path: share_of(path, "flow_case", "counter_reset", "continued", 5),
    "counters_agree": lambda path: either(
        path,
        {"ratio_to_30d_counter": [0.5, 2.0, None]},
        {"ratio_to_30d_counter": [0.49, 2.0, None]},
        {"ratio_to_30d_counter": [0.5, 2.01, None]},
    ),
    "total_plausible": lambda path: either(path, {"is_plausible": [True, None]}, {"is_plausible": [False, None]}),
    "observed_on_sound_days": lambda path: either(
        path, {"incidents_at_observation": [None]}, {"incidents_at_observation": ["counters frozen"]}
    ),
    **{name: lambda _, given=given: registry(*given) for name, given in REGISTRY.items()},
    "attributed_share_of_downloads": lambda path: either(
        path, {"method": ["registry", "unmapped"], "downloads": [50, 50]}, {"downloads": [49.99, 50.01]}
    ),
    "enough_is_attributed": lambda path: either(
        path,
        {"method": ["registry", "unmapped"], "downloads": [50, 50]},
        {"downloads": [49.99, 50.01]},
        also=rows(ATTRIBUTION, namespace=[f"account-{number}" for number in range(2_000)]),
    ),
    "change_in_attributed_share": lambda path: Scenario(
        rows(path, method=["registry", "unmapped"], downloads=[88.01, 11.99]),
        (rows(path, method=["registry", "unmapped"], downloads=[87.99, 12.01]),),
        rows(path, method=["registry", "unmapped"], downloads=[90, 10]),
    ),
    "no_newly_large_unmapped_namespace": lambda _: Scenario(
        unmapped(0.99), (unmapped(1),), unmapped(0.5) | rows(COVERAGE, downloads=[1])
    ),
    "parents_listed_as_stated": lambda path: either(path, EDGE, {"parent_listed": [False]}, also=LISTED),
    "listed_parents_found": lambda path: either(path, EDGE, {"parent_hub_id": ["3"]}, also=LISTED),
    "children_listed": lambda path: either(path, EDGE, {"child_hub_id": ["3"]}, also=LISTED),
    "no_self_references": lambda path: either(path, EDGE, {"child_hub_id": ["1"]}),
    "unknown_relation_share": lambda path: share_of(path, "relation", "unknown", "finetune", 10),
    "every_reference_accounted": lambda path: either(
        path,
        {"evidence": ["base_models", "typed_tag", "card"], "references": [1, 1, 1]},
        {"references": [1, 2, 1]},
        also=rows(SNAPSHOT, **DECLARED, card_base_models=[["x/1"]]),
    ),
    "edges_are_derivations": lambda path: either(
        path,
        {"outcome": ["edge"], "references": [1]},
        {"references": [2]},
        {"references": [0]},
        also=rows(DERIVATIONS, **EDGE),
    ),
    "self_reference_share": lambda path: either(
        path, {"outcome": ["edge", "self_reference"], "references": [990, 10]}, {"references": [989, 11]}
    ),
    "unusable_share": lambda path: either(
        path, {"outcome": ["edge", "url"], "references": [95, 5]}, {"references": [94, 6]}
    ),
    "roots_have_no_parents": lambda path: either(path, LINEAGE, {"root_hub_id": ["1", "2"]}),
    "derivatives_as_declared": lambda path: either(
        path, LINEAGE, {"is_derivative": [False, False]}, also=rows(DERIVATIONS, **EDGE)
    ),
    "roots_are_components_without_parents": lambda path: Scenario(
        rows(path, **LINEAGE) | rows(DERIVATIONS, **EDGE) | rows(WEIGHTS, hub_id=["2"], root_model_id=["x/1"]),
        (rows(path, **LINEAGE) | rows(DERIVATIONS, **EDGE) | rows(WEIGHTS, hub_id=["2"], root_model_id=["x/2"]),),
    ),
    "every_derivative_weighted": lambda path: Scenario(
        rows(path, **LINEAGE) | rows(WEIGHTS, hub_id=["2"]), (rows(path, **LINEAGE) | rows(WEIGHTS, hub_id=["1"]),)
    ),
    "cycle_share": lambda path: share_of(path, "is_in_cycle", True, False, 1),
    "orphan_share": lambda path: share_of(path, "is_orphan", True, False, 10, is_derivative=[True] * 100),
    "values_readable": lambda path: either(path, {"unreadable": [None, []]}, {"unreadable": [None, ["likes: 3k"]]}),
    "incidents_known": lambda path: either(
        path,
        {
            "observed_from": [OCTOBER + timedelta(day) for day in (-1, 0, 1)],
            "observed_until": [OCTOBER + timedelta(day) for day in (0, 1, 2)],
            "cohort": ["all"] * 3,
            "state": ["moving", "frozen", "unknown"],
            "source": ["hub_stats"] * 3,
        },
        {"state": ["moving"] * 3},
        {"state": ["moving", "frozen", "rolled_back"]},
    ),
    "still_listed": gone(5, 100),
    "no_stretch_gone": gone(999, 3000, first=20),
    "gone_share": gone(2, 100),
    "identity_unchanged": lambda path: either(
        path,
        {"hub_id": ["1", "2"], "identified_by": ["hub_id", "hub_id"]},
        {"identified_by": ["hub_id", "name"]},
        also=rows(SNAPSHOT, hub_id=["1", "2"], identified_by=["hub_id", "hub_id"]),
    ),
    "counters_moved": lambda path: either(
        path,
        {"flow_case": ["continued"] * 10, "downloads": [0.1] + [0] * 9, "downloads_lost": [0] * 10},
        {"downloads": [0] * 10},
    ),
    "weights_sum_to_one": lambda path: either(
        path,
        {"hub_id": ["2", "2"], "weight": [0.5, 0.5]},
        {"weight": [0.5, 0.499999999999]},
        {"weight": [0.5, 0.500000000001]},
    ),
    "shares_sum_to_one": lambda path: of_members(
        path, {"share": [0.5, 0.5], "denominator": [9, 9]}, {"share": [0.5, 0.499999]}, {"share": [0.5, 0.500001]}
    ),
    "downloads_conserved": lambda path: of_members(
        path,
        {"attribution": ["uploader", "origin"], "downloads": [10, 10]},
        {"downloads": [10, 9.9999]},
        {"downloads": [9.9999, 10]},
    ),
    "nothing_dropped": lambda path: of_members(
        path,
        {"denominator": [100]},
        {"denominator": [99.9999]},
        {"denominator": [100.0001]},
        also=rows(DOWNLOADS, downloads=[60, 40]),
    ),
    "models/models/downloads_conserved": lambda path: either(
        path,
        {"downloads": [60, 40]},
        {"downloads": [60, 39.999999]},
        {"downloads": [60, 40.000001]},
        also=rows(DOWNLOADS, downloads=[60, 40]),
    ),
    "no_jumps": jumps,
    "members_declared": lambda path: of_members(path, {"member": ["permissive"]}, {"member": ["forbidden"]}),
    "new_derivatives_conserved": lambda path: of_members(
        path,
        {"new_derivatives": [1.5, 0.5], "new_derivatives_in_all": [2, 2]},
        {"new_derivatives": [1.5, 0.4]},
        {"new_derivatives": [1.5, 0.6]},
    ),
    "relations_add_up": lambda path: of_members(
        path,
        {name: [1] for name in CATALOGUE.tables[path].schema if name.startswith("new_") and name != "new_derivatives"}
        | {"new_derivatives": [5]},
        {"new_derivatives": [4]},
        {"new_derivatives": [6]},
    ),
    "derivative_share_of_new_models_change": lambda _: Scenario(
        new_derivatives(6), (new_derivatives(7), new_derivatives(3)), new_derivatives(5)
    ),
}
"""By check, or by table and check: how to make what it lets pass and what breaks it, of the table that declares it."""


def unmapped(downloads: float) -> Month:
    """A namespace that nobody has placed, with so many of 100 downloads."""
    models = rows(ATTRIBUTION, hub_id=["1", "2"], namespace=["x", "y"], method=["registry", "unmapped"])
    return models | rows(DOWNLOADS, hub_id=["1", "2"], downloads=[100 - downloads, downloads])


CHECKS = [
    (table.path, statement.name) for table in CATALOGUE.tables.values() for statement in (*table.rules, *table.measures)
]


@pytest.mark.parametrize(("path", "check"), CHECKS, ids=[f"{path}/{check}" for path, check in CHECKS])
def test_a_check_passes_at_the_edge_of_what_it_allows_and_fails_beyond(path, check):
    make = SCENARIOS.get(f"{path}/{check}") or SCENARIOS.get(check)
    assert make, f"{path}/{check} is not shown to be able to fail: add rows that break it to SCENARIOS"
    scenario = make(path)

    assert outcome(path, check, scenario.passes, scenario.before), "it fails over what it should let pass"
    assert scenario.fails
    for month in scenario.fails:
        assert not outcome(path, check, month, scenario.before), "it passes over what should break it"


def outcome(path: str, check: str, month: Month, before: Month) -> bool:
    """Whether the check passes, which it must have been able to say."""
    [result] = evaluate(CATALOGUE.tables[path], FramesInMemory(month, before), {check})
    assert (result.error, result.judged) == (None, True)
    return result.passed


def test_an_unmapped_namespace_that_was_large_before_is_not_new():
    assert outcome(COVERAGE, "no_newly_large_unmapped_namespace", unmapped(5), unmapped(6))


@pytest.mark.parametrize(("whole", "allowed"), [(3, 2), (40, 2), (60, 3), (1000, 50)])
def test_of_a_small_opening_two_may_be_gone(whole, allowed):
    scenario = gone(allowed, whole)("listings/opening_counters")
    assert outcome("listings/opening_counters", "still_listed", scenario.passes, {})
    assert not outcome("listings/opening_counters", "still_listed", scenario.fails[0], {})


def test_another_share_may_be_told(monkeypatch):
    scenario = gone(40, 100)("listings/opening_counters")
    monkeypatch.setenv("CENSUS_FEWEST_STILL_LISTED", "0.6")
    assert outcome("listings/opening_counters", "still_listed", scenario.passes, {})
    assert not outcome("listings/opening_counters", "still_listed", scenario.fails[0], {})
