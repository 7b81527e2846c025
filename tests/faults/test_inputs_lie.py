"""Whatever repositories say of themselves: the month is made and honest makers keep their downloads, or it is refused.

Each lie is told in a dump beside the same honest repositories and a crowd as large as the sample; the month runs
through Dagster, checks included, in a process of its own whose memory is measured.
"""

import json
import shutil
from datetime import date

import polars as pl
import pytest

from assets.shares.country_shares import COUNTRY_SHARES
from pipeline.definitions import CATALOGUE
from pipeline.lake.store import Lake
from pipeline.publish.manifest import MONTH_MANIFEST
from tests.faults.figures import keep

MONTH = date(2026, 5, 1)
CREATED = "2026-04-01T00:00:00.000Z"
HONEST = [
    {"id": "Qwen/base", "downloads": 1000, "downloadsAllTime": 5000, "tags": ["license:apache-2.0"]},
    {"id": "meta-llama/base", "downloads": 700, "downloadsAllTime": 3000, "tags": []},
    {
        "id": "mistralai/tune",
        "downloads": 300,
        "downloadsAllTime": 400,
        "tags": ["base_model:Qwen/base", "base_model:finetune:Qwen/base"],
    },
    *({"id": f"google/model-{number}", "downloads": 1, "downloadsAllTime": 10} for number in range(60)),
]
HONEST_SHARES = {"CN": 1000.0, "US": 760.0, "FR": 300.0}


def liar(**says):
    return {"id": "nobody/liar", "downloads": 0, "downloadsAllTime": 0} | says


def derived_from(*parents, **says):
    tags = [tag for parent in parents for tag in (f"base_model:{parent}", f"base_model:merge:{parent}")]
    return liar(tags=tags, **says)


def cycle(length):
    return [
        derived_from(f"ring{length}/m{(number + 1) % length}", id=f"ring{length}/m{number}") for number in range(length)
    ]


def named(*ids):
    return [liar(id=name) for name in ids] + [derived_from(name, id=f"jane/tune-{n}") for n, name in enumerate(ids)]


pytestmark = pytest.mark.faults

PASSES = None
LIES = {
    "counters of nothing": ([liar(downloads=None, downloadsAllTime=None, likes=None)], PASSES),
    "counters at the end of 64 bits": ([liar(downloads=2**63 - 1, downloadsAllTime=2**63 - 1)], PASSES),
    "likes below nothing": ([liar(likes=-5)], PASSES),
    "downloads below nothing": ([liar(downloads=-1000)], "downloads_30d"),
    "downloads since ever below nothing": ([liar(downloadsAllTime=-1)], "downloads_all_time"),
    "a counter that is no whole number": ([liar(downloads=1e30)], PASSES),
    "a creation to come": ([liar(createdAt="2999-01-01T00:00:00.000Z")], PASSES),
    "a creation long before the Hub": ([liar(createdAt="0001-01-01T00:00:00.000Z")], PASSES),
    "a creation that is no date": ([liar(createdAt="yesterday")], PASSES),
    "ids of control characters": (named("a/\x00b", "a/\x1b[2J", "a/\u202eb", "a/\u0000"), PASSES),
    "ids of emoji": (named("🤗/🤗", "👩‍👩‍👧/🏳️‍🌈"), PASSES),
    "ids of 300 characters": (named("a" * 150 + "/" + "b" * 149, "x" * 300), PASSES),
    "ids that are paths": (named("../../etc/passwd", "..", "/", "a/../b", "~root/x", "C:\\x"), PASSES),
    "ids of quotes and SQL": (named("a/'; drop table x; --", 'a/"', "a/`", "a/$1", "a/{}", "a/%s"), PASSES),
    "ids of markup": (named("a/<script>alert(1)</script>", "a/]]>", "a/&amp;", "a/</svg>"), PASSES),
    "ids of nothing": (named("", " ", "/", "a/", "/b"), PASSES),
    "the same id twice": ([liar(downloads=5), liar(downloads=7)], PASSES),
    "a tag list of ten thousand": ([liar(tags=[f"tag-{number}" for number in range(10_000)])], PASSES),
    "ten thousand parents that are not there": (
        [derived_from(*(f"ghost/m{number}" for number in range(10_000)))],
        PASSES,
    ),
    "five hundred parents": ([derived_from(*(f"google/model-{n % 60}" for n in range(500)))], PASSES),
    "its own parent": ([derived_from("nobody/liar")], PASSES),
    "cycles of every size": ([model for length in (1, 2, 3, 10, 1000) for model in cycle(length)], PASSES),
    "a chain of five thousand": (
        [derived_from(f"chain/m{number - 1}", id=f"chain/m{number}") for number in range(1, 5000)],
        PASSES,
    ),
    "tags that are empty, odd or huge": (
        [liar(tags=["", ":", "base_model:", "base_model::", "license:", "x" * 1_000_000, "base_model:adapter:"])],
        PASSES,
    ),
    "a card of ten megabytes": ([liar(cardData={"base_model": "x" * 10_000_000})], PASSES),
    "a card of another shape": ([liar(cardData={"base_model": {"a": [1, {"b": None}]}})], PASSES),
    "parameters beyond belief": ([liar(safetensors={"total": 10**18}), liar(id="n/m", gguf={"total": -5})], PASSES),
    "every field of another type": (
        [liar(tags="x", pipeline_tag=[1], gated={"a": 1}, likes="many")],
        PASSES,
    ),
}
TOGETHER = [record for records, outcome in LIES.values() if outcome is PASSES for record in records]


CROWD = [{"id": f"nobody/m{number}", "downloads": 0, "tags": ["license:mit"]} for number in range(20_000)]
"""As many as the sample has."""
PEAK_MEGABYTES = 2_000


@pytest.fixture(scope="module")
def worker(worker_in, tmp_path_factory):
    return worker_in(tmp_path_factory.mktemp("lies"))


def ended_with(worker, records, folder):
    """How the month of a dump with these records and the crowd ended, in an empty lake."""
    shutil.rmtree(worker.home / "lake", ignore_errors=True)
    lines = [{"createdAt": CREATED} | record for record in (*HONEST, *records, *CROWD)]
    (folder / "2026-05-31.jsonl").write_text("\n".join(map(json.dumps, lines)))
    return worker.run("monthly_census", MONTH, source="folder", CENSUS_SNAPSHOTS=str(folder))


def honest_makers_keep_their_downloads(lake):
    shares = lake.scan(COUNTRY_SHARES, MONTH).filter(population="all", attribution="uploader").collect()
    days = 31 / 30
    found = dict(shares.select("member", pl.col("downloads") / days).iter_rows())
    return (
        {country: found.get(country) for country in HONEST_SHARES} == pytest.approx(HONEST_SHARES)
        and shares["share"].sum() == pytest.approx(1)
        and shares["share"].is_between(0, 1).all()
        and (shares["share_low"] <= shares["share_high"]).all()
    )


EVERY_LIE = LIES | {"all of these that are harmless, at once": (TOGETHER, PASSES)}


@pytest.mark.parametrize("lie", EVERY_LIE)
def test_each_lie_is_harmless_or_refused_in_words_and_takes_less_than_two_gigabytes(worker, tmp_path, outcomes, lie):
    records, refused_by = EVERY_LIE[lie]
    ended = ended_with(worker, records, tmp_path)
    lake = Lake(str(worker.home / "lake"))
    made = [table for table in CATALOGUE.monthly if lake.holds(table, MONTH)]
    wrong = refused_by is PASSES and not honest_makers_keep_their_downloads(lake)
    outcomes.unharmed(f"lie: {lie}", ended["failures"], wrong=wrong)
    assert ended["megabytes"] < PEAK_MEGABYTES, "peak memory of the month's process"
    if refused_by is PASSES:
        assert ended["failures"] == []
        assert made == list(CATALOGUE.monthly)
    else:
        assert ended["status"] != 0
        assert any(refused_by in said for said in (*ended["failures"], *ended["checks"])), ended
        assert not lake.holds(MONTH_MANIFEST, MONTH)
    keep("peaks", {lie: {"megabytes": ended["megabytes"]}})
