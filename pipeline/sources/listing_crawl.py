"""The Hub as it is now, page by page through its listing API, the oldest models first.

Every page is kept on disk before the next is asked for: a crawl that was cut off goes on where it was. No page is
trusted: what arrives unreadable, shorter than asked for, out of order or again is asked for again. Where the Hub's
cursors say after which model a page begins, each page is asked for from a few models before the end of the one before:
if none of them is in it, something was skipped. After the last page the end is asked for once more.
"""

import base64
import itertools
import json
import re
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self
from urllib.parse import parse_qs, urlencode, urlsplit

import polars as pl
import pyarrow as pa
from pydantic import TypeAdapter, ValidationError

from pipeline.atomic_file import write_atomically
from pipeline.errors import CensusError, TemporaryError, UnusableSnapshotError
from pipeline.sources.client import CursorRefusedError, HubClient, Page
from pipeline.sources.records import read_json
from pipeline.sources.snapshots import COUNTER_COLUMNS, Observed
from pipeline.wording import counted

PAGE_SIZE = 1000
EXPANDED_FIELDS = (
    *("baseModels", "cardData", "createdAt", "downloads", "downloadsAllTime", "gated", "gguf", "library_name", "likes"),
    *("pipeline_tag", "safetensors", "tags"),
)
PAGES_READ_AT_ONCE = 250
PAGES_OF_POPULAR = 50
"""The 1.5 % of the repositories that are downloaded most have 99 % of the downloads: some 45,000."""
ASKED_AGAIN = 2
OVERLAP = 3
"""So many models of a page are asked for again with the next: that one of them is removed meanwhile may happen."""

POSITION = "position.json"
Place = tuple[str, str]
"""Where a model stands in the listing: when it was created, and its id."""


@dataclass(frozen=True)
class Position:
    """After a page: the `pages` kept and the `models` listed so far, and where the crawl goes on.

    `urls` are the addresses of the next page, the best first; none where the listing has ended. `end` are the places of
    the last models listed. After a page that names no next one, the next is a `probe`: it may show nothing new.
    """

    pages: int = 0
    models: int = 0
    urls: tuple[str, ...] = ()
    end: tuple[Place, ...] = ()
    is_probe: bool = False

    @classmethod
    def kept_in(cls, folder: Path) -> Self | None:
        """That of the pages in a folder; None where it or one of them is not there, or not whole."""
        try:
            position = TypeAdapter(cls).validate_json((folder / POSITION).read_bytes())
        except (OSError, ValidationError):
            return None
        return position if all(page.exists() for page in position.files(folder)) else None

    def in_words(self, models_stated: int | None) -> str:
        """How far that is, beside what the Hub says of its models where it does."""
        of_all = "" if models_stated is None else f" of about {models_stated:,}"
        return f"{counted(self.pages, 'page')}, {counted(self.models, 'model')}{of_all}"

    def files(self, folder: Path) -> list[Path]:
        """The pages, in their order."""
        return [folder / f"page-{number:06d}.json.zst" for number in range(self.pages)]


@dataclass
class ListingCrawl:
    """One pass over the listing of all models, oldest first, whose pages are kept in `folder`."""

    client: HubClient
    folder: Path
    page_size: int = PAGE_SIZE
    sleep: Callable[[float], None] = time.sleep
    _short_pages: int = field(default=0, init=False)

    def run(self, tell: Callable[[str], None] = lambda _: None) -> str:
        """Keeps every page that is not there yet; tells how far it is after each, and returns how far it came.

        Where the Hub no longer accepts the place at which a page begins, the crawl goes on after the last record seen;
        where it does not accept that either, it begins anew.

        Raises:
            CensusError: the Hub refuses.
            UnusableSnapshotError: the listing skips models, goes round in circles or ended with too few models.
            TemporaryError: the Hub did not answer; the next call goes on from the last page kept.
        """
        try:
            return self._crawl(tell)
        except CursorRefusedError:
            self._forget()
            return self._crawl(tell)

    def observed(self) -> Observed:
        """All repositories of the pages, in their order. Where they cannot be used, the next crawl begins anew.

        The pages are read in portions that fit into memory, which are kept beside them as columns.

        Raises:
            UnusableSnapshotError: the pages do not lead to the end of the listing, or hold what cannot be read.
        """
        kept = Position.kept_in(self.folder)
        if kept is None or kept.urls:
            raise UnusableSnapshotError(
                f"the pages in {self.folder} do not lead to the end of {self.name}: remove {self.folder} and start "
                "again"
            )
        pages, portions = kept.files(self.folder), []
        try:
            for start in range(0, len(pages), PAGES_READ_AT_ONCE):
                portion = read_json(pages[start : start + PAGES_READ_AT_ONCE])
                file = self.folder / f"portion-{start:06d}.parquet"
                portion.rows.sink_parquet(file)
                portions.append(replace(portion, rows=pl.scan_parquet(file, glob=False)))
            observed = Observed.joined(portions)
            observed.notes(self.name)
        except UnusableSnapshotError:
            self._forget()
            raise
        return observed

    @property
    def name(self) -> str:
        """How the listing is called."""
        return f"the listing of {self.client.endpoint}"

    def _forget(self) -> None:
        (self.folder / POSITION).unlink(missing_ok=True)

    def _crawl(self, tell: Callable[[str], None]) -> str:
        self.folder.mkdir(parents=True, exist_ok=True)
        position = Position.kept_in(self.folder) or Position(urls=(self._url(),))
        stated = self.client.model_count()
        began, begun_with = time.monotonic(), position.models
        while position.urls:
            try:
                page, records = self._page(position)
            except CursorRefusedError:
                if not position.is_probe:
                    raise
                page, records = Page(b"[]", None), []
            new = [record for record in records if _is_new(record, position)]
            position = self._after(page, new, position)
            write_atomically(position.files(self.folder)[-1], packed(json.dumps(new).encode()))
            write_atomically(self.folder / POSITION, json.dumps(asdict(position)).encode())
            said = position.in_words(stated)
            if page.requests_left is not None:
                said += f", {page.requests_left:,} requests left in this window"
            if stated and position.models > begun_with:
                minutes_each = (time.monotonic() - began) / 60 / (position.models - begun_with)
                said += f", about {max(stated - position.models, 0) * minutes_each:.0f} min to go"
            tell(said)
            if position.urls and page.requests_left == 0:
                self.sleep((page.window_ends_in or 0) + 1)
        if stated is not None and position.models < 0.99 * stated:
            raise UnusableSnapshotError(
                f"{self.name} ended after {counted(position.models, 'model')}, but the Hub says that it has "
                f"{stated:,}: remove {self.folder} and start again"
            )
        return position.in_words(stated)

    def _page(self, position: Position) -> tuple[Page, list[dict[str, Any]]]:
        """The page after a position, from the first of its addresses that the Hub accepts."""
        for url in position.urls[:-1]:
            with suppress(CursorRefusedError):
                return self._sound_page(url, position)
        return self._sound_page(position.urls[-1], position)

    def _sound_page(self, url: str, position: Position) -> tuple[Page, list[dict[str, Any]]]:
        """The longest answer to a few requests, if one that is whole is not among them."""
        best: tuple[Page, list[dict[str, Any]]] | None = None
        trouble: CensusError | None = None
        for _ in range(1 + ASKED_AGAIN):
            page = self.client.page(url)
            try:
                records = self._records(url, page, position)
            except CensusError as error:
                trouble = error
                continue
            if best is not None and len(records) <= len(best[1]):
                self._short_pages += 1
                return best
            best = page, records
            is_whole = len(records) >= self.page_size or page.next_url is None
            # After three that stayed as short when asked for again, short pages are taken to be the Hub's way.
            if is_whole or self._short_pages >= 3:
                return best
        if best is None:
            raise trouble or TemporaryError(self.name)
        return best

    def _records(self, url: str, page: Page, position: Position) -> list[dict[str, Any]]:
        """A page's records.

        Raises:
            TemporaryError: they cannot be read.
            UnusableSnapshotError: they cannot be those that come after the position.
        """
        try:
            records = json.loads(page.body)
        except (ValueError, RecursionError):
            records = None
        if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
            raise TemporaryError(
                f"the Hub at {self.client.endpoint} sent a page of the listing that cannot be read, "
                f"{1 + ASKED_AGAIN} times: run again, the crawl goes on from there"
            )
        places = [place for record in records if (place := _place(record))]
        nothing_new = bool(position.end) and not any(place > position.end[-1] for place in places)
        shown_again = position.end[1:] if position.end[:1] == (_place_in(url),) else ()
        if records and not places:
            said = "is not made of listing records, which have `_id` and `createdAt`: check HF_ENDPOINT"
        elif any(earlier[0] > later[0] for earlier, later in itertools.pairwise(places)):
            said = "is not in the order of creation that was asked for, so that nothing tells whether it is whole"
        elif position.is_probe and nothing_new:
            return records
        elif shown_again and set(shown_again).isdisjoint(places):
            said = (
                f"skips models after {position.end[-1][1]}, created {position.end[-1][0]}: the last of them were asked "
                "for again and are not there; run again later, the crawl goes on from there"
            )
        elif page.next_url is not None and nothing_new:
            said = (
                f"goes round in circles: what follows {position.end[-1][1]} was listed before; remove {self.folder} "
                "and start again"
            )
        else:
            return records
        raise UnusableSnapshotError(f"{self.name} {said}")

    def _after(self, page: Page, new: list[dict[str, Any]], position: Position) -> Position:
        """Where the crawl goes on after a page, of which the `new` records were not listed before."""
        after = replace(position, pages=position.pages + 1, models=position.models + len(new), is_probe=False)
        if not new:
            return replace(after, urls=(page.next_url,) if page.next_url else ())
        places = [place for record in new if (place := _place(record))]
        end = (*position.end, *places)[-1 - min(OVERLAP, len(new) // 2) :]
        own, after_last = self._url_after(end[0]), self._url_after(end[-1])
        if page.next_url is None:
            return replace(after, urls=(own,), end=end, is_probe=True)
        place = _place_in(page.next_url)
        if place is None:
            urls: tuple[str, ...] = (page.next_url, after_last)
        else:
            urls = (own, page.next_url, after_last) if place == end[-1] else (own, after_last)
        return replace(after, urls=urls, end=end)

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


def _place(record: dict[str, Any]) -> Place | None:
    """Where a record stands, if it says so."""
    created_at, hub_id = record.get("createdAt"), record.get("_id")
    if isinstance(created_at, str) and re.match(r"\d{4}-\d{2}-\d{2}T", created_at) and isinstance(hub_id, str):
        return created_at, hub_id
    return None


def _is_new(record: dict[str, Any], position: Position) -> bool:
    """Whether a record comes after what was listed, as far as it says."""
    place = _place(record)
    return place is None or not position.end or place > position.end[-1]


def _place_in(url: str) -> Place | None:
    """The place after which a page begins, where its address holds a cursor that says so."""
    try:
        condition = json.loads(base64.b64decode(parse_qs(urlsplit(url).query)["cursor"][0], validate=True))["$or"][0]
        created_at, hub_id = condition["createdAt"], condition["_id"]["$gt"]
    except (LookupError, ValueError, TypeError):
        return None
    return (created_at, hub_id) if isinstance(created_at, str) and isinstance(hub_id, str) else None
