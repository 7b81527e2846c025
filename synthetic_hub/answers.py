"""The Hub's answers, as it words and shapes them."""

from __future__ import annotations

import gzip
import json
import zlib
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from synthetic_hub.datasets import Commit, Dataset, File
from synthetic_hub.identifiers import hexadecimal

_AVATAR = "/avatars/synthetic.svg"


class RefusedError(Exception):
    """The request is refused: with a status, the Hub's words and its code for the reason."""

    def __init__(
        self, status: int, message: str, code: str | None = None, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.answer = error_answer(status, message, code, headers)


def error_answer(status: int, message: str, code: str | None = None, headers: dict[str, str] | None = None) -> Response:
    """A refusal as the Hub words it: in the body and in the headers."""
    shown = {"X-Error-Message": message.replace("\n", " ").encode("ascii", "replace").decode(), **(headers or {})}
    if code:
        shown["X-Error-Code"] = code
    return Response(json.dumps({"error": message}), status, shown, media_type="application/json")


def repository_not_found() -> RefusedError:
    """Missing and private repositories look the same to anonymous visitors."""
    authenticate = 'Bearer realm="Authentication required", charset="UTF-8"'
    return RefusedError(401, "Invalid username or password.", "RepoNotFound", {"WWW-Authenticate": authenticate})


def json_answer(request: Request, content: Any, headers: dict[str, str] | None = None) -> Response:
    """A JSON answer with the Hub's weak ETag, compressed when the client takes it."""
    body = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
    answer = {**(headers or {}), "ETag": f'W/"{len(body):x}-{zlib.crc32(body):08x}"'}
    if "gzip" in request.headers.get("accept-encoding", ""):
        body = gzip.compress(body, compresslevel=1, mtime=0)
        answer["Content-Encoding"] = "gzip"
    return Response(body, headers=answer, media_type="application/json")


def overview(kind: str, name: str, models: int) -> dict[str, Any]:
    """What the Hub tells of an account; it has other fields for an organisation than for a person."""
    common = {"_id": hexadecimal(f"{kind} {name}", 24), "avatarUrl": _AVATAR, "fullname": name, "numModels": models}
    common |= dict.fromkeys(("numDatasets", "numSpaces", "numPapers"), 0) | {"isFollowing": False}
    if kind == "organization":
        return common | {
            "name": name,
            "details": "Synthetic overview of an account; nothing here was said by the account's owner.",
            "isVerified": False,
            "isEnterprise": False,
            "plan": None,
            "numUsers": 1 + len(name) % 40,
            "numFollowers": models * 3,
        }
    return common | {
        "user": name,
        "isPro": False,
        "type": "user",
        "createdAt": "2022-03-02T23:29:04.000Z",
        "numFollowers": models,
        "orgs": [],
        **dict.fromkeys(("numDiscussions", "numUpvotes", "numLikes", "numFollowing"), 0),
    }


def dataset_information(dataset: Dataset, commit: Commit) -> dict[str, Any]:
    """What the Hub tells of a dataset at a commit; the tags say that this one is synthetic."""
    return {
        "_id": hexadecimal(dataset.repository, 24),
        "id": dataset.repository,
        "author": dataset.repository.split("/")[0],
        "sha": commit.id,
        "lastModified": _iso(commit.at),
        "createdAt": "2024-07-24T00:00:00.000Z",
        "private": False,
        "gated": False,
        "disabled": False,
        "tags": ["license:apache-2.0", "region:us", "synthetic"],
        "downloads": 0,
        "likes": 0,
        "siblings": [{"rfilename": file.path} for file in commit.files],
    }


def commit_entry(commit: Commit, user: str) -> dict[str, Any]:
    """A commit in a dataset's history."""
    authors = [{"user": user, "avatar": _AVATAR}]
    return {"id": commit.id, "title": commit.title, "message": "", "authors": authors, "date": _iso(commit.at)}


def tree_entry(file: File, commit: Commit, *, expand: bool) -> dict[str, Any]:
    """A file of a dataset; expanded, with a commit."""
    shown = {
        "type": "file",
        "oid": hexadecimal(f"pointer {file.sha256}"),
        "size": file.size,
        "lfs": {"oid": file.sha256, "size": file.size, "pointerSize": 134},
        "path": file.path,
    }
    if expand:
        shown["lastCommit"] = {"id": commit.id, "title": commit.title, "date": _iso(commit.at)}
    return shown


def _iso(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.000Z"
