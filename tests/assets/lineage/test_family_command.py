"""`census family`: what is drawn, what is hidden and counted, and that untrusted names stay text."""

import datetime as dt
import json
import re
import time
import xml.etree.ElementTree as ET
from collections import defaultdict

import numpy as np
import pytest

from assets.lineage.family import FORMATS, read_family
from pipeline.definitions import CATALOGUE
from pipeline.errors import CensusError
from pipeline.lake.store import Lake
from tests.assets.lineage.scenarios import lineage_of, snapshot
from tests.assets.rows import rows_of

MONTH = dt.date(2025, 8, 1)
HOSTILE = ['a/"quoted" ]; click', "a/<script>&amp;", "a/\x1b[31mred", "a/\u202eevil", "a/line\nbreak", "a/--> m0"]


def build_lake(folder, edges, downloads):
    """A lake of one finished month: `edges` as (child, parent), `downloads` by name of all that are listed."""
    lake, parents = Lake(str(folder)), defaultdict(list)
    for child, parent in edges:
        parents[child].append(parent)
    listing = snapshot(*({"name": name, "card": parents[name], "relation": "finetune"} for name in downloads))
    for name, table in lineage_of(listing).items():
        lake.write(CATALOGUE[f"lineage/{name}"], MONTH, table)
    models = [
        {"month": MONTH, "hub_id": f"id:{name}", "downloads": amount, "basis": "all_time_delta"}
        | {"source": "sample", "country": "SG"}
        for name, amount in downloads.items()
    ]
    for path in ("listings/model_downloads", "listings/hub_snapshots", "attribution/model_attribution"):
        lake.write(CATALOGUE[path], MONTH, rows_of(CATALOGUE[path], models))
    roots = [{"month": MONTH, "root_model_id": name, "country": "CN"} for _, name in edges if name not in downloads]
    attributed = CATALOGUE["attribution/root_attribution"]
    lake.write(attributed, MONTH, rows_of(attributed, roots))
    return lake


@pytest.fixture
def small(tmp_path):
    """A base with a loud and a quiet tune, a merge of both, something made from the merge; a cycle, and others."""
    edges = [
        ("q/quiet", "a/base"),
        ("l/loud", "a/base"),
        ("m/merge", "l/loud"),
        ("m/merge", "q/quiet"),
        ("z/last", "m/merge"),
        ("g/orphan", "gone/base"),
        ("c/one", "c/two"),
        ("c/two", "c/one"),
    ]
    downloads = {"a/base": 9.0, "q/quiet": 1.0, "l/loud": 5.0, "m/merge": 3.0, "z/last": 2.0, "g/orphan": 4.0}
    return build_lake(tmp_path, edges, downloads | {"c/alone": 3.0, "c/one": 1.0, "c/two": 2.0})


def drawing(lake, model, depth=9, children=9):
    return FORMATS["tree"](read_family(lake, CATALOGUE, model), depth, children).split("\n\n")[1].splitlines()


def test_a_tree_shows_relation_country_and_downloads_and_each_repository_once(small):
    assert drawing(small, "a/base") == [
        "a/base  SG  9",
        "├── l/loud  finetune  SG  5",
        "│   └── m/merge  finetune  SG  3  (other parents: 1)",
        "│       └── z/last  finetune  SG  2",
        "└── q/quiet  finetune  SG  1",
    ]


FAMILIES = {
    "an unlisted parent has one too": (
        "gone/base",
        ["gone/base  CN  not listed", "└── g/orphan  finetune  SG  4"],
    ),
    "who derives from nothing is a family of one": ("c/alone", ["c/alone  SG  3"]),
    "letter case is forgiven": ("C/ALONE", ["c/alone  SG  3"]),
    "a cycle is drawn once": ("c/one", ["c/one  SG  1", "└── c/two  finetune  SG  2"]),
}


@pytest.mark.parametrize(("model", "drawn"), FAMILIES.values(), ids=FAMILIES)
def test_a_family_is_drawn_whatever_its_head_is(small, model, drawn):
    assert drawing(small, model) == drawn


def test_what_is_too_deep_is_counted(small):
    assert drawing(small, "a/base", depth=1) == [
        "a/base  SG  9",
        "├── l/loud  finetune  SG  5  [2 hidden, 5 downloads]",
        "└── q/quiet  finetune  SG  1",
    ]
    assert drawing(small, "a/base", depth=0) == ["a/base  SG  9  [4 hidden, 11 downloads]"]


def test_what_is_too_much_is_counted(small):
    assert drawing(small, "a/base", depth=1, children=1)[-1] == "└── [1 hidden, 1 downloads]"


def test_a_family_says_month_basis_source_and_that_it_is_synthetic(small):
    said = FORMATS["tree"](read_family(small, CATALOGUE, "m/merge"), 1, 9)
    for words in ("SYNTHETIC", "2025-08", "cumulative counters", "source       sample", "derives from l/loud, q/quiet"):
        assert words in said


def test_a_month_that_came_no_further_than_lineage_has_families_too(tmp_path):
    whole = build_lake(tmp_path / "whole", [("b/tune", "a/base")], {"a/base": 1.0, "b/tune": 2.0})
    lake = Lake(str(tmp_path / "lake"))
    for path in ("lineage/derivations", "lineage/model_lineage", "listings/hub_snapshots"):
        lake.write(CATALOGUE[path], MONTH, whole.scan(CATALOGUE[path], MONTH))
    assert "not measured yet" in FORMATS["tree"](read_family(lake, CATALOGUE, "a/base"), 1, 9)
    assert drawing(lake, "a/base") == ["a/base", "└── b/tune  finetune"]


@pytest.mark.parametrize(
    ("model", "month", "sentence"),
    [
        ("a/bas", None, "no model 'a/bas' is known in 2025-08: did you mean a/base"),
        ("b/base", None, "did you mean a/base or gone/base?"),
        ("nothing-like-it", None, "look it up on the Hub"),
        ("a/base", dt.date(2024, 1, 1), "has no derivations of 2024-01: choose one of 2025-08"),
    ],
)
def test_what_is_not_there_is_one_sentence_that_helps(small, model, month, sentence):
    with pytest.raises(CensusError, match=re.escape(sentence)):
        read_family(small, CATALOGUE, model, month)


def test_documents_hold_every_parent(small):
    family = read_family(small, CATALOGUE, "a/base")
    told = json.loads(FORMATS["json"](family, 9, 9))
    assert {(edge["child"], edge["parent"]) for edge in told["derivations"]} == {
        ("q/quiet", "a/base"), ("l/loud", "a/base"), ("m/merge", "l/loud"), ("m/merge", "q/quiet"),
        ("z/last", "m/merge"),
    }  # fmt: skip
    assert json.loads(FORMATS["json"](family, 1, 9))["hidden_members"] == 2
    graph = ET.fromstring(FORMATS["graphml"](family, 9, 9)).find("{*}graph")
    assert len(graph.findall("{*}node")) == len(graph.findall("{*}edge")) == 5


def test_hostile_names_are_inert_in_every_format(tmp_path):
    lake = build_lake(tmp_path, [(name, "a/base") for name in HOSTILE], dict.fromkeys(["a/base", *HOSTILE], 1.0))
    family = read_family(lake, CATALOGUE, "a/base")
    tree, mermaid, graphml = (FORMATS[form](family, 1, 9) for form in ("tree", "mermaid", "graphml"))
    for shown in (tree, mermaid, graphml, FORMATS["json"](family, 1, 9)):
        assert not {"\x1b", "\u202e"} & set(shown)
    assert len(tree.split("\n\n")[1].splitlines()) == 1 + len(HOSTILE)
    labels = [line.strip() for line in mermaid.splitlines() if line.startswith("  m") and "[" in line]
    assert all(re.fullmatch(r'm\d+\["[\w ./,()+#;-]*"\]', label) for label in labels)
    assert len(labels) == 1 + len(HOSTILE)
    named = {data.text for data in ET.fromstring(graphml).iterfind(".//{*}data[@key='model_id']")}
    assert {"a/<script>&amp;", 'a/"quoted" ]; click', r"a/\x1b[31mred"} <= named
    assert {member["model_id"] for member in json.loads(FORMATS["json"](family, 1, 9))["members"]} == {
        "a/base",
        *HOSTILE,
    }


@pytest.mark.parametrize(("depth", "children"), [(3, 20), (99, 10_000)])
def test_a_family_of_ten_thousand_is_drawn_in_two_seconds_and_nothing_is_lost(tmp_path, depth, children):
    random = np.random.default_rng(4)
    parent = (np.arange(1, 10_000) * random.random(9_999) ** 2).astype(int)
    edges = [(f"m/{child:05}", f"m/{above:05}") for child, above in enumerate(parent.tolist(), start=1)]
    lake = build_lake(tmp_path, edges, {f"m/{number:05}": 1.0 for number in range(10_000)})
    begin = time.process_time()
    lines = drawing(lake, "m/00000", depth, children)
    assert time.process_time() - begin < 2
    hidden = sum(int(count.replace(",", "")) for line in lines for count in re.findall(r"\[([\d,]+) hidden", line))
    assert sum("m/" in line for line in lines) + hidden == 10_000
