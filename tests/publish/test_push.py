"""The published files go to the Hub as a dataset, pages with them, if one says so, and nowhere else."""

import base64
import json

import pytest
from click.testing import CliRunner

from pipeline.cli.commands import census
from tests.mirror import answering, saying


class UploadStub:
    """As much of the Hub as takes an upload, on 127.0.0.1: `files` that commits left, every token that came."""

    def __init__(self):
        self.files, self.tokens, self.commits = {}, set(), []

    def answer_to(self, request):
        self.tokens.add(request.headers.get("Authorization"))
        path, body = request.path, request.body
        return saying(json.dumps(self.taken(path, body) if request.method == "POST" else self.shown(path)).encode())

    def shown(self, path):
        listed = [{"type": "file", "path": name, "size": 1, "oid": "0" * 40} for name in sorted(self.files)]
        return listed if "/tree/" in path else {"sha": "0" * 40, "id": "maker/census", "siblings": []}

    def taken(self, path, body):
        if "/preupload/" in path:
            asked = json.loads(body)["files"]
            return {"files": [{"path": file["path"], "uploadMode": "regular", "shouldIgnore": False} for file in asked]}
        if "/commit/" in path:
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "header":
                    self.commits.append(line["value"]["summary"])
                elif line["key"] == "file":
                    self.files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
                elif line["key"] == "deletedFile":
                    del self.files[line["value"]["path"]]
            return {"commitUrl": f"{self.endpoint}/datasets/maker/census/commit/1", "commitOid": "1" * 40}
        return {"url": f"{self.endpoint}/datasets/maker/census", "name": "maker/census", "id": "maker/census"}


@pytest.fixture
def hub():
    stub = UploadStub()
    with answering(stub.answer_to) as stub.endpoint:
        yield stub


@pytest.fixture
def push(hub, tmp_path, monkeypatch):
    """Runs `census push` in a home with one published table and one page."""
    parquet = tmp_path / "published" / "versions" / "20250903T000000000000Z" / "parquet"
    (parquet / "country_shares").mkdir(parents=True)
    (parquet / "country_shares" / "all.parquet").write_bytes(b"PAR1 shares PAR1")
    (parquet / "README.md").write_text("# Open Model Census")
    page = parquet.parent / "site" / "countries" / "cn.html"
    page.parent.mkdir(parents=True)
    page.write_text("<!doctype html>")
    (tmp_path / "published" / "current").symlink_to("versions/20250903T000000000000Z")

    monkeypatch.setenv("CENSUS_HOME", str(tmp_path))
    monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    return lambda *arguments: CliRunner().invoke(census, ["push", "maker/census", *arguments])


def test_a_push_is_dry_by_default(hub, push):
    finished = push()
    assert finished.exit_code == 0, finished.output
    for path in ("country_shares/all.parquet", "README.md", "site/countries"):
        assert f"  {path}\n" in finished.output
    assert f"would go to dataset maker/census on {hub.endpoint}" in finished.output
    assert not hub.tokens


def test_an_upload_is_one_commit_of_every_file_with_the_card_and_replaces_what_was_there(hub, push):
    hub.files |= dict.fromkeys(("country_shares/2024-08.parquet", "site/countries/su.html"), b"old")
    finished = push("--upload")
    assert finished.exit_code == 0, finished.output
    assert hub.files == {
        "README.md": b"# Open Model Census",
        "country_shares/all.parquet": b"PAR1 shares PAR1",
        "site/countries/cn.html": b"<!doctype html>",
    }
    assert hub.commits == ["Publish version 20250903T000000000000Z"]
    assert hub.tokens == {"Bearer hf_secret"}
    assert "hf_secret" not in finished.output
