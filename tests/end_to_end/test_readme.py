"""What the README shows is what a reader gets: its output, its SQL, its commands."""

import re
import shlex
from pathlib import Path

import duckdb
import pytest

README = (Path(__file__).parents[2] / "README.md").read_text()
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", README, re.DOTALL)
(OUTPUT,) = [text for kind, text in BLOCKS if not kind and text.startswith("SYNTHETIC SAMPLE")]
QUERIES = [text for kind, text in BLOCKS if kind == "sql"]
SHOWN = [
    line.split("#")[0].strip()
    for kind, text in BLOCKS
    if kind == "sh"
    for line in text.splitlines()
    if line.startswith("census ")
]
READING = ("status", "headline", "compare-published", "family", "explain", "restore", "registry check")
READ_ONLY = [line for line in SHOWN if line.removeprefix("census ").startswith(READING)]


def test_the_output_shown_is_the_real_one(asked, sample):
    figures, _, places = OUTPUT.partition("\nwarehouse")
    assert asked(sample[0], "headline", "--last-month", "2025-08").stdout.strip() == figures.strip()
    assert places.split("\n")[0].strip() == ".census/published/census.duckdb"


@pytest.mark.parametrize("query", QUERIES)
def test_the_queries_shown_have_an_answer(sample, query):
    with duckdb.connect(str(sample[0] / "published" / "census.duckdb"), read_only=True) as warehouse:
        assert warehouse.sql(query).fetchall()


@pytest.mark.parametrize("line", READ_ONLY)
def test_the_commands_shown_that_only_read_do(asked, sample, line):
    finished = asked(sample[0], *shlex.split(line)[1:])
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.strip()


def test_every_kind_of_reading_is_shown():
    assert len(READ_ONLY) >= len(READING)
