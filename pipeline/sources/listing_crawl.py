"""The Hub as it is now, page by page through its listing API.

Every page is kept on disk, with the address of the next, before that is asked for: a crawl that was cut off goes on
where it was. No page is trusted: what arrives unreadable, shorter than asked for, or leads back is asked for again.
"""

from __future__ import annotations

import base64
import itertools
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import polars as pl
import pyarrow as pa

from pipeline.atomic_file import replacing, write_atomically
from pipeline.errors import CensusError, TemporaryError, UnusableSnapshotError
from pipeline.sources.client import CursorRefusedError, HubClient, Page
from pipeline.sources.record_parsers import read_pages

PAGE_SIZE = 1000
EXPANDED_FIELDS = (
    "baseModels",
    "cardData",
    "createdAt",
    "downloads",
    "downloadsAllTime",
    "gated",
    "gguf",
    "library_name",
    "likes",
    "pipeline_tag",
    "safetensors",
    "tags",
)
FEWEST_OF_STATED = 0.99
"""A crawl with fewer of the models that the Hub says it has is not whole."""
PAGES_READ_AT_ONCE = 250
ASKED_AGAIN = 2
SHORT_PAGES_CHECKED = 3
"""After so many short pages that stayed as short when asked for again, short pages are taken to be the Hub's way."""


@dataclass(frozen=True)
class CrawlProgress:
    """Where a crawl is. What the Hub does not say is None."""

    pages: int
    models: int
    models_stated: int | None
    requests_left: int | None
    seconds_left: float | None

    def __str__(self) -> str:
        said = f"{self.pages:,} pages, {self.models:,} models"
        if self.models_stated is not None:
            said += f" of about {self.models_stated:,}"
        if self.requests_left is not None:
            said += f", {self.requests_left:,} requests left in this window"
        if self.seconds_left is not None:
            said += f", about {self.seconds_left / 60:.0f} min to go"
        return said


@dataclass
class ListingCrawl:
    """One pass over the listing of all models, oldest first, spooled in `folder`."""

    client: HubClient
    folder: Path
    page_size: int = PAGE_SIZE
    sleep: Callable[[float], None] = time.sleep
    _short_pages: int = field(default=0, init=False)

    def rows(self) -> pl.LazyFrame:
        """All repositories of the pages that are spooled, in their order; one that was shown again is there again.

        The pages are read once, in portions that fit into memory, and kept beside them as columns: uncompressed, some
        600 bytes a repository, because to compress them costs a quarter of what it costs to read the pages.

        Raises:
            UnusableSnapshotError: the pages do not lead to the end of the listing, or one cannot be read.
        """
        spooled = self._spooled()
        if not spooled or self._facts(spooled[-1])["next_url"] is not None:
            raise UnusableSnapshotError(
                f"the {len(spooled)} pages in {self.folder} that follow one another do not lead to the end of the "
                f"listing of {self.client.endpoint}: remove {self.folder} and start again"
            )
        portions = [spooled[start : start + PAGES_READ_AT_ONCE] for start in range(0, len(spooled), PAGES_READ_AT_ONCE)]
        kept = []
        for portion in portions:
            columns = self.folder / f"columns-{portion[0].name[5:11]}-{len(portion)}.arrow"
            if not columns.exists():
                with replacing(columns) as unfinished:
                    self._read(portion).sink_ipc(unfinished, compression="uncompressed")
            kept.append(columns)
        return pl.scan_ipc(kept)

    def _read(self, pages: Sequence[Path]) -> pl.LazyFrame:
        """The pages' repositories; from the first one on that cannot be read, pages are given up.

        Raises:
            UnusableSnapshotError: a page cannot be read.
        """
        try:
            return read_pages(pages)
        except UnusableSnapshotError as error:
            unreadable = self._spooled().index(next(filter(_is_unreadable, pages), pages[0]))
            self._give_up(unreadable)
            raise UnusableSnapshotError(
                f"page {unreadable + 1} of the listing of {self.client.endpoint} is not made of listing records "
                f"({error}): run again, the crawl goes on from there"
            ) from error

    def run(self, progress: Callable[[CrawlProgress], None] = lambda _: None) -> CrawlProgress:
        """Spools every page that is not there yet; tells `progress` after each.

        Where the Hub no longer accepts the place at which a page begins, the crawl goes on after the last record seen;
        where it does not accept that either, it begins anew.

        Raises:
            CensusError: the listing goes round in circles, or refuses.
            UnusableSnapshotError: it ended with too few models.
            TemporaryError: the Hub did not answer; the next call goes on from the last page spooled.
        """
        try:
            ended = self._crawl(progress)
        except CursorRefusedError:
            self._give_up(0)
            ended = self._crawl(progress)
        self.rows()
        return ended

    def _crawl(self, progress: Callable[[CrawlProgress], None]) -> CrawlProgress:
        self.folder.mkdir(parents=True, exist_ok=True)
        spooled = self._spooled()
        self._give_up(len(spooled))
        counted = [self._facts(page) for page in spooled]
        seen = {facts["next_url"] for facts in counted}
        models = sum(facts["models"] for facts in counted)
        last = next((facts["last"] for facts in reversed(counted) if facts["last"]), None)
        following = counted[-1]["next_url"] if counted else self._url()
        stated = self.client.model_count()
        began, begun_with = time.monotonic(), models
        state = CrawlProgress(len(spooled), models, stated, None, None)
        while following is not None:
            page, records = self._page(following, seen, last)
            facts = {
                "next_url": page.next_url,
                "models": len(records),
                "last": _place(records) or last,
            }
            self._spool(state.pages, page.body, facts)
            seen.add(page.next_url)
            last, following = facts["last"], page.next_url
            models += len(records)
            left = None
            if stated and models > begun_with:
                left = max(stated - models, 0) * (time.monotonic() - began) / (models - begun_with)
            state = CrawlProgress(state.pages + 1, models, stated, page.requests_left, left)
            progress(state)
            if following is not None and page.requests_left == 0:
                self.sleep((page.window_ends_in or 0) + 1)
        if stated is not None and models < FEWEST_OF_STATED * stated:
            raise UnusableSnapshotError(
                f"the listing of {self.client.endpoint} ended after {models:,} models, but the Hub says that it has "
                f"{stated:,}: remove {self.folder} and start again"
            )
        return state

    def _page(self, url: str, seen: set[str | None], last: dict[str, str] | None) -> tuple[Page, list[dict[str, Any]]]:
        """The page at `url`, or where the Hub no longer accepts that, the one after the last record seen."""
        try:
            return self._sound_page(url, seen)
        except CursorRefusedError:
            if last is None:
                raise
            return self._sound_page(self._url_after(last), seen)

    def _sound_page(self, url: str, seen: set[str | None]) -> tuple[Page, list[dict[str, Any]]]:
        best: tuple[Page, list[dict[str, Any]]] | None = None
        for _ in range(1 + ASKED_AGAIN):
            page = self.client.page(url)
            records = _records(page.body)
            if records is None or (page.next_url is not None and page.next_url in seen):
                continue
            if best is None or len(records) > len(best[1]):
                whole = len(records) >= self.page_size or page.next_url is None
                if whole or self._short_pages >= SHORT_PAGES_CHECKED:
                    return page, records
                best = page, records
            else:
                self._short_pages += 1
                return best
        if best is not None:
            return best
        if _records(page.body) is None:
            raise TemporaryError(
                f"the Hub at {self.client.endpoint} sent a page of the listing that cannot be read, "
                f"{1 + ASKED_AGAIN} times: run again, the crawl goes on from there"
            )
        raise CensusError(
            f"the listing of {self.client.endpoint} goes round in circles after {len(self._spooled())} pages: "
            f"remove {self.folder} and start again"
        )

    def _url_after(self, place: dict[str, str]) -> str:
        """The page after a record, by a cursor as the Hub makes them: a condition over the sort key and the id."""
        condition = {
            "$or": [
                {"createdAt": place["createdAt"], "_id": {"$gt": place["_id"]}},
                {"createdAt": {"$gt": place["createdAt"]}},
                {"createdAt": None},
            ]
        }
        cursor = base64.b64encode(json.dumps(condition, separators=(",", ":")).encode()).decode()
        return self._url(("cursor", cursor))

    def _url(self, *more: tuple[str, str]) -> str:
        query = [("limit", self.page_size), ("sort", "createdAt"), ("direction", 1)]
        return f"{self.client.endpoint}/api/models?" + urlencode(
            [*query, *(("expand", name) for name in EXPANDED_FIELDS), *more]
        )

    def _spooled(self) -> list[Path]:
        """The pages that follow one another from the first on, each with what is known of it."""
        following = itertools.takewhile(self._is_next, enumerate(self._pages()))
        return [page for _, page in following]

    def _is_next(self, numbered: tuple[int, Path]) -> bool:
        number, page = numbered
        return page.name == _page_name(number) and page.with_name(_facts_name(page.name)).exists()

    def _pages(self) -> list[Path]:
        return sorted(self.folder.glob("page-*.json.zst"))

    def _give_up(self, first: int) -> None:
        """Removes the pages from the `first` of them on, the last one first: at any moment those left can be trusted.

        What was made of pages goes before them, or it would be taken for the columns of those that come in their place.
        """
        given_up = self._pages()[first:]
        for columns in self.folder.glob("columns-*.arrow") if given_up else ():
            columns.unlink()
        for page in reversed(given_up):
            page.unlink()

    def _facts(self, page: Path) -> dict[str, Any]:
        facts: dict[str, Any] = json.loads(page.with_name(_facts_name(page.name)).read_text())
        return facts

    def _spool(self, number: int, body: bytes, facts: dict[str, Any]) -> None:
        """Keeps a page. What is known of it is written first, so that a page on disk always knows its successor."""
        page = self.folder / _page_name(number)
        write_atomically(page.with_name(_facts_name(page.name)), json.dumps(facts).encode())
        write_atomically(page, packed(body))


def packed(body: bytes) -> bytes:
    """A page as it is spooled: Zstandard, which is read five times as fast as what the Hub sends it in."""
    compressed: bytes = pa.Codec("zstd", compression_level=1).compress(body, asbytes=True)
    return compressed


def _records(body: bytes) -> list[dict[str, Any]] | None:
    """The page's records; None where it cannot be read."""
    try:
        records = json.loads(body)
    except (ValueError, RecursionError):
        return None
    whole = isinstance(records, list) and all(isinstance(record, dict) for record in records)
    return records if whole else None


def _is_unreadable(page: Path) -> bool:
    try:
        read_pages([page])
    except UnusableSnapshotError:
        return True
    return False


def _place(records: list[dict[str, Any]]) -> dict[str, str] | None:
    """Where the last of the records stands in the listing."""
    if not records or not {"_id", "createdAt"} <= records[-1].keys():
        return None
    return {"_id": records[-1]["_id"], "createdAt": records[-1]["createdAt"]}


def _page_name(number: int) -> str:
    return f"page-{number:06d}.json.zst"


def _facts_name(page_name: str) -> str:
    return page_name.replace("page-", "facts-").replace(".json.zst", ".json")
