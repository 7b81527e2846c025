"""Depths, roots, weights and flags on graphs small enough to see at a glance."""

from decimal import Decimal

from assets.lineage.graph import RULES, UNITS
from pipeline.settings import ORIGIN_RULES
from tests.assets.lineage.scenarios import lineage_of, places_of, snapshot, weights_of


def test_what_rounding_leaves_goes_to_the_heaviest_root_of_equals_to_the_first_by_name():
    roots = [f"{letter}/root" for letter in "abcdef"]
    weights = weights_of(*({"name": name} for name in roots), {"name": "x/merge", "parents": roots[::-1]})["x/merge"]
    assert weights == dict.fromkeys(roots[1:], Decimal("0.166666666666")) | {"a/root": Decimal("0.166666666670")}
    assert sum(weights.values()) == 1


def test_no_root_is_weighed_as_nothing():
    """A root that holds less than the last digit still has a row, and the weights still sum to 1."""
    chain = [{"name": "m/00", "parents": ["z/rare", "a/root"]}]
    chain += [{"name": f"m/{step:02}", "parents": [f"m/{step - 1:02}", "a/root"]} for step in range(1, 60)]
    weights = weights_of(*chain)["m/59"]
    assert weights == {"z/rare": Decimal(1) / UNITS, "a/root": 1 - Decimal(1) / UNITS}


def test_every_rule_that_can_be_chosen_is_there():
    assert tuple(RULES) == ORIGIN_RULES


def test_an_unlisted_root_gives_its_name_and_namespace():
    tables = lineage_of(snapshot({"name": "b/tune", "card": ["gone/base"]}))
    (weight,) = tables["origin_weights"].to_dicts()
    assert (weight["root_model_id"], weight["root_hub_id"], weight["namespace"]) == ("gone/base", None, "gone")


def test_chains_of_a_thousand_are_no_matter():
    chain = [{"name": "m/0000"}] + [{"name": f"m/{n:04}", "parents": [f"m/{n - 1:04}"]} for n in range(1, 1_001)]
    assert places_of(*chain)["m/1000"]["depth_longest"] == 1_000


def test_a_ladder_of_diamonds_is_not_walked():
    """Sixty diamonds on one another have 2^60 paths from the last to the first."""
    ladder = [{"name": "m/00"}]
    for step in range(60):
        below = f"m/{step:02}"
        ladder += [
            {"name": f"m/{step:02}-left", "parents": [below]},
            {"name": f"m/{step:02}-right", "parents": [below, "z/other"]},
            {"name": f"m/{step + 1:02}", "parents": [f"m/{step:02}-left", f"m/{step:02}-right"]},
        ]
    weights = weights_of(*ladder)["m/60"]
    assert weights["m/00"] == int(Decimal("0.75") ** 60 * UNITS) / Decimal(UNITS)
    assert sum(weights.values()) == 1


def test_an_empty_month_makes_empty_tables():
    assert all(table.is_empty() for table in lineage_of(snapshot()).values())
