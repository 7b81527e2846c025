"""The Hub as it is now, page by page through its listing API, the oldest models first.

Every page is kept on disk, with where the next begins, before that is asked for: a crawl that was cut off goes on where
it was. No page is trusted: what arrives unreadable, shorter than asked for, out of order or again is asked for again.
Where the Hub's cursors say after which model a page begins, each page is asked for from a few models before the end of
the one before: if none of them is in it, something was skipped. After the last page the end is asked for once more.
"""

from __future__ import annotations

import base64
import itertools
import json
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import polars as pl
import pyarrow as pa

from pipeline.atomic_file import replacing, write_atomically
from pipeline.errors import CensusError, TemporaryError, UnusableSnapshotError
from pipeline.sources.client import CursorRefusedError, HubClient, Page
from pipeline.sources.json_records import read_json
from pipeline.sources.observations import Observed

PAGE_SIZE = 1000
EXPANDED_FIELDS = (
    *("baseModels", "cardData", "createdAt", "downloads", "downloadsAllTime", "gated", "gguf", "library_name", "likes"),
    *("pipeline_tag", "safetensors", "tags"),
)
FEWEST_OF_STATED = 0.99
"""A crawl with fewer of the models that the Hub says it has is not whole."""
PAGES_READ_AT_ONCE = 250
ASKED_AGAIN = 2
SHORT_PAGES_CHECKED = 3
"""After so many short pages that stayed as short when asked for again, short pages are taken to be the Hub's way."""
OVERLAP = 3
"""So many models of a page are asked for again with the next: that one of them is removed meanwhile may happen."""

TIME = re.compile(r"\d{4}-\d{2}-\d{2}T")
Place = tuple[str, str]
"""Where a model stands in the listing: when it was created, and its id."""


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


@dataclass(frozen=True)
class Position:
    """After a page: `models` that it was the first to list, and where the crawl goes on.

    `urls` are the addresses of the next page, the best first; none where the listing has ended. `end` are the places of
    the last models listed. After a page that names no next one, the next is a `probe`: it may show nothing new.
    """

    models: int
    urls: tuple[str, ...]
    end: tuple[Place, ...] = ()
    is_probe: bool = False


@dataclass
class ListingCrawl:
    """One pass over the listing of all models, oldest first, spooled in `folder`."""

    client: HubClient
    folder: Path
    page_size: int = PAGE_SIZE
    sleep: Callable[[float], None] = time.sleep
    _short_pages: int = field(default=0, init=False)

    def rows(self) -> pl.LazyFrame:
        """All repositories of the pages that are spooled, in their order.

        The pages are read once, in portions that fit into memory, and kept beside them as columns: uncompressed, some
        600 bytes a repository, because to compress them costs a quarter of what it costs to read the pages.

        Raises:
            UnusableSnapshotError: the pages do not lead to the end of the listing, or one cannot be read.
        """
        spooled = self._spooled()
        if not spooled or self._position(spooled[-1]).urls:
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
        return pl.scan_ipc(kept, glob=False)

    def observed(self) -> Observed:
        """What the pages say; see `rows`."""
        rows = self.rows()
        there = rows.select(pl.all().count()).collect(engine="streaming").row(0, named=True)
        return Observed(rows, frozenset(column for column, values in there.items() if not values))

    def run(self, progress: Callable[[CrawlProgress], None] = lambda _: None) -> CrawlProgress:
        """Spools every page that is not there yet; tells `progress` after each.

        Where the Hub no longer accepts the place at which a page begins, the crawl goes on after the last record seen;
        where it does not accept that either, it begins anew.

        Raises:
            CensusError: the Hub refuses.
            UnusableSnapshotError: the listing skips models, goes round in circles, ended with too few models, or has
                values that cannot be read, after which it begins anew.
            TemporaryError: the Hub did not answer; the next call goes on from the last page spooled.
        """
        try:
            ended = self._crawl(progress)
        except CursorRefusedError:
            self._give_up(0)
            ended = self._crawl(progress)
        try:
            self.observed().notes(f"the listing of {self.client.endpoint}")
        except UnusableSnapshotError:
            self._give_up(0)
            raise
        return ended

    def _read(self, pages: Sequence[Path]) -> pl.LazyFrame:
        """The pages' repositories; from the first one on that cannot be read, pages are given up.

        Raises:
            UnusableSnapshotError: a page cannot be read.
        """
        try:
            return read_json(pages).rows
        except UnusableSnapshotError as error:
            unreadable = self._spooled().index(next(filter(_is_unreadable, pages), pages[0]))
            self._give_up(unreadable)
            raise UnusableSnapshotError(
                f"page {unreadable + 1} of the listing of {self.client.endpoint} is not made of listing records "
                f"({error}): run again, the crawl goes on from there"
            ) from error

    def _crawl(self, progress: Callable[[CrawlProgress], None]) -> CrawlProgress:
        self.folder.mkdir(parents=True, exist_ok=True)
        spooled = self._spooled()
        self._give_up(len(spooled))
        positions = [self._position(page) for page in spooled]
        position = positions[-1] if positions else Position(0, (self._url(),))
        models = sum(position.models for position in positions)
        stated = self.client.model_count()
        began, begun_with = time.monotonic(), models
        state = CrawlProgress(len(spooled), models, stated, None, None)
        while position.urls:
            try:
                page, records = self._page(position)
            except CursorRefusedError:
                if not position.is_probe:
                    raise
                page, records = Page(b"[]", None), []
            new = _not_yet_listed(records, position.end)
            position = self._after(page, new, position)
            self._spool(state.pages, json.dumps(new).encode(), position)
            models += position.models
            left = None
            if stated and models > begun_with:
                left = max(stated - models, 0) * (time.monotonic() - began) / (models - begun_with)
            state = CrawlProgress(state.pages + 1, models, stated, page.requests_left, left)
            progress(state)
            if position.urls and page.requests_left == 0:
                self.sleep((page.window_ends_in or 0) + 1)
        if stated is not None and models < FEWEST_OF_STATED * stated:
            raise UnusableSnapshotError(
                f"the listing of {self.client.endpoint} ended after {models:,} models, but the Hub says that it has "
                f"{stated:,}: remove {self.folder} and start again"
            )
        return state

    def _page(self, position: Position) -> tuple[Page, list[dict[str, Any]]]:
        """The page after a position, from the first of its addresses that the Hub accepts."""
        for url in position.urls[:-1]:
            try:
                return self._sound_page(url, position)
            except CursorRefusedError:
                continue
        return self._sound_page(position.urls[-1], position)

    def _sound_page(self, url: str, position: Position) -> tuple[Page, list[dict[str, Any]]]:
        best: tuple[Page, list[dict[str, Any]]] | None = None
        trouble: CensusError | None = None
        for _ in range(1 + ASKED_AGAIN):
            page = self.client.page(url)
            records = _records(page.body)
            trouble = self._trouble(url, page, records, position)
            if records is None or trouble is not None:
                continue
            if best is None or len(records) > len(best[1]):
                whole = len(records) >= self.page_size or page.next_url is None
                if whole or self._short_pages >= SHORT_PAGES_CHECKED:
                    return page, records
                best = page, records
            else:
                self._short_pages += 1
                return best
        if best is None and trouble is not None:
            raise trouble
        assert best is not None  # noqa: S101 - every page has trouble or becomes the best
        return best

    def _trouble(
        self, url: str, page: Page, records: list[dict[str, Any]] | None, position: Position
    ) -> CensusError | None:
        """What is wrong with a page; None where it can be the next one."""
        if records is None:
            return TemporaryError(
                f"the Hub at {self.client.endpoint} sent a page of the listing that cannot be read, "
                f"{1 + ASKED_AGAIN} times: run again, the crawl goes on from there"
            )
        places = _places(records)
        new = _new(places, position.end)
        shown_again = position.end[1:] if position.end[:1] == (_place_in(url),) else ()
        said = None
        if records and not places:
            said = "is not made of listing records, which have `_id` and `createdAt`: check HF_ENDPOINT"
        elif any(earlier[0] > later[0] for earlier, later in itertools.pairwise(places)):
            said = "is not in the order of creation that was asked for, so that nothing tells whether it is whole"
        elif position.is_probe and not new:
            pass
        elif shown_again and set(shown_again).isdisjoint(places):
            said = (
                f"skips models after {position.end[-1][1]}, created {position.end[-1][0]}: the last of them were asked "
                "for again and are not there; run again later, the crawl goes on from there"
            )
        elif position.end and page.next_url is not None and not new:
            said = (
                f"goes round in circles: what follows {position.end[-1][1]} was listed before; remove {self.folder} "
                "and start again"
            )
        return UnusableSnapshotError(f"the listing of {self.client.endpoint} {said}") if said else None

    def _after(self, page: Page, records: list[dict[str, Any]], position: Position) -> Position:
        """Where the crawl goes on after a page, of which the records were not listed before."""
        if not records:
            return Position(0, (page.next_url,) if page.next_url else (), position.end)
        end = (*position.end, *_places(records))[-1 - min(OVERLAP, len(records) // 2) :]
        own, after_last = self._url_after(end[0]), self._url_after(end[-1])
        if page.next_url is None:
            return Position(len(records), (own,), end, is_probe=True)
        place = _place_in(page.next_url)
        if place is None:
            return Position(len(records), (page.next_url, after_last), end)
        return Position(len(records), (own, page.next_url, after_last) if place == end[-1] else (own, after_last), end)

    def _url_after(self, place: Place) -> str:
        """The page after a record, by a cursor as the Hub makes them: a condition over the sort key and the id."""
        created_at, hub_id = place
        condition = {
            "$or": [
                {"createdAt": created_at, "_id": {"$gt": hub_id}},
                {"createdAt": {"$gt": created_at}},
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
        """The pages that follow one another from the first on, each with where it leads."""
        following = itertools.takewhile(self._is_next, enumerate(self._pages()))
        return [page for _, page in following]

    def _is_next(self, numbered: tuple[int, Path]) -> bool:
        number, page = numbered
        return page.name == _page_name(number) and page.with_name(_position_name(page.name)).exists()

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

    def _position(self, page: Path) -> Position:
        kept = json.loads(page.with_name(_position_name(page.name)).read_text())
        end = tuple((created_at, hub_id) for created_at, hub_id in kept["end"])
        return Position(kept["models"], tuple(kept["urls"]), end, kept["is_probe"])

    def _spool(self, number: int, body: bytes, position: Position) -> None:
        """Keeps a page. Where it leads is written first, so that a page on disk always knows its successor."""
        page = self.folder / _page_name(number)
        write_atomically(page.with_name(_position_name(page.name)), json.dumps(asdict(position)).encode())
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
        read_json([page])
    except UnusableSnapshotError:
        return True
    return False


def _places(records: Sequence[dict[str, Any]]) -> list[Place]:
    """The places of the records that say theirs."""
    stated = [(record.get("createdAt"), record.get("_id")) for record in records]
    return [
        (created, hub_id)
        for created, hub_id in stated
        if isinstance(created, str) and TIME.match(created) and isinstance(hub_id, str)
    ]


def _new(places: Sequence[Place], end: Sequence[Place]) -> list[Place]:
    """Those of the places that come after the end of what was listed."""
    return [place for place in places if not end or place > end[-1]]


def _not_yet_listed(records: list[dict[str, Any]], end: Sequence[Place]) -> list[dict[str, Any]]:
    """The records but for those that come before the end of what was listed."""
    return [record for record in records if not end or not (place := _places([record])) or place[0] > end[-1]]


def _place_in(url: str) -> Place | None:
    """The place after which a page begins, where its address holds a cursor that says so."""
    try:
        condition = json.loads(base64.b64decode(parse_qs(urlsplit(url).query)["cursor"][0], validate=True))["$or"][0]
        created_at, hub_id = condition["createdAt"], condition["_id"]["$gt"]
    except (LookupError, ValueError, TypeError):
        return None
    return (created_at, hub_id) if isinstance(created_at, str) and isinstance(hub_id, str) else None


def _page_name(number: int) -> str:
    return f"page-{number:06d}.json.zst"


def _position_name(page_name: str) -> str:
    return page_name.replace("page-", "after-").replace(".json.zst", ".json")
