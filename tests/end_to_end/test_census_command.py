"""What a user meets at the command line: one sentence, an exit code, nothing spoilt."""

import re
import time

import polars as pl
import pytest
from click.shell_completion import ShellComplete

from pipeline.cli.commands import census as census_commands
from tests.end_to_end.sample import copied


def files_under(home):
    return {
        path: path.read_bytes()
        for folder in ("lake", "published")
        for path in (home / folder).rglob("*")
        if path.is_file()
    }


@pytest.fixture
def dumps(tmp_path):
    folder = tmp_path / "dumps"
    folder.mkdir()
    return folder


def dump(path, *rows):
    pl.DataFrame([{"downloads": 10, "createdAt": "2026-05-01T00:00:00.000Z"} | row for row in rows]).write_parquet(path)


BAD_REQUESTS = {
    "an unknown source": (["--source", "nope"], "there is no source 'nope': choose one of"),
    "a month that the source does not serve": (["--from", "2020-01", "--to", "2020-01"], "does not serve 2020-01"),
    "months the wrong way round": (["--from", "2025-08", "--to", "2025-07"], "swap --from and --to"),
    "something that is no month": (["--from", "soon"], "'soon' is not a month"),
    "a local source without its folder": (["--source", "folder"], "set `snapshots` or CENSUS_SNAPSHOTS"),
    "a folder that is not there": (["--source", "folder", "--snapshots", "nowhere"], "does not exist"),
    "a registry that is not there": (["--registry", "nowhere.csv"], "cannot be read"),
}


@pytest.mark.parametrize(("arguments", "sentence"), BAD_REQUESTS.values(), ids=BAD_REQUESTS)
def test_a_request_that_cannot_be_met_is_one_sentence_and_changes_nothing(asked, sample, arguments, sentence):
    before = files_under(sample[0])
    finished = asked(sample[0], "run", *arguments)
    assert finished.returncode == 2
    assert sentence in finished.stderr
    assert "Traceback" not in finished.stderr
    assert files_under(sample[0]) == before


COMPLETED = {
    "a source": (["run", "--source"], "hub_stats"),
    "a published month": (["headline", "--last-month"], "2025-08"),
    "a published country": (["explain", "--country"], "CN"),
    "a published model": (["family"], "Qwen/Qwen-Onyx-14B"),
}


@pytest.mark.parametrize(("written", "known"), COMPLETED.values(), ids=COMPLETED)
def test_a_shell_completes_what_is_known(sample, monkeypatch, written, known):
    monkeypatch.setenv("CENSUS_HOME", str(sample[0]))
    offered = ShellComplete(census_commands, {}, "census", "_CENSUS_COMPLETE").get_completions(written, known[:-1])
    assert known in {item.value for item in offered}


def test_real_months_and_the_samples_never_meet_in_one_home(asked, own_dumps, sample, dumps):
    dump(dumps / "2026-05-31.parquet", {"id": "Qwen/model"})
    real = asked(sample[0], "run", "--source", "folder", "--snapshots", dumps)
    synthetic = asked(own_dumps[0], "run", "--source", "sample")
    assert (real.returncode, synthetic.returncode) == (2, 2)
    assert "CENSUS_HOME=~/census-real census run --source folder" in real.stderr
    assert "CENSUS_HOME=~/census-synthetic census run --source sample" in synthetic.stderr


def test_the_sources_are_told_at_once_without_a_network(asked, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    begun = time.monotonic()
    said = asked(tmp_path, "sources").stdout
    assert time.monotonic() - begun < 5
    assert "2024-08 to 2025-09 (14 months)" in said
    assert said.count("not known now: the Hub does not answer") == 2


def test_a_hub_that_cannot_be_reached_is_one_sentence(asked, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(time, "sleep", lambda _: None)
    finished = asked(tmp_path, "run", "--source", "hub_stats")
    assert finished.returncode == 2
    assert finished.stderr.count("\n") == 1
    assert "the Hub at http://127.0.0.1:9 cannot be reached" in finished.stderr


SPOILT = {
    "2025-12-31": (lambda path: path.write_bytes(b""), "cannot be read as Parquet"),
    "2026-01-31": (lambda path: path.write_bytes(path.read_bytes()[:-200]), "cannot be read as Parquet"),
    "2026-02-28": (lambda path: pl.DataFrame({"x": [1]}).write_parquet(path), "has no column `id`"),
}
"""Empty, truncated, and without a column that names."""


def test_a_spoilt_dump_fails_its_month_in_words_and_keeps_what_is_published(census, asked, own_dumps, dumps, tmp_path):
    home = copied(own_dumps[0], tmp_path / "home")
    before = files_under(home)
    for day, (spoil, _) in SPOILT.items():
        dump(dumps / f"{day}.parquet", {"id": "Qwen/model"})
        spoil(dumps / f"{day}.parquet")
    finished = census(home, "run", "--source", "folder", "--snapshots", dumps)
    status = asked(home, "status")
    assert (finished.returncode, status.returncode) == (1, 1)
    assert "Traceback" not in finished.stderr
    assert before.items() <= files_under(home).items()
    for day, (_, sentence) in SPOILT.items():
        failed = rf"^failed: {day[:7]} listings__hub_snapshots: .*{day}\.parquet.* {sentence}"
        assert re.search(failed, finished.stderr, re.MULTILINE), finished.stderr
        told = rf"^{day[:7]}  failed .*\n +failed: listings__hub_snapshots: .*{sentence}"
        assert re.search(told, status.stdout, re.MULTILINE)
    checks = asked(home, "checks", "--failed", "--month", "2025-12")
    assert "2025-12: 0 checks, 0 failed\n  the run failed: listings__hub_snapshots" in checks.stdout


def test_ones_own_dumps_and_old_listing_records_run_to_the_end(own_dumps):
    headline = own_dumps[1]["headline"]
    assert not headline["is_synthetic"]
    downloads = {member["name"]: member["downloads"] for member in headline["members"]}
    assert downloads["China"] == pytest.approx((1000 + 1) * 31 / 30)
