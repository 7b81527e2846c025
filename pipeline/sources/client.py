"""The one place that speaks HTTP with a Hub, through `huggingface_hub`.

It keeps three promises: the token goes to no host but the configured endpoint, nothing is sent to anyone else
(the library's usage reports are off), and every failure becomes one sentence.
"""

import os
import re

os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
os.environ.setdefault("HF_HUB_DISABLE_XET", "1")

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

import httpx2
import pyarrow as pa
from huggingface_hub import HfApi, HfFileSystem, hf_hub_download, is_offline_mode, set_client_factory
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled
from huggingface_hub.hf_api import GitCommitInfo
from huggingface_hub.utils import build_hf_headers, get_session, http_backoff  # type: ignore[attr-defined]
from huggingface_hub.utils import logging as hub_logging
from huggingface_hub.utils._http import hf_request_event_hook, parse_ratelimit_headers
from pyarrow import parquet

from pipeline.digest import digest_of
from pipeline.errors import CensusError, TemporaryError, UnusableSnapshotError

hub_logging.set_verbosity_error()  # type: ignore[no-untyped-call] # its retries are ours to tell: every failure is told once, in one sentence

TEMPORARY_STATUSES = (408, 429, 500, 502, 503, 504)
UNREADABLE = (ValueError, LookupError, TypeError, AttributeError, RecursionError, pa.ArrowException)
"""What libraries raise where an answer is well-formed HTTP and nothing of what was asked for."""

LARGEST_BODY_BYTES = 64 * 2**20
"""More than any answer takes that is read into memory, but for parts of files: a page of models has some 5 MB."""
LARGEST_FILE_BYTES = 50 * 10**9
"""What a file may have whose length no listing announces: the library itself fetches none over HTTP that is longer."""
RANGE = re.compile(r"bytes=(\d+)-(\d+)")
SYNTHETIC_HEADER = "X-Synthetic-Hub"
"""By which our own local Hub says in every answer that nothing in it was measured."""
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")

_home_of_token: dict[str, tuple[str, str]] = {}
_synthetic: set[tuple[str, str]] = set()
"""Scheme and host of every Hub that has said that it is synthetic."""


class _Session(httpx2.Client):
    """The session of `huggingface_hub`: nothing larger than `LARGEST_BODY_BYTES` is unpacked into memory."""

    def send(self, request: httpx2.Request, *, stream: bool = False, **options: Any) -> httpx2.Response:
        """Sends a request; what is not asked for as a stream is read, piece by piece.

        Raises:
            CensusError: the body is too large.
        """
        response = super().send(request, stream=True, **options)
        if stream:
            return response
        # One packing only, of which the worst is a thousand times as large unpacked: a piece of it stays small.
        if response.headers.get("content-encoding", "identity") not in ("identity", "gzip", "deflate"):
            response.close()
            raise CensusError(f"{response.url.host} packs an answer in a way that was not asked for: check HF_ENDPOINT")
        part = RANGE.fullmatch(request.headers.get("range", ""))
        largest = max(LARGEST_BODY_BYTES, int(part[2]) - int(part[1]) + 1 if part else 0)
        body = bytearray()
        with closing(response):
            for piece in response.iter_bytes():
                body += piece
                if len(body) > largest:
                    raise CensusError(
                        f"{response.url.host} answered {response.url.path} with more than {largest // 2**20} MB, which "
                        "no Hub does: check HF_ENDPOINT"
                    )
        of_the_transfer = ("content-encoding", "content-length", "transfer-encoding")
        headers = [(name, value) for name, value in response.headers.multi_items() if name not in of_the_transfer]
        return httpx2.Response(response.status_code, headers=headers, content=bytes(body), request=response.request)


class _LengthGuard(AbstractContextManager["_LengthGuard"]):
    """Stands where the library draws how much of a file has arrived, of which it is told before it keeps a piece."""

    def __init__(self, about: str, largest: int, initial: int = 0, **_drawn: object) -> None:
        self.said = f"{about} is longer than the {largest:,} bytes that it may have by the Hub's listing"
        self.left = largest - initial

    def update(self, arrived: int) -> None:
        """Refuses what is too much."""
        self.left -= arrived
        if self.left < 0:
            raise UnusableSnapshotError(f"{self.said}: run again later, or choose another source")

    def __exit__(self, *_: object) -> None:
        """Nothing is left open."""


def _before(request: httpx2.Request) -> None:
    """Refuses to send one of our tokens anywhere but to its own Hub, whether a link, a redirect or a library asks."""
    if not _is_loopback(str(request.url)):  # which the library's offline mode does not concern
        hf_request_event_hook(request)
    home = _home_of_token.get(request.headers.get("authorization", "").removeprefix("Bearer "))
    if home is not None and home != _origin(str(request.url)):
        raise CensusError(
            f"a link of the Hub leads to {request.url.scheme}://{request.url.host}, which is not the configured "
            f"{home[0]}://{home[1]}: refusing to send HF_TOKEN there; set HF_ENDPOINT if that host is the one you mean"
        )


def _after(response: httpx2.Response) -> None:
    """Hears whether the Hub is synthetic, and leaves the body of a redirect unread."""
    if response.headers.get(SYNTHETIC_HEADER):
        _synthetic.add(_origin(str(response.request.url)))
    if response.is_redirect:
        cast("httpx2.SyncByteStream", response.stream).close()
        response.stream = httpx2.ByteStream(b"")
        response.headers.pop("content-encoding", None)


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc


def _is_loopback(url: str) -> bool:
    return urlsplit(url).hostname in [host.strip("[]") for host in LOOPBACK]


set_client_factory(
    lambda: _Session(
        event_hooks={"request": [_before], "response": [_after]},
        headers={"Accept-Encoding": "gzip"},
        follow_redirects=True,
        timeout=None,
        mounts={f"all://{host}": None for host in LOOPBACK},  # whatever proxy the environment names
    )
)


@dataclass(frozen=True)
class RemoteFile:
    """What is known of a file at a revision without downloading it; None where its length is not announced."""

    rows: int
    content_id: str
    length_bytes: int | None = None


@dataclass(frozen=True)
class Page:
    """One answer of the listing: the records as sent, where the next page is, and what the rate limit leaves.

    `requests_left` and `window_ends_in` (seconds) are None where the Hub does not say.
    """

    body: bytes
    next_url: str | None
    requests_left: int | None = None
    window_ends_in: int | None = None


class CursorRefusedError(CensusError):
    """The Hub does not know, or know any longer, where the next page begins."""


@dataclass(frozen=True)
class HubClient:
    """A Hub at one endpoint; `token` is sent there and nowhere else.

    A request that the Hub puts off (429) or fails (5xx, a broken connection) is tried again up to `retries` times: by
    default for three minutes, or as many windows of the rate limit.
    """

    endpoint: str = field(default_factory=lambda: os.environ.get("HF_ENDPOINT") or "https://huggingface.co")
    token: str | None = field(default=None, repr=False)
    retries: int = 8

    def __post_init__(self) -> None:
        if self.token:
            _home_of_token[self.token] = _origin(self.endpoint)

    @property
    def is_synthetic(self) -> bool:
        """Whether the Hub has said, in an answer to this process, that it is synthetic."""
        return _origin(self.endpoint) in _synthetic

    def answers(self) -> bool:
        """Whether anybody answers at the endpoint; asked once, and not for long."""
        try:
            get_session().head(self.endpoint, timeout=2)
        except OfflineModeIsEnabled:
            return True  # whatever is asked for says so
        except (httpx2.HTTPError, httpx2.InvalidURL):
            return False
        return True

    def archive_revisions(self, repository: str) -> list[GitCommitInfo]:
        """The dataset repository's commits, newest first."""
        with self._speaking(f"the commits of dataset {repository}"):
            commits = HfApi(**self._access).list_repo_commits(repository, repo_type="dataset")
            return [replace(commit, commit_id=_commit(commit.commit_id)) for commit in commits]

    def dataset_files(self, repository: str) -> tuple[str, list[str]]:
        """The dataset repository's newest commit, and the paths of its files as of then."""
        with self._speaking(f"the files of dataset {repository}"):
            found = HfApi(**self._access).dataset_info(repository)
            commit = _commit(found.sha)
            return commit, HfApi(**self._access).list_repo_files(repository, repo_type="dataset", revision=commit)

    def read_columns(self, repository: str, path: str, commit: str, columns: Sequence[str]) -> pa.Table:
        """Those of the columns that a dataset's Parquet file has at a commit, without the others."""
        with self._opened(repository, path, commit) as file:
            content = parquet.ParquetFile(file)
            return content.read([column for column in columns if column in content.schema_arrow.names])

    def inspect_parquet(self, repository: str, path: str, commit: str) -> RemoteFile:
        """What a dataset's listing and the footer of a Parquet file say of it at a commit."""
        with self._opened(repository, path, commit, block_size=1 << 16) as file:
            said, stored = file.details, file.details.get("lfs") or {}
            content_id = stored.get("sha256") or said.get("blob_id") or said.get("size")
            return RemoteFile(parquet.read_metadata(file).num_rows, str(content_id), said.get("size"))

    def download(self, repository: str, path: str, commit: str, cache: Path, stated: RemoteFile | None = None) -> Path:
        """A dataset's file at a commit, from the cache if it is there.

        Raises:
            UnusableSnapshotError: it is longer than is `stated`, or than any may be where nothing is, or another file.
        """
        about = f"{path} of dataset {repository} at {commit[:8]}"
        announced = stated.length_bytes if stated else None
        guard = partial(_LengthGuard, about, LARGEST_FILE_BYTES if announced is None else announced)
        with self._speaking(about):
            file = Path(
                hf_hub_download(
                    repository,
                    path,
                    repo_type="dataset",
                    revision=commit,
                    cache_dir=cache,
                    tqdm_class=cast("Any", guard),
                    **self._access,
                )
            )
        if stated and re.fullmatch("[0-9a-f]{64}", stated.content_id) and digest_of(file) != stated.content_id:
            raise UnusableSnapshotError(
                f"{about} is not the file that the Hub says it is (by its SHA-256): run again, it is fetched anew"
            )
        return file

    def page(self, url: str) -> Page:
        """One page of a listing, as bytes.

        Raises:
            CensusError: the page, or the next one it names, is not at the configured endpoint.
            CursorRefusedError: the address names a place in the listing that the Hub does not accept.
            TemporaryError: the Hub did not answer within the retries.
        """
        self._require_own_address(url)
        with self._speaking("the model listing"):
            response = self._get(url, timeout=60)
            has_cursor = "cursor" in parse_qs(urlsplit(url).query)
            if has_cursor and response.status_code in {400, 404, 410, 422}:
                raise CursorRefusedError(
                    f"the Hub at {self.endpoint} refused the place where the listing was left (status "
                    f"{response.status_code}): start the listing again"
                )
            if response.is_redirect:
                raise CensusError(
                    f"the Hub at {self.endpoint} answered the model listing with a redirect: set HF_ENDPOINT to the "
                    "address that serves it"
                )
            response.raise_for_status()
        following = response.links.get("next", {}).get("url")
        if following is not None:
            self._require_own_address(following)
        limit = parse_ratelimit_headers(response.headers)
        left = (limit.remaining, limit.reset_in_seconds) if limit else (None, None)
        return Page(response.content, following, *left)

    def model_count(self) -> int | None:
        """How many models the Hub's own pages say there are; None where they do not say.

        The figure is that of the website's search page, independent of the listing.
        """
        try:
            with self._speaking("the number of models"):
                response = self._get(f"{self.endpoint}/models-json", timeout=30)
            said = response.json().get("numTotalItems") if response.status_code == 200 else None
        except (CensusError, ValueError, AttributeError):
            return None
        return said if isinstance(said, int) else None

    def account_type(self, namespace: str) -> str:
        """`person` or `organization`, by the account overviews; `unknown` where neither knows the namespace."""
        for account_type, kind in (("organization", "organizations"), ("person", "users")):
            url = f"{self.endpoint}/api/{kind}/{namespace}/overview"
            with self._speaking(f"the account {namespace!r}"):
                response = self._get(url, timeout=30)
                if response.status_code == 200:
                    return account_type
                if response.status_code not in {301, 302, 307, 308, 401, 404}:
                    response.raise_for_status()
        return "unknown"

    def upload_dataset(self, repository: str, folder: Path, title: str) -> str:
        """Makes the folder the dataset's content, in one commit; the commit's address.

        A dataset that is not there yet is made private. Parquet files and pages that the folder does not have are
        removed.
        """
        with self._speaking(f"the upload to dataset {repository}"):
            HfApi(**self._access).create_repo(repository, repo_type="dataset", private=True, exist_ok=True)
            commit = HfApi(**self._access).upload_folder(
                repo_id=repository,
                repo_type="dataset",
                folder_path=folder,
                commit_message=title,
                delete_patterns=["*.parquet", "site/*"],
            )
            return str(commit.commit_url)

    def _get(self, url: str, timeout: float) -> httpx2.Response:
        return http_backoff(
            "GET",
            url,
            headers=build_hf_headers(token=self.token or False, library_name="open-model-census"),
            follow_redirects=False,
            timeout=timeout,
            max_retries=self.retries,
            max_wait_time=60,
            retry_on_status_codes=TEMPORARY_STATUSES,
        )

    @property
    def _access(self) -> dict[str, Any]:
        return {"endpoint": self.endpoint, "token": self.token or False}

    @contextmanager
    def _opened(self, repository: str, path: str, commit: str, **how: int) -> Iterator[Any]:
        """A dataset's file at a commit, of which those parts are fetched that are read."""
        files = HfFileSystem(**self._access, skip_instance_cache=True)
        with (
            self._speaking(f"{path} of dataset {repository} at {commit[:8]}"),
            files.open(f"datasets/{repository}@{commit}/{path}", **how) as file,
        ):
            yield file

    def _require_own_address(self, url: str) -> None:
        if _origin(self.endpoint) != _origin(url):
            other = urlsplit(url)
            raise CensusError(
                f"the listing's next page is at {other.scheme}://{other.hostname}, not at the configured "
                f"{self.endpoint}: refusing to follow it; set HF_ENDPOINT if that host is the one you mean"
            )

    @contextmanager
    def _speaking(self, about: str) -> Iterator[None]:
        """Turns the libraries' failures into one sentence each; the token is in none of them."""
        if is_offline_mode() and not _is_loopback(self.endpoint):
            raise CensusError(
                f"HF_HUB_OFFLINE is set, so that the Hub at {self.endpoint} is not asked for {about}: unset it, or "
                "choose another source"
            )
        try:
            yield
        except (HfHubHTTPError, httpx2.HTTPStatusError) as error:
            status = error.response.status_code if error.response else None
            said = f"the Hub at {self.endpoint} answered {about} with status {status}"
            if status is None or status in TEMPORARY_STATUSES:
                raise TemporaryError(f"{said}: it may pass, run again later") from error
            may_not = "that it exists and that HF_TOKEN may read it"
            check = may_not if status in {401, 403} else "the address and the request"
            raise CensusError(f"{said}: check {check}") from error
        except (httpx2.RequestError, OfflineModeIsEnabled, LocalEntryNotFoundError) as error:
            raise TemporaryError(
                f"the Hub at {self.endpoint} cannot be reached for {about} ({type(error).__name__}): check the network "
                "and HF_ENDPOINT, then run again"
            ) from error
        except OSError as error:
            if error.errno is None:  # The library's own, of a file that is not as long as the Hub said.
                raise TemporaryError(
                    f"the Hub at {self.endpoint} did not send all of {about}: it may pass, run again later"
                ) from error
            raise CensusError(
                f"what the Hub sent for {about} cannot be kept ({error.strerror}): make room for it, then run again"
            ) from error
        except UNREADABLE as error:
            raise CensusError(
                f"the Hub at {self.endpoint} gave an unreadable answer for {about} ({type(error).__name__}): check "
                "that HF_ENDPOINT is a Hub, then run again"
            ) from error


def _commit(said: str | None) -> str:
    """A commit's id, which becomes the name of folders; a ValueError where it is none."""
    if not re.fullmatch("[0-9a-f]{40}", said or ""):
        raise ValueError(f"not a commit: {said!r}")
    return str(said)
