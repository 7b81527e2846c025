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
    derivations, reconciliation = derived(snapshot(*repositories), moved, words)
    outcomes = {(row["evidence"], row["outcome"]): row["references"] for row in reconciliation.to_dicts()}
    return derivations.sort("child_model_id", "position").to_dicts(), outcomes


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
    ("declared", "evidence"),
    [
        ({"parents": ["a/base"]}, "base_models"),
        ({"tags": ["base_model:finetune:a/base"]}, "typed_tag"),
        ({"tags": ["base_model:a/base"]}, "untyped_tag"),
        ({"card": ["a/base"]}, "card"),
    ],
)
def test_each_place_of_declaration_suffices(declared, evidence):
    ((edge,), outcomes) = reading({"name": "a/base"}, {"name": "b/tune"} | declared)
    assert (edge["evidence"], edge["parent_hub_id"]) == (evidence, "id:a/base")
    assert outcomes == {(evidence, "edge"): 1}


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


def test_an_unknown_relation_is_kept_in_its_own_words():
    ((edge,), _) = reading({"name": "b/tune", "tags": ["base_model:Distilled:a/base"]})
    assert (edge["relation"], edge["relation_declared"], edge["parent_model_id"]) == ("unknown", "Distilled", "a/base")


def test_reviewed_words_name_relations_whatever_their_case():
    words = [("lora", "adapter")]
    ((edge,), _) = reading({"name": "b/tune", "tags": ["base_model:LoRA:a/base"]}, words=words)
    assert edge["relation"] == "adapter"


def test_the_relation_comes_from_the_most_trusted_place_that_states_one():
    ((edge,), _) = reading(
        {"name": "a/base"},
        {"name": "b/tune", "parents": ["a/base"], "tags": ["base_model:quantized:a/base"]},
    )
    assert (edge["evidence"], edge["relation"]) == ("base_models", "quantized")


def test_a_parent_that_the_hub_cannot_resolve_shares_the_relation_of_the_others():
    edges, _ = reading(
        {"name": "a/base"},
        {"name": "b/merge", "parents": ["a/base"], "relation": "merge", "card": ["a/base", "c/deleted"]},
    )
    assert [(edge["parent_model_id"], edge["relation"], edge["parent_listed"]) for edge in edges] == [
        ("a/base", "merge", True),
        ("c/deleted", "merge", False),
    ]


def test_a_self_reference_is_counted_and_dropped():
    edges, outcomes = reading(
        {"name": "a/base", "parents": ["a/base"], "tags": ["base_model:a/base"], "card": ["A/Base"]}
    )
    assert edges == []
    assert outcomes == {(place, "self_reference"): 1 for place in ("base_models", "untyped_tag", "card")}


def test_the_id_outlives_the_name():
    parent = {"hub_id": "id:a/base", "model_id": "a/as-it-was-called"}
    ((edge,), _) = reading({"name": "a/base"}, {"name": "b/tune", "parents": [parent]})
    assert (edge["parent_model_id"], edge["parent_found_by"]) == ("a/base", "hub_id")


def test_an_id_that_is_not_listed_leaves_the_name():
    parent = {"hub_id": "unheard-of", "model_id": "a/base"}
    ((edge,), _) = reading({"name": "a/base"}, {"name": "b/tune", "parents": [parent]})
    assert (edge["parent_hub_id"], edge["parent_found_by"]) == ("id:a/base", "name")


@pytest.mark.parametrize(
    ("moved", "declared", "listed"),
    [
        ([("namespace", "THUDM", "zai-org")], "THUDM/glm", "zai-org/glm"),
        ([("namespace", "THUDM", "zai-org")], "thudm/GLM", "zai-org/glm"),
        ([("repository", "gpt2", "openai-community/gpt2")], "gpt2", "openai-community/gpt2"),
        ([("namespace", "a", "c"), ("repository", "a/x", "b/y")], "a/x", "b/y"),
    ],
)
def test_reviewed_renames_lead_to_todays_name(moved, declared, listed):
    ((edge,), _) = reading({"name": listed}, {"name": "d/tune", "card": [declared]}, moved=moved)
    assert (edge["parent_model_id"], edge["parent_found_by"]) == (listed, "rename")


def test_a_rename_to_nowhere_keeps_the_declared_name():
    ((edge,), _) = reading({"name": "d/tune", "card": ["THUDM/gone"]}, moved=[("namespace", "THUDM", "zai-org")])
    assert (edge["parent_model_id"], edge["parent_listed"], edge["parent_found_by"]) == (
        "THUDM/gone",
        False,
        "unlisted",
    )


def test_letter_case_is_forgiven_where_one_name_fits():
    ((edge,), _) = reading({"name": "Qwen/Qwen3-8B"}, {"name": "b/tune", "card": ["qwen/qwen3-8b"]})
    assert (edge["parent_model_id"], edge["parent_found_by"]) == ("Qwen/Qwen3-8B", "letter_case")


def test_letter_case_decides_where_two_names_fit():
    edges, _ = reading({"name": "a/Base"}, {"name": "a/base"}, {"name": "b/tune", "card": ["a/base", "a/BASE"]})
    assert [(edge["parent_model_id"], edge["parent_listed"]) for edge in edges] == [("a/base", True), ("a/BASE", False)]


def test_unlisted_spellings_that_differ_in_case_are_one_parent():
    edges, _ = reading({"name": "b/one", "card": ["Gone/Base"]}, {"name": "b/two", "card": ["gone/base"]})
    assert {edge["parent_model_id"] for edge in edges} == {"Gone/Base"}


def test_a_former_name_on_the_card_is_what_the_hub_makes_of_it():
    edges, outcomes = reading(
        {"name": "new/base"},
        {"name": "c/other"},
        {"name": "b/merge", "parents": ["new/base", "c/other"], "card": ["old/base", "c/other"]},
        {"name": "d/tune", "card": ["old/base"]},
    )
    assert [(edge["child_model_id"], edge["parent_model_id"], edge["parent_found_by"]) for edge in edges] == [
        ("b/merge", "new/base", "hub_id"),
        ("b/merge", "c/other", "hub_id"),
        ("d/tune", "new/base", "former_name"),
    ]
    assert outcomes[("card", "duplicate")] == 2


def test_tags_that_kept_a_former_name_make_no_second_parent():
    edges, outcomes = reading(
        {"name": "new/base"},
        {
            "name": "b/tune",
            "parents": ["new/base"],
            "tags": ["base_model:old/base", "base_model:finetune:old/base"],
            "card": ["old/base"],
        },
        {"name": "d/tune", "tags": ["base_model:old/base"]},
    )
    assert [(edge["child_model_id"], edge["parent_model_id"], edge["parent_found_by"]) for edge in edges] == [
        ("b/tune", "new/base", "hub_id"),
        ("d/tune", "new/base", "former_name"),
    ]
    assert outcomes[("typed_tag", "duplicate")] == 1


def test_two_parents_missing_from_the_hubs_list_are_not_taken_for_former_names():
    edges, _ = reading(
        {"name": "new/base"}, {"name": "b/merge", "parents": ["new/base"], "card": ["gone/one", "gone/two"]}
    )
    assert {edge["parent_model_id"] for edge in edges} == {"new/base", "gone/one", "gone/two"}


def test_positions_follow_trust_and_declaration():
    edges, _ = reading(
        {
            "name": "b/merge",
            "parents": ["z/first", "a/second"],
            "tags": ["base_model:m/fourth", "base_model:merge:n/third"],
        }
    )
    assert [(edge["parent_model_id"], edge["position"]) for edge in edges] == [
        ("z/first", 0),
        ("a/second", 1),
        ("n/third", 2),
        ("m/fourth", 3),
    ]


def test_repositories_that_share_a_name_are_one_parent():
    twins = [{"name": "a/base", "hub_id": "2"}, {"name": "a/base", "hub_id": "1"}]
    edges, _ = reading(
        *twins,
        {"name": "b/one", "parents": [{"hub_id": "2", "model_id": "a/base"}]},
        {"name": "b/two", "card": ["a/base"]},
    )
    assert {edge["parent_hub_id"] for edge in edges} == {"1"}


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


def test_a_card_that_states_the_relation_alone_is_believed():
    ((edge,), _) = reading({"name": "a/base"}, {"name": "b/tune", "card": ["a/base"], "relation": "quantized"})
    assert (edge["evidence"], edge["relation"], edge["relation_declared"]) == ("card", "quantized", "quantized")


def test_a_place_that_repeats_a_part_of_another_is_counted_reference_by_reference():
    edges, outcomes = reading(
        {"name": "a/base"},
        {
            "name": "b/merge",
            "parents": ["a/base", "c/other"],
            "tags": ["base_model:a/base", "base_model:merge:a/base", "base_model:merge:d/3", "base_model:merge:e/4"],
            "card": ["c/other", "./local", "a/base"],
        },
    )
    assert [(edge["parent_model_id"], edge["relation"]) for edge in edges] == [
        ("a/base", "merge"),
        ("c/other", "merge"),
        ("d/3", "merge"),
        ("e/4", "merge"),
    ]
    assert outcomes == {
        ("base_models", "edge"): 2,
        ("typed_tag", "duplicate"): 1,
        ("typed_tag", "edge"): 2,
        ("untyped_tag", "duplicate"): 1,
        ("card", "duplicate"): 2,
        ("card", "local_path"): 1,
    }


def test_what_is_malformed_is_counted_in_every_place_that_repeats_it():
    edges, outcomes = reading({"name": "b/tune", "tags": ["base_model:"], "card": [""]})
    assert edges == []
    assert outcomes == {("untyped_tag", "malformed"): 1, ("card", "malformed"): 1}
