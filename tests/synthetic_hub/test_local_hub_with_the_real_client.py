"""The local Hub, read by the real `huggingface_hub` client: what it must do so that the real Hub can take its place."""

from __future__ import annotations

import base64
import gzip
import json
import time
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import httpx2
import polars as pl
import pytest
from huggingface_hub import HfApi, HfFileSystem, hf_hub_download
from huggingface_hub.errors import (
    BadRequestError,
    HfHubHTTPError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from pyarrow import parquet

from synthetic_hub.datasets import ARCHIVE_REPOSITORY, WEEKLY_REPOSITORY
from synthetic_hub.listing import EXPANDABLE
from synthetic_hub.server import LocalHub

CLIENT = httpx2.Client(verify=False)  # nothing but plain HTTP on the loopback interface


@pytest.fixture(scope="module")
def hub(world):
    with LocalHub(world) as running:
        yield running


@pytest.fixture(scope="module")
def api(hub):
    return HfApi(endpoint=hub.endpoint, token=False)


@pytest.fixture(scope="module")
def listed(world):
    return world.listing(datetime(2025, 10, 1, tzinfo=UTC))


def get(hub, path, **headers):
    return CLIENT.get(f"{hub.endpoint}{path}", headers=headers)


def page_of(hub, **parameters):
    return CLIENT.get(f"{hub.endpoint}/api/models", params=parameters)


def every_row(response):
    """All rows from a page on, by following its links."""
    rows = response.json()
    while "next" in response.links:
        response = CLIENT.get(response.links["next"]["url"])
        rows += response.json()
    return rows


def test_the_real_client_pages_through_the_whole_listing(api, listed):
    models = list(api.list_models(limit=None, expand=["downloads", "downloadsAllTime", "tags", "baseModels"]))
    assert [model.id for model in models] != sorted(model.id for model in models)
    assert {model.id: model.downloads_all_time for model in models} == dict(
        listed.select("id", "downloadsAllTime").iter_rows()
    )
    assert len(models) == listed.height > 1000


@pytest.mark.parametrize("name", ["bert-base-uncased", "gpt2", "camembert-base"])
def test_a_repository_without_a_namespace_is_served_by_its_bare_name(api, hub, listed, name):
    model = api.model_info(name)
    assert (model.id, model.author) == (name, None)
    assert [listed.row(by_predicate=pl.col("id") == name, named=True)["_id"]] == [
        row["_id"] for row in every_row(page_of(hub, search=name)) if row["id"] == name
    ]


@pytest.mark.parametrize("sort", ["createdAt", "downloads", "likes", "lastModified", "trendingScore", "_id"])
@pytest.mark.parametrize("direction", [-1, 1])
def test_every_order_shows_each_repository_once(hub, listed, sort, direction):
    field = sort if sort in EXPANDABLE else "likes"
    rows = every_row(page_of(hub, limit=1000, sort=sort, direction=direction, expand=field))
    assert sorted(row["_id"] for row in rows) == listed["_id"].sort().to_list()
    keys = [row[sort] for row in rows] if sort in rows[0] else []
    assert keys == sorted(keys, reverse=direction == -1)


def test_a_cursor_is_a_condition_over_the_sort_key_and_the_id(hub):
    response = page_of(hub, limit=3, sort="downloads", direction=1, expand="downloads")
    link = urlsplit(response.links["next"]["url"])
    assert f"{link.scheme}://{link.netloc}" == hub.endpoint
    query = parse_qs(link.query)
    asked = {"limit": ["3"], "sort": ["downloads"], "direction": ["1"], "expand": ["downloads"]}
    assert query == asked | {"cursor": query["cursor"]}
    last = response.json()[-1]
    assert json.loads(base64.b64decode(query["cursor"][0])) == {
        "$or": [
            {"downloads": last["downloads"], "_id": {"$gt": last["_id"]}},
            {"downloads": {"$gt": last["downloads"]}},
            {"downloads": None},
        ]
    }


def test_a_row_has_its_ids_and_what_was_expanded(hub, listed):
    plain = page_of(hub, limit=2, expand=["likes", "tags"]).json()
    for query in ("expand[]=likes&expand[]=tags", "expand=likes,tags"):
        assert get(hub, f"/api/models?limit=2&{query}").json() == plain
    fields = ["createdAt", "gated", "baseModels"]
    rows = every_row(page_of(hub, limit=1000, sort="createdAt", direction=1, expand=fields))
    with_parents = {row["_id"]: row["baseModels"] for row in rows if "baseModels" in row}
    planted = listed.filter(pl.col("baseModels").is_not_null())
    assert with_parents == dict(planted.select("_id", "baseModels").iter_rows())
    assert {tuple(row) for row in rows} == {("_id", "id", *fields[:2]), ("_id", "id", *fields)}
    assert rows[0]["createdAt"] == "2022-03-02T23:29:04.000Z"
    assert {str(row["gated"]) for row in rows} == {"False", "auto", "manual"}


def test_json_texts_of_the_archive_are_objects_in_the_listing(hub):
    rows = every_row(page_of(hub, limit=1000, expand=["cardData", "config", "gguf", "safetensors"]))
    assert all(isinstance(row[name], dict) for row in rows for name in row if name not in ("_id", "id"))
    assert {name for row in rows for name in row} == {"_id", "id", "cardData", "config", "gguf", "safetensors"}
    assert {frozenset(row["safetensors"]) for row in rows if "safetensors" in row} == {
        frozenset({"parameters", "total"})
    }


def test_an_unknown_field_is_refused_with_the_list_of_known_ones(api, hub):
    response = page_of(hub, expand="downloadsEver")
    assert response.status_code == 400
    assert all(f'"{name}"' in response.json()["error"] for name in EXPANDABLE)
    with pytest.raises(BadRequestError):
        list(api.list_models(expand=["downloadsEver"]))


@pytest.mark.parametrize(
    "query", ["sort=age", "limit=many", "limit=0", "cursor=bm9uc2Vuc2U=", "cursor=%%%", "sort=likes&cursor=e30="]
)
def test_a_query_the_hub_does_not_know_is_refused(hub, query):
    response = get(hub, f"/api/models?{query}")
    assert response.status_code == 400
    assert "error" in response.json()


def test_no_page_has_more_than_a_thousand_rows(hub):
    assert len(page_of(hub, limit=5000).json()) == len(page_of(hub).json()) == 1000


def test_the_listing_can_be_narrowed_to_an_author_a_text_a_task_or_tags(api, listed):
    both = pl.all_horizontal(pl.col("tags").list.contains(tag) for tag in ("gguf", "license:apache-2.0"))
    for asked, expected in (
        ({"author": "Qwen"}, pl.col("author") == "Qwen"),
        ({"search": "mINIlm"}, pl.col("id").str.to_lowercase().str.contains("minilm")),
        ({"pipeline_tag": "fill-mask"}, pl.col("pipeline_tag") == "fill-mask"),
        ({"filter": ["gguf", "license:apache-2.0"]}, both),
    ):
        found = sorted(model.id for model in api.list_models(**asked))
        assert found == sorted(listed.filter(expected)["id"]) != []


def test_a_rename_answers_307_with_the_query_kept_and_the_client_follows_it(api, hub, world):
    former, present = world.renames.select("former_id", "model_id").row(0)
    assert api.model_info(former).id == present
    response = get(hub, f"/api/models/{former}?expand=likes")
    assert response.status_code == 307
    assert response.headers["location"] == f"/api/models/{present}?expand=likes"


def test_a_missing_repository_cannot_be_told_from_a_private_one(api, hub):
    with pytest.raises(RepositoryNotFoundError):
        api.model_info("Qwen/never-was")
    response = get(hub, "/api/models/Qwen/never-was")
    assert (response.status_code, response.headers["x-error-code"]) == (401, "RepoNotFound")


def test_the_client_reads_both_kinds_of_account(api, listed):
    organization = api.get_organization_overview("Qwen")
    assert (organization.name, organization.num_models) == ("Qwen", listed.filter(author="Qwen").height)
    assert api.get_user_overview("bartowski").username == "bartowski"


def test_every_author_has_one_overview_and_nobody_else_has(hub, listed):
    for author in ["Qwen", "bartowski", *listed["author"].unique(maintain_order=True)[::97], "nobody-at-all"]:
        found = [get(hub, f"/api/{kind}/{author}/overview").status_code for kind in ("users", "organizations")]
        assert sorted(found) == [404 if author == "nobody-at-all" else 200, 404], author


def test_a_renamed_account_redirects(hub):
    response = get(hub, "/api/organizations/THUDM/overview")
    assert (response.status_code, response.headers["location"]) == (307, "/api/organizations/zai-org/overview")


def test_nobody_is_logged_in(api):
    with pytest.raises(HfHubHTTPError):
        api.whoami(token="hf_synthetic")


def test_the_client_lists_the_archives_commits_newest_first_in_pages(api, hub, world):
    commits = api.list_repo_commits(ARCHIVE_REPOSITORY, repo_type="dataset")
    assert [commit.created_at for commit in commits] == sorted((c.created_at for c in commits), reverse=True)
    models = [commit for commit in reversed(commits) if "models.parquet" in commit.title]
    assert [commit.commit_id for commit in models] == world.revisions["commit"].to_list()
    assert [commit.created_at for commit in models] == world.revisions["committed_at"].to_list()
    assert len(commits) > len(models)
    first = get(hub, f"/api/datasets/{ARCHIVE_REPOSITORY}/commits/main?limit=10")
    assert (len(first.json()), len(every_row(first))) == (10, int(first.headers["x-total-count"]))


def test_the_client_reads_a_footer_by_ranges(hub, world):
    revision = world.revisions.row(-1, named=True)
    files = HfFileSystem(endpoint=hub.endpoint, token=False, skip_instance_cache=True)
    location = f"datasets/{ARCHIVE_REPOSITORY}@{revision['commit']}/models.parquet"
    assert files.info(location)["lfs"]["sha256"] == revision["sha256"]
    before = len(hub.requests)
    with files.open(location, block_size=1 << 16) as file:
        assert parquet.read_metadata(file).num_rows == revision["rows"]
    assert any(request.status == 206 for request in list(hub.requests)[before:])


def test_missing_revisions_and_files_are_told_apart(hub, tmp_path):
    arguments = {"repo_type": "dataset", "endpoint": hub.endpoint, "token": False, "cache_dir": tmp_path}
    with pytest.raises(RevisionNotFoundError):
        hf_hub_download(ARCHIVE_REPOSITORY, "models.parquet", revision="0" * 40, **arguments)
    with pytest.raises(RemoteEntryNotFoundError):
        hf_hub_download(ARCHIVE_REPOSITORY, "spaces.parquet", **arguments)
    with pytest.raises(RepositoryNotFoundError):
        hf_hub_download("nobody/nothing", "models.parquet", **arguments)


def test_the_client_sees_the_archives_files(api):
    files = api.list_repo_files(ARCHIVE_REPOSITORY, repo_type="dataset")
    assert sorted(files) == ["README.md", "datasets.parquet", "models.parquet"]
    paths = api.get_paths_info(ARCHIVE_REPOSITORY, ["models.parquet", "none"], repo_type="dataset", expand=True)
    assert [path.path for path in paths] == ["models.parquet"]
    assert paths[0].lfs.size == paths[0].size


def test_an_earlier_hub_knows_nothing_of_what_came_later(world):
    with LocalHub(world, as_of=datetime(2025, 7, 1, 12, tzinfo=UTC)) as hub:
        api = HfApi(endpoint=hub.endpoint, token=False)
        commits = api.list_repo_commits(ARCHIVE_REPOSITORY, repo_type="dataset")
        models = list(api.list_models(limit=None, expand=["createdAt", "author"]))
        assert commits[0].created_at <= datetime(2025, 7, 1, 12, tzinfo=UTC)
        assert max(model.created_at for model in models) <= datetime(2025, 7, 1, 12, tzinfo=UTC)
        assert "THUDM" in {model.author for model in models}
        assert api.get_organization_overview("THUDM").name == "THUDM"
        assert get(hub, "/api/organizations/zai-org/overview").status_code == 404


def test_every_answer_tells_the_quota_and_that_it_is_synthetic(hub):
    for path in ("/api/models?limit=1", "/api/models/no/such", "/api/users/bartowski/overview", "/nowhere"):
        headers = get(hub, path).headers
        assert headers["x-synthetic-hub"] == "1"
        assert headers["ratelimit"].startswith(('"api";r=', '"pages";r='))
        assert '"fixed window";"' in headers["ratelimit-policy"]


@pytest.mark.parametrize("repository", [ARCHIVE_REPOSITORY, WEEKLY_REPOSITORY])
def test_an_archive_says_that_it_is_synthetic(api, hub, repository, tmp_path):
    assert "synthetic" in api.dataset_info(repository).tags
    card = get(hub, f"/datasets/{repository}/resolve/main/README.md")
    assert card.headers["x-synthetic-hub"] == "1"
    assert "- synthetic\n" in card.text


def test_the_quota_counts_down_in_the_hubs_own_words(world):
    with LocalHub(world, requests_per_window=500, window_seconds=300) as hub:
        headers = [get(hub, "/api/whoami-v2").headers for _ in range(2)]
    assert [header["ratelimit"] for header in headers] == ['"api";r=499;t=300', '"api";r=498;t=300']
    assert headers[0]["ratelimit-policy"] == '"fixed window";"api";q=500;w=300'


def test_the_client_waits_out_a_429(world):
    with LocalHub(world, requests_per_window=3, window_seconds=2) as hub:
        api = HfApi(endpoint=hub.endpoint, token=False)
        began = time.monotonic()
        models = list(api.list_models(limit=None, expand=["likes"]))
        assert 1 <= time.monotonic() - began < 10
        statuses = [request.status for request in hub.requests]
    assert len({model.id for model in models}) == len(models) > 3000
    assert 429 in statuses
    assert statuses[-1] == 200


def test_answers_are_compressed_for_those_who_take_it(hub):
    plain = get(hub, "/api/models?limit=50", **{"accept-encoding": "identity"})
    with CLIENT.stream("GET", f"{hub.endpoint}/api/models?limit=50", headers={"accept-encoding": "gzip"}) as packed:
        assert packed.headers["content-encoding"] == "gzip"
        assert gzip.decompress(b"".join(packed.iter_raw())) == plain.content


def test_a_port_in_use_is_an_error_at_once(world, hub):
    with pytest.raises(OSError, match="in use"):
        LocalHub(world, port=int(hub.endpoint.rsplit(":", 1)[1]))
