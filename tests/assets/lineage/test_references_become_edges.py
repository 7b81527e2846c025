"""Every way in which a base model is declared, and what becomes of it."""

import csv
from pathlib import Path

import polars as pl
import pytest

from assets.columns import RELATIONS
from assets.lineage.references import EVIDENCE
from tests.assets.lineage.scenarios import derived, snapshot

REFERENCE = Path(__file__).parents[3] / "pipeline" / "reference"


def reading(*repositories, moved=(), words=()):
    """The edges of a listing as rows, and its references by place and outcome."""
    found = derived(snapshot(*repositories), moved, words)
    outcomes = {(row["evidence"], row["outcome"]): row["references"] for row in found.reconciliation.to_dicts()}
    return found.derivations.sort("child_model_id", "position").to_dicts(), outcomes


def test_the_same_parent_in_four_places_is_one_edge_of_the_most_trusted():
    edges, outcomes = reading(
        {"name": "a/base"},
        {
            "name": "b/tune",
            "parents": ["a/base"],
            "relation": "finetune",
            "tags": ["base_model:a/base", "base_model:finetune:a/base"],
            "card": ["a/base"],
        },
    )
    (edge,) = edges
    assert (edge["child_model_id"], edge["parent_model_id"]) == ("b/tune", "a/base")
    assert (edge["evidence"], edge["relation"], edge["parent_listed"]) == ("base_models", "finetune", True)
    assert outcomes == {("base_models", "edge"): 1} | {(place, "duplicate"): 1 for place in EVIDENCE[1:]}


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("./checkpoints/last", "local_path"),
        ("../model", "local_path"),
        ("/home/someone/llama", "local_path"),
        ("~/llama", "local_path"),
        (r"C:\models\llama", "local_path"),
        ("D:/models/llama", "local_path"),
        ("file:///srv/llama", "local_path"),
        ("output/run/checkpoint-500", "local_path"),
        ("https://github.com/a/base", "url"),
        ("https://huggingface.co/datasets/a/base", "url"),
        ("https://huggingface.co/", "url"),
        ("", "malformed"),
        ("None", "malformed"),
        ("N/A", "malformed"),
        ("a / base", "malformed"),
        ("a/" + "x" * 97, "malformed"),
        ("a/bäse", "malformed"),
    ],
)
def test_what_names_no_repository_is_counted_for_what_it_is(text, outcome):
    edges, outcomes = reading({"name": "a/base"}, {"name": "b/tune", "card": [text]})
    assert edges == []
    assert outcomes == {("card", outcome): 1}


@pytest.mark.parametrize(
    "text",
    [
        "a/base",
        " a/base ",
        "'a/base'",
        "a/base/",
        "https://huggingface.co/a/base",
        "https://huggingface.co/a/base/tree/main",
        "http://www.huggingface.co/a/base?library=transformers",
        "huggingface.co/a/base",
        "https://hf.co/a/base#usage",
        "hf://a/base",
        "a/base@main",
        "a/base:Q4_K_M",
        "a/base/blob/main/model.safetensors",
    ],
)
def test_a_name_is_recognised_in_every_dress(text):
    ((edge,), _) = reading({"name": "a/base"}, {"name": "b/tune", "card": [text]})
    assert (edge["parent_model_id"], edge["parent_declared"], edge["parent_found_by"]) == ("a/base", text, "name")


@pytest.mark.parametrize(
    ("tag", "outcome"),
    [
        ("base_model:https://huggingface.co/a/base", "edge"),
        ("base_model:a/base:latest", "edge"),
        ("base_model:adapter:/home/someone/models/llama", "local_path"),
        ("base_model:C:/models/llama", "local_path"),
        ("base_model:adapter:", "malformed"),
        ("base_model:", "malformed"),
    ],
)
def test_colons_in_tags_do_not_confuse(tag, outcome):
    _, outcomes = reading({"name": "a/base"}, {"name": "b/tune", "tags": [tag, "pytorch"]})
    assert [found for _, found in outcomes] == [outcome]


def test_a_reference_to_nothing_is_not_one_to_the_first_repository():
    ((edge,), outcomes) = reading({"name": "a/base"}, {"name": "b/tune", "card": ["", "a/base"]})
    assert edge["parent_model_id"] == "a/base"
    assert outcomes == {("card", "malformed"): 1, ("card", "edge"): 1}


BASE, TUNE = {"name": "a/base"}, {"name": "b/tune"}
BY_OTHER_ID = [{"hub_id": "unheard-of", "model_id": "a/base"}]
BY_OTHER_NAME = [{"hub_id": "id:a/base", "model_id": "a/as-it-was-called"}]
THUDM = [("namespace", "THUDM", "zai-org")]
TWINS = ({"name": "a/base", "hub_id": "2"}, {"name": "a/base", "hub_id": "1"})
RELATIONS_OF_EDGES = {
    "an unknown relation is kept in its own words": (
        [{"name": "b/tune", "tags": ["base_model:Distilled:a/base"]}],
        [("a/base", "unknown", "Distilled")],
    ),
    "reviewed words name relations whatever their case": (
        [{"name": "b/tune", "tags": ["base_model:LoRA:a/base"]}],
        [("a/base", "adapter", "LoRA")],
    ),
    "the relation comes from the most trusted place that states one": (
        [BASE, TUNE | {"parents": ["a/base"], "tags": ["base_model:quantized:a/base"]}],
        [("a/base", "quantized", "quantized")],
    ),
    "a parent that the Hub cannot resolve shares the relation of the others": (
        [BASE, TUNE | {"parents": ["a/base"], "relation": "merge", "card": ["a/base", "c/deleted"]}],
        [("a/base", "merge", "merge"), ("c/deleted", "merge", "merge")],
    ),
    "a card that states the relation alone is believed": (
        [BASE, TUNE | {"card": ["a/base"], "relation": "quantized"}],
        [("a/base", "quantized", "quantized")],
    ),
}


@pytest.mark.parametrize("case", RELATIONS_OF_EDGES)
def test_relations_are_those_of_the_most_trusted_place_that_states_one(case):
    repositories, expected = RELATIONS_OF_EDGES[case]
    edges, _ = reading(*repositories, words=[("lora", "adapter")])
    assert [(edge["parent_model_id"], edge["relation"], edge["relation_declared"]) for edge in edges] == expected


def test_a_self_reference_is_counted_and_dropped():
    edges, outcomes = reading(BASE | {"parents": ["a/base"], "tags": ["base_model:a/base"], "card": ["A/Base"]})
    assert edges == []
    assert outcomes == {(place, "self_reference"): 1 for place in ("base_models", "untyped_tag", "card")}


PARENTS = {
    "the id outlives the name": ([BASE, TUNE | {"parents": BY_OTHER_NAME}], [], [("a/base", "hub_id")]),
    "an id that is not listed leaves the name": ([BASE, TUNE | {"parents": BY_OTHER_ID}], [], [("a/base", "name")]),
    "a rename leads to today's name": (
        [{"name": "zai-org/glm"}, TUNE | {"card": ["THUDM/glm"]}],
        THUDM,
        [("zai-org/glm", "rename")],
    ),
    "a rename takes no notice of letter case": (
        [{"name": "zai-org/glm"}, TUNE | {"card": ["thudm/GLM"]}],
        THUDM,
        [("zai-org/glm", "rename")],
    ),
    "a repository without a namespace may have one today": (
        [{"name": "openai-community/gpt2"}, TUNE | {"card": ["gpt2"]}],
        [("repository", "gpt2", "openai-community/gpt2")],
        [("openai-community/gpt2", "rename")],
    ),
    "a repository's own rename goes before its namespace's": (
        [{"name": "b/y"}, TUNE | {"card": ["a/x"]}],
        [("namespace", "a", "c"), ("repository", "a/x", "b/y")],
        [("b/y", "rename")],
    ),
    "a rename to nowhere keeps the declared name": (
        [TUNE | {"card": ["THUDM/gone"]}],
        THUDM,
        [("THUDM/gone", "unlisted")],
    ),
    "letter case is forgiven where one name fits": (
        [BASE, TUNE | {"card": ["A/Base"]}],
        [],
        [("a/base", "letter_case")],
    ),
    "letter case decides where two names fit": (
        [BASE, {"name": "a/Base"}, TUNE | {"card": ["a/base", "a/BASE"]}],
        [],
        [("a/base", "name"), ("a/BASE", "unlisted")],
    ),
    "unlisted spellings that differ in case are one parent": (
        [{"name": "b/one", "card": ["Gone/Base"]}, {"name": "b/two", "card": ["gone/base"]}],
        [],
        [("Gone/Base", "unlisted"), ("Gone/Base", "unlisted")],
    ),
    "a former name on the card is what the Hub makes of it": (
        [
            {"name": "new/base"},
            {"name": "c/other"},
            {"name": "b/merge", "parents": ["new/base", "c/other"], "card": ["old/base", "c/other"]},
            {"name": "d/tune", "card": ["old/base"]},
        ],
        [],
        [("new/base", "hub_id"), ("c/other", "hub_id"), ("new/base", "former_name")],
    ),
    "tags that kept a former name make no second parent": (
        [
            {"name": "new/base"},
            TUNE | {"parents": ["new/base"], "tags": ["base_model:finetune:old/base"], "card": ["old/base"]},
            {"name": "d/tune", "tags": ["base_model:old/base"]},
        ],
        [],
        [("new/base", "hub_id"), ("new/base", "former_name")],
    ),
    "two parents missing from the Hub's list are not taken for former names": (
        [{"name": "new/base"}, TUNE | {"parents": ["new/base"], "card": ["gone/one", "gone/two"]}],
        [],
        [("new/base", "hub_id"), ("gone/one", "unlisted"), ("gone/two", "unlisted")],
    ),
}


@pytest.mark.parametrize("case", PARENTS)
def test_a_parent_is_found_the_surest_way(case):
    repositories, moved, expected = PARENTS[case]
    edges, _ = reading(*repositories, moved=moved)
    assert [(edge["parent_model_id"], edge["parent_found_by"]) for edge in edges] == expected
    assert all(edge["parent_listed"] is (edge["parent_found_by"] != "unlisted") for edge in edges)


def test_names_of_one_hash_are_told_apart(monkeypatch):
    monkeypatch.setattr(pl.Series, "hash", lambda texts: pl.repeat(7, len(texts), dtype=pl.UInt64, eager=True))
    edges, _ = reading(
        BASE, {"name": "b/other"}, {"name": "c/tune", "parents": ["b/other"], "card": ["a/base", "d/no"]}
    )
    found = [(edge["parent_model_id"], edge["parent_found_by"]) for edge in edges]
    assert found == [("b/other", "hub_id"), ("a/base", "name"), ("d/no", "unlisted")]


def test_positions_follow_trust_and_declaration():
    tags = ["base_model:m/fourth", "base_model:merge:n/third"]
    edges, _ = reading({"name": "b/merge", "parents": ["z/first", "a/second"], "tags": tags})
    placed = {edge["parent_model_id"]: edge["position"] for edge in edges}
    assert placed == {"z/first": 0, "a/second": 1, "n/third": 2, "m/fourth": 3}


def test_repositories_that_share_a_name_are_one_parent():
    by_id = {"name": "b/one", "parents": [{"hub_id": "2", "model_id": "a/base"}]}
    edges, _ = reading(*TWINS, by_id, {"name": "b/two", "card": ["a/base"]})
    assert [edge["parent_hub_id"] for edge in edges] == ["1", "1"]


def test_hostile_names_are_names_if_they_are_listed():
    names = ['"quoted"; drop', "🤗/model", "x" * 300, "a/b/c", "base_model:merge:a/b", "\u202eevil/name"]
    edges, outcomes = reading(
        *({"name": name} for name in names), {"name": "b/merge", "parents": names, "card": [*names, "🙈/not-listed"]}
    )
    assert {edge["parent_model_id"] for edge in edges} == set(names)
    assert outcomes[("card", "malformed")] == 1


def test_thousands_of_tags_and_hundreds_of_parents_pass():
    parents = [f"a/base-{number}" for number in range(400)]
    tags = [f"base_model:{parent}" for parent in parents] + [f"noise-{number}" for number in range(5_000)]
    edges, outcomes = reading({"name": "b/merge", "parents": parents, "tags": tags})
    assert len(edges) == 400
    assert outcomes == {("base_models", "edge"): 400, ("untyped_tag", "duplicate"): 400}


def test_nothing_declared_is_nothing_derived():
    assert reading({"name": "a/base"}, {"name": "a/other", "parents": [], "tags": [], "card": []}) == ([], {})


def test_reviewed_relations_lead_to_known_relations():
    with (REFERENCE / "relations.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["relation"] for row in rows} <= set(RELATIONS)
    assert len({row["declared"] for row in rows}) == len(rows)
    assert all(row["note"] and row["declared"] == row["declared"].lower() for row in rows)


def test_reviewed_renames_are_single_steps_with_evidence():
    renames = pl.read_csv(REFERENCE / "renames.csv")
    assert set(renames["kind"]) == {"namespace", "repository"}
    assert renames["renamed_from"].str.to_lowercase().n_unique() == renames.height
    assert not set(renames["renamed_from"]) & set(renames["renamed_to"])
    assert (renames["evidence"] == "https://huggingface.co/" + renames["renamed_from"]).all()


def test_what_is_malformed_is_counted_in_every_place_that_repeats_it():
    edges, outcomes = reading({"name": "b/tune", "tags": ["base_model:"], "card": [""]})
    assert edges == []
    assert outcomes == {("untyped_tag", "malformed"): 1, ("card", "malformed"): 1}
