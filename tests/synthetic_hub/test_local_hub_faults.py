"""The faults the local Hub can be told to have: each shows as it should, on the requests named and no others."""

from __future__ import annotations

import json
import time

import httpx2
import pytest

from synthetic_hub.datasets import ARCHIVE_REPOSITORY
from synthetic_hub.faults import Fault

CLIENT = httpx2.Client(verify=False)  # nothing but plain HTTP on the loopback interface


def listing(hub, url=None):
    return CLIENT.get(url or f"{hub.endpoint}/api/models?limit=100&sort=createdAt&direction=1&expand=likes")


def ids(response):
    return [row["_id"] for row in response.json()]


def test_a_429_comes_with_its_headers_or_without(hub_of):
    hub = hub_of(Fault("too_many_requests", (1,), value=7), Fault("too_many_requests", (2,)))
    first, second, third = (listing(hub) for _ in range(3))
    assert [first.status_code, second.status_code, third.status_code] == [429, 429, 200]
    assert first.headers["ratelimit"] == '"api";r=0;t=7'
    assert "ratelimit" not in second.headers
    assert "ratelimit" in third.headers


def test_a_server_error_has_the_status_asked_for(hub_of):
    hub = hub_of(Fault("server_error", (2,), value=502))
    assert [listing(hub).status_code for _ in range(3)] == [200, 502, 200]


def test_a_fault_meets_only_its_own_path(hub_of):
    hub = hub_of(Fault("server_error", path="/api/users"))
    assert listing(hub).status_code == 200
    assert CLIENT.get(f"{hub.endpoint}/api/users/bartowski/overview").status_code == 503


def test_a_cut_connection_ends_in_the_middle_of_the_body(hub_of):
    hub = hub_of(Fault("cut", (1,)))
    with pytest.raises(httpx2.RemoteProtocolError):
        listing(hub)
    assert listing(hub).status_code == 200


def test_a_file_can_be_cut_too(hub_of, world):
    commit = world.revisions["commit"][0]
    path = f"/datasets/{ARCHIVE_REPOSITORY}/resolve/{commit}/models.parquet"
    hub = hub_of(Fault("cut", (1,), path="/datasets", value=0.3))
    with pytest.raises(httpx2.RemoteProtocolError):
        CLIENT.get(f"{hub.endpoint}{path}")
    assert len(CLIENT.get(f"{hub.endpoint}{path}").content) == world.revisions["size"][0]


@pytest.mark.parametrize("encoding", ["gzip", "identity"])
def test_truncated_json_arrives_whole_and_unreadable(hub_of, encoding):
    hub = hub_of(Fault("truncated_json", (1,)))
    response = CLIENT.get(f"{hub.endpoint}/api/models?limit=10", headers={"accept-encoding": encoding})
    assert response.status_code == 200
    with pytest.raises(json.JSONDecodeError):
        response.json()


def test_a_slow_answer_takes_its_time(hub_of):
    hub = hub_of(Fault("slow", (1,), value=0.3))
    began = time.monotonic()
    assert listing(hub).status_code == 200
    assert time.monotonic() - began >= 0.3


def test_a_page_can_repeat_rows_of_the_one_before(hub_of):
    hub = hub_of(Fault("repeat_rows", (2,), value=5))
    first = listing(hub)
    second = listing(hub, first.links["next"]["url"])
    assert ids(second)[:5] == ids(first)[-5:]
    assert len(ids(second)) == 105


def test_a_page_can_lack_rows(hub_of):
    hub = hub_of(Fault("drop_rows", (1,), value=3))
    short, whole = listing(hub), listing(hub)
    assert len(set(ids(whole)) - set(ids(short))) == 3
    assert short.links == whole.links


def test_a_cursor_can_lead_nowhere(hub_of):
    hub = hub_of(Fault("loop", (2,)))
    following = listing(hub).links["next"]["url"]
    assert listing(hub, following).links["next"]["url"] == following


def test_a_link_can_lead_to_another_host(hub_of):
    hub = hub_of(Fault("foreign_link", (1,), value="https://hub.invalid"))
    assert listing(hub).links["next"]["url"].startswith("https://hub.invalid/api/models?")


def test_a_request_can_be_sent_elsewhere(hub_of):
    hub = hub_of(Fault("redirect", (1,), value="https://hub.invalid/"))
    response = listing(hub)
    assert (response.status_code, response.headers["location"]) == (302, "https://hub.invalid/")


@pytest.mark.parametrize(
    "fault", [Fault("too_many_requests"), Fault("server_error"), Fault("redirect", value="/"), Fault("truncated_json")]
)
def test_a_faulty_answer_says_too_that_it_is_synthetic(hub_of, fault):
    assert listing(hub_of(fault)).headers["x-synthetic-hub"] == "1"
