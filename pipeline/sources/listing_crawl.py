"""The Hub as it is now, page by page through its listing API, the oldest models first.

Every page is kept on disk before the next is asked for: a crawl that was cut off goes on where it was. No page is
trusted: what arrives unreadable, shorter than asked for, out of order or again is asked for again. Where the Hub's
cursors say after which model a page begins, each page is asked for from a few models before the end of the one before:
if none of them is in it, something was skipped. After the last page the end is asked for once more.
"""

from __future__ import annotations

import base64
import itertools
import json
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import polars as pl
import pyarrow as pa

from pipeline.atomic_file import write_atomically
from pipeline.errors import CensusError, TemporaryError, UnusableSnapshotError
from pipeline.sources.client import CursorRefusedError, HubClient, Page
from pipeline.sources.observations import Observed
from pipeline.sources.records import read_json
from pipeline.sources.snapshots import COUNTER_COLUMNS
from pipeline.wording import counted

PAGE_SIZE = 1000
EXPANDED_FIELDS = (
    *("baseModels", "cardData", "createdAt", "downloads", "downloadsAllTime", "gated", "gguf", "library_name", "likes"),
    *("pipeline_tag", "safetensors", "tags"),
)
FEWEST_OF_STATED = 0.99
"""A crawl with fewer of the models that the Hub says it has is not whole."""
PAGES_READ_AT_ONCE = 250
PAGES_OF_POPULAR = 50
"""The 1.5 % of the repositories that are downloaded most have 99 % of the downloads: some 45,000."""
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
        said = f"{counted(self.pages, 'page')}, {counted(self.models, 'model')}"
        if self.models_stated is not None:
            said += f" of about {self.models_stated:,}"
        if self.requests_left is not None:
            said += f", {self.requests_left:,} requests left in this window"
        if self.seconds_left is not None:
            said += f", about {self.seconds_left / 60:.0f} min to go"
        return said


@dataclass(frozen=True)
class Position:
    """After a page: the `models` listed so far, and where the crawl goes on.

    `urls` are the addresses of the next page, the best first; none where the listing has ended. `end` are the places of
    the last models listed. After a page that names no next one, the next is a `probe`: it may show nothing new.
    """

    models: int
    urls: tuple[str, ...]
    end: tuple[Place, ...] = ()
    is_probe: bool = False


@dataclass
class ListingCrawl:
    """One pass over the listing of all models, oldest first, whose pages are kept in `folder`."""

    client: HubClient
    folder: Path
    page_size: int = PAGE_SIZE
    sleep: Callable[[float], None] = time.sleep
    _short_pages: int = field(default=0, init=False)

    def run(self, progress: Callable[[CrawlProgress], None] = lambda _: None) -> CrawlProgress:
        """Keeps every page that is not there yet; tells `progress` after each.

        Where the Hub no longer accepts the place at which a page begins, the crawl goes on after the last record seen;
        where it does not accept that either, it begins anew.

        Raises:
            CensusError: the Hub refuses.
            UnusableSnapshotError: the listing skips models, goes round in circles or ended with too few models.
            TemporaryError: the Hub did not answer; the next call goes on from the last page kept.
        """
        try:
            return self._crawl(progress)
        except CursorRefusedError:
            self._give_up(0)
            return self._crawl(progress)

    def observed(self) -> Observed:
        """All repositories of the pages, in their order. Where they cannot be used, the next crawl begins anew.

        The pages are read in portions that fit into memory, which are kept beside them as columns.

        Raises:
            UnusableSnapshotError: the pages do not lead to the end of the listing, or hold what cannot be read.
        """
        kept = self._kept()
        name = f"the listing of {self.client.endpoint}"
        if not kept or kept[-1].urls:
            raise UnusableSnapshotError(
                f"the {len(kept)} pages in {self.folder} that follow one another do not lead to the end of {name}: "
                f"remove {self.folder} and start again"
            )
        pages = [self._page_file(number) for number in range(len(kept))]
        portions = []
        try:
            for start in range(0, len(pages), PAGES_READ_AT_ONCE):
                portion = read_json(pages[start : start + PAGES_READ_AT_ONCE])
                file = self.folder / f"portion-{start:06d}.parquet"
                portion.rows.sink_parquet(file)
                portions.append(replace(portion, rows=pl.scan_parquet(file, glob=False)))
            observed = Observed.joined(portions)
            observed.notes(name)
        except UnusableSnapshotError:
            self._give_up(0)
            raise
        return observed

    def _crawl(self, progress: Callable[[CrawlProgress], None]) -> CrawlProgress:
        self.folder.mkdir(parents=True, exist_ok=True)
        kept = self._kept()
        self._give_up(len(kept))
        position = kept[-1] if kept else Position(0, (self._url(),))
        stated = self.client.model_count()
        began, begun_with = time.monotonic(), position.models
        state = CrawlProgress(len(kept), position.models, stated, None, None)
        while position.urls:
            try:
                page, records = self._page(position)
            except CursorRefusedError:
                if not position.is_probe:
                    raise
                page, records = Page(b"[]", None), []
            new = _not_yet_listed(records, position.end)
            position = self._after(page, new, position)
            self._keep(state.pages, new, position)
            left = None
            if stated and position.models > begun_with:
                seconds_each = (time.monotonic() - began) / (position.models - begun_with)
                left = max(stated - position.models, 0) * seconds_each
            state = CrawlProgress(state.pages + 1, position.models, stated, page.requests_left, left)
            progress(state)
            if position.urls and page.requests_left == 0:
                self.sleep((page.window_ends_in or 0) + 1)
        if stated is not None and state.models < FEWEST_OF_STATED * stated:
            raise UnusableSnapshotError(
                f"the listing of {self.client.endpoint} ended after {counted(state.models, 'model')}, but the Hub says "
                f"that it has {stated:,}: remove {self.folder} and start again"
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
        """The longest answer to a few requests, if one that is whole is not among them."""
        best: tuple[Page, list[dict[str, Any]]] | None = None
        trouble: CensusError | None = None
        for _ in range(1 + ASKED_AGAIN):
            page = self.client.page(url)
            records = _records(page.body)
            trouble = self._trouble(url, page, records, position)
            if records is None or trouble is not None:
                continue
            if best is not None and len(records) <= len(best[1]):
                self._short_pages += 1
                return best
            best = page, records
            is_whole = len(records) >= self.page_size or page.next_url is None
            if is_whole or self._short_pages >= SHORT_PAGES_CHECKED:
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
        new = [place for place in places if not position.end or place > position.end[-1]]
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

    def _after(self, page: Page, new: list[dict[str, Any]], position: Position) -> Position:
        """Where the crawl goes on after a page, of which the `new` records were not listed before."""
        models = position.models + len(new)
        if not new:
            return Position(models, (page.next_url,) if page.next_url else (), position.end)
        end = (*position.end, *_places(new))[-1 - min(OVERLAP, len(new) // 2) :]
        own, after_last = self._url_after(end[0]), self._url_after(end[-1])
        if page.next_url is None:
            return Position(models, (own,), end, is_probe=True)
        place = _place_in(page.next_url)
        if place is None:
            return Position(models, (page.next_url, after_last), end)
        return Position(models, (own, page.next_url, after_last) if place == end[-1] else (own, after_last), end)

    def _url_after(self, place: Place) -> str:
        """The page after a record, by a cursor as the Hub makes them: a condition over the sort key and the id."""
        created_at, hub_id = place
        same_moment = {"createdAt": created_at, "_id": {"$gt": hub_id}}
        condition = {"$or": [same_moment, {"createdAt": {"$gt": created_at}}, {"createdAt": None}]}
        cursor = base64.b64encode(json.dumps(condition, separators=(",", ":")).encode()).decode()
        return self._url(("cursor", cursor))

    def _url(self, *more: tuple[str, str]) -> str:
        query = [("limit", self.page_size), ("sort", "createdAt"), ("direction", 1)]
        return f"{self.client.endpoint}/api/models?" + urlencode(
            [*query, *(("expand", name) for name in EXPANDED_FIELDS), *more]
        )

    @property
    def _positions_file(self) -> Path:
        return self.folder / "positions.jsonl"

    def _page_file(self, number: int) -> Path:
        return self.folder / f"page-{number:06d}.json.zst"

    def _kept(self) -> list[Position]:
        """Where each page leads, from the first on, as far as pages follow one another without a gap."""
        lines = self._positions_file.read_text().splitlines() if self._positions_file.exists() else []
        found = itertools.takewhile(lambda numbered: self._page_file(numbered[0]).exists(), enumerate(lines))
        return [position for _, line in found if (position := _position_in(line)) is not None]

    def _keep(self, number: int, records: list[dict[str, Any]], position: Position) -> None:
        """Keeps a page, and then where it leads: what is not in the list of positions counts as not there."""
        write_atomically(self._page_file(number), packed(json.dumps(records).encode()))
        with self._positions_file.open("a") as positions:
            positions.write(json.dumps(asdict(position)) + "\n")

    def _give_up(self, first: int) -> None:
        """Forgets the pages from the `first` of them on."""
        if self._positions_file.exists():
            lines = self._positions_file.read_text().splitlines(keepends=True)
            write_atomically(self._positions_file, "".join(lines[:first]).encode())


def popular_counters(client: HubClient, pages: int = PAGES_OF_POPULAR) -> pl.DataFrame:
    """`COUNTER_COLUMNS` of the most downloaded repositories, as the Hub tells them now: a thousand a page.

    The order may change while they are listed: a repository can be there twice, or be missing.

    Raises:
        UnusableSnapshotError: a page cannot be read.
        TemporaryError: the Hub did not answer.
    """
    query = [("limit", PAGE_SIZE), ("sort", "downloads"), ("direction", -1), ("expand", "downloadsAllTime")]
    url: str | None = f"{client.endpoint}/api/models?{urlencode(query)}"
    with TemporaryDirectory(prefix="census-counters-") as folder:
        files: list[Path] = []
        while url is not None and len(files) < pages:
            page = client.page(url)
            files.append(Path(folder) / f"page-{len(files)}.json")
            files[-1].write_bytes(page.body)
            url = page.next_url
        return read_json(files).rows.select(COUNTER_COLUMNS).collect()


def packed(body: bytes) -> bytes:
    """A page as it is kept: Zstandard, which is read five times as fast as what the Hub sends it in."""
    compressed: bytes = pa.Codec("zstd", compression_level=1).compress(body, asbytes=True)
    return compressed


def _position_in(line: str) -> Position | None:
    """The position in a line of the list; None where the process died while writing it."""
    try:
        kept = json.loads(line)
    except ValueError:
        return None
    end = tuple((created_at, hub_id) for created_at, hub_id in kept["end"])
    return Position(kept["models"], tuple(kept["urls"]), end, kept["is_probe"])


def _records(body: bytes) -> list[dict[str, Any]] | None:
    """The page's records; None where it cannot be read."""
    try:
        records = json.loads(body)
    except (ValueError, RecursionError):
        return None
    whole = isinstance(records, list) and all(isinstance(record, dict) for record in records)
    return records if whole else None


def _places(records: Sequence[dict[str, Any]]) -> list[Place]:
    """The places of the records that say theirs."""
    stated = [(record.get("createdAt"), record.get("_id")) for record in records]
    return [
        (created, hub_id)
        for created, hub_id in stated
        if isinstance(created, str) and TIME.match(created) and isinstance(hub_id, str)
    ]


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
