"""Listing records, cards and tags of any content become rows and edges that add up, or a refusal in one sentence.

What each test holds is held in coverage-guided fuzzing as well, see `fuzz.py` beside this file.
"""

import json
import tempfile
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from assets.lineage.derivation_reconciliation import DERIVATION_RECONCILIATION
from assets.lineage.derivations import DERIVATIONS, derive
from assets.lineage.graph import graph_of
from assets.lineage.origin_weights import ORIGIN_WEIGHTS, origin_weights
from assets.listings.hub_snapshots import HUB_SNAPSHOTS
from pipeline.errors import UnusableSnapshotError
from pipeline.reference.lists import relations, renames
from pipeline.schema.declaration import conform
from pipeline.sources.listing_crawl import packed
from pipeline.sources.records import read_json, read_parquet
from pipeline.sources.snapshots import OBSERVATION_SCHEMA
from tests.assets.listings.scenario import snapshot_of

MONTH = date(2025, 8, 1)
NAMES = st.sampled_from(
    ["Qwen/base", "a/b", "bert", "../..", "a/<b>", "🤗/🤗", "a/\x00", "https://hf.co/a/b", "", "C:\\x"]
)
WORDS = st.one_of(NAMES, st.text(max_size=30))
RELATION_WORDS = st.sampled_from(["finetune", "adapter", "merge", "quantized", "Finetune", "", "x", ":"])
TAGS = st.one_of(
    WORDS,
    WORDS.map("base_model:{}".format),
    st.tuples(RELATION_WORDS, WORDS).map(lambda said: f"base_model:{said[0]}:{said[1]}"),
    WORDS.map("license:{}".format),
)
ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=6,
)
CARDS = st.one_of(
    st.fixed_dictionaries({"base_model": st.one_of(WORDS, st.lists(WORDS, max_size=3), ANYTHING)}), ANYTHING
)
WRITTEN_CARDS = st.one_of(CARDS.map(json.dumps), st.text(max_size=60), st.none())
BASE_MODELS = st.fixed_dictionaries(
    {
        "relation": RELATION_WORDS,
        "models": st.lists(st.fixed_dictionaries({"_id": st.text(max_size=6), "id": WORDS}), max_size=3),
    }
)
RECORDS = st.fixed_dictionaries(
    {"id": WORDS.filter(bool)},
    optional={
        "_id": st.text(max_size=6),
        "modelId": WORDS,
        "createdAt": st.one_of(st.just("2025-08-01T00:00:00.000Z"), st.text(max_size=12)),
        "downloads": st.one_of(st.integers(), st.none()),
        "downloadsAllTime": st.one_of(st.integers(-(2**64), 2**64), st.none()),
        "likes": st.integers(0, 9),
        "tags": st.one_of(st.lists(TAGS, max_size=5), st.none()),
        "cardData": CARDS,
        "safetensors": ANYTHING,
        "gguf": ANYTHING,
        "baseModels": st.one_of(BASE_MODELS, ANYTHING),
        "gated": ANYTHING,
        "pipeline_tag": st.text(max_size=8),
    },
)


DECLARED = st.fixed_dictionaries(
    {
        "model_id": WORDS.filter(bool),
        "tags": st.one_of(st.lists(TAGS, max_size=6), st.none()),
        "card_base_models": st.one_of(st.lists(WORDS, max_size=3), st.none()),
        "base_model_relation": st.one_of(RELATION_WORDS, st.none()),
        "base_models": st.one_of(
            st.lists(
                st.fixed_dictionaries({"hub_id": st.one_of(st.text(max_size=3), st.none()), "model_id": WORDS}),
                max_size=3,
            ),
            st.none(),
        ),
    }
)


def read_back(*contents, suffix=".jsonl"):
    """The rows of files with such contents; None where they are refused, which is in one sentence."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{number:06d}{suffix}" for number in range(len(contents))]
        for path, content in zip(paths, contents, strict=True):
            path.write_bytes(content)
        rows, refused = None, ""
        try:
            rows = read_json(paths).rows.collect()
        except UnusableSnapshotError as error:
            refused = str(error)
    assert "\n" not in refused
    assert rows is None or rows.schema == OBSERVATION_SCHEMA
    return rows


def assert_lineage_adds_up(snapshot):
    derived = derive(snapshot.lazy(), renames=renames(), relations=relations())
    edges = conform(derived.derivations.lazy(), DERIVATIONS).collect()
    outcomes = conform(derived.reconciliation.lazy(), DERIVATION_RECONCILIATION).collect()
    graph = graph_of(derived.edges, derived.repositories)
    weights = conform(origin_weights(graph, "equal_parts", MONTH).lazy(), ORIGIN_WEIGHTS).collect()
    counted = dict(outcomes.group_by("outcome").agg(pl.col("references").sum()).iter_rows())
    assert counted.get("edge", 0) == edges.height
    assert edges.select("child_hub_id", "parent_model_id").is_unique().all()
    assert (weights.group_by("hub_id").agg(pl.col("weight").sum())["weight"] == 1).all()


TRIED_LONGER = []


def holds_for(strategy):
    """A property of all words that the strategy makes: tried with a few of them, and with many in the long form."""

    def accept(holds):
        many = settings(max_examples=500)(given(strategy)(holds))
        TRIED_LONGER.append(pytest.param(many, id=holds.__name__))
        return settings(max_examples=10)(given(strategy)(holds))

    return accept


@holds_for(st.lists(RECORDS, max_size=6))
def test_listing_records_become_rows_and_edges(records):
    rows = read_back("\n".join(json.dumps(record) for record in records).encode())
    if rows is not None:
        assert rows.height <= len(records)
        snapshot = snapshot_of(*rows.to_dicts())
        assert snapshot["hub_id"].is_unique().all()
        assert_lineage_adds_up(snapshot)


@holds_for(st.binary(max_size=300))
@example(b'{"id":"a/b"}\x00')
@example(b'[{"id":"a/b"},')
@example(b'{"id":' + b"[" * 200)
def test_a_listing_of_any_bytes_is_read_or_refused(content):
    read_back(content)


@holds_for(st.lists(st.lists(RECORDS, max_size=3), min_size=1, max_size=3))
def test_listing_pages_become_rows(pages):
    rows = read_back(*(packed(json.dumps(page).encode()) for page in pages), suffix=".json.zst")
    assert rows is None or rows.height <= sum(map(len, pages))


@holds_for(st.lists(WRITTEN_CARDS, min_size=1, max_size=5))
def test_cards_in_archives_become_names_of_base_models(cards):
    ids = [f"a/m{number}" for number in range(len(cards))]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "models.parquet"
        pl.DataFrame({"id": ids, "cardData": cards}, {"id": pl.String, "cardData": pl.String}).write_parquet(path)
        rows = read_parquet([path]).rows.collect()
    assert rows["model_id"].to_list() == ids
    assert_lineage_adds_up(snapshot_of(*rows.to_dicts()))


@holds_for(st.lists(DECLARED, min_size=1, max_size=8))
def test_declarations_become_edges_that_add_up(repositories):
    rows = [
        dict.fromkeys(HUB_SNAPSHOTS.schema) | {"month": MONTH, "hub_id": f"{number:x}"} | repository
        for number, repository in enumerate(repositories)
    ]
    assert_lineage_adds_up(pl.DataFrame(rows, schema=HUB_SNAPSHOTS.schema))


@pytest.mark.faults
@pytest.mark.parametrize("property_of_many", TRIED_LONGER)
def test_much_more_untrusted_input(property_of_many):
    property_of_many()
