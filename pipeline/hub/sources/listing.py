"""The Hub as it is now, page by page through its listing API.

Every page is kept on disk, with the address of the next, before that is asked for: a crawl that was cut off goes on
where it was.
"""

from __future__ import annotations

import gzip
import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import polars as pl

from pipeline.errors import CensusError
from pipeline.hub.client import HubClient
from pipeline.hub.sources.dialects import read_json_lines

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


@dataclass(frozen=True)
class ListingCrawl:
    """One pass over the listing of all models, oldest first, spooled in `folder`."""

    client: HubClient
    folder: Path

    def rows(self, progress: Callable[[int], None] = lambda _: None) -> pl.LazyFrame:
        """All repositories listed, each once; pages that are already spooled are not asked for again.

        `progress` is told the number of pages spooled after each.

        Raises:
            CensusError: the listing is empty, goes round in circles, or refuses.
            TemporaryError: the Hub did not answer; the next call goes on from the last page spooled.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        spooled = self._spooled()
        following = self._next_url(spooled[-1]) if spooled else self._first_url()
        seen = {self._next_url(page) for page in spooled}
        while following is not None:
            page = self.client.page(following)
            if page.next_url is not None and page.next_url in seen:
                raise CensusError(
                    f"the listing of {self.client.endpoint} goes round in circles after {len(spooled)} pages: "
                    f"remove {self.folder} and start again"
                )
            seen.add(page.next_url)
            spooled.append(self._spool(len(spooled), page.body, page.next_url))
            progress(len(spooled))
            following = page.next_url
        return read_json_lines(spooled).unique("hub_id", keep="last", maintain_order=True)

    def _first_url(self) -> str:
        query = [("limit", PAGE_SIZE), ("sort", "createdAt"), ("direction", 1)]
        return f"{self.client.endpoint}/api/models?" + urlencode(
            [*query, *(("expand", field) for field in EXPANDED_FIELDS)]
        )

    def _spooled(self) -> list[Path]:
        return sorted(self.folder.glob("page-*.json.gz"))

    def _next_url(self, page: Path) -> str | None:
        following: str | None = json.loads(page.with_name(_next_name(page.name)).read_text())
        return following

    def _spool(self, number: int, body: bytes, next_url: str | None) -> Path:
        """Keeps a page. The next address is written first, so that a page on disk always knows its successor."""
        page = self.folder / f"page-{number:06d}.json.gz"
        _write_whole(page.with_name(_next_name(page.name)), json.dumps(next_url).encode())
        _write_whole(page, gzip.compress(body, compresslevel=1, mtime=0))
        return page


def _next_name(page_name: str) -> str:
    return page_name.replace("page-", "next-").replace(".json.gz", ".json")


def _write_whole(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    temporary.write_bytes(content)
    temporary.replace(path)
