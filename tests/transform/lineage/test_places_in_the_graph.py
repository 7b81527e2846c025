"""Depths, roots, weights and flags on graphs small enough to see at a glance."""

import polars as pl
import pytest

from pipeline.schema.declaration import conform
from pipeline.tables.lineage import ORIGIN_RULES, ORIGIN_WEIGHTS, TABLES
from pipeline.transform.lineage import matching
from pipeline.transform.lineage.parse import derive
from pipeline.transform.lineage.weights import RULES, equal_parts, origin_weights


@pytest.fixture(scope="session")
def placed(snapshot, lineage):
    def place(*repositories, owners=None):
        table = lineage(snapshot(*repositories), owners)["model_lineage"]
        return {row["model_id"]: row for row in table.to_dicts()}

    return place


@pytest.fixture(scope="session")
def split(snapshot, lineage):
    def weigh(*repositories, rule="equal_parts"):
        weights = {}
        for row in lineage(snapshot(*repositories), rule=rule)["origin_weights"].to_dicts():
            weights.setdefault(row["hub_id"].removeprefix("id:"), {})[row["root_model_id"]] = row["weight"]
        return weights

    return weigh


DIAMOND = (
    {"name": "a/root"},
    {"name": "b/root"},
    {"name": "c/tune", "parents": ["b/root"]},
    {"name": "d/merge", "parents": ["c/tune", "a/root", "b/root"]},
    {"name": "e/quantized", "parents": ["d/merge"]},
)


def test_a_child_gives_each_parent_an_equal_part(split):
    weights = split(*DIAMOND)
    assert weights["c/tune"] == {"b/root": 1}
    assert weights["d/merge"] == pytest.approx({"a/root": 1 / 3, "b/root": 2 / 3})
    assert weights["e/quantized"] == weights["d/merge"]


def test_first_parent_follows_the_first_declared_alone(split):
    parents = [{"name": "a/root"}, {"name": "b/root"}, {"name": "c/merge", "parents": ["b/root", "a/root"]}]
    assert split(*parents, rule="first_parent")["c/merge"] == {"b/root": 1}


def test_majority_gives_all_to_the_heaviest_root(split):
    assert split(*DIAMOND, rule="majority")["e/quantized"] == {"b/root": 1}


@pytest.mark.parametrize("rule", sorted(RULES))
def test_a_cycle_without_parents_is_rooted_in_its_smallest_name(split, placed, rule):
    cycle = (
        {"name": "c/three", "parents": ["b/two"]},
        {"name": "b/two", "parents": ["c/three"]},
        {"name": "d/child", "parents": ["c/three"]},
    )
    assert split(*cycle, rule=rule) == {name: {"b/two": 1} for name in ("b/two", "c/three", "d/child")}
    lineage = placed(*cycle)
    assert [lineage[name]["depth_longest"] for name in ("b/two", "c/three", "d/child")] == [0, 0, 1]
    assert lineage["b/two"]["is_derivative"]
    assert lineage["b/two"]["root_model_id"] == "b/two"
    assert lineage["b/two"]["descendants"] == 2


@pytest.mark.parametrize("rule", sorted(RULES))
def test_a_cycle_hands_on_what_it_takes_from_outside(split, rule):
    weights = split(
        {"name": "a/root"},
        {"name": "b/one", "parents": ["c/two", "a/root"]},
        {"name": "c/two", "parents": ["b/one"]},
        rule=rule,
    )
    assert weights == {"b/one": {"a/root": 1}, "c/two": {"a/root": 1}}


def test_every_rule_that_can_be_chosen_is_there():
    assert tuple(RULES) == ORIGIN_RULES


def test_equal_roots_are_settled_by_name(placed):
    lineage = placed({"name": "b/root"}, {"name": "a/root"}, {"name": "c/merge", "parents": ["b/root", "a/root"]})
    assert lineage["c/merge"]["root_model_id"] == "a/root"


def test_an_unlisted_root_gives_its_name_and_namespace(snapshot, lineage):
    tables = lineage(snapshot({"name": "b/tune", "card": ["gone/base"]}))
    (weight,) = tables["origin_weights"].to_dicts()
    assert (weight["root_model_id"], weight["root_hub_id"], weight["namespace"]) == ("gone/base", None, "gone")
    (row,) = tables["model_lineage"].to_dicts()
    assert row["is_orphan"]
    assert row["root_hub_id"] is None


def test_a_bystander_is_its_own_root(placed):
    row = placed({"name": "a/alone"})["a/alone"]
    assert (row["root_model_id"], row["root_hub_id"], row["roots"], row["descendants"]) == (
        "a/alone",
        "id:a/alone",
        1,
        0,
    )
    assert not row["is_derivative"]


OWN = {"a/base": "Alpha", "alpha-labs/tune": "Alpha", "b/tune": "Beta"}


@pytest.mark.parametrize(
    ("child", "parents", "owners", "own"),
    [
        ("alpha-labs/tune", ["a/base"], OWN, True),
        ("b/tune", ["a/base"], OWN, False),
        ("b/tune", ["a/base", "b/other"], OWN, False),
        ("c/tune", ["c/gone"], {}, True),
        ("c/tune", ["c/gone", "d/gone"], {}, False),
        ("c/tune", ["d/gone"], {"c/tune": "unmapped", "d/gone": "unmapped"}, False),
        ("c/tune", ["c/gone"], {"c/tune": "unaffiliated", "c/gone": "unaffiliated"}, True),
        ("Alpha/tune", ["a/base"], OWN, False),
    ],
)
def test_first_party_means_all_parents_are_ones_own(placed, child, parents, owners, own):
    lineage = placed({"name": "a/base"}, {"name": child, "card": parents}, owners=owners)
    assert lineage[child]["is_first_party"] is own


def test_the_family_carries_its_organisation(placed):
    lineage = placed({"name": "a/base"}, {"name": "b/tune", "card": ["a/base"]}, owners=OWN)
    assert lineage["b/tune"]["root_organization"] == "Alpha"


@pytest.mark.parametrize(
    ("repository", "hint"),
    [
        ({"name": "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B"}, "distilled"),
        ({"name": "a/small", "tags": ["distillation"]}, "distilled"),
        ({"name": "a/small", "tags": ["knowledge-distillation", "en"]}, "distilled"),
        ({"name": "distilbert/another"}, None),
        ({"name": "a/small", "tags": ["en"]}, None),
    ],
)
def test_distillation_is_hinted_at_by_name_and_tags(placed, repository, hint):
    assert placed(repository)[repository["name"]]["derivation_hint"] == hint


def test_chains_of_a_thousand_are_no_matter(placed, split):
    chain = [{"name": "m/0000"}] + [{"name": f"m/{n:04}", "parents": [f"m/{n - 1:04}"]} for n in range(1, 1_001)]
    lineage = placed(*chain)
    assert (lineage["m/1000"]["depth_longest"], lineage["m/0000"]["descendants"]) == (1_000, 1_000)


def test_a_ladder_of_diamonds_is_not_walked(split):
    """Sixty diamonds on one another have 2^60 paths from the last to the first."""
    ladder = [{"name": "m/00"}]
    for step in range(60):
        below = f"m/{step:02}"
        ladder += [
            {"name": f"m/{step:02}-left", "parents": [below]},
            {"name": f"m/{step:02}-right", "parents": [below, "z/other"]},
            {"name": f"m/{step + 1:02}", "parents": [f"m/{step:02}-left", f"m/{step:02}-right"]},
        ]
    weights = split(*ladder)
    assert weights["m/60"] == pytest.approx({"m/00": 0.75**60, "z/other": 1 - 0.75**60})


def test_strings_that_share_a_hash_are_told_apart(monkeypatch, snapshot, lineage):
    usual = lineage(snapshot(*DIAMOND))
    monkeypatch.setattr(matching, "_hashed", lambda texts: texts.is_null().cast(pl.UInt64))
    for name, table in lineage(snapshot(*DIAMOND)).items():
        assert table.equals(usual[name]), name


def test_an_empty_month_makes_empty_tables(snapshot, renames, relations):
    derived = derive(snapshot().lazy(), renames=renames(), relations=relations())
    weights = origin_weights(derived.graph, equal_parts(derived.graph), "equal_parts")
    assert conform(weights.lazy(), ORIGIN_WEIGHTS).collect().is_empty()


def test_the_tables_own_rules_hold(snapshot, lineage):
    listing = snapshot(*DIAMOND, {"name": "x/tune", "card": ["gone/base", "./local"]})
    frames = {f"lineage/{name}": table.lazy() for name, table in lineage(listing).items()}
    frames["listings/hub_snapshots"] = listing.lazy()

    class Frames:
        def scan(self, table):
            return frames[table]

        def scan_previous(self, table):
            raise AssertionError(f"{table} is compared with the month before")

    for table in TABLES:
        for rule in table.rules:
            if rule.severity == "critical":
                assert rule.violations(Frames()).collect().height <= rule.allowed, rule.name
        for measure in table.measures:
            assert measure.value(Frames()).collect().shape == (1, 1), measure.name
