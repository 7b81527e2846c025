"""What the report is to those who do not draw it: a file's name, and pictures of its main figures."""

from __future__ import annotations

import base64
from dataclasses import dataclass

from pipeline.text import in_markdown

REPORT_NAME = "report.html"
SITE = "site"


@dataclass(frozen=True)
class Picture:
    """A figure's chart as PNG or SVG: the figure's key, and the published table that it shows.

    `words` say it to those who do not see it, `statement` is what the figure is of: period, population and so on.
    """

    key: str
    table: str
    words: str
    statement: str
    image: bytes

    def as_markdown(self) -> str:
        """The picture itself and its statement, in Markdown."""
        media_type = "image/png" if self.image.startswith(b"\x89PNG") else "image/svg+xml"
        address = f"data:{media_type};base64,{base64.b64encode(self.image).decode()}"
        return f"![{in_markdown(self.words)}]({address})\n\n{in_markdown(self.statement)}"
